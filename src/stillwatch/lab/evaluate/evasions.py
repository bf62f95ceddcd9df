"""What hiding buys and costs: recall against the strength of each evasion, and what the attacker pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench, Outcome
from stillwatch.lab.evaluate.metrics import Rate
from stillwatch.lab.evaluate.part import Data, Part, percent, share, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import mean
from stillwatch.lab.evaluate.svg import SHARE, Panel, Scale, panels
from stillwatch.lab.evasions.catalogue import combinations, evasions
from stillwatch.lab.evasions.cost import assumptions, attacker_cost
from stillwatch.lab.scenario import load_scenario

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SCENARIOS = ("a_reasoning", "b_agentic", "c_coding", "e_ring", "g_failover")
PLANTED = 0.5  # with all scenarios, of which this is a part: small logs still hold campaigns worth hiding
HALF = 0.5  # of a campaign's accounts: below it, the evasion has won
ACROSS = Scale(0.0, 1.0, ((0.0, "0"), (0.5, "½"), (1.0, "1")))


def request(plan: Plan, name: str, strength: float) -> Request:
    """The same few scenarios each time; nothing differs but the evasion."""
    asked = {"evasions": ((name, strength),)} if strength else {}
    return plan.request(plan.small // 2, plan.seeds[0], scenarios=SCENARIOS, attack_share=PLANTED, **asked)


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Each evasion at each strength."""
    strengths = STRENGTHS[1::2] if plan.quick else STRENGTHS
    names = [*evasions(), *combinations()]
    names = names[:3] if plan.quick else names
    plain = _point(0.0, bench.outcome(request(plan, "", 0.0)))
    curves = {}
    for name in names:
        points = [plain]
        for strength in strengths:
            bench.say(f"evasion {name} at {strength:g}")
            points.append(_point(strength, bench.outcome(request(plan, name, strength))) | _price(name, strength))
        curves[name] = points
    about = {name: {"does": one.does, "full": one.full} for name, one in evasions().items()}
    return {"scenarios": list(SCENARIOS), "curves": curves, "about": about, "assumptions": _assumptions()}


def _point(strength: float, outcome: Outcome) -> dict[str, Any]:
    score = outcome.score
    return {
        "strength": strength,
        "campaign_recall": mean(float(one.found) for one in score.campaigns),
        "account_recall": mean(one.account_recall for one in score.campaigns),
        "innocents": score.innocents,
        "innocents_accused": score.innocents_accused,
        "lost": [one.name for one in score.campaigns if one.account_recall < HALF],
    }


def _price(name: str, strength: float) -> dict[str, Any]:
    """Means over the scenarios."""
    costs = [attacker_cost(name, strength, load_scenario(each, "report")) for each in SCENARIOS]
    return {
        "dollars": mean(one.dollars_per_1000 for one in costs),
        "slowdown": mean(one.slowdown for one in costs),
    }


def _assumptions() -> list[dict[str, Any]]:
    """The declared figures behind the costs, which nobody measured."""
    return [asdict(one) for one in assumptions().values()]


def tell(data: Data) -> str:
    """Curves, then one line for each evasion at its full strength."""
    rows = []
    for name, points in data["curves"].items():
        last, half = points[-1], points[len(points) // 2]
        rate = Rate(sum(one["innocents_accused"] for one in points), sum(one["innocents"] for one in points))
        rows.append(
            [
                name,
                *(share(one["account_recall"], 2) for one in (points[0], half, last)),
                percent(last["campaign_recall"]),
                f"{rate.events} of {rate.trials:,}",
                f"{last['dollars']:,.2f}",
                f"{last['slowdown']:.1f} ×",
                ", ".join(last["lost"]) or " ",
            ]
        )
    heads = ("evasion", "account R, none", "half strength", "full strength", "campaigns found at full")
    more = ("innocents accused", "$ per 1,000 exchanges at full", "slowdown", "lost at full (under half of accounts)")
    assumed = [[one["name"], one["unit"], one["source"], f"{one['value']:g}"] for one in data["assumptions"]]
    does = "".join(
        f"- `{name}`: {held['does']}; at strength 1 {held['full']}\n" for name, held in data["about"].items()
    )
    return (
        f"Scenarios {', '.join(data['scenarios'])}; nothing differs between the logs of a line but the evasion. Cost "
        "and slowdown are means over the scenarios, of what the evasion adds.\n\n"
        + table((*heads, *more), rows)
        + "\n![recall against the strength of each evasion](results/evasions.svg)\n\n"
        + does
        + "\nThe costs are arithmetic over declared assumptions, none of them measured:\n\n"
        + table(("assumption", "unit", "source", "value"), assumed, words=3)
    )


def draw(data: Data) -> dict[str, str]:
    """One small picture for each evasion."""
    each: Sequence[Panel] = [
        Panel(
            name,
            {
                "accounts": [(one["strength"], one["account_recall"]) for one in points],
                "campaigns": [(one["strength"], one["campaign_recall"]) for one in points],
            },
        )
        for name, points in data["curves"].items()
    ]
    return {"evasions.svg": panels("recall against the strength of each evasion", each, ACROSS, SHARE)}


PART = Part(
    "evasions",
    "Evasions",
    measure,
    tell,
    lambda plan: f"{plan.small // 2:,} exchanges for each evasion and strength",
    draw=draw,
    seeds=1,
)
