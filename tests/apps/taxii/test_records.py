"""What partners post and are served stands in the control plane's ledger, and nothing goes while it is away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stillwatch.apps.control.records import appender
from stillwatch.store.database import StoreUnavailable, open_store, reading
from stillwatch.store.ledger.entries import Record
from stillwatch.store.log import lines
from tests.apps.taxii.running import CAMPAIGNS, running
from tests.sharing.taxii.made import stix


def test_the_ledger_says_which_partner_posted_and_was_served(tmp_path: Path) -> None:
    one = stix()
    with open_store(str(tmp_path / "control.sqlite")) as store:
        with running(tmp_path, appender(store, "collection", "the server")) as server:
            server["north"].post(CAMPAIGNS, one)
            assert server["north"].ids(CAMPAIGNS) == [one["id"]]
        with reading(store) as connection:
            entries = [each.entry for each in lines(connection)]
    told = [(each.subject_id, each.content.act, each.content.facts["partner"]) for each in entries
            if isinstance(each.content, Record)]  # fmt: skip
    assert told == [("hub/campaigns", act, "north") for act in ("taxii-posted", "taxii-served")]


def test_nothing_is_served_while_the_ledger_is_away(tmp_path: Path) -> None:
    away = []

    def note(*_: Any) -> None:
        if away:
            raise StoreUnavailable("the ledger: connection refused")

    with running(tmp_path, note) as server:
        server["north"].post(CAMPAIGNS, stix())
        away.append(True)
        reply = server["north"].get(CAMPAIGNS + "objects/")
    assert (reply.status, "objects" in reply.json()) == (503, False)
