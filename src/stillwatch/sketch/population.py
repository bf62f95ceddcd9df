"""Every account in a few integers, and every attribute value that accounts share: what a group is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.sketch.exchanges import SketchedExchanges

Ints = npt.NDArray[np.int64]
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
NEVER = np.iinfo(np.int64).min  # a time that is not known

EXCHANGE_KINDS = ("ip", "prefix", "stack_asn", "system_key", "tools_key")
WORDS = ("org_id", "verification", "plan", "program", "email_domain", "country")
ACCOUNT_KINDS = ("payment_fingerprint", "phone_hash", "signup_ip", "email_domain", "org_id")
USAGE_COLUMNS = (
    "exchanges", "first_ts", "last_ts", "active_hours", "single", "talk", "trace", "rubric", "input_tokens",
    "output_tokens", "saturated", "templated", "denied", "first_day", "stacks", "asns", "first_denied",
)  # fmt: skip
ATOM_COLUMNS = ("exchanges", "first_ts", "last_ts")


@dataclass(frozen=True)  # no slots: the room below is made once
class Edges:
    """Which accounts show which values of one attribute: a bipartite graph, one row an edge."""

    account: Ints
    value: Ints  # code into labels
    labels: pa.Array
    degree: Ints  # accounts that show each value
    start: Ints  # edges of account i are start[i]:start[i + 1]

    @cached_property
    def room(self) -> npt.NDArray[np.int32]:
        """One zero a value, for a kernel to count in; it leaves zeros behind."""
        return np.zeros(len(self.labels), np.int32)

    @cached_property
    def shown(self) -> npt.NDArray[np.bool_]:
        """Accounts that show any value."""
        return self.start[1:] > self.start[:-1]

    @cached_property
    def differ(self) -> float:
        """Share of pairs of accounts whose first value differs."""
        return share_that_differ(self.value[self.start[:-1][self.shown]])


@dataclass(frozen=True)  # no slots: the views below are computed once
class Atoms:
    """Exchanges of one account within one frame: the smallest thing that a campaign can be made of.

    A frame is a template, or a system prompt that the account sends; an exchange may be in one atom of each kind.
    """

    account: Ints
    frame: Ints
    sums: dict[str, Ints]

    @cached_property
    def starts(self) -> Ints:
        """When each atom began, ascending; µs."""
        return np.sort(self.sums["first_ts"])

    @cached_property
    def _by_frame(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.frame, kind="stable")
        return self.frame[order], self.sums["first_ts"][order]

    def starts_within(self, frames: Ints) -> Ints:
        """When the atoms of some frames began, ascending; µs."""
        frame, starts = self._by_frame
        first, last = np.searchsorted(frame, frames), np.searchsorted(frame, frames, side="right")
        return np.sort(np.concatenate([starts[a:b] for a, b in zip(first.tolist(), last.tolist(), strict=True)]))


@dataclass(frozen=True, slots=True)
class Replays:
    """Artefacts minted for one account that another account submitted: one row a pair of accounts."""

    minted: Ints
    submitted: Ints
    times: Ints
    cites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """One value for each account, or for those that have one, ascending, and each account's place (-1: it has none)."""

    values: npt.NDArray[np.float64]
    place: Ints

    @staticmethod
    def of(values: npt.NDArray[np.float64]) -> Ordered:
        """Order values, one an account; NaN is none."""
        order = np.argsort(values, kind="stable")  # NaN comes last
        known = order[: len(values) - int(np.isnan(values).sum())]
        place = np.full(len(values), -1, np.int64)
        place[known] = np.arange(len(known))
        return Ordered(values[known], place)

    def places(self, accounts: Ints) -> Ints:
        """The places of those of some accounts that have a value, ascending."""
        found = self.place[accounts]
        return np.sort(found[found >= 0])


