"""Numbers so coarse that they say how large something is and not whom it concerns."""

from __future__ import annotations

import datetime as dt

STEP = 5  # counts below a hundred; LEAST_SHOWING is one step, so no smaller count is ever printed
WORDS = (5, 15, 30, 50, 70, 85, 95)  # STIX's values for the seven words of ICD 203, "almost no chance" to "certain"


def at_least(count: int) -> int:
    """Round down: to fives below a hundred, to two digits above."""
    if count < 100:
        return max(count, 0) // STEP * STEP
    unit = 10 ** (len(str(count)) - 2)
    return count // unit * unit


def in_words(p: float) -> int:
    """Return a probability as the nearest STIX confidence of a word; a tie goes to the weaker word."""
    return min(WORDS, key=lambda word: (abs(word - 100 * p), word))


def to_the_hour(moment: dt.datetime) -> dt.datetime:
    """Cut minutes and seconds, which an exchange could be found by."""
    return moment.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
