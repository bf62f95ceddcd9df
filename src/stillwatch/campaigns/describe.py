"""What each campaign did, in numbers: computed in the engine over just its members' exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.campaigns.phases import KEYS, Closer, look_closer
from stillwatch.campaigns.weigh import Assessment
from stillwatch.ingest.engine import Engine
from stillwatch.model import Share
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.groups import Membership, grouped_rows
from stillwatch.sketch.intent import CAPABILITIES
from stillwatch.sketch.population import Population

TOP = 8  # names listed of each kind
BARS_IN_TIMELINE = 120
COLUMNS = (
    "exchange_id", "ts", "hour", "output_tokens", "capability", "model", "channel", "country", "asn", *KEYS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """Sums over the exchanges of one campaign's tied members."""

    exchanges: int
    output_tokens: int
    first_ts: int
    last_ts: int
    shares: dict[str, tuple[Share, ...]]  # capability, model, channel, country, asn
    timeline: tuple[tuple[int, str, int, int], ...]  # (start µs, model, exchanges, accounts)
    closer: Closer = field(default_factory=Closer)  # capabilities by day, keys carried


def members_of(assessments: Sequence[Assessment], membership: Membership) -> Membership:
    """Return the atoms of each assessment's tied members, grouped by the assessment's position."""
    parts = []
    for position, assessment in enumerate(assessments):
        own = membership.group == assessment.group.group
        own &= np.isin(membership.account, assessment.group.accounts[assessment.tied])
        at = np.flatnonzero(own)
        parts.append(
            (np.full(len(at), position), membership.account[at], membership.frame[at], membership.exchanges[at])
        )
    if not parts:
        none = np.zeros(0, np.int64)
        return Membership(none, none, none, none)
    group, account, frame, exchanges = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Membership(group.astype(np.int64), account, frame, exchanges)


def describe(
    engine: Engine, exchanges: SketchedExchanges, population: Population, members: Membership
) -> tuple[dict[int, Facts], pa.Table]:
    """Return each campaign's facts, and the exchanges that belong to one: grp, account, exchange_id in order."""
    if not len(members.group):
        return {}, pa.table(
            {
                "grp": pa.array([], pa.int64()),
                "account": pa.array([], pa.int64()),
                "exchange_id": pa.array([], pa.string()),
            }
        )
    rows = engine.keep("flagged", grouped_rows(engine, exchanges, population, members, COLUMNS))
    sums = rows.group_by("grp").agg(
        exchanges=rows.count(),
        output_tokens=rows.output_tokens.fill_null(0).sum(),
        first_ts=rows.ts.min(),
        last_ts=rows.ts.max(),
    )
    shares = {kind: _shares(engine, rows, kind) for kind in ("capability", "model", "channel", "country", "asn")}
    step = max((population.end - population.start) // BARS_IN_TIMELINE // 3_600_000_000, 1)
    bars = rows.group_by("grp", start=rows.hour // step, model=rows.model)
    bars = bars.agg(exchanges=rows.count(), accounts=rows.account.nunique()).order_by(["grp", "start", "model"])
    timeline: dict[int, list[tuple[int, str, int, int]]] = {}
    for row in engine.arrow(bars).to_pylist():
        timeline.setdefault(row["grp"], []).append(
            (row["start"] * step * 3_600_000_000, row["model"], row["exchanges"], row["accounts"])
        )
    closer = look_closer(engine, rows)
    facts = {
        row["grp"]: Facts(
            row["exchanges"],
            int(row["output_tokens"]),
            row["first_ts"],
            row["last_ts"],
            {kind: by_group.get(row["grp"], ()) for kind, by_group in shares.items()},
            tuple(timeline[row["grp"]]),
            closer[row["grp"]],
        )
        for row in engine.arrow(sums.order_by("grp")).to_pylist()
    }
    flagged = engine.arrow(rows.select("grp", "account", "exchange_id").order_by(["exchange_id", "grp"]))
    engine.drop(rows)
    return facts, flagged


def _shares(engine: Engine, rows: ir.Table, kind: str) -> dict[int, tuple[Share, ...]]:
    known = rows.filter(rows[kind].notnull())
    counted = known.group_by("grp", name=known[kind].cast("string")).agg(exchanges=known.count())
    found: dict[int, list[tuple[str, int]]] = {}
    for row in engine.arrow(counted.order_by(["grp", ibis.desc("exchanges"), "name"])).to_pylist():
        name = CAPABILITIES[int(row["name"])] if kind == "capability" else row["name"]
        found.setdefault(row["grp"], []).append((name, row["exchanges"]))
    return {grp: _top(counts) for grp, counts in found.items()}


def _top(counts: list[tuple[str, int]]) -> tuple[Share, ...]:
    total: Any = sum(count for _, count in counts)
    return tuple(Share(name, round(count / total, 4)) for name, count in counts[:TOP])
