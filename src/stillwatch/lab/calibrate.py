"""How often a group with a given margin really is a campaign: fitted on tuning replays, checked on the report split.

The fit is a logistic curve over one number, the bits by which the narrowest bar is cleared (Platt 1999). Its two
constants are stored with their source in `actions/calibration.json`, which the policy reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from stillwatch.apps.detect import Settings
from stillwatch.lab.fit import ACCOUNTS, EXCHANGES, HARDEST, MOSTLY
from stillwatch.lab.population import Request
from stillwatch.lab.replays import replay

TUNING, REPORT = (21, 22, 23, 24), (111, 112)  # seeds; the weights were fitted on others
LEAST_MARGIN = -8.0  # bits; below, a group is as far from a verdict as can be
SHRINK = 1e-3  # on the constants: a perfectly separated fit would otherwise run away to certainty
BINS = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fit:
    """The two constants, and how reliable they are on replays that they were not fitted on."""

    offset: float
    slope: float
    source: str
    brier: float
    reliability: tuple[tuple[float, float, int], ...]  # (mean p, share that are campaigns, groups) by bin


def calibrate(say: Callable[[str], None] = lambda _: None) -> Fit:
    """Replay both splits, fit on tuning and measure on report."""
    margin, truth = _replay(TUNING, "tuning", say)
    offset, slope = fit_curve(margin, truth)
    held_margin, held_truth = _replay(REPORT, "report", say)
    p = 1.0 / (1.0 + np.exp(-(offset + slope * held_margin)))
    bins = np.clip(np.digitize(p, BINS[1:-1]), 0, len(BINS) - 2)
    rows = tuple(
        (round(float(p[bins == at].mean()), 3), round(float(held_truth[bins == at].mean()), 3), int((bins == at).sum()))
        for at in range(len(BINS) - 1)
        if (bins == at).any()
    )
    source = (
        f"stillwatch-lab calibrate: {len(margin)} groups of {len(TUNING) + len(HARDEST)} tuning replays "
        f"(seeds {TUNING[0]} to {TUNING[-1]} and {TUNING[0] + 100}, {EXCHANGES:,} exchanges each)"
    )
    return Fit(round(offset, 4), round(slope, 4), source, round(float(np.mean((p - held_truth) ** 2)), 4), rows)


def fit_curve(margin: Floats, truth: Floats) -> tuple[float, float]:
    """Return offset and slope of the logistic curve, with a ridge penalty on both."""

    def loss(constants: Floats) -> float:
        score = constants[0] + constants[1] * margin
        return float(np.mean(np.logaddexp(0.0, score) - truth * score) + SHRINK * np.sum(constants**2) / 2)

    found = minimize(loss, np.array([0.0, 1.0]), method="L-BFGS-B")
    return float(found.x[0]), float(found.x[1])


def write_fit(fit: Fit, path: Path) -> None:
    """Store the constants with their source, as the policy reads them."""
    path.write_text(json.dumps({"offset": fit.offset, "slope": fit.slope, "source": fit.source}, indent=2) + "\n")


def _replay(seeds: Sequence[int], split: str, say: Callable[[str], None]) -> tuple[Floats, Floats]:
    """Margins of judged groups, and whether each is a campaign."""
    asked = [Request(EXCHANGES, ACCOUNTS, seed, split) for seed in seeds]
    asked += [Request(EXCHANGES, ACCOUNTS, seeds[0] + 100, split, scenarios=names) for names in HARDEST]
    held = [one for one in replay(asked, Settings(), say) if one.assessment.families]
    margin = np.array([max(one.assessment.margin, LEAST_MARGIN) for one in held])
    return margin, np.array([float(one.planted > MOSTLY) for one in held])
