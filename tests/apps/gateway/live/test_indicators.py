"""Only what is a campaign's alone gets into the index: never a customer's, never what strangers share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import stillwatch as sw
from stillwatch.apps.gateway.live.facts import DAY, AccountFacts
from stillwatch.apps.gateway.live.index import Match
from stillwatch.apps.gateway.live.publishing import Follower
from stillwatch.apps.gateway.live.values import ACCOUNT, Namer, shown_by_account, shown_by_request
from stillwatch.apps.gateway.live.watching import LivePlan, prepare
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.watcher import Watcher
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evaluate.live import arrival_of, facts_of
from stillwatch.lab.evaluate.tables import Tables, load, until
from stillwatch.lab.export import write_traffic
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.live.test_watching import Desk

SECRET = b"tests of indicators"
KEY = SketchKey.from_secret(SECRET)
SMALL = Request(16_000, 1_200, seed=322, split="report", scenarios=("c_coding", "g_failover"), attack_share=1.0)
Change = Callable[["Case", list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass
class Case:
    """A log up to the ban of its first pool, with who is who in it."""

    known: Tables  # at the ban
    tables: Tables
    truth: Truth
    ban: int
    folder: Path

    def of(self, campaign: str | None) -> list[dict[str, Any]]:
        """Rows of a campaign, or of innocents, up to the ban."""
        rows = self.known.exchanges.to_pylist()
        return [row for row in rows if self.truth.exchange.get(row["exchange_id"]) == campaign]

    def later(self) -> list[dict[str, Any]]:
        """The first request of each account of the second pool."""
        first: dict[str, dict[str, Any]] = {}
        early = {row["account_id"] for row in self.of("G-failover")}
        for row in self.tables.exchanges.sort_by("ts").to_pylist():
            if self.truth.campaign.get(row["account_id"]) == "G-failover" and row["account_id"] not in early:
                first.setdefault(row["account_id"], row)
        return list(first.values())

    def innocents(self, verification: str, count: int) -> list[str]:
        """Established innocent accounts that stand alone, with this verification."""
        assert self.known.accounts is not None
        old = dt.datetime.fromtimestamp((self.ban - 30 * DAY) / 1e6, dt.UTC)
        return [
            row["account_id"]
            for row in self.known.accounts.to_pylist()
            if row["verification"] == verification
            and row["created_at"] < old
            and self.truth.innocent(row["account_id"])
        ][:count]

    def concluded(self, name: str, more: Sequence[dict[str, Any]] = ()) -> Follower:
        """The index over the log with some rows more."""
        desk = Desk(self.folder / name, self.folder)
        rows = pa.Table.from_pylist([*self.known.exchanges.to_pylist(), *more], self.known.exchanges.schema)
        desk.write("one", rows)
        plan = LivePlan(
            desk.folder / "log", desk.folder / "state", desk.folder / "out", desk.folder / "index",
            accounts=lambda: self.known.accounts, licences=lambda: self.known.licences,
            settings=sw.Settings(secret=SECRET), every=self.ban, lateness=0,
        )  # fmt: skip
        made, store, _ = prepare(plan)
        assert list(Watcher(made, store, lambda: self.ban).sweep(self.ban, Outages(1)))
        follower = Follower(plan.index, KEY)
        assert follower.check()
        return follower


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("indicators")
    write_traffic(compose(SMALL), folder)
    tables, truth = load(folder), read_truth(folder / "labels")
    assert tables.accounts is not None
    bans = [
        row["suspended_at"]
        for row in tables.accounts.to_pylist()
        if row["suspended_at"] is not None and truth.campaign.get(row["account_id"]) == "G-failover"
    ]
    ban = int(min(bans).timestamp() * 1_000_000)
    return Case(until(tables, ban), tables, truth, ban, folder)


def match(follower: Follower, row: dict[str, Any], facts: AccountFacts | None = None) -> Match | None:
    """What the index says of a row as a request."""
    namer, arrival = Namer(KEY), arrival_of(row)
    sketch = follower.known.sketcher(arrival.prompt, arrival.system_prompt)
    shown = shown_by_request(sketch, arrival) + shown_by_account(facts)
    names = [namer(kind, value) for kind, value in shown]
    return follower.known.index.match(names, namer(ACCOUNT, arrival.account_id), arrival.ts)


def copies(rows: Sequence[dict[str, Any]], account: str, count: int, **other: Any) -> list[dict[str, Any]]:
    """Rows with a campaign's prompts, sent by another account from its own place."""
    place = {"ip": "192.0.2.77", "user_agent": "house/1.0", "tls_fingerprint": None, "status": 200}
    own = dt.timedelta(minutes=7 + sum(account.encode()) % 180)  # at times of its own, or it would look synchronised
    return [
        row | place | {"account_id": account, "exchange_id": f"{account}-{number}", "ts": row["ts"] - own} | other
        for number, row in enumerate(rows[:count])
    ]


@pytest.mark.slow
def test_the_second_pool_sends_what_is_the_campaigns_alone_and_innocents_do_not(case: Case) -> None:
    follower, facts = case.concluded("as-it-is"), facts_of(case.tables)
    second = case.later()
    assert len(second) >= 20
    found = [match(follower, row, facts[row["account_id"]]) for row in second]
    assert all(one is not None and one.content for one in found)
    for row in case.of(None):
        if case.truth.innocent(row["account_id"]):
            one = match(follower, row, facts[row["account_id"]])
            assert one is None or one.count == 1


def refused(rows: Sequence[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """One refused request each, by accounts that have nothing in common with anybody."""
    more: list[dict[str, Any]] = []
    for number in range(count):
        place = {"status": 403, "output_tokens": 0, "ip": f"192.0.2.{number}"}
        more += copies(rows[number:], f"refused-{number}", 1, **place)
    return more


@pytest.mark.slow
def test_a_few_newcomers_that_are_refused_take_no_template_away(case: Case) -> None:
    """Ten beside the campaign's forty would end "nine in ten", were they counted."""
    rows = case.of("G-failover")
    newcomer = match(case.concluded("few", refused(rows, 10)), copies(rows, "newcomer", 1)[0])
    assert newcomer is not None
    assert newcomer.content


@pytest.mark.slow
@pytest.mark.xfail(strict=True, reason="strangers that are refused dilute the verdict itself: docs/why/036")
def test_many_strangers_that_are_refused_take_no_template_away(case: Case) -> None:
    rows = case.of("G-failover")
    newcomer = match(case.concluded("many", refused(rows, 30)), copies(rows, "newcomer", 1)[0])
    assert newcomer is not None


@pytest.mark.slow
def test_a_template_that_a_verified_business_fills_is_nobodys(case: Case) -> None:
    rows = case.of("G-failover")
    (business,) = case.innocents("business", 1)
    follower = case.concluded("business", copies(rows, business, 1))
    assert match(follower, copies(rows, "newcomer", 1)[0]) is None


@pytest.mark.slow
def test_a_template_that_strangers_fill_too_is_nobodys(case: Case) -> None:
    rows = case.of("G-failover")
    more = []
    for number, account in enumerate(case.innocents("phone", 25)):
        more += copies(rows[7 * number :], account, 4, ip=f"192.0.2.{number}")
    follower = case.concluded("strangers", more)
    assert match(follower, copies(rows, "newcomer", 1)[0]) is None
