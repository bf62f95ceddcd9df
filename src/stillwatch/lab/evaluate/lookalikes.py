"""Innocents that resemble an attack: how many of each class are called suspect or worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate import february, scenarios
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.metrics import Rate
from stillwatch.lab.evaluate.part import Bar, Data, Part, percent, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import by_class

ALLOWED = 1e-3  # share of a class that may be called suspect or worse
CROWD = 25  # exchanges an account: more accounts than the scenarios' logs have, so that small classes are seen more
RARE = 0.04  # of exchanges are planted: a population closer to a real one
LARGE = 3  # times the exchanges and CROWDED accounts for them: one log that can show one accusation in 100,000
CROWDED = 9  # exchanges an account of that log


def requests(plan: Plan) -> list[Request]:
    """Logs with few attackers and many look-alikes, and one with as many accounts as the bar on innocents counts."""
    crowd = max(800, plan.exchanges // CROWD)
    logs = [plan.request(plan.exchanges, seed, accounts=crowd, attack_share=RARE) for seed in plan.seeds]
    many = LARGE * plan.exchanges
    return [*logs, plan.request(many, plan.seeds[0] + 10, accounts=max(800, many // CROWDED), attack_share=RARE)]


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Their own logs, those of the scenarios and the February replay, which has the large crowds."""
    asked = [*requests(plan), *scenarios.requests(plan), february.request(plan)]
    return {"logs": len(asked), "classes": by_class(bench.outcome(request) for request in asked)}


def _rates(data: Data) -> dict[str, Rate]:
    return {name: Rate(row["suspect"] + row["distillation"], row["accounts"]) for name, row in data["classes"].items()}


def tell(data: Data) -> str:
    """One line a class, worst first."""
    rates = _rates(data)
    order = sorted(rates, key=lambda name: (-rates[name].events, -rates[name].trials, name))
    rows = [
        [
            name,
            f"{rates[name].trials:,}",
            *(f"{data['classes'][name][kind]:,}" for kind in ("watch", "suspect", "distillation")),
            percent(rates[name].events / max(1, rates[name].trials)),
            percent(rates[name].bound_per_100k / 1e5),
        ]
        for name in order
    ]
    heads = ("class", "accounts", "watch", "suspect", "distillation", "suspect or worse", "at most (95 %)")
    return (
        f"Counted over {data['logs']} logs, those of the two sections above among them. A small "
        "class cannot show a small rate: its bound says so.\n\n" + table(heads, rows)
    )


def bars(data: Data) -> Sequence[Bar]:
    """The share of every class."""
    rates = _rates(data)
    over = [name for name, rate in rates.items() if rate.trials and rate.events / rate.trials > ALLOWED]
    shown = sum(rate.bound_per_100k <= 1e5 * ALLOWED for rate in rates.values())
    said = f"over it: {', '.join(over) or 'none'} of {len(rates)} classes; {shown} large enough to bound it there"
    innocents = sum(row["accounts"] for row in data["classes"].values())
    accused = sum(row["distillation"] for row in data["classes"].values())
    return (
        Bar("each look-alike class ≤ 0.1 % suspect or worse", said, not over),
        Bar(
            "≤ 1 innocent account accused per 100,000, over all logs of this section",
            f"{accused} of {innocents:,}",
            accused * 1e5 <= innocents,
        ),
    )


PART = Part(
    "lookalikes",
    "Look-alikes",
    measure,
    tell,
    lambda plan: (
        f"{plan.exchanges:,} exchanges of {max(800, plan.exchanges // CROWD):,} accounts a seed, few attackers"
    ),
    bars,
)
