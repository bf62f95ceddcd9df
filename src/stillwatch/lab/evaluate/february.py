"""The replay of the disclosed figures of February 2026, at a scale, against the bars of precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.metrics import Rate
from stillwatch.lab.evaluate.part import Bar, Data, Part, share
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import by_class, campaign_table, summary, totals_table

PROMISED = 0.95  # recall, and 0.99 precision; one innocent in 100,000
PRECISE = 0.99
MIXED = "coding"  # the campaign that shares its accounts with customers


def request(plan: Plan) -> Request:
    """The February population at the plan's scale."""
    return plan.preset("february", plan.seeds[0], plan.scale)


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Detect in one replay and score it."""
    outcome = bench.outcome(request(plan))
    return {"scale": plan.scale, "replay": summary(outcome), "classes": by_class([outcome])}


def tell(data: Data) -> str:
    """Totals, then campaign by campaign."""
    one = data["replay"]
    missed = [row["name"] for row in one["campaigns"] if not row["found"]]
    return (
        f"Scale {data['scale']:g}: {one['exchanges']:,} exchanges, {one['accounts']:,} accounts. "
        f"Missed campaigns: {', '.join(missed) or 'none'}. Detected campaigns of mostly innocent accounts: "
        f"{one['false_campaigns']}.\n\n{totals_table([one])}\n{campaign_table([one])}"
    )


def bars(data: Data) -> Sequence[Bar]:
    """What was promised of this replay."""
    one = data["replay"]
    rows = one["campaigns"]
    mixed = next(row for row in rows if row["name"].partition("-")[2] == MIXED)
    found = sum(row["found"] for row in rows)
    merged = [row["name"] for row in rows if row["merged_with"]]
    rate = Rate(one["innocents_accused"], one["innocents"])
    return (
        Bar("account precision ≥ 0.99", share(one["account_precision"]), one["account_precision"] >= PRECISE),
        Bar("account recall ≥ 0.95", share(one["account_recall"]), one["account_recall"] >= PROMISED),
        Bar(
            "exchange recall ≥ 0.95 on the mixed pool",
            f"{share(mixed['exchange_recall'])} ({mixed['name']})",
            mixed["exchange_recall"] >= PROMISED,
        ),
        Bar(
            "every campaign found, none merged",
            f"{found} of {len(rows)} found; merged: {', '.join(merged) or 'none'}",
            found == len(rows) and not merged,
        ),
        Bar(
            "no look-alike organisation called distillation",
            f"{one['organisations_accused']} called so",
            not one["organisations_accused"],
        ),
        Bar(
            "at most 1 innocent accused per 100,000",
            f"{rate.events} of {rate.trials:,}: {rate.per_100k:.1f} per 100,000, at most {rate.bound_per_100k:.1f}",
            rate.per_100k <= 1.0,
        ),
    )


PART = Part(
    "february",
    "The February replay",
    measure,
    tell,
    lambda plan: f"scale {plan.scale:g} of the disclosed numbers",
    bars,
    seeds=1,
)
