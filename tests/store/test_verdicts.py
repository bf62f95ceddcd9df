"""Verdicts are replaced all at once; the ledger hears of a change, and of nothing else."""

from __future__ import annotations

import dataclasses
import datetime as dt

from stillwatch.model import Campaign, VerdictKind
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, reading, version
from stillwatch.store.ledger.entries import Verdict
from stillwatch.store.log import lines
from stillwatch.store.verdicts import CampaignVerdict, as_verdict, read_verdicts, record_verdicts

ONE = CampaignVerdict("cmp-1", VerdictKind.SUSPECT, 0.8125, 12.5, 9.25, 4.0, 3_000, frozenset({"a", "b", "c"}))
TWO = CampaignVerdict("cmp-2", VerdictKind.WATCH, 0.1, 3.3, 2.2, 1.1, 90, frozenset({"d"}))


def heard(store: Store) -> list[Verdict]:
    with reading(store) as connection:
        return [each.entry.content for each in lines(connection, kind="verdict")]  # type: ignore[misc]


def test_what_is_published_is_what_is_read(store: Store) -> None:
    assert record_verdicts(store, [TWO, ONE], 5, "watcher") == [0, 1]
    snapshot = read_verdicts(store)
    assert snapshot.campaigns == (ONE, TWO)
    assert snapshot.version == version(store)
    assert heard(store)[0] == Verdict(
        "suspect", "0.812500", "12.500000", "9.250000", "4.000000", 3, 3_000, ("a", "b", "c"), ()
    )
    assert audit(store).faults == ()


def test_the_same_again_is_no_news(store: Store) -> None:
    record_verdicts(store, [ONE], 5, "watcher")
    before = version(store)
    assert record_verdicts(store, [ONE], 6, "watcher") == []
    assert version(store) == before


def test_a_probability_that_moves_is_published_but_not_logged(store: Store) -> None:
    record_verdicts(store, [ONE], 5, "watcher")
    moved, before = dataclasses.replace(ONE, p=0.9, exchanges=3_100), version(store)
    assert record_verdicts(store, [moved], 6, "watcher") == []
    assert version(store) > before
    assert read_verdicts(store).campaigns == (moved,)
    assert len(heard(store)) == 1


def test_who_joins_and_who_leaves_is_logged(store: Store) -> None:
    record_verdicts(store, [ONE], 5, "watcher")
    changed = dataclasses.replace(ONE, members=frozenset({"b", "c", "z"}))
    assert record_verdicts(store, [changed], 6, "watcher") == [1]
    assert (heard(store)[1].joined, heard(store)[1].left) == (("z",), ("a",))
    assert read_verdicts(store).campaigns == (changed,)


def test_a_campaign_that_is_found_no_longer_is_cleared(store: Store) -> None:
    record_verdicts(store, [ONE, TWO], 5, "watcher")
    assert record_verdicts(store, [TWO], 6, "watcher") == [2]
    assert read_verdicts(store).campaigns == (TWO,)
    assert (heard(store)[2].verdict, heard(store)[2].left) == ("clear", ("a", "b", "c"))
    record_verdicts(store, [ONE, TWO], 7, "watcher")
    assert read_verdicts(store).campaigns == (ONE, TWO)


def test_a_pool_of_many_accounts_is_published_whole(store: Store) -> None:
    many = dataclasses.replace(ONE, members=frozenset(f"acct-{number}" for number in range(1_700)))
    record_verdicts(store, [many], 5, "watcher")
    fewer = dataclasses.replace(many, members=frozenset(sorted(many.members)[:100]))
    record_verdicts(store, [fewer], 6, "watcher")
    assert read_verdicts(store).campaigns == (fewer,)


def test_a_campaign_of_a_run_is_published_as_it_is() -> None:
    seen = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)
    found = Campaign(
        "cmp-1", VerdictKind.SUSPECT, 0.8125, 12.5, 9.25, 4.0, 3, 3_000, 2_900, 10, seen, seen, members=("c", "b", "a")
    )
    assert as_verdict(found) == ONE
