"""Accounts that move together to a model within a day of its release.

Whoever copies the newest model goes where it is; everyone else drifts there over weeks.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip, over
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_SHIFT = 0.2
MIN_EXCHANGES = 50
CAP = 3.0


@signal(
    "joint-pivot",
    axis=Axis.COORDINATION,
    family=Family.TIMING,
    needs=("model",),
    runbook="Check whether a default model changed for everyone that day.",
)
def joint_pivot(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of the share moved to a new model on the two days from its release, against all other traffic."""
    first_day = population.start // 86_400_000_000
    best: tuple[float, str] = (0.0, "")
    for model in sorted({name for name, _ in population.model_days}):
        release = min(day for name, day in population.model_days if name == model)
        if release <= first_day:
            continue
        days = (release, release + 1)
        inside, total = _moved(group.days, model, days)
        everyone, everything = _moved(population.model_days, model, days)
        share = inside / total if total >= MIN_EXCHANGES else 0.0
        outside = (everyone - inside) / max(everything - total, 1)
        if share >= MIN_SHIFT and share > 2 * outside:
            text = f"{share:.0%} of its exchanges went to {model} within a day of its release; {outside:.0%} elsewhere"
            best = max(best, (over(share, outside, 0.02), text))
    bits = clip(best[0], 0.0, CAP)
    return Finding(bits, best[1], group.cites) if bits > 0.1 else None


def _moved(days: dict[tuple[str, int], int], model: str, window: tuple[int, int]) -> tuple[int, int]:
    total = sum(count for (_, day), count in days.items() if day in window)
    return sum(count for (name, day), count in days.items() if day in window and name == model), total
