"""What a campaign sought day by day, and which keys its exchanges carry: sums over the rows that belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir

from stillwatch.ingest.engine import Engine
from stillwatch.sketch.intent import CAPABILITIES

KEYS = ("template_key", "system_key", "tools_key")
COLUMNS = ("hour", "capability", *KEYS)  # of grouped exchange sketches, that `look_closer` reads
MOST_KEYS = 200  # keys listed of each kind, most used first
LASTING = 2  # buckets in a row that are led by another capability, for a phase to have changed
LED = 0.4  # share of a bucket's exchanges, for a capability to lead it
OTHER = "other"
LONG = 60  # days, from which a campaign is looked at in weeks
SCALE = 8  # times as many exchanges a bucket, for reconnaissance to have become scale


@dataclass(frozen=True, slots=True)
class Closer:
    """A campaign looked at more closely. Days are counted from 1970, UTC."""

    days: tuple[tuple[int, str, int], ...] = ()  # (day, capability, exchanges), in order
    keys: Mapping[str, Mapping[int, tuple[int, int]]] = field(
        default_factory=dict
    )  # kind → key → (exchanges, accounts): template_key, system_key, tools_key


def look_closer(engine: Engine, rows: ir.Table) -> dict[int, Closer]:
    """Return each group's days and keys. `rows`: grouped exchange sketches with `grp` and `account`."""
    days: dict[int, list[tuple[int, str, int]]] = {}
    daily = rows.group_by("grp", day=rows.hour // 24, code=rows.capability.cast("int64")).agg(exchanges=rows.count())
    for row in engine.arrow(daily.order_by(["grp", "day", "code"])).to_pylist():
        days.setdefault(row["grp"], []).append((row["day"], CAPABILITIES[row["code"]], row["exchanges"]))
    keys: dict[int, dict[str, dict[int, tuple[int, int]]]] = {}
    for kind in KEYS:
        for row in engine.arrow(_uses(rows, kind)).to_pylist():
            own = keys.setdefault(row["grp"], {}).setdefault(kind, {})
            own[row["key"]] = (row["exchanges"], row["accounts"])
    return {grp: Closer(tuple(days[grp]), keys.get(grp, {})) for grp in days}


def _uses(rows: ir.Table, kind: str) -> ir.Table:
    shown = rows.filter(rows[kind] != 0)
    used = shown.group_by("grp", key=shown[kind]).agg(exchanges=shown.count(), accounts=shown.account.nunique())
    rank = ibis.row_number().over(group_by="grp", order_by=[ibis.desc("exchanges"), ibis.asc("key")])
    return used.mutate(rank=rank).filter(lambda t: t.rank < MOST_KEYS).order_by(["grp", "rank"]).drop("rank")


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of days that one capability leads. Days since 1970; `last` is inclusive."""

    first: int
    last: int
    capability: str
    share: float
    exchanges: int


def bucket_days(days: tuple[tuple[int, str, int], ...]) -> int:
    """Return the width of a campaign's buckets: a day, or a week where it lasts for more than two months."""
    return 7 if days and days[-1][0] - days[0][0] > LONG else 1


def find_phases(days: tuple[tuple[int, str, int], ...], width: int) -> tuple[Phase, ...]:
    """Return the phases of a campaign over buckets of `width` days; a bucket that nothing leads joins its neighbour.

    One odd bucket is no phase: a change has to last for two buckets with exchanges, or to the end.
    """
    buckets: dict[int, dict[str, int]] = {}
    for day, capability, exchanges in days:
        bucket = buckets.setdefault(day // width, {})
        bucket[capability] = bucket.get(capability, 0) + exchanges
    runs: list[list[int]] = []
    leaders: list[str] = []
    for number in sorted(buckets):
        leader = _leader(buckets[number]) or (leaders[-1] if leaders else OTHER)
        if leaders and leaders[-1] == leader:
            runs[-1].append(number)
        else:
            runs.append([number])
            leaders.append(leader)
    return tuple(_phase(run, leader, buckets, width) for run, leader in _lasting(runs, leaders))


def reconnaissance(days: tuple[tuple[int, str, int], ...], width: int) -> tuple[int, float] | None:
    """Return the day on which a campaign went to scale and by what factor; None where it began at its scale.

    The first buckets must be small: all of them together below one later bucket's median.
    """
    totals: dict[int, int] = {}
    for day, _, exchanges in days:
        totals[day // width] = totals.get(day // width, 0) + exchanges
    order = sorted(totals)
    for at in range(LASTING, len(order) - LASTING + 1):
        early = sorted(totals[number] for number in order[:at])
        late = sorted(totals[number] for number in order[at:])
        factor = late[len(late) // 2] / max(early[len(early) // 2], 1)
        if factor >= SCALE and early[-1] * 2 <= late[0]:
            return order[at] * width, factor
    return None


def _leader(bucket: Mapping[str, int]) -> str | None:
    name, count = max(sorted(bucket.items()), key=lambda pair: pair[1])
    return name if count >= LED * sum(bucket.values()) else None


def _lasting(runs: list[list[int]], leaders: list[str]) -> list[tuple[list[int], str]]:
    """Join what does not last to what came before it, or to what follows at the very start."""
    joined: list[tuple[list[int], str]] = []
    for at, (run, leader) in enumerate(zip(runs, leaders, strict=True)):
        lasts = len(run) >= LASTING or (at == 0 and len(runs) == 1)
        if joined and (joined[-1][1] == leader or not lasts):
            joined[-1] = (joined[-1][0] + run, joined[-1][1])
        elif not joined or lasts:
            joined.append((run, leader))
    if len(joined) > 1 and len(joined[0][0]) < LASTING:
        (first, _), (second, leader), *rest = joined
        joined = [(first + second, leader), *rest]
    return joined


def _phase(run: list[int], leader: str, buckets: Mapping[int, Mapping[str, int]], width: int) -> Phase:
    exchanges = sum(sum(buckets[number].values()) for number in run)
    own = sum(buckets[number].get(leader, 0) for number in run)
    return Phase(run[0] * width, (run[-1] + 1) * width - 1, leader, own / max(exchanges, 1), exchanges)
