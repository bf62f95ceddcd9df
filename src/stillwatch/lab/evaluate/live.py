"""A log of the lab sent request by request through the gateway's decider, with its watcher behind it.

Time is the log's. Windows are as long as is asked for: a gateway's minute is shorter, so its index is never older than
here, and what leaks here is more than what would leak there. What is refused goes into the log as refused.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import Decision
from stillwatch.apps.detect import DEFAULT_SECRET
from stillwatch.apps.gateway.live.decider import LiveDecider, Policy, Wiring
from stillwatch.apps.gateway.live.facts import AccountFacts, LicenceTerms
from stillwatch.apps.gateway.live.publishing import Follower
from stillwatch.apps.gateway.live.watching import LivePlan, prepare
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.watcher import Watcher
from stillwatch.lab.evaluate.tables import Tables, until
from stillwatch.sketch.text import SketchKey

APIS = {"/v1/messages": ("anthropic", "messages"), "/v1/chat/completions": ("openai", "chat.completions")}


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of the log and what became of it."""

    exchange_id: str
    account_id: str
    ts: int
    attributes: Attributes
    decision: Decision
    refused: bool  # by the gateway; what the log itself has as refused is not

    @property
    def served(self) -> bool:
        """Whether the gateway let it through."""
        return not self.refused


@dataclass
class Gateway:
    """A decider and a watcher over folders of their own; `enforcing` says from when on decisions are carried out."""

    folder: Path
    tables: Tables
    policy: Policy
    enforcing: Callable[[int], bool] = lambda _: True
    sent: list[Sent] = field(default_factory=list)
    _segments: int = 0
    now: int = 0  # µs: the time of the request, or of the window, that is under way
    _asked: Attributes = field(default_factory=Attributes)  # of the last request

    def __post_init__(self) -> None:
        key = SketchKey.from_secret(DEFAULT_SECRET)
        self._facts = facts_of(self.tables)
        self.follower = Follower(self.folder / "index", key)
        wiring = Wiring(self._noting, self._facts.get)  # nobody approves anything: the verdict alone must do
        self.decider = LiveDecider(self.follower, wiring)
        self.live = LivePlan(
            segments=self.folder / "segments",
            state=self.folder / "state",
            out=self.folder / "out",
            index=self.folder / "index",
            accounts=lambda: until(self.tables, self.now).accounts,
            licences=lambda: self.tables.licences,
            settings=sw.Settings(secret=DEFAULT_SECRET),
            every=1,
            lateness=0,
        )

    def run(self, ends: Sequence[int]) -> list[Sent]:
        """Send everything up to each end in turn, and let the watcher conclude at each."""
        since = 0
        for end in ends:
            rows = _between(self.tables.exchanges, since, end)
            if rows.num_rows:
                self._write(self.send(rows))
                self.conclude(end)
            since = end
        return self.sent

    def send(self, rows: pa.Table) -> pa.Table:
        """Decide on each row in its order; return the rows as they are recorded."""
        recorded = []
        for row in rows.to_pylist():
            arrival = arrival_of(row)
            self.now = arrival.ts
            decision = self.decider.decide(arrival)
            refused = decision.effect.refused and self.enforcing(arrival.ts)
            if refused:
                row |= {"status": decision.effect.status, "output_tokens": 0, "artefacts_out": []}
            self.decider.settle(arrival, decision, outcome_of(row))
            told = Sent(arrival.exchange_id, arrival.account_id, arrival.ts, self._asked, decision, refused)
            self.sent.append(told)
            recorded.append(row)
        if self.decider.errors.count:
            raise RuntimeError(f"the decider failed: {self.decider.errors.kinds}")
        return pa.Table.from_pylist(recorded, rows.schema)

    def conclude(self, end: int) -> None:
        """Let the watcher fold what was recorded as one window that ends at `end`, and go over to its index."""
        self.now = end
        plan, store, source = prepare(replace(self.live, every=end))  # one window holds all that came since the last
        watcher = Watcher(plan, store, lambda: end)
        for each in watcher.sweep(end, Outages(1)):
            source.folded(each.segment.until, each.waiting)
        self.follower.check()

    def _noting(self, attributes: Attributes) -> Decision:
        self._asked = attributes
        return self.policy(attributes)

    def _write(self, rows: pa.Table) -> None:
        self._segments += 1
        self.live.segments.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, self.live.segments / f"{self._segments:06d}.parquet")


def arrival_of(row: Mapping[str, Any]) -> Arrival:
    """A row of the exchange log as the request that it was."""
    same: dict[str, Any] = {name: row.get(name) for name in _AS_THEY_ARE}
    api, endpoint = APIS.get(row.get("endpoint") or "", ("openai", "chat.completions"))
    return Arrival(
        exchange_id=row["exchange_id"],
        ts=_micros(row["ts"]),
        account_id=row["account_id"],
        api=api,
        endpoint=endpoint,
        model=row["model"],
        prompt=row.get("prompt"),
        system_prompt=row.get("system_prompt"),
        tools=tuple(row.get("tools") or ()),
        turns=row.get("turns") or 1,
        artefacts_in=tuple(row.get("artefacts_in") or ()),
        **same,
    )


_AS_THEY_ARE = (
    "max_tokens", "temperature", "n", "stream", "ip", "asn", "country", "user_agent", "tls_fingerprint", "api_key_id",
    "channel",
)  # fmt: skip


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """How a row of the exchange log ended."""
    return Outcome(
        row.get("status") or 200,
        row.get("input_tokens"),
        row.get("output_tokens"),
        tuple(row.get("artefacts_out") or ()),
    )


def facts_of(tables: Tables) -> dict[str, AccountFacts]:
    """What a control plane would know of every account."""
    if tables.accounts is None:
        return {}
    terms = _licences(tables.licences)
    found = {}
    for row in tables.accounts.to_pylist():
        name, org = row["account_id"], row["org_id"] or ""
        found[name] = AccountFacts(
            account_id=name,
            organisation=org,
            plan=row["plan"] or "",
            verification=row["verification"] or "none",
            programme=row["program"] or "",
            created_at=None if row["created_at"] is None else _micros(row["created_at"]),
            licences=tuple(each for whose, each in terms if whose in (name, org)),
            declared_use=any(whose in (name, org) for whose, _ in terms),
            **{each: row[each] for each in ("payment_fingerprint", "phone_hash", "signup_ip", "email_domain")},
        )
    return found


def _licences(path: Path | None) -> list[tuple[str, LicenceTerms]]:
    if path is None:
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (
            row.get("account_id") or row.get("org_id") or "",
            LicenceTerms(_listed(row.get("models")), _listed(row.get("capabilities"))),
        )
        for row in rows
    ]


def _listed(cell: str | None) -> frozenset[str]:
    return frozenset(name for name in (cell or "").split(";") if name)


def _between(rows: pa.Table, since: int, end: int) -> pa.Table:
    ts = pc.cast(rows["ts"], pa.int64())
    return rows.filter(pc.and_(pc.greater_equal(ts, since), pc.less(ts, end))).sort_by("ts")


def _micros(moment: dt.datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return (aware - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
