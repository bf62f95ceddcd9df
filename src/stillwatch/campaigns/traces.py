"""What a campaign leaves that outlives its accounts: templates, settings, infrastructure and identity, as marks.

A mark is a keyed hash of a value, shorter than the sketch's own, so that the record of a run gives no sketch hash away.
What strangers share is no mark: a value counts only where most of those who show it are the campaign's members.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.campaigns.identity import FRAMES, Traces
from stillwatch.campaigns.weigh import Assessment
from stillwatch.sketch.population import NEVER, Edges, Ints, Population
from stillwatch.sketch.text import SketchKey

MOST_FRAMES = 32  # by exchanges: those that a campaign lives by
MOST_VALUES = 256  # of each family, the smallest marks: two runs then keep the same ones (a bottom-k sketch)
SEVERAL = 3  # members that fill a template, for it to be the campaign's rather than an account's own
POPULAR_SETTING = 0.1  # share of all groups that send a setting, from which it marks nobody
FEW_GROUPS = 3  # of one campaign, before its frames are merged: so many may send a setting anyway
USUAL = 0.1  # share of a campaign's exchanges with a setting, for it to be the campaign's
MOSTLY = 0.5  # of those who show a value
KINDS = {  # family → attribute kinds, with the members that must show a value
    "infrastructure": (("ip", 2), ("prefix", 2), ("stack_asn", 2), ("stack", 2)),
    "identity": (("payment_fingerprint", 1), ("phone_hash", 1), ("signup_ip", 1), ("email_domain", 2)),
}


@dataclass(frozen=True, slots=True)
class Tracer:
    """A run's population and groups, prepared once for tracing each campaign."""

    population: Population
    key: SketchKey
    edges: dict[str, Edges]
    frames: Ints  # distinct frames, ascending
    frame_accounts: Ints  # accounts that fill each
    popular: frozenset[str]  # settings that strangers use too

    @classmethod
    def prepare(cls, population: Population, key: SketchKey, groups: Sequence[Assessment]) -> Tracer:
        """Count what everybody does; `groups` are all groups that were judged, cleared ones too."""
        frames, accounts = np.unique(population.atoms.frame, return_counts=True)
        return cls(population, key, with_stacks(population), frames, accounts, _popular_settings(groups))

    def check(self) -> str:
        """Return a word that tells two keys apart and neither away."""
        return self._mark("check", "")

    def trace(self, one: Assessment) -> Traces:
        """Return what one campaign is known by."""
        members = one.group.accounts[one.tied]
        marks = {FRAMES: self._frames(one, members), "settings": self._settings(one)}
        for family, kinds in KINDS.items():
            found = [mark for kind, least in kinds for mark in self._values(kind, members, least)]
            marks[family] = frozenset(sorted(found)[:MOST_VALUES])
        names = self.population.ids.take(pa.array(members)).to_pylist()
        began, banned = one.group.sums["first_ts"][one.tied], self.population.suspended_at[members]
        banned = banned[banned != NEVER]
        return Traces(
            frozenset(names),
            {family: own for family, own in marks.items() if own},
            _middle(began),
            _middle(banned) if len(banned) >= MOSTLY * max(len(members), 1) else None,
        )

    def _frames(self, one: Assessment, members: Ints) -> frozenset[str]:
        atoms = self.population.atoms
        own = np.isin(atoms.account, members) & np.isin(atoms.frame, one.group.frames)
        frame, code, used_by = np.unique(atoms.frame[own], return_inverse=True, return_counts=True)
        everyone = self.frame_accounts[np.searchsorted(self.frames, frame)]
        public = np.isin(frame, np.fromiter(self.population.public_templates, np.int64))
        rare = (used_by >= SEVERAL) & (used_by > MOSTLY * everyone) & ~public
        volume = np.bincount(code, atoms.sums["exchanges"][own], len(frame))
        order = np.lexsort((frame, -volume))
        chosen = [int(frame[at]) for at in order.tolist() if rare[at]][:MOST_FRAMES]
        return frozenset(self._mark("frame", value) for value in chosen)

    def _settings(self, one: Assessment) -> frozenset[str]:
        usual = (name for name, count in one.group.settings if count >= USUAL * one.group.exchanges)
        return frozenset(self._mark("setting", name) for name in usual if name not in self.popular)

    def _values(self, kind: str, members: Ints, least: int) -> Iterable[str]:
        if kind not in self.edges:
            return ()
        edges = self.edges[kind]
        count = np.bincount(edges.value[np.isin(edges.account, members)], minlength=len(edges.labels))
        own = np.flatnonzero((count >= least) & (count > MOSTLY * edges.degree))
        return [self._mark(kind, value) for value in edges.labels.take(pa.array(own)).to_pylist()]

    def _mark(self, kind: str, value: object) -> str:
        secret = self.key.low.to_bytes(8, "little") + self.key.high.to_bytes(8, "little")
        return hashlib.blake2b(f"{kind}\x1f{value}".encode(), key=secret, digest_size=6).hexdigest()


def _middle(moments: Ints) -> dt.datetime | None:
    if not len(moments):
        return None
    return dt.datetime.fromtimestamp(int(np.sort(moments)[len(moments) // 2]) // 1_000_000, dt.UTC)


def _popular_settings(groups: Sequence[Assessment]) -> frozenset[str]:
    senders: dict[str, int] = {"-|-|-|-": len(groups) + 1}  # nothing was logged
    for one in groups:
        for name, count in one.group.settings:
            if count >= USUAL * one.group.exchanges:
                senders[name] = senders.get(name, 0) + 1
    return frozenset(name for name, count in senders.items() if count > max(POPULAR_SETTING * len(groups), FEW_GROUPS))


def with_stacks(population: Population) -> dict[str, Edges]:
    """Return the population's edges, and clients without the network that they came by."""
    edges = dict(population.edges)
    if "stack_asn" not in edges:
        return edges
    by_asn = edges["stack_asn"]
    plain = pc.replace_substring_regex(by_asn.labels, r"\|[^|]*$", "").dictionary_encode()
    code = plain.indices.to_numpy(zero_copy_only=False).astype(np.int64)[by_asn.value]
    pairs = np.unique(np.stack([by_asn.account, code]), axis=1)
    start = np.searchsorted(pairs[0], np.arange(population.size + 1))
    degree = np.bincount(pairs[1], minlength=len(plain.dictionary))
    edges["stack"] = Edges(pairs[0], pairs[1], plain.dictionary, degree, start)
    return edges
