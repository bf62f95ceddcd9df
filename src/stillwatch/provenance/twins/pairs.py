"""Pairs for a suspect to score: a served text up to a site, with each of the two renderings behind it.

They do not say which one was served, so whoever computes the likelihoods cannot help the result, and needs no key. All
sites before the one in question stand in their first rendering, whatever was served: one coin's outcome must not lead a
model to another's, or their wins would not be independent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stillwatch.provenance.twins.scan import render

LONGEST_PREFIX = 2_000  # characters before a site that the suspect is given


@dataclass(frozen=True, slots=True)
class Pair:
    """One site of one served text. `first` and `second` follow `prefix`; `behind` follows both."""

    pair_id: str
    unit: str
    rule: str
    prefix: str
    first: str
    second: str


def pairs_of(texts: Iterable[tuple[str, str]]) -> Iterator[Pair]:
    """Yield the pairs of served texts, each given with its id.

    A unit that already stood in the text is left out: any model writes again what it just read.
    """
    for name, text in texts:
        seen: set[str] = set()
        plain, sites = render(text, _first)
        for number, site in enumerate(sites):
            if site.unit in seen:
                continue
            seen.add(site.unit)
            prefix = plain[: site.at][-LONGEST_PREFIX:]
            yield Pair(f"{name}#{number}", site.unit, site.rule, prefix, *site.renderings)


def _first(unit: str, stands: int) -> int:
    del unit, stands
    return 0
