"""What a group of accounts did together: sums over just the exchanges that make it a group.

A group is a set of atoms (an account's exchanges within one frame), so an account may give one part of its traffic to
a campaign and keep the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.ingest.engine import Engine
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.population import Population
from stillwatch.sketch.tallies import usage_sums

Ints = npt.NDArray[np.int64]
MEMBER_SUMS = (
    "exchanges", "fills", "first_ts", "last_ts", "single", "talk", "trace", "rubric", "input_tokens", "output_tokens",
    "saturated", "active_hours",
)  # fmt: skip
FILL_SUMS = ("fills", "shared", "pair_overlap", "within_pairs", "once", "twice", "widest")
BEAT_MEMBERS = 200  # members whose minutes are compared: the null is shuffled, so more adds time, not power
BEATS_PER_MEMBER = 500
SEVERAL = 3  # members that make a frame the group's rather than an account's own


@dataclass(frozen=True, slots=True)
class Membership:
    """Which atoms belong to which group: parallel arrays, one value an atom."""

    group: Ints
    account: Ints
    frame: Ints
    exchanges: Ints


@dataclass(frozen=True, slots=True)
class GroupSketch:
    """One group: its members (indices into the population, ascending) and integer sums over its exchanges."""

    group: int
    accounts: Ints
    frames: Ints
    sums: dict[str, Ints]  # a value a member, MEMBER_SUMS
    common: Ints  # exchanges of each member in frames that several members fill
    fill: dict[str, int]  # FILL_SUMS over the group's fills
    capability: Ints  # exchanges by capability code
    clock: Ints  # exchanges by hour of day, UTC
    days: dict[tuple[str, int], int]  # exchanges by (model, day since 1970)
    beats: tuple[Ints, Ints]  # (member position, minute since 1970), sampled members
    settings: tuple[tuple[str, int], ...]  # (max_tokens|temperature|n|stream, exchanges), most used first
    cites: tuple[str, ...] = field(repr=False)  # ids of a few of its exchanges
    memo: dict[str, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )  # findings, so that each is made once; a copy with changes starts anew

    @property
    def size(self) -> int:
        """Return the number of members."""
        return len(self.accounts)

    @property
    def exchanges(self) -> int:
        """Return the number of exchanges that make this a group."""
        return int(self.sums["exchanges"].sum())


def sketch_groups(
    engine: Engine, exchanges: SketchedExchanges, population: Population, membership: Membership
) -> tuple[GroupSketch, ...]:
    """Sum up each group's exchanges in the engine; group numbers are returned in ascending order."""
    if not len(membership.group):
        return ()
    rows = engine.keep("grouped", grouped_rows(engine, exchanges, population, membership, _COLUMNS))
    own = engine.keep("fills", rows.group_by("grp", "account", "fill_hash").agg(times=rows.count()))
    members = _members(engine, rows, own)
    fills = {r["grp"]: r for r in engine.arrow(_fills(own)).to_pylist()}
    engine.drop(own)
    cells = _Cells.of(engine, rows)
    settings: dict[int, list[tuple[str, int]]] = {}
    for row in engine.arrow(_settings(rows)).to_pylist():
        settings.setdefault(row["grp"], []).append((row["setting"], row["exchanges"]))
    beats = _beats(engine, rows)
    engine.drop(rows)
    return tuple(_assemble(members, membership, fills, cells, settings, beats))


_COLUMNS = (
    "exchange_id", "ts", "hour", "model", "fill_hash", "capability", "trace", "rubric",
    "single", "talk", "input_tokens", "output_tokens", "saturated", "max_tokens", "temperature", "n", "stream",
)  # fmt: skip


