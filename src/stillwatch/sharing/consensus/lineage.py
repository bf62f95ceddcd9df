"""Who has it from whom: partners that copied each other are one source, whether they say so or not."""

from __future__ import annotations

from collections.abc import Mapping, Set

from stillwatch.sharing.private.indicators import Indicator

ALIKE = 0.8  # of the smaller set that the larger one holds too
ENOUGH = 20  # statements from which likeness means anything


def sources(held: Mapping[str, Set[Indicator]], first: Mapping[str, float]) -> dict[str, str]:
    """Return for each organisation whose observations its statements are: its own name, or the earlier one's.

    `held` are the indicators that each reports as its own, `first` when it began to. Independent sensors see different
    parts of a campaign: whose list is nearly another's has it from there.
    """
    names = sorted(held, key=lambda name: (first.get(name, 0.0), name))
    found: dict[str, str] = {}
    for at, name in enumerate(names):
        before = [other for other in names[:at] if _alike(held[name], held[other])]
        found[name] = found[before[0]] if before else name
    return found


def _alike(one: Set[Indicator], other: Set[Indicator]) -> bool:
    smaller = min(len(one), len(other))
    return smaller >= ENOUGH and len(one & other) >= ALIKE * smaller
