"""What rivals bring from tuning replays: a setting each, and models for those that learn. Report logs stay unseen."""

from __future__ import annotations

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.rivals import Log, Tuned
from stillwatch.lab.rivals.train import train
from stillwatch.lab.truth import Truth, read_truth

SEEDS = (151, 152)  # of the tuning split
SCALE = 0.3  # of the preset of the hardest cases


def taught(bench: Bench, plan: Plan) -> Tuned:
    """Teach those that learn on tuning logs of the kinds and sizes of the report logs."""
    asked = [Request(plan.small, max(400, plan.small // 50), SEEDS[0], "tuning")]
    if not plan.quick:
        asked.append(Request(seed=SEEDS[1], split="tuning", preset="hardest", scale=SCALE))
    first, *more = (_replay(bench, one) for one in asked)
    bench.say("teaching the rivals that learn")
    return train(*first, *more)


def _replay(bench: Bench, request: Request) -> tuple[Log, Truth]:
    folder = bench.log(request)
    return Log(folder), read_truth(folder / "labels")