def grouped_rows(
    engine: Engine,
    exchanges: SketchedExchanges,
    population: Population,
    membership: Membership,
    columns: Sequence[str],
) -> ir.Table:
    """Return columns of the exchange sketches of every group's atoms, with `grp` and `account` (index).

    An exchange is in an atom of its template and in one of its system prompt: where these are in two groups, it comes
    twice.
    """
    atoms = engine.register(
        "atoms",
        pa.table(
            {
                "grp": membership.group,
                "account": membership.account,
                "account_key": population.keys[membership.account],
                "frame": membership.frame,
            }
        ),
    )
    rows = exchanges.table
    rows = rows.filter((rows.template_key != 0) | (rows.system_key != 0))
    by_template = atoms.select("account_key", template_key="frame", grp_one="grp", account_one="account")
    by_system = atoms.select("account_key", system_key="frame", grp_two="grp", account_two="account")
    carried = dict.fromkeys((*columns, "account_key", "system_key", "grp_one", "account_one"))
    met = rows.left_join(by_template, ["account_key", "template_key"]).select(*carried)
    met = met.left_join(by_system, ["account_key", "system_key"])
    met = met.filter(met.grp_one.notnull() | met.grp_two.notnull())
    other = ibis.ifelse(met.grp_one == met.grp_two, None, met.grp_two)
    account = met.account_one.fill_null(met.account_two)
    listed = met.select(*columns, account=account, grp=ibis.array([met.grp_one, other]).unnest())
    return listed.filter(listed.grp.notnull())


def _members(engine: Engine, rows: ir.Table, own: ir.Table) -> pa.Table:
    """Sum up each member's exchanges. What is distinct is grouped first, and then counted: that needs less room."""
    hours = rows.select("grp", "account", "hour").distinct()
    parts = {
        "sums": rows.group_by("grp", "account").agg(**usage_sums(rows), cite=rows.exchange_id.min()),
        "fills": own.group_by("grp", "account").agg(fills=own.count()),
        "hours": hours.group_by("grp", "account").agg(active_hours=hours.count()),
    }
    tables = {name: engine.arrow(part.order_by(["grp", "account"])) for name, part in parts.items()}
    members = tables["sums"].append_column("fills", tables["fills"]["fills"])
    return members.append_column("active_hours", tables["hours"]["active_hours"])


