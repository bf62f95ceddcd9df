"""Whether the stated probability means what it says, on logs of the report split."""

from __future__ import annotations

from typing import Any

import numpy as np

import stillwatch as sw
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.metrics import Flags, Floats, brier, reliability
from stillwatch.lab.evaluate.part import Data, Part, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.svg import SHARE, Panel, panels
from stillwatch.lab.replays import Example, replay

PLANTED = 0.5  # of a group's exchanges: from here on it is a campaign


def examples(bench: Bench, plan: Plan) -> list[Example]:
    """Judged groups of the report split, with the truth about them."""
    requests = [plan.request(plan.small, seed) for seed in plan.seeds]
    return replay(requests, sw.Settings(), bench.say)


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Stated probabilities of groups against what the groups were."""
    held = examples(bench, plan)
    p = np.array([one.assessment.p for one in held])
    true = np.array([one.planted > PLANTED for one in held], np.bool_)
    named = np.array([one.assessment.verdict is not sw.VerdictKind.CLEAR for one in held], np.bool_)
    accounts, guilty = _accounts(bench, plan)
    base = float(true.mean()) if len(true) else 0.0
    constants = sw.Policy().calibration
    return {
        "groups": len(held),
        "campaigns": int(true.sum()),
        "brier": brier(p, true),
        "brier_of_the_base_rate": base * (1 - base),
        "bins": reliability(p, true),
        "named_bins": reliability(p[named], true[named]),
        "accounts": len(accounts),
        "account_brier": brier(accounts, guilty),
        "account_bins": reliability(accounts, guilty),
        "constants": {"offset": constants.offset, "slope": constants.slope, "source": constants.source},
    }


def _accounts(bench: Bench, plan: Plan) -> tuple[Floats, Flags]:
    """The probability of each account that a run does not clear, and whether it harvested; bystanders are left out."""
    stated: list[float] = []
    guilty: list[bool] = []
    for seed in plan.seeds:
        outcome = bench.outcome(plan.request(plan.small, seed))
        for row in outcome.verdicts.select(["account_id", "verdict", "p"]).to_pylist():
            harvests = outcome.truth.campaign.get(row["account_id"]) is not None
            if row["verdict"] != sw.VerdictKind.CLEAR.value and (harvests or outcome.truth.innocent(row["account_id"])):
                stated.append(row["p"])
                guilty.append(harvests)
    return np.array(stated), np.array(guilty, np.bool_)


def tell(data: Data) -> str:
    """The bins, for every group and for those that the run names."""
    rows, accounts = (
        [[share(said), share(was), f"{count:,}"] for said, was, count in data[key]] for key in ("bins", "account_bins")
    )
    return (
        f"{data['groups']:,} groups, of which {data['campaigns']} are campaigns (more than half of their exchanges "
        f"were planted). Brier score {data['brier']:.4f}; always saying the base rate would earn "
        f"{data['brier_of_the_base_rate']:.4f}. Constants: offset {data['constants']['offset']:g}, slope "
        f"{data['constants']['slope']:g} ({data['constants']['source']}).\n\n"
        + table(("mean stated probability", "share that are campaigns", "groups"), rows)
        + f"\nThe same for the {data['accounts']:,} accounts that are not cleared, where an account's `p` is its "
        + f"campaign's times how well it is tied to it (Brier score {data['account_brier']:.4f}):\n\n"
        + table(("mean stated probability", "share that harvest", "accounts"), accounts)
        + "\n![reliability of the stated probability](results/reliability.svg)\n"
    )


def draw(data: Data) -> dict[str, str]:
    """Said against true; the diagonal is perfect."""
    lines = {
        "all groups": [(said, was) for said, was, _ in data["bins"]],
        "groups with a verdict": [(said, was) for said, was, _ in data["named_bins"]],
        "accounts with a verdict": [(said, was) for said, was, _ in data["account_bins"]],
    }
    picture = panels("stated probability against the share that are campaigns", [Panel("", lines)], SHARE, SHARE, True)
    return {"reliability.svg": picture}


PART = Part(
    "calibration",
    "Calibration",
    measure,
    tell,
    lambda plan: f"{plan.small:,} exchanges a seed",
    draw=draw,
)
