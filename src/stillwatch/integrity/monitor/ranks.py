"""The rank of an answer's score among those that ought to be like it.

If an answer and the answers in the bag are exchangeable (the same endpoint, asked the same), the randomised rank is
exactly uniform; and if each answer joins the bag after it was ranked, the ranks are independent of each other as well
(Vovk, Nouretdinov and Gammerman 2003). A reference that is used again and again *without* its bag growing gives ranks
that depend on each other, and a bet on them raises false alarms in the end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field


def rank_in(score: float, bag: list[float], chance: float) -> float:
    """Return the rank of a score in a *sorted* bag: near 0 if it is larger than most. `chance` in [0, 1] parts ties."""
    above = len(bag) - bisect_right(bag, score)
    equal = bisect_right(bag, score) - bisect_left(bag, score) + 1
    return (above + chance * equal) / (len(bag) + 1)


@dataclass(slots=True)
class Bags:
    """Sorted scores by name (endpoint, channel, prompt); the one thing here that changes in place."""

    held: dict[str, list[float]] = field(default_factory=dict)

    def rank_and_join(self, name: str, score: float, chance: float) -> float:
        """Rank a score in its bag, then put it in. A first score's rank is `chance`: it says nothing."""
        bag = self.held.setdefault(name, [])
        rank = rank_in(score, bag, chance)
        insort(bag, score)
        return rank

    def join(self, name: str, score: float) -> None:
        """Put a score of the reference into a bag."""
        insort(self.held.setdefault(name, []), score)