@dataclass(frozen=True)  # no slots: the views below are computed once
class Population:
    """All accounts of a run, by index in `ids`, which is sorted. Times: µs since 1970, UTC; NEVER where not known."""

    ids: pa.Array
    usage: dict[str, Ints]
    clock: Ints  # (accounts, 24) exchanges by hour of day, UTC
    edges: dict[str, Edges]
    atoms: Atoms
    created_at: Ints
    suspended_at: Ints
    words: dict[
        str, npt.NDArray[np.object_]
    ]  # org_id, verification, plan, program, email_domain, country; None: absent
    present: frozenset[str]  # columns of both tables that the input really had
    model_days: dict[tuple[str, int], int]  # exchanges by (model, day since 1970)
    replays: Replays
    licensed: npt.NDArray[np.bool_] = field(repr=False)  # accounts whose traffic a licence covers
    breaks_licence: npt.NDArray[np.bool_] = field(repr=False)  # accounts that exceed their licence
    public_templates: frozenset[int] = frozenset()  # registered by the deployment
    start: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """Return the number of accounts."""
        return len(self.ids)

    @cached_property
    def totals(self) -> dict[str, int]:
        """Each of USAGE_COLUMNS summed over all accounts; times make no sense here."""
        return {name: int(column.sum()) for name, column in self.usage.items()}

    @cached_property
    def creations(self) -> Ints:
        """When accounts were created, where known, ascending; µs."""
        return np.sort(self.created_at[self.created_at != NEVER])

    @cached_property
    def beginnings(self) -> Ints:
        """When accounts were first seen, ascending; µs."""
        return np.sort(self.usage["first_ts"])

    @cached_property
    def activity(self) -> Ordered:
        """Exchanges of each account, log2, in order."""
        return Ordered.of(np.log2(np.maximum(self.usage["exchanges"], 1)))

    @cached_property
    def weak_on_plan(self) -> dict[int, tuple[int, int]]:
        """How many accounts each plan has (-1: none), and how many of them are weakly verified."""
        plans, code = np.unique(self.plan, return_inverse=True)
        sizes, weak = np.bincount(code), np.bincount(code, self.weak)
        return {int(plan): (int(size), int(few)) for plan, size, few in zip(plans, sizes, weak, strict=True)}

    @cached_property
    def volume_on_plan(self) -> dict[int, Ordered]:
        """The volumes of the accounts on each plan, in order."""
        plans = np.unique(self.plan[self.plan >= 0]).tolist()
        return {plan: Ordered.of(np.where(self.plan == plan, self.volume, np.nan)) for plan in plans}

    @cached_property
    def weak(self) -> npt.NDArray[np.bool_]:
        """Accounts that gave no more than a mail address."""
        return np.array([(word or "none") in ("none", "email") for word in self.words["verification"]], np.bool_)

    @cached_property
    def checked(self) -> npt.NDArray[np.bool_]:
        """Accounts with a business check behind them."""
        return np.array([word == "business" for word in self.words["verification"]], np.bool_)

    @cached_property
    def named_checked(self) -> int:
        """How many accounts declare an organisation with a business check behind it."""
        return int(np.count_nonzero((self.organisation >= 0) & self.checked))

    @cached_property
    def named_unchecked(self) -> int:
        """How many accounts declare an organisation without such a check."""
        return int(np.count_nonzero((self.organisation >= 0) & ~self.checked))

    @cached_property
    def enrolled(self) -> npt.NDArray[np.bool_]:
        """Accounts in a discounted programme."""
        return np.array([bool(word) for word in self.words["program"]], np.bool_)

    @cached_property
    def organisation(self) -> Ints:
        """A code for each account's declared organisation; -1 for none."""
        return _codes(self.words["org_id"])

    @cached_property
    def plan(self) -> Ints:
        """A code for each account's plan; -1 for none."""
        return _codes(self.words["plan"])

    @cached_property
    def volume(self) -> npt.NDArray[np.float64]:
        """Output tokens and exchanges of each account, log2."""
        return np.log2(self.usage["output_tokens"] + self.usage["exchanges"] + 1.0)


