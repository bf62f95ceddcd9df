"""How often a group with a given margin really is a campaign: fitted on tuning replays, checked on the report split.

The fit is a logistic curve over one number, the bits by which the narrowest bar is cleared (Platt 1999). Its two
constants are stored with their source in `actions/calibration.json`, which the policy reads.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.optimize import minimize

from stillwatch.apps.detect import Examined, Settings, examine
from stillwatch.ingest.engine import Engine
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.truth import read_truth
from stillwatch.sketch.groups import grouped_rows

TUNING, REPORT = (11, 12, 13, 14), (111, 112)  # seeds
EXCHANGES, ACCOUNTS = 120_000, 3_000
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
        f"stillwatch-lab calibrate: {len(margin)} groups of {len(TUNING)} tuning replays "
        f"(seeds {TUNING[0]} to {TUNING[-1]}, {EXCHANGES:,} exchanges each)"
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
    margins: list[float] = []
    truths: list[float] = []
    for seed in seeds:
        say(f"{split} replay, seed {seed}")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            write_traffic(compose(Request(EXCHANGES, ACCOUNTS, seed, split)), out)
            planted = pa.array(sorted(read_truth(out / "labels").exchange))
            with Engine() as engine:
                files: Any = (out / "exchanges.parquet", out / "accounts.parquet", out / "licences.csv")
                seen = examine(engine, files, Settings())
                share = _planted_share(engine, seen, planted)
        for one in seen.judged.assessments:
            if one.families:
                margins.append(max(one.margin, -8.0))
                truths.append(float(share[one.group.group] > 0.5))
    return np.array(margins), np.array(truths)


def _planted_share(engine: Engine, seen: Examined, planted: pa.Array) -> dict[int, float]:
    """Return the share of each group's exchanges that belong to a planted campaign."""
    rows = grouped_rows(engine, seen.sketched, seen.population, seen.judged.membership)
    table = engine.arrow(rows.select("grp", "exchange_id"))
    hit = pc.is_in(table["exchange_id"], value_set=planted).to_numpy().astype(float)
    groups, code = np.unique(table["grp"].to_numpy(), return_inverse=True)
    return dict(zip(groups.tolist(), (np.bincount(code, hit) / np.bincount(code)).tolist(), strict=True))
