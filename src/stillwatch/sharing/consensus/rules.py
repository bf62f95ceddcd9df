"""The constants of the arithmetic. They are suggested, not calibrated: no partner has confirmed outcomes to fit to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stillwatch.sharing.admiralty import RELIABILITY


@dataclass(frozen=True, slots=True)
class FamilyRule:
    """What matches of a family say: `most` bits, half of them at `half` matches, nothing below `least`; how long."""

    most: float
    half: float
    least: int  # one alone is a coincidence: an address changes hands, a domain is popular there
    half_life: float  # days
    expires: float  # days


@dataclass(frozen=True, slots=True)
class Rules:
    """How answers are added up, and what raises a verdict by one step."""

    families: Mapping[str, FamilyRule] = field(
        default_factory=lambda: {
            "infrastructure": FamilyRule(most=4.0, half=4.0, least=3, half_life=14.0, expires=60.0),
            "funding": FamilyRule(most=6.0, half=2.0, least=2, half_life=60.0, expires=180.0),
        }
    )
    reliability: Mapping[str, float] = field(default_factory=lambda: dict(RELIABILITY))
    dispute: float = 4.0  # bits that a dispute takes away, before reliability
    ceiling: float = 6.0  # bits that all answers together give at most
    step: float = 2.0  # bits that raise a verdict by one step
