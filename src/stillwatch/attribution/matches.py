"""Whether a campaign shows a trait of a known actor, and how much that says: log2 likelihood ratios.

Popular is not shared: the denominator is how many accounts outside show the same. What few would show by chance counts,
up to a ceiling for each kind, because the file of actors may be wrong and traits can be copied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log2, sqrt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.attribution.actors import KINDS, Trait
from stillwatch.attribution.cadence import hours, launch, silence, weekdays
from stillwatch.attribution.scene import Bools, Found, Scene, Setting
from stillwatch.model import Grade
from stillwatch.sketch.population import Ints

LEAST = 3  # accounts that show a trait, for it to be the campaign's: one can be planted
SHARE = 0.03  # of the accounts
CARRIED = 0.1  # of the exchanges, for a tool or a persona to be the campaign's
SUITE = 2  # templates of a suite that are found, unless it has one only: one may be shared by two suites,
ONE_OF_MANY = 2.5  # and gives no more bits than this

EDGE_KINDS = {"address": "ip", "prefix": "ip", "payment": "payment_fingerprint", "phone": "phone_hash",
              "mail-domain": "email_domain", "client": "stack"}  # fmt: skip
NAMES = {"asn": "networks", "prefix": "address ranges", "address": "addresses", "payment": "payment instruments",
         "phone": "phone numbers", "mail-domain": "mail domains", "client": "clients", "tool": "tools",
         "persona": "personas", "suite": "evaluation templates"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """One trait looked for: bits above 0 where it is shown, 0 where it is not or says nothing."""

    kind: str
    family: str
    bits: float
    because: str
    grade: Grade
    source: str


def match(trait: Trait, scene: Scene, setting: Setting) -> Match | None:
    """Look for one trait; None where the log cannot show it, or the trait did not hold at the time."""
    kind = KINDS[trait.kind]
    if not trait.valid(*setting.days) or not len(scene.accounts):
        return None
    found = _LOOK[trait.kind](trait, scene, setting)
    if found is None:
        return None
    bits, because = found
    return Match(trait.kind, kind.family, min(max(bits, 0.0), kind.cap), because, trait.grade, trait.source)


def _accounts(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Values that accounts show: addresses, cards, phones, mail domains, clients."""
    edges = setting.edges.get(EDGE_KINDS[trait.kind])
    if edges is None:
        return None
    wanted = _wanted(trait, edges.labels)
    return _rarity(np.unique(edges.account[wanted[edges.value]]), trait, scene, setting)


def _wanted(trait: Trait, labels: pa.Array) -> Bools:
    if trait.kind == "prefix":
        hits = [pc.starts_with(labels, text) for text in trait.values]
    elif trait.kind == "client":
        hits = [pc.starts_with(labels, f"{text}|") for text in trait.values]
        hits += [pc.ends_with(labels, f"|{text}") for text in trait.values]
    elif trait.kind == "mail-domain":
        hits = [pc.is_in(pc.utf8_lower(labels), value_set=pa.array(trait.values, pa.string()))]
    else:
        hits = [pc.is_in(labels, value_set=pa.array(trait.values, labels.type))]
    wanted = np.zeros(len(labels), np.bool_)
    for hit in hits:
        wanted |= hit.to_numpy(zero_copy_only=False).astype(np.bool_)
    return wanted


def _network(trait: Trait, scene: Scene, setting: Setting) -> Found:
    if not setting.networks:
        return None
    shown = [setting.networks[number] for number in trait.values if number in setting.networks]
    return _rarity(np.unique(np.concatenate([*shown, np.zeros(0, np.int64)])), trait, scene, setting)


