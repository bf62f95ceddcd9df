"""What is lost when labels are those of operations, which miss campaigns and keep mistakes, and not the truth.

The two constants of the probability are fitted with labels; verdicts come from bars on bits. So noise here can move the
probability and should move no verdict, and this part measures both. Weights of signals, where the policy has fitted
ones, were fitted with labels too; what noise does to those is not measured here, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import stillwatch as sw
from stillwatch.actions.policy import WEIGHTS, WEIGHTS_SOURCE
from stillwatch.lab.calibrate import LEAST_MARGIN, fit_curve
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.calibration import PLANTED, examples
from stillwatch.lab.evaluate.metrics import Flags, Floats, brier, reliability
from stillwatch.lab.evaluate.part import Data, Part, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.replays import Example, replay

TUNING = (141, 142)  # seeds, of the tuning split
# (share of campaigns that nobody noticed, share of clean groups that carry a mistaken label)
NOISES = {"oracle": (0.0, 0.0), "missed 30 %": (0.3, 0.0), "missed 50 %, mistaken 1 %": (0.5, 0.01)}


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Fit on tuning logs with each kind of label, and judge the fit on the report split with the truth."""
    seeds = TUNING[:1] if plan.quick else TUNING
    tuning = [Request(plan.small, max(400, plan.small // 50), seed, "tuning") for seed in seeds]
    margin, true = _columns(replay(tuning, sw.Settings(), bench.say))
    held_margin, held = _columns(examples(bench, plan))
    rows = []
    for number, (name, (missed, mistaken)) in enumerate(NOISES.items()):
        labels = operational(true, missed, mistaken, seed=number)
        offset, slope = fit_curve(margin, labels.astype(float))
        p = 1.0 / (1.0 + np.exp(-(offset + slope * held_margin)))
        curve = [(said, was) for said, was, _ in reliability(p, held)]
        row = {"labels": name, "offset": offset, "slope": slope, "brier": brier(p, held), "curve": curve}
        rows.append(row | {"labelled": int(labels.sum())})
    log = bench.log(plan.request(plan.small, plan.seeds[0]))
    return {
        "groups": len(margin),
        "campaigns": int(true.sum()),
        "rows": rows,
        "verdicts_changed": _changed(str(log), rows[-1]),
        "weights": {"fitted": len(WEIGHTS), "source": WEIGHTS_SOURCE},
    }


def operational(true: Flags, missed: float, mistaken: float, seed: int) -> Flags:
    """Labels as a desk holds them: some campaigns were never noticed, some clean groups were closed by mistake."""
    draw = np.random.default_rng(seed).random(len(true))
    return np.where(true, draw >= missed, draw < mistaken)


def _columns(held: Sequence[Example]) -> tuple[Floats, Flags]:
    margin = np.array([max(one.assessment.margin, LEAST_MARGIN) for one in held])
    return margin, np.array([one.planted > PLANTED for one in held], np.bool_)


def _changed(log: str, fit: dict[str, Any]) -> int:
    """Accounts whose verdict is another one under the constants fitted with the noisiest labels."""
    files = (f"{log}/exchanges.parquet", f"{log}/accounts.parquet", f"{log}/licences.csv")
    noisy = sw.Calibration(fit["offset"], fit["slope"], "labels with noise")
    policies = (sw.Policy(), replace(sw.Policy(), calibration=noisy))
    one, other = (sw.detect(*files, sw.Settings(policy=policy)).verdicts["verdict"].to_pylist() for policy in policies)
    return sum(a != b for a, b in zip(one, other, strict=True))


def _weights(held: Data) -> str:
    if not held["fitted"]:
        return "No weight of a signal is fitted with labels."
    return f"{held['fitted']} signals have fitted weights ({held['source']}), which stood as they are throughout."


def tell(data: Data) -> str:
    """One line for each kind of label."""
    rows = [
        [row["labels"], f"{row['labelled']}", f"{row['offset']:.2f}", f"{row['slope']:.2f}", share(row["brier"], 4)]
        for row in data["rows"]
    ]
    return (
        f"Fitted on {data['groups']:,} groups of the tuning split (seeds {', '.join(map(str, TUNING))}), of which "
        f"{data['campaigns']} are campaigns; judged against the truth of the report split. Labels enter only the "
        "constants of the probability here; the bars of the verdicts were set with true labels of the tuning split. "
        f"With the constants of the noisiest labels, {data['verdicts_changed']} accounts got another verdict. "
        f"{_weights(data['weights'])} What the supervised rivals lose stands under Rivals.\n\n"
        + table(("labels", "groups labelled", "offset", "slope", "Brier on the report split"), rows)
    )


PART = Part("noise", "Noisy labels", measure, tell, lambda plan: f"{plan.small:,} exchanges a seed")
