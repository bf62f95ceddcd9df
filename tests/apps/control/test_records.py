"""What other parts did stands in the control plane's ledger, in its spelling, and verifies as the rest does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.apps.control.records import recording
from stillwatch.model import UsageError
from stillwatch.store.audit import audit
from stillwatch.store.database import open_store, reading
from stillwatch.store.ledger.entries import Record
from stillwatch.store.log import line

FACTS = {"at": 1.5, "partner": "north", "withheld": [{"what": "mail-domain", "count": 2}], "ledger_entry": None}


@pytest.fixture(autouse=True)
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STILLWATCH_DATABASE", raising=False)


@pytest.fixture
def database(tmp_path: Path) -> str:
    name = str(tmp_path / "control.sqlite")
    open_store(name).close()
    return name


def test_a_record_stands_in_the_ledger_with_its_fractions_as_text_and_verifies(database: str) -> None:
    with recording(database, "session", "R. Okafor") as append:
        assert append is not None
        assert [append("psi-asked", "s-1", FACTS), append("psi-counted", "s-1", {"count": 3})] == [0, 1]
    with open_store(database) as store:
        with reading(store) as connection:
            entry = line(connection, 0).entry
        assert not audit(store, None).faults
    assert (entry.by, entry.subject_type, entry.subject_id) == ("R. Okafor", "session", "s-1")
    assert entry.content == Record("psi-asked", {**FACTS, "at": "1.500000"})


def test_the_database_of_the_environment_is_meant_where_none_is_named(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLWATCH_DATABASE", database)
    with recording(None, "campaign", "R. Okafor") as append:
        assert append is not None


def test_without_a_database_there_is_nothing_to_record_into() -> None:
    with recording(None, "campaign", "R. Okafor") as append:
        assert append is None


def test_a_database_that_is_not_there_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such database"), recording(str(tmp_path / "none"), "campaign", "x"):
        pytest.fail("the act began")