def _rarity(showing: Ints, trait: Trait, scene: Scene, setting: Setting) -> Found:
    inside = int(np.isin(showing, scene.accounts).sum())
    size = len(scene.accounts)
    outside, others = len(showing) - inside, setting.population.size - size
    because = f"{inside:,} of {size:,} accounts show its {NAMES[trait.kind]}, {outside:,} of {others:,} others do"
    if inside < max(min(LEAST, size), SHARE * size):
        return 0.0, because
    return _ratio(inside, size, outside, others), because


def _ratio(inside: int, size: int, outside: int, others: int) -> float:
    """Return bits with one standard error taken from each side: three accounts of a hundred are soon a coincidence."""
    least = (inside - sqrt(inside)) / size
    return log2(least / _at_most(outside, others)) if least > 0 else 0.0


def _at_most(outside: int, others: int) -> float:
    return min((outside + 1 + sqrt(outside + 1)) / (others + 1), 1.0)


def _keyed(kind: str, column: str) -> Callable[[Trait, Scene, Setting], Found]:
    """Look for a tool or a persona in the campaign's own exchanges: its accounts may serve other owners too."""

    def look(trait: Trait, scene: Scene, setting: Setting) -> Found:
        keys = _keys(trait, setting.keyed.keys.get(kind, {}))
        edges = setting.edges.get(column)
        if keys is None or edges is None:
            return None
        own = scene.closer.keys.get(column, {})
        carried = sum(own[key][0] for key in keys if key in own)
        total = sum(scene.daily.values())
        wanted = pc.is_in(edges.labels, value_set=pa.array([str(key) for key in sorted(keys)], pa.string()))
        showing = np.unique(edges.account[wanted.to_numpy(zero_copy_only=False).astype(np.bool_)[edges.value]])
        outside = int((~np.isin(showing, scene.accounts)).sum())
        others = setting.population.size - len(scene.accounts)
        because = (
            f"{carried / max(total, 1):.0%} of its exchanges carry its {NAMES[kind]}, "
            f"{outside:,} of {others:,} other accounts do"
        )
        if carried < CARRIED * total or not carried:
            return 0.0, because
        return log2((carried / total) / _at_most(outside, others)), because

    return look


def _keys(trait: Trait, known: Mapping[str, frozenset[int]]) -> frozenset[int] | None:
    if not any(value in known for value in trait.values):
        return None
    return frozenset(key for value in trait.values for key in known.get(value, frozenset()))


def _suite(trait: Trait, scene: Scene, setting: Setting) -> Found:
    """Look for the suite among all that those accounts send that serve no other campaign."""
    keys = _keys(trait, setting.keyed.keys.get("suite", {}))
    if not keys or not len(scene.exclusive):
        return None  # nobody ran it often enough for its templates to be known: a short log says nothing against it
    atoms = setting.population.atoms
    ran = np.isin(atoms.frame, np.fromiter(keys, np.int64, len(keys)))
    showing = np.unique(atoms.account[ran])
    inside = np.isin(showing, scene.exclusive)
    found = len(np.unique(atoms.frame[ran & np.isin(atoms.account, scene.exclusive)]))
    others = setting.population.size - len(scene.accounts)
    outside = int((~np.isin(showing, scene.accounts)).sum())
    because = (
        f"{int(inside.sum()):,} of {len(scene.exclusive):,} accounts ran {found} of {len(trait.values)} templates of "
        f"its suite, {outside:,} of {others:,} others did"
    )
    if not found:
        return 0.0, because
    bits = _ratio(int(inside.sum()), len(scene.exclusive), outside, others)
    return (bits if found >= min(SUITE, len(trait.values)) else min(bits, ONE_OF_MANY)), because


_LOOK: Mapping[str, Callable[[Trait, Scene, Setting], Found]] = {
    **dict.fromkeys(EDGE_KINDS, _accounts),
    "asn": _network,
    "tool": _keyed("tool", "tools_key"),
    "persona": _keyed("persona", "system_key"),
    "suite": _suite,
    "active-hours": hours,
    "active-weekdays": weekdays,
    "silent-days": silence,
    "launch": launch,
}
