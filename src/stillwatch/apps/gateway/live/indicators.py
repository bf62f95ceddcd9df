"""From a run to an index: which values belong to a campaign alone.

A value is the campaign's when nearly all who show it are tied members, by accounts and, for a frame, by exchanges too.
Whoever copies a customer's template shares it with the customer, so it is nobody's; what an agent tool gives to
thousands is nobody's either. An exchange that was refused tells of nobody's use: else a second pool that is turned away
would take the frame from the campaign. Each indicator expires when it was not seen for a while.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.apps.detect import Examined, campaigns_of
from stillwatch.apps.gateway.live.index import GRAVE, HOURS, Columns, Index, KnownCampaign, sorted_names
from stillwatch.apps.gateway.live.values import ACCOUNT, FAMILY, KINDS, Namer, plain_address
from stillwatch.apps.run import Run
from stillwatch.campaigns.weigh import SPEAKS, Assessment
from stillwatch.ingest.engine import Engine
from stillwatch.model import Axis, Family, VerdictKind
from stillwatch.sketch.population import DAY_US, HOUR_US, Ints, Population

NEARLY_ALL = 0.9  # share of those who show a value; members whom detection has not tied yet are among the rest
SETTLED = 20  # served exchanges in a frame of an account that was judged and not tied: detection has looked at it
RARE_BITS = 3.0  # a value that an eighth of all accounts show is nobody's, whoever they are
LEAST = {  # tied members that show a value
    "frame": 5, "ip": 2, "prefix": 3, "stack_asn": 5,
    "payment_fingerprint": 1, "phone_hash": 1, "signup_ip": 2, "email_domain": 3,
}  # fmt: skip
KEPT_DAYS = {  # since a value was last seen; addresses pass to others soon, cards do not
    "frame": 30, "ip": 7, "prefix": 7, "stack_asn": 14,
    "payment_fingerprint": 90, "phone_hash": 90, "signup_ip": 30, "email_domain": 30, "artefact": 7,
}  # fmt: skip
MOST_ARTEFACTS = 200_000  # handles, the latest
TIES = {
    Family.CONTENT: FAMILY["frame"], Family.INFRASTRUCTURE: FAMILY["ip"], Family.IDENTITY: FAMILY["signup_ip"],
    Family.ARTEFACT: FAMILY["artefact"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """The segment that a run ends with: its number and bounds, µs."""

    number: int
    since: int
    until: int


@dataclass
class _Rows:
    """Indicators as they are found."""

    namer: Namer
    names: list[int] = field(default_factory=list)
    kinds: list[int] = field(default_factory=list)
    campaigns: list[int] = field(default_factory=list)
    until: list[int] = field(default_factory=list)

    def add(self, kind: str, value: str | int, campaign: int, last_seen: int) -> None:
        self.names.append(self.namer(kind, value))
        self.kinds.append(KINDS.index(kind))
        self.campaigns.append(campaign)
        self.until.append(last_seen + KEPT_DAYS[kind] * DAY_US)


@dataclass(frozen=True, slots=True)
class _Concluded:
    """Campaigns with their numbers in the index, and everybody who is tied to a grave one."""

    judged: Sequence[Assessment]
    known: Sequence[KnownCampaign]
    tied: npt.NDArray[np.bool_]  # by account
    served: npt.NDArray[np.bool_]  # accounts with an exchange that was not refused

    def grave(self) -> list[tuple[int, Assessment]]:
        return [(at, one) for at, one in enumerate(self.judged) if self.known[at].grave]


def index_of(engine: Engine, seen: Examined, run: Run, window: Window) -> Index:
    """Return the index that a run leads to."""
    population, namer = seen.population, Namer(seen.key)
    judged = campaigns_of(seen.judged)
    tied = np.zeros(population.size, np.bool_)
    for one in judged:
        if one.verdict in GRAVE:
            tied[one.group.accounts[one.tied]] = True
    served = population.usage["exchanges"] > population.usage["denied"]
    concluded = _Concluded(judged, _known(run), tied, served)
    rows = _Rows(namer)
    cleared = _frames(engine, seen, concluded, rows)
    for kind in LEAST:
        if kind in population.edges:
            _values(population, kind, concluded, rows)
    _artefacts(engine, seen, concluded, rows)
    order = np.lexsort((rows.campaigns, rows.names))
    members = _members(population, concluded, namer)
    columns = Columns(
        names=np.array(rows.names, np.int64)[order],
        kinds=np.array(rows.kinds, np.uint8)[order],
        campaigns=np.array(rows.campaigns, np.int32)[order],
        until=np.array(rows.until, np.int64)[order],
        **members,
        cleared=sorted_names(namer(ACCOUNT, name) for name in _ids(population, cleared)),
        hours=_hours(engine, seen, concluded, window.until),
    )
    return Index(
        version=window.number,
        since=window.since,
        until=window.until,
        windows=0 if seen.state is None else len(seen.state.windows),
        exchanges=0 if seen.state is None else seen.state.exchanges,
        accounts=population.size,
        campaigns=tuple(concluded.known),
        columns=columns,
    )


def _known(run: Run) -> list[KnownCampaign]:
    return [
        KnownCampaign(
            one.campaign_id,
            one.verdict,
            one.p,
            one.coordination_bits,
            one.extraction_bits,
            one.deception_bits,
            one.accounts,
            int(one.first_seen.timestamp()) * 1_000_000,
            int(one.last_seen.timestamp()) * 1_000_000,
        )
        for one in (story.campaign for story in run.stories)
    ]


def _members(population: Population, concluded: _Concluded, namer: Namer) -> dict[str, Any]:
    """Every tied account with the gravest of its campaigns, by name."""
    rank = {kind: at for at, kind in enumerate(VerdictKind)}
    best: dict[int, tuple[tuple[int, float], int, int]] = {}
    for number, one in enumerate(concluded.judged):
        accounts, families = one.group.accounts[one.tied], _ties(one)[one.tied]
        chances = one.member_p[one.tied]
        for account, chance, bits in zip(accounts.tolist(), chances.tolist(), families.tolist(), strict=True):
            found = ((rank[one.verdict], chance), number, bits)
            if account not in best or found[0] > best[account][0]:
                best[account] = found
    accounts = np.fromiter(best, np.int64)
    names = np.array([namer(ACCOUNT, name) for name in _ids(population, accounts)], np.int64)
    held = [best[account] for account in accounts.tolist()]
    order = np.argsort(names)
    return {
        "members": names[order],
        "member_campaigns": np.array([number for _, number, _ in held], np.int32)[order],
        "member_p": np.array([chance for (_, chance), _, _ in held], np.float64)[order],
        "member_families": np.array([bits for _, _, bits in held], np.uint8)[order],
    }


def _ties(one: Assessment) -> Ints:
    """The families that tie each account of a group, as bits."""
    families = np.zeros(one.group.size, np.int64)
    for signal, finding in one.findings:
        if signal.axis is Axis.COORDINATION and finding.members is not None and signal.family in TIES:
            families |= np.where(finding.members >= SPEAKS, TIES[signal.family], 0)
    return families


def _values(population: Population, kind: str, concluded: _Concluded, rows: _Rows) -> None:
    """Values of one attribute that members alone show."""
    edges = population.edges[kind]
    counts = concluded.served[edges.account] | concluded.tied[edges.account]
    everyone = np.bincount(edges.value[counts], minlength=len(edges.labels))
    members = np.bincount(edges.value[concluded.tied[edges.account]], minlength=len(edges.labels))
    own = (members >= LEAST[kind]) & (members >= NEARLY_ALL * everyone)
    if kind not in ("payment_fingerprint", "phone_hash"):  # nobody else has these, however many accounts they paid for
        own &= everyone * 2.0**RARE_BITS <= max(int(np.count_nonzero(concluded.served)), 1)
    for number, one in concluded.grave():
        accounts = one.group.accounts[one.tied]
        edge = np.flatnonzero(own[edges.value] & np.isin(edges.account, accounts))
        last = np.full(len(edges.labels), -1, np.int64)
        np.maximum.at(last, edges.value[edge], population.usage["last_ts"][edges.account[edge]])
        for code in np.flatnonzero(last >= 0).tolist():
            value = str(edges.labels[code].as_py())
            rows.add(kind, plain_address(value) if kind == "signup_ip" else value, number, int(last[code]))


def _frames(engine: Engine, seen: Examined, concluded: _Concluded, rows: _Rows) -> Ints:
    """Frames that members alone fill; returns accounts that fill one of them and were judged not to be of it."""
    population, atoms = seen.population, seen.population.atoms
    owner = {int(frame): number for number, one in reversed(concluded.grave()) for frame in one.group.frames.tolist()}
    wanted = np.array(sorted(owner.keys() - population.public_templates), np.int64)
    if not len(wanted):
        return wanted
    use = _served(engine, seen, wanted)
    at = np.searchsorted(wanted, use.frame)
    tied = concluded.tied[use.account]
    sums = {
        "accounts": (np.bincount(at, minlength=len(wanted)), np.bincount(at[tied], minlength=len(wanted))),
        "exchanges": (
            np.bincount(at, use.exchanges, len(wanted)),
            np.bincount(at[tied], use.exchanges[tied], len(wanted)),
        ),
    }
    own = sums["accounts"][1] >= LEAST["frame"]
    for everyone, members in sums.values():
        own &= members >= NEARLY_ALL * everyone
    vouched = population.licensed | population.checked  # a customer with a name: what it fills is not the campaign's
    own[np.unique(at[~tied & vouched[use.account]])] = False
    place = np.searchsorted(wanted, np.minimum(atoms.frame, wanted[-1]))
    known = (wanted[place] == atoms.frame) & own[place]
    last = np.full(len(wanted), -1, np.int64)
    np.maximum.at(last, place[known], atoms.sums["last_ts"][known])
    for frame, moment in zip(wanted[own].tolist(), last[own].tolist(), strict=True):
        rows.add("frame", frame, owner[frame], moment)
    settled = own[at] & ~tied & (use.exchanges >= SETTLED)
    return np.unique(use.account[settled])


@dataclass(frozen=True, slots=True)
class _Use:
    """Exchanges of an account within a frame that were not refused."""

    frame: Ints
    account: Ints
    exchanges: Ints


def _served(engine: Engine, seen: Examined, frames: Ints) -> _Use:
    table = seen.sketched.table
    wanted = engine.register("indicator_frames", pa.table({"frame": frames}))
    answered = table.filter(table.denied == 0)
    parts = []
    for kind in ("template_key", "system_key"):
        met = answered.inner_join(wanted, answered[kind] == wanted.frame)
        parts.append(met.group_by("frame", "account_key").agg(exchanges=met.count()))
    found = engine.arrow(parts[0].union(parts[1]).order_by(["frame", "account_key"]))
    columns = {name: found[name].cast(pa.int64()).to_numpy() for name in found.column_names}
    return _Use(columns["frame"], _places(seen.population, columns["account_key"]), columns["exchanges"])


def _artefacts(engine: Engine, seen: Examined, concluded: _Concluded, rows: _Rows) -> None:
    """Handles that were minted for members of late."""
    population, grave = seen.population, concluded.grave()
    if "artefacts_out" not in population.present or not grave:
        return
    owner: dict[int, int] = {}
    for number, one in reversed(grave):
        owner |= dict.fromkeys(one.group.accounts[one.tied].tolist(), number)
    keys = engine.register("minters", pa.table({"account_key": population.keys[np.fromiter(owner, np.int64)]}))
    table = seen.sketched.table
    late = table.filter(
        (table.ts >= population.end - KEPT_DAYS["artefact"] * DAY_US) & (table.artefacts_out.length() > 0)
    )
    minted = late.inner_join(keys, "account_key")
    minted = minted.select("account_key", "ts", artefact=minted.artefacts_out.unnest())
    minted = minted.group_by("artefact").agg(account_key=minted.account_key.min(), ts=minted.ts.max())
    found = engine.arrow(minted.order_by([minted.ts.desc(), "artefact"]).limit(MOST_ARTEFACTS))
    accounts = _places(population, found["account_key"].cast(pa.int64()).to_numpy())
    for handle, account, moment in zip(
        found["artefact"].to_pylist(), accounts.tolist(), found["ts"].to_pylist(), strict=True
    ):
        rows.add("artefact", handle, owner[account], moment)


def _hours(engine: Engine, seen: Examined, concluded: _Concluded, until: int) -> Ints:
    """Exchanges of each campaign's accounts in each hour of the last day, the latest hour last."""
    counts = np.zeros((len(concluded.judged), HOURS), np.int64)
    first = (until - 1) // HOUR_US - HOURS + 1
    hours = seen.sketched.tallies["hours"]
    found = engine.arrow(hours.filter((hours.hour >= first) & (hours.hour < first + HOURS)))
    account = _places(seen.population, found["account_key"].cast(pa.int64()).to_numpy())
    hour = found["hour"].cast(pa.int64()).to_numpy() - first
    exchanges = found["exchanges"].cast(pa.int64()).to_numpy()
    for number, one in enumerate(concluded.judged):
        own = np.isin(account, one.group.accounts[one.tied])
        counts[number] = np.bincount(hour[own], exchanges[own], HOURS).astype(np.int64)
    return counts


def _places(population: Population, keys: Ints) -> Ints:
    """The accounts that some keys name."""
    order = np.argsort(population.keys)
    return order[np.searchsorted(population.keys[order], keys)]


def _ids(population: Population, accounts: Ints) -> list[str]:
    return list(population.ids.take(pa.array(accounts)).cast(pa.string()).to_pylist())