def _fills(own: ir.Table) -> ir.Table:
    fill = own.group_by("grp", "fill_hash").agg(
        times=own.times.sum(), accounts=own.count(), within=(own.times * (own.times - 1) // 2).sum()
    )
    return fill.group_by("grp").agg(
        fills=fill.count(),
        shared=(fill.accounts >= 2).cast("int64").sum(),
        pair_overlap=(fill.accounts * (fill.accounts - 1) // 2).sum(),
        within_pairs=fill.within.sum(),
        once=(fill.times == 1).cast("int64").sum(),
        twice=(fill.times == 2).cast("int64").sum(),
        widest=fill.accounts.max(),
    )


def _settings(rows: ir.Table) -> ir.Table:
    parts = [rows[name].cast("string").fill_null("-") for name in ("max_tokens", "temperature", "n", "stream")]
    setting = parts[0] + "|" + parts[1] + "|" + parts[2] + "|" + parts[3]
    counted = rows.group_by("grp", setting=setting).agg(exchanges=rows.count())
    rank = ibis.row_number().over(group_by="grp", order_by=[ibis.desc("exchanges"), ibis.asc("setting")])
    return counted.mutate(rank=rank).filter(lambda t: t.rank < 5).order_by(["grp", "rank"]).drop("rank")


def _beats(engine: Engine, rows: ir.Table) -> pa.Table:
    sampled = rows.select("grp", "account").distinct()
    rank = ibis.row_number().over(group_by="grp", order_by=[(sampled.account * 2_654_435_761) % 1_000_003, "account"])
    sampled = sampled.mutate(rank=rank).filter(lambda t: t.rank < BEAT_MEMBERS).drop("rank")
    beats = rows.inner_join(sampled, ["grp", "account"])
    beats = beats.select("grp", "account", minute=beats.ts // 60_000_000).distinct()
    order = ibis.row_number().over(group_by=["grp", "account"], order_by=(beats.minute * 7_919) % 1_000_003)
    few = beats.mutate(rank=order).filter(lambda t: t.rank < BEATS_PER_MEMBER).drop("rank")
    return engine.arrow(few.order_by(["grp", "account", "minute"]))


@dataclass(frozen=True, slots=True)
class _Cells:
    """Exchanges of each group by capability (16), by hour of day (24), and by model and day."""

    capability: dict[int, Ints]
    clock: dict[int, Ints]
    days: dict[int, dict[tuple[str, int], int]]

    @staticmethod
    def of(engine: Engine, rows: ir.Table) -> _Cells:
        counted = rows.group_by("grp", "model", "hour", skill=rows.capability.cast("int64")).agg(exchanges=rows.count())
        kept = engine.keep("cells", counted)
        found = _Cells({}, {}, {})
        for cells, name, width, cell in (
            (found.capability, "capability", 16, kept.skill),
            (found.clock, "clock", 24, kept.hour % 24),
        ):
            for row in engine.arrow(
                kept.group_by("grp", **{name: cell}).agg(exchanges=kept.exchanges.sum())
            ).to_pylist():
                cells.setdefault(row["grp"], np.zeros(width, np.int64))[row[name]] += int(row["exchanges"])
        per_day = kept.group_by("grp", "model", day=kept.hour // 24).agg(exchanges=kept.exchanges.sum())
        for row in engine.arrow(per_day).to_pylist():
            found.days.setdefault(row["grp"], {})[(row["model"], row["day"])] = int(row["exchanges"])
        engine.drop(kept)
        return found


def _assemble(
    members: pa.Table,
    membership: Membership,
    fills: dict[int, dict[str, int]],
    cells: _Cells,
    settings: dict[int, list[tuple[str, int]]],
    beats: pa.Table,
) -> list[GroupSketch]:
    numbers = members["grp"].to_numpy()
    groups = np.unique(numbers)
    starts = np.searchsorted(numbers, groups)
    ends = np.searchsorted(numbers, groups, side="right")
    beat_group = beats["grp"].to_numpy()
    beat_account, beat_minute = beats["account"].to_numpy(), beats["minute"].to_numpy()
    columns = {name: members[name].cast(pa.int64()).to_numpy() for name in MEMBER_SUMS}
    accounts = members["account"].to_numpy().astype(np.int64)
    frames, common = _frames(membership, groups)
    sketches = []
    for group, start, end in zip(groups.tolist(), starts.tolist(), ends.tolist(), strict=True):
        own = accounts[start:end]
        low, high = np.searchsorted(beat_group, group), np.searchsorted(beat_group, group, side="right")
        part = members.slice(start, end - start)
        cites = part["cite"].take(np.argsort(-columns["exchanges"][start:end], kind="stable")[:5]).to_pylist()
        sketches.append(
            GroupSketch(
                group=group,
                accounts=own,
                frames=frames[group],
                common=common[group],
                sums={name: column[start:end] for name, column in columns.items()},
                fill={name: int(fills[group][name]) for name in FILL_SUMS},
                capability=cells.capability[group],
                clock=cells.clock[group],
                days=cells.days[group],
                beats=(np.searchsorted(own, beat_account[low:high]), beat_minute[low:high]),
                settings=tuple(settings[group]),
                cites=tuple(cites),
            )
        )
    return sketches


def _frames(membership: Membership, groups: Ints) -> tuple[dict[int, Ints], dict[int, Ints]]:
    """Return each group's frames, and its members' exchanges in frames that three or more members fill."""
    frames, common = {}, {}
    order = np.argsort(membership.group, kind="stable")
    bounds = np.searchsorted(membership.group[order], np.append(groups, groups[-1] + 1))
    for group, start, end in zip(groups.tolist(), bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        own = order[start:end]
        frames[group], code, holders = np.unique(membership.frame[own], return_inverse=True, return_counts=True)
        _, member = np.unique(membership.account[own], return_inverse=True)
        shared = np.where(holders[code] >= SEVERAL, membership.exchanges[own], 0)
        common[group] = np.bincount(member, shared).astype(np.int64)
    return frames, common
