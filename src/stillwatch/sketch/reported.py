"""What partners reported, looked for in one's own log: which accounts show which values.

Text is read here once more and kept nowhere. Values of accounts that a licence covers, that a person cleared or that a
checked organisation answers for are dropped with the rest of what they show: a partner cannot point at a customer.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.fingerprints import Fingerprint, Matcher
from stillwatch.sketch.population import Population, Reported, _edges

MOST_MATCHED = 2_000_000  # pairs of account and value that are kept; a feed that hits more hits everybody


@dataclass(frozen=True, slots=True)
class Value:
    """One value that partners reported, graded: what it says, who says most of it, how many independently."""

    kind: str
    value: str
    bits: float
    partner: int
    partners: int
    key_id: str = ""  # of a payment instrument: the key that it was hashed with


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that is looked for. `keys` are those shared with partners; `cleared` accounts are protected by name."""

    values: tuple[Value, ...]
    keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    cleared: frozenset[str] = frozenset()

    def of(self, kind: str) -> Mapping[str, Value]:
        """Return the values of a kind by what they are."""
        return {one.value: one for one in self.values if one.kind == kind}


Pair = tuple[int, Value]  # account, and a value that it shows


def match_reported(
    engine: Engine, log: Ingested, sketched: SketchedExchanges, population: Population, wanted: Wanted
) -> Reported:
    """Return which accounts show which of the values."""
    pairs = {(account, one.kind, one.value): one for account, one in _pairs(engine, log, sketched, population, wanted)}
    if len(pairs) > MOST_MATCHED:
        pairs = {}
    guarded = _guarded(population, wanted.cleared)
    spared = {(kind, value) for account, kind, value in pairs if guarded[account]}
    keys = sorted(key for key in pairs if key[1:] not in spared)
    by_label = {f"{kind}|{value}": pairs[account, kind, value] for account, kind, value in keys}
    account = np.array([key[0] for key in keys], np.int64)
    labels = pa.array([f"{kind}|{value}" for _, kind, value in keys], pa.string())
    edges = _edges(account, labels, population.size)
    told = [by_label[label] for label in edges.labels.to_pylist()]
    return Reported(
        edges,
        tuple(one.kind for one in told),
        np.array([one.bits for one in told], np.float64),
        np.array([one.partner for one in told], np.int64),
        np.array([one.partners for one in told], np.int64),
    )


def _guarded(population: Population, cleared: frozenset[str]) -> npt.NDArray[np.bool_]:
    named = pc.is_in(population.ids.cast(pa.string()), value_set=pa.array(sorted(cleared), pa.string()))
    answered_for = population.checked & (population.organisation >= 0)
    guarded: npt.NDArray[np.bool_] = population.licensed | answered_for | named.to_numpy(zero_copy_only=False)
    return guarded


def _pairs(
    engine: Engine, log: Ingested, sketched: SketchedExchanges, population: Population, wanted: Wanted
) -> Iterator[Pair]:
    yield from _shown(population, "ip", wanted.of("address"))
    yield from _in_networks(population, wanted.of("prefix"))
    yield from _clients(population, wanted)
    yield from _shown(population, "email_domain", wanted.of("mail-domain"))
    yield from _payments(population, wanted)
    yield from _artefacts(engine, sketched, population, wanted.of("artefact"))
    yield from _templates(engine, log, population, wanted.of("template"))


def _holders(population: Population, kind: str, found: Mapping[int, Value]) -> Iterator[Pair]:
    """Yield the accounts that show labels of an attribute, by the code of the label."""
    edges = population.edges[kind]
    codes = np.array(sorted(found), np.int64)
    for at in np.flatnonzero(np.isin(edges.value, codes)).tolist():
        yield int(edges.account[at]), found[int(edges.value[at])]


def _labels(population: Population, kind: str) -> list[str]:
    return population.edges[kind].labels.to_pylist() if kind in population.edges else []


def _shown(population: Population, kind: str, wanted: Mapping[str, Value]) -> Iterator[Pair]:
    found = {code: wanted[label] for code, label in enumerate(_labels(population, kind)) if label in wanted}
    if found:
        yield from _holders(population, kind, found)


