"""How often and how much one partner may ask: enumeration by many small questions is what a cap alone does not stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HOUR, DAY = 3_600.0, 86_400.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One comparison that was let in: when (seconds), by whom, and with how many elements, padding included."""

    at: float
    partner: str
    size: int


@dataclass(frozen=True, slots=True)
class Rates:
    """What one partner may ask. Padded sizes count, since only these are known."""

    sessions_per_hour: int = 12
    elements_per_day: int = 400_000


def refusal(rates: Rates, history: Sequence[Asked], partner: str, size: int, now: float) -> str | None:
    """Return why a partner may not ask now, or None. Refused questions do not count."""
    own = [one for one in history if one.partner == partner]
    recent = [one for one in own if now - one.at < HOUR]
    if len(recent) >= rates.sessions_per_hour:
        wait = HOUR - (now - min(one.at for one in recent))
        many = f"{len(recent):,} comparisons within the hour"
        return f"{many}, {rates.sessions_per_hour:,} are allowed; wait {wait:.0f} s"
    used = sum(one.size for one in own if now - one.at < DAY)
    if used + size > rates.elements_per_day:
        return f"{used:,} elements within the day, {rates.elements_per_day:,} are allowed; {size:,} more are too many"
    return None
