"""Which indicators of a campaign are fit to be compared: those that hardly anybody else shows.

Popular is not shared. Ten thousand strangers have one mail provider, one client and, behind one translator of
addresses, one address. Such a value is common at every provider, and finding it in common says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log2

from stillwatch.sharing.private.indicators import KINDS, Indicator

OUTSIDE = 0.25  # of those who show a value may stand outside campaigns
RARE = 6.0  # bits: at most one account in 64 shows it
SECONDS_OF_DAY = 86_400.0
EXPIRES: Mapping[str, float] = {"infrastructure": 60.0, "funding": 180.0}  # days: addresses change hands


@dataclass(frozen=True, slots=True)
class Shown:
    """One indicator at one's own site: by how many members of a campaign it is shown, by how many others, last when."""

    campaign: str
    verdict: str
    indicator: Indicator
    inside: int
    outside: int
    last_seen: float  # seconds since 1970


def distinctive(shown: Iterable[Shown], accounts: int) -> tuple[Shown, ...]:
    """Keep what speaks for a campaign: rare among all `accounts`, and rarer outside campaigns than in."""
    return tuple(one for one in shown if one.inside and _rare(one, accounts))


def _rare(one: Shown, accounts: int) -> bool:
    total = one.inside + one.outside
    return one.outside <= OUTSIDE * total and log2(max(accounts, 1) / total) >= RARE


def elements(shown: Iterable[Shown], family: str, cap: int) -> tuple[bytes, ...]:
    """Return a family's indicators as bytes; beyond the cap those that most members show go first."""
    best: dict[Indicator, int] = {}
    for one in shown:
        if KINDS[one.indicator.kind].family == family:
            best[one.indicator] = max(best.get(one.indicator, 0), one.inside)
    ordered = sorted(best, key=lambda indicator: (-best[indicator], indicator))
    return tuple(indicator.to_bytes() for indicator in ordered[:cap])


def fresh(shown: Iterable[Shown], expiry: Mapping[str, float] = EXPIRES) -> tuple[Shown, ...]:
    """Leave out what was last seen longer before the newest than its family lasts, in days."""
    held = tuple(shown)
    newest = max((one.last_seen for one in held), default=0.0)
    return tuple(
        one for one in held if newest - one.last_seen <= expiry[KINDS[one.indicator.kind].family] * SECONDS_OF_DAY
    )