def _in_networks(population: Population, wanted: Mapping[str, Value]) -> Iterator[Pair]:
    if not wanted:
        return
    networks = {ipaddress.ip_network(value): one for value, one in wanted.items()}
    by_place = {(net.version, net.prefixlen, int(net.network_address)): one for net, one in networks.items()}
    widths = sorted({key[:2] for key in by_place})
    found = {}
    for code, label in enumerate(_labels(population, "ip")):
        try:
            address = ipaddress.ip_address(label)
        except ValueError:
            continue
        for version, width in widths:
            kept = int(address) >> (address.max_prefixlen - width) << (address.max_prefixlen - width)
            if version == address.version and (version, width, kept) in by_place:
                found[code] = by_place[version, width, kept]
    yield from _holders(population, "ip", found) if found else ()


def _clients(population: Population, wanted: Wanted) -> Iterator[Pair]:
    """Yield who shows a reported client on a reported system; either alone is what strangers have too."""
    clients, systems = wanted.of("client"), wanted.of("asn")
    found = {}
    for code, label in enumerate(_labels(population, "stack_asn") if clients and systems else ()):
        client, system = clients.get(label.partition("|")[0]), systems.get(label.rpartition("|")[2])
        if client is not None and system is not None and client.partner == system.partner:
            both = client.bits + system.bits
            found[code] = Value("client", label, both, client.partner, min(client.partners, system.partners))
    yield from _holders(population, "stack_asn", found) if found else ()


def _payments(population: Population, wanted: Wanted) -> Iterator[Pair]:
    reported = wanted.of("payment")
    found = {}
    for code, label in enumerate(_labels(population, "payment_fingerprint") if reported else ()):
        for key_id, secret in wanted.keys.items():
            digest = hmac.new(secret, label.encode(), hashlib.sha256).hexdigest()
            if digest in reported and reported[digest].key_id == key_id:
                found[code] = reported[digest]
    yield from _holders(population, "payment_fingerprint", found) if found else ()


def _artefacts(
    engine: Engine, sketched: SketchedExchanges, population: Population, wanted: Mapping[str, Value]
) -> Iterator[Pair]:
    if not wanted or "artefacts_in" not in sketched.present:
        return
    submitted = sketched.tallies["submitted"]
    rows = engine.arrow(submitted.filter(submitted.artefact.isin(list(wanted))).select("artefact", "account_key"))
    place = {key: at for at, key in enumerate(population.keys.tolist())}
    for row in rows.to_pylist():
        yield place[row["account_key"]], wanted[row["artefact"]]


@dataclass
class _Fillers:
    """Which accounts fill which template: merges exactly."""

    pairs: set[tuple[str, int]] = field(default_factory=set)

    def merge(self, other: _Fillers) -> None:
        self.pairs |= other.pairs


def _templates(engine: Engine, log: Ingested, population: Population, wanted: Mapping[str, Value]) -> Iterator[Pair]:
    if not wanted or "prompt" not in log.present:
        return
    names = sorted(wanted)
    matcher = Matcher([Fingerprint.parse(name) for name in names])
    rows = log.table.select("account_id", "prompt")
    fillers = engine.fold(rows, _Fillers, partial(_note, matcher)).pairs
    place = _places(population.ids, (account for account, _ in fillers))
    for account, at in fillers:
        if account in place:
            yield place[account], wanted[names[at]]


def _places(ids: pa.Array, accounts: Iterable[str]) -> Mapping[str, int]:
    asked = sorted(set(accounts))
    found = pc.index_in(pa.array(asked, pa.string()), value_set=ids.cast(pa.string())).to_pylist()
    return {account: at for account, at in zip(asked, found, strict=True) if at is not None}


def _note(matcher: Matcher, fillers: _Fillers, batch: pa.RecordBatch) -> None:
    which = matcher.match(batch.column("prompt")).which
    account = batch.column("account_id")
    fillers.pairs.update((account[at].as_py(), int(which[at])) for at in np.flatnonzero(which >= 0).tolist())
