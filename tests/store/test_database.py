"""A database is made and brought up to date by whoever opens it first; what is wrong with one is said in words."""

from __future__ import annotations

import re
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from stillwatch.model import InputRefused, MissingDependency, UsageError
from stillwatch.store import migrations, urls
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, StoreUnavailable, _engine, open_store, version
from stillwatch.store.migrate import migrate
from stillwatch.store.policies import record_policy
from stillwatch.store.tables import METADATA
from stillwatch.store.verdicts import read_verdicts
from tests.postgres import PASSWORD


def test_the_tables_are_those_that_the_code_knows(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrations.VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_the_newest_step_is_the_one_that_the_package_names() -> None:
    folder = Path(migrations.__file__).parent / "versions"
    steps = [re.search(r'^revision = "(\d+)"', each.read_text(), re.M) for each in folder.glob("v*.py")]
    assert max(each[1] for each in steps if each) == migrations.HEAD
    assert len(steps) >= 2


def test_a_database_of_the_first_version_keeps_what_it_holds(database: str) -> None:
    engine = _engine(urls.read_url(database))
    migrate(engine, "0001")
    old = Store(engine, b"", "old")
    assert "campaigns" not in inspect(engine).get_table_names()
    record_policy(old, "d1", "rules: []", 1, "ann")
    old.close()
    with open_store(database) as store:
        assert read_verdicts(store).campaigns == ()
        assert audit(store).size == 1
        assert audit(store).faults == ()
        assert version(store) == 1


def test_a_database_of_a_newer_stillwatch_is_left_alone(database: str) -> None:
    with open_store(database) as store, store.engine.connect() as connection, connection.begin():
        connection.execute(text(f"UPDATE {migrations.VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(InputRefused, match=r"of a newer stillwatch \(step 9999"):
        open_store(database)


def test_a_step_that_fails_leaves_nothing(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic import op

    made = op.create_index

    def fail_late(name: str, *rest: object, **more: object) -> None:
        if name == "ix_campaign_members_account_id":
            raise RuntimeError
        made(name, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_index", fail_late)
        with pytest.raises(RuntimeError):
            open_store(database)
    engine = _engine(urls.read_url(database))
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    with open_store(database) as store:
        assert version(store) == 0


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    with open_store(str(path)) as store:
        record_policy(store, "d1", "", 1, "ann")
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert len(modes) == 3  # with its journal


def test_readers_and_the_writer_go_on_side_by_side(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "control.sqlite")) as store, store.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "no database was named"),
        ("sqlite://", "would forget the ledger"),
        ("sqlite:///:memory:", "would forget the ledger"),
        ("mysql://a:sesame@b/c", "a database of mysql is not supported"),
        ("postgresql://a:sesame@b:port/c", "cannot be read"),
        ("postgresql://a:sesame@b/c?sslmode=perhaps", "sslmode=perhaps: expected one of"),
        ("postgresql://a:sesame@b/c?colour=red", "colour is no option"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as told:
        open_store(url)
    assert "sesame" not in str(told.value)


def test_a_file_that_is_not_there_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such database"):
        open_store(str(tmp_path / "control.sqlite"), create=False)
    with pytest.raises(UsageError, match="No such file or directory"):
        open_store(str(tmp_path / "nowhere" / "control.sqlite"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("meeting at noon\n" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        open_store(str(path))
    assert path.read_text().startswith("meeting")


def test_a_server_that_does_not_answer_is_an_error_without_a_password() -> None:
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/x") as told:
        open_store("postgresql://ann:sesame@127.0.0.1:1/x")
    assert "sesame" not in str(told.value)


def test_a_wrong_password_is_an_error_without_it(postgres: str) -> None:
    with pytest.raises(StoreUnavailable, match="password") as told:
        open_store(postgres.replace("keeper@", "keeper:sesame@"))
    assert "sesame" not in str(told.value)
    assert PASSWORD not in str(told.value)


def test_a_driver_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match=r"needs pg8000: pip install 'stillwatch\[gateway\]'"):
        open_store("postgresql://ann@127.0.0.1:1/x")


def test_a_database_that_is_locked_for_too_long_is_an_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(urls, "WAITS", 0.05)
    path = tmp_path / "control.sqlite"
    with open_store(str(path)) as store:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert version(store) == 0  # readers go on
        with pytest.raises(StoreUnavailable, match="locked"):
            record_policy(store, "d1", "", 1, "ann")
        other.execute("ROLLBACK")
        other.close()
        assert record_policy(store, "d1", "", 1, "ann") == 0


def test_tls_is_asked_for_as_the_url_says() -> None:
    import ssl

    for mode, verify, host in (
        ("require", ssl.CERT_NONE, False),
        ("verify-ca", ssl.CERT_REQUIRED, False),
        ("verify-full", ssl.CERT_REQUIRED, True),
    ):
        url, options = urls.connection(urls.read_url(f"postgresql://ann@db.example.com/x?sslmode={mode}"))
        context = options["ssl_context"]
        assert (context.verify_mode, context.check_hostname, dict(url.query)) == (verify, host, {})
    assert urls.connection(urls.read_url("postgresql://ann@db.example.com/x"))[1]["ssl_context"] is None
