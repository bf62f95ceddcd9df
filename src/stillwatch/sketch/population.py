"""Every account in a few integers, and every attribute value that accounts share: what a group is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import ibis
import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.model import InputRefused
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.tallies import prefix_of, stack_of

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
SEEN_WITH = {"stacks": "stack", "asns": "asn"}  # how many values of a kind an account shows


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
class Reported:
    """Values that partners reported and accounts of the log show. `kind`, `bits` and `partner` are by value."""

    edges: Edges
    kind: tuple[str, ...]
    bits: npt.NDArray[np.float64]  # what each value says, graded by who told it and when
    partner: Ints  # a code for who says most of it
    partners: Ints  # how many told it independently


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
    keys: Ints  # of accounts, as exchange sketches name them
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
    reported: Reported | None = field(default=None, repr=False)  # what partners reported and accounts show
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
    """Bring what exchanges left about accounts into one row an account; only accounts and edges come to the driver."""
    tallies = exchanges.tallies
    usage = engine.arrow(tallies["accounts"])
    usage = usage.take(pc.sort_indices(usage["account_id"]))
    ids = usage["account_id"].combine_chunks()
    index = _Index.of(_ints(usage["account_key"]))
    columns = {name: _ints(usage[name]) for name in USAGE_COLUMNS if name in usage.column_names}
    columns |= _by_hour(engine, tallies, index)
    clock = columns.pop("clock")
    places = engine.register("places", pa.table({"account_key": index.keys, "account": index.places}))
    table = _align(accounts, ids)
    shown = _shown(tallies)
    columns |= {name: _distinct_values(engine, shown[kind], index) for name, kind in SEEN_WITH.items()}
    edges = {
        kind: _exchange_edges(engine, shown[kind], places, len(ids))
        for kind in EXCHANGE_KINDS
        if _has(kind, exchanges.present)
    }
    edges |= {kind: _account_edges(table[kind]) for kind in ACCOUNT_KINDS if kind in present}
    days = engine.arrow(tallies["model_days"]).to_pylist()
    return Population(
        ids=ids,
        keys=_ints(usage["account_key"]),
        usage=columns,
        clock=clock,
        edges=edges,
        atoms=_atoms(engine, tallies["atoms"], places),
        created_at=_times(table["created_at"]),
        suspended_at=_times(table["suspended_at"]),
        words={name: _words(table[name]) for name in WORDS},
        present=exchanges.present | present,
        model_days={(r["model"], r["day"]): r["exchanges"] for r in days},
        replays=_replays(engine, tallies, index, exchanges.present),
        licensed=np.zeros(len(ids), np.bool_),
        breaks_licence=np.zeros(len(ids), np.bool_),
        start=int(columns["first_ts"].min(initial=np.iinfo(np.int64).max)),
        end=int(columns["last_ts"].max(initial=0)),
    )


@dataclass(frozen=True, slots=True)
class _Index:
    """From account keys, ascending, to the places of accounts in the order of their ids."""

    keys: Ints
    places: Ints

    @staticmethod
    def of(keys: Ints) -> _Index:
        order = np.argsort(keys)
        if len(keys) and (np.diff(keys[order]) == 0).any():
            raise InputRefused("two accounts have one key; set another STILLWATCH_SECRET and run again")
        return _Index(keys[order], order)

    def __call__(self, keys: pa.ChunkedArray) -> Ints:
        found: Ints = self.places[np.searchsorted(self.keys, _ints(keys))]
        return found


def _by_hour(engine: Engine, tallies: Mapping[str, ir.Table], index: _Index) -> dict[str, Ints]:
    """Return each account's active hours, its exchanges by hour of day, and those of its first day."""
    accounts = tallies["accounts"]
    hours = tallies["hours"].inner_join(
        accounts.select("account_key", first=(accounts.first_ts // HOUR_US).cast("int64")), "account_key"
    )
    of_day = {f"at_{hour}": ibis.ifelse(hours.hour % 24 == hour, hours.exchanges, 0).sum() for hour in range(24)}
    early = ibis.ifelse(hours.hour < hours["first"] + 24, hours.exchanges, 0)
    sums = hours.group_by("account_key").agg(active_hours=hours.count(), first_day=early.sum(), **of_day)
    table = engine.arrow(sums)
    account = index(table["account_key"])
    found = {name: np.zeros(len(index.keys), np.int64) for name in ("active_hours", "first_day")}
    for name, column in found.items():
        column[account] = _ints(table[name])
    clock = np.zeros((len(index.keys), 24), np.int64)
    for hour in range(24):
        clock[account, hour] = _ints(table[f"at_{hour}"])
    return found | {"clock": clock}


def _shown(tallies: Mapping[str, ir.Table]) -> dict[str, ir.Table]:
    """Return, for each kind of value that exchanges show, pairs of account key and value, each once."""
    addresses, clients = tallies["addresses"], tallies["clients"]
    stack = stack_of(clients)
    values = {
        "ip": addresses.select("account_key", value=addresses.ip),
        "prefix": addresses.select("account_key", value=prefix_of(addresses.ip)),
        "stack": clients.select("account_key", value=stack),
        "asn": clients.select("account_key", value=clients.asn.cast("string")),
        "stack_asn": clients.select("account_key", value=stack + "|" + clients.asn.cast("string").fill_null("")),
    }
    for kind, name in (("system_key", "systems"), ("tools_key", "tools")):
        keyed = tallies[name].filter(tallies[name][kind] != 0)
        values[kind] = keyed.select("account_key", value=keyed[kind].cast("string"))
    return {kind: pairs.filter(pairs.value.notnull()).distinct() for kind, pairs in values.items()}


def _distinct_values(engine: Engine, pairs: ir.Table, index: _Index) -> Ints:
    """Count the values of each account."""
    counted = engine.arrow(pairs.group_by("account_key").agg(values=pairs.count()))
    found = np.zeros(len(index.keys), np.int64)
    found[index(counted["account_key"])] = _ints(counted["values"])
    return found


def share_that_differ(values: Ints) -> float:
    """Return the share of pairs of values that differ, 0 to 1."""
    _, counts = np.unique(values, return_counts=True)
    total = counts.sum()
    return 1.0 - float((counts * (counts - 1)).sum()) / max(float(total) * (total - 1), 1.0)


def _atoms(engine: Engine, atoms: ir.Table, places: ir.Table) -> Atoms:
    placed = atoms.inner_join(places, "account_key").select("account", "frame", *ATOM_COLUMNS)
    table = engine.arrow(placed.order_by(["account", "frame"]))
    return Atoms(_ints(table["account"]), _ints(table["frame"]), {name: _ints(table[name]) for name in ATOM_COLUMNS})


def _replays(engine: Engine, tallies: Mapping[str, ir.Table], index: _Index, present: frozenset[str]) -> Replays:
    none = np.zeros(0, np.int64)
    if not {"artefacts_in", "artefacts_out"} <= present:
        return Replays(none, none, none, ())
    minted = tallies["minted"]
    minted = minted.select("artefact", minter=minted.account_key)
    met = tallies["submitted"].inner_join(minted, "artefact").filter(lambda t: t.minter != t.account_key)
    table = engine.arrow(met.group_by("minter", "account_key").agg(times=met.exchanges.sum(), cite=met.cite.min()))
    minter, account = index(table["minter"]), index(table["account_key"])
    order = np.lexsort((account, minter))
    cites = table["cite"].take(pa.array(order)).to_pylist()
    return Replays(minter[order], account[order], _ints(table["times"])[order], tuple(cites))


def _has(kind: str, present: frozenset[str]) -> bool:
    source = {
        "prefix": {"ip"}, "stack_asn": {"tls_fingerprint", "user_agent"}, "system_key": {"system_prompt"},
        "tools_key": {"tools"}, "template_key": {"prompt", "template_key"},
    }  # fmt: skip
    return bool(source.get(kind, {kind}) & present)


def _exchange_edges(engine: Engine, pairs: ir.Table, places: ir.Table, size: int) -> Edges:
    placed = pairs.inner_join(places, "account_key").select("account", "value")
    table = engine.arrow(placed.order_by(["account", "value"]))
    return _edges(_ints(table["account"]), table["value"].combine_chunks(), size)


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


def _ints(column: pa.ChunkedArray) -> Ints:
    return pc.fill_null(column.cast(pa.int64()), NEVER).to_numpy()


def _times(column: pa.ChunkedArray) -> Ints:
    return _ints(column.cast(pa.timestamp("us")).cast(pa.int64()))


def _codes(words: npt.NDArray[np.object_]) -> Ints:
    names = {name: code for code, name in enumerate(sorted({word for word in words if word}))}
    return np.array([names[word] if word else -1 for word in words], np.int64)


def _words(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.array(column.to_pylist(), dtype=object)