def summarise_accounts(
    engine: Engine, exchanges: SketchedExchanges, accounts: pa.Table | None, present: frozenset[str]
) -> Population:
    """Fold exchange sketches into one row an account; only accounts and edges come to the driver."""
    rows = exchanges.table
    usage = engine.arrow(_usage(rows).order_by("account_id"))
    ids = usage["account_id"].combine_chunks()
    columns = {name: _ints(usage[name]) for name in USAGE_COLUMNS}
    clock = np.zeros((len(ids), 24), np.int64)
    hours = engine.arrow(rows.group_by("account_id", of_day=rows.hour % 24).agg(exchanges=rows.count()))
    clock[_index(hours["account_id"], ids), _ints(hours["of_day"])] = _ints(hours["exchanges"])
    table = _align(accounts, ids)
    edges = {kind: _exchange_edges(engine, rows, kind, ids) for kind in EXCHANGE_KINDS if _has(kind, exchanges.present)}
    edges |= {kind: _account_edges(table[kind]) for kind in ACCOUNT_KINDS if kind in present}
    days = rows.group_by("model", day=(rows.hour // 24)).agg(exchanges=rows.count())
    return Population(
        ids=ids,
        usage=columns,
        clock=clock,
        edges=edges,
        atoms=_atoms(engine, rows, ids),
        created_at=_times(table["created_at"]),
        suspended_at=_times(table["suspended_at"]),
        words={name: _words(table[name]) for name in WORDS},
        present=exchanges.present | present,
        model_days={(r["model"], r["day"]): r["exchanges"] for r in engine.arrow(days).to_pylist()},
        replays=_replays(engine, rows, ids, exchanges.present),
        licensed=np.zeros(len(ids), np.bool_),
        breaks_licence=np.zeros(len(ids), np.bool_),
        start=int(columns["first_ts"].min(initial=np.iinfo(np.int64).max)),
        end=int(columns["last_ts"].max(initial=0)),
    )


def share_that_differ(values: Ints) -> float:
    """Return the share of pairs of values that differ, 0 to 1."""
    _, counts = np.unique(values, return_counts=True)
    total = counts.sum()
    return 1.0 - float((counts * (counts - 1)).sum()) / max(float(total) * (total - 1), 1.0)


def usage_sums(rows: ir.Table) -> dict[str, ir.Value]:
    """Return the integer sums over exchanges that accounts and members of groups have alike."""
    return {
        "exchanges": rows.count(),
        "first_ts": rows.ts.min(),
        "last_ts": rows.ts.max(),
        "active_hours": rows.hour.nunique(),
        "single": rows.single.sum(),
        "talk": rows.talk.sum(),
        "trace": rows.trace.cast("int64").sum(),
        "rubric": rows.rubric.cast("int64").sum(),
        "input_tokens": rows.input_tokens.fill_null(0).sum(),
        "output_tokens": rows.output_tokens.fill_null(0).sum(),
        "saturated": rows.saturated.sum(),
    }


def _usage(rows: ir.Table) -> ir.Table:
    first = rows.ts.min().over(group_by=rows.account_id)
    rows = rows.mutate(early=(rows.ts < first + DAY_US).cast("int64"))
    return rows.group_by("account_id").agg(
        **usage_sums(rows),
        templated=(rows.template_key != 0).cast("int64").sum(),
        denied=rows.denied.sum(),
        first_day=rows.early.sum(),
        stacks=rows.stack.nunique(),
        asns=rows.asn.nunique(),
        first_denied=rows.ts.min(where=rows.denied == 1),
    )


def _atoms(engine: Engine, rows: ir.Table, ids: pa.Array) -> Atoms:
    parts = []
    for kind in ("template_key", "system_key"):
        framed = rows.filter(rows[kind] != 0)
        parts.append(
            framed.group_by("account_id", frame=framed[kind]).agg(
                exchanges=framed.count(), first_ts=framed.ts.min(), last_ts=framed.ts.max()
            )
        )
    table = engine.arrow(parts[0].union(parts[1]).order_by(["account_id", "frame"]))
    sums = {name: _ints(table[name]) for name in ATOM_COLUMNS}
    return Atoms(_index(table["account_id"], ids), _ints(table["frame"]), sums)


def _replays(engine: Engine, rows: ir.Table, ids: pa.Array, present: frozenset[str]) -> Replays:
    none = np.zeros(0, np.int64)
    if not {"artefacts_in", "artefacts_out"} <= present:
        return Replays(none, none, none, ())
    out = rows.filter(rows.artefacts_out.length() > 0).select(minter="account_id", artefact=rows.artefacts_out.unnest())
    back = rows.filter(rows.artefacts_in.length() > 0)
    back = back.select("account_id", "exchange_id", artefact=back.artefacts_in.unnest())
    met = back.inner_join(out.distinct(), "artefact").filter(lambda t: t.minter != t.account_id)
    pairs = met.group_by("minter", "account_id").agg(times=met.count(), cite=met.exchange_id.min())
    table = engine.arrow(pairs.order_by(["minter", "account_id"]))
    return Replays(
        _index(table["minter"], ids),
        _index(table["account_id"], ids),
        _ints(table["times"]),
        tuple(table["cite"].to_pylist()),
    )


def _has(kind: str, present: frozenset[str]) -> bool:
    source = {
        "prefix": {"ip"}, "stack_asn": {"tls_fingerprint", "user_agent"}, "system_key": {"system_prompt"},
        "tools_key": {"tools"}, "template_key": {"prompt", "template_key"},
    }  # fmt: skip
    return bool(source.get(kind, {kind}) & present)


def _exchange_edges(engine: Engine, rows: ir.Table, kind: str, ids: pa.Array) -> Edges:
    column = rows[kind]
    shown = rows.filter(column.notnull() & (column != 0)) if kind.endswith("_key") else rows.filter(column.notnull())
    pairs = shown.select("account_id", value=shown[kind].cast("string")).distinct().order_by(["account_id", "value"])
    table = engine.arrow(pairs)
    return _edges(_index(table["account_id"], ids), table["value"].combine_chunks(), len(ids))


def _account_edges(values: pa.ChunkedArray) -> Edges:
    valid = pc.and_(pc.is_valid(values), pc.not_equal(values, "")).fill_null(False)
    account = np.flatnonzero(valid.to_numpy(zero_copy_only=False))
    return _edges(account, values.combine_chunks().take(pa.array(account)), len(values))


def _edges(account: Ints, values: pa.Array, size: int) -> Edges:
    encoded = values.dictionary_encode()
    code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    degree = np.bincount(code, minlength=len(encoded.dictionary))
    start = np.searchsorted(account, np.arange(size + 1))  # edges come sorted by account
    return Edges(account.astype(np.int64), code, encoded.dictionary, degree, start)


def _align(accounts: pa.Table | None, ids: pa.Array) -> pa.Table:
    """Put the accounts table in the order of `ids`, with nulls for accounts that it lacks."""
    times = ("created_at", "suspended_at")
    names = (*WORDS, "payment_fingerprint", "phone_hash", "signup_ip", *times)
    if accounts is None:
        return pa.table({n: pa.nulls(len(ids), pa.timestamp("us") if n in times else pa.string()) for n in names})
    row = pc.index_in(ids, value_set=accounts["account_id"].combine_chunks())
    return accounts.select(list(names)).take(row)


def _index(values: pa.ChunkedArray, ids: pa.Array) -> Ints:
    return pc.index_in(values, value_set=ids).to_numpy().astype(np.int64)


def _ints(column: pa.ChunkedArray) -> Ints:
    return pc.fill_null(column.cast(pa.int64()), NEVER).to_numpy()


def _times(column: pa.ChunkedArray) -> Ints:
    return _ints(column.cast(pa.timestamp("us")).cast(pa.int64()))


def _codes(words: npt.NDArray[np.object_]) -> Ints:
    names = {name: code for code, name in enumerate(sorted({word for word in words if word}))}
    return np.array([names[word] if word else -1 for word in words], np.int64)


def _words(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.to_pylist(), dtype=object)
