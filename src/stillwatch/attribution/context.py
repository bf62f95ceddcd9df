"""What reference lists say of a campaign's members: context for the analyst, in words, and never evidence.

Clouds, relays and disposable mail domains serve honest people first, so a list adds no bits to any axis; beside the
members' share stands everyone's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from stillwatch.ingest.ranges import lookup_of
from stillwatch.ingest.reference import Reference
from stillwatch.model import Claim, Grade
from stillwatch.sketch.population import Ints, Population


@dataclass(frozen=True, slots=True)
class Marked:
    """One list laid over everyone: an entry for each address or mail domain of an account, and whether it is listed."""

    name: str
    what: str  # "addresses" or "mail domains"
    account: Ints
    listed: npt.NDArray[np.bool_]


def mark(population: Population, lists: Sequence[Reference]) -> tuple[Marked, ...]:
    """Lay each list over the population, looking up every distinct value once; a list of what nobody shows is left."""
    return tuple(marked for one in lists if (marked := _mark(population, one)) is not None)


def told_by_lists(members: Ints, marked: Sequence[Marked]) -> tuple[Claim, ...]:
    """Return a claim for each list that has any of the members' values (`members`: their indices)."""
    claims = []
    for one in marked:
        own = np.isin(one.account, members)
        inside, everyone = one.listed[own], one.listed
        if not inside.any():
            continue
        share = f"{inside.mean():.0%} of its members' {one.what} are on the list {one.name}"
        claims.append(Claim(f"{share} ({everyone.mean():.0%} of everyone's): context, not evidence", Grade.REPORTED))
    return tuple(claims)


def _mark(population: Population, one: Reference) -> Marked | None:
    kind, what = ("ip", "addresses") if one.ranges is not None else ("email_domain", "mail domains")
    edges = population.edges.get(kind)
    if edges is None or not len(edges.value):
        return None
    if one.ranges is not None:
        hit = lookup_of([one.ranges]).find(edges.labels.cast(pa.string())) != 0
    else:
        hit = np.array([_within(name, one.domains) for name in edges.labels.to_pylist()], np.bool_)
    return Marked(one.name, what, edges.account, hit[edges.value])


def _within(name: str, domains: frozenset[str]) -> bool:
    """Whether a domain, or one that it lies in, is listed."""
    parts = name.lower().rstrip(".").split(".")
    return any(".".join(parts[at:]) in domains for at in range(len(parts)))
