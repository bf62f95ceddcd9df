"""What the parts have in common: scores of several replays side by side, as data and as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stillwatch.lab.evaluate.bench import Outcome
from stillwatch.lab.evaluate.metrics import PREVALENCES, Rate, average_precision
from stillwatch.lab.evaluate.part import share, table
from stillwatch.lab.score import CampaignScore

WATCHED = ("watch", "suspect", "distillation")


def summary(outcome: Outcome) -> dict[str, Any]:
    """One replay in plain data."""
    score = outcome.score
    totals = ("account_precision", "account_recall", "exchange_precision", "exchange_recall")
    return {
        "seed": outcome.request.seed,
        "exchanges": outcome.exchanges,
        "accounts": len(outcome.truth.campaign),
        "seconds": outcome.seconds,
        **{name: getattr(score, name) for name in (*totals, "innocents", "innocents_accused", "false_campaigns")},
        "b_cubed_precision": score.b_cubed_precision,
        "b_cubed_recall": score.b_cubed_recall,
        "b_cubed_f": score.b_cubed_f,
        "pr_auc": {f"{rate:g}": _all_guilty(outcome, rate) for rate in PREVALENCES},
        "campaigns": [campaign(one) for one in score.campaigns],
        "organisations_accused": organisations_accused(outcome),
    }


def campaign(one: CampaignScore) -> dict[str, Any]:
    """One planted campaign in plain data."""
    names = ("name", "accounts", "exchanges", "found", "pieces", "account_precision", "account_recall")
    data = {name: getattr(one, name) for name in (*names, "exchange_precision", "exchange_recall")}
    return data | {"merged_with": list(one.merged_with)}


def scores_of(outcome: Outcome) -> tuple[list[str], Any]:
    """Accounts, and the probability that stillwatch gives each: all that it calls clear have nought."""
    return outcome.verdicts["account_id"].to_pylist(), outcome.verdicts["p"].to_numpy()


def _all_guilty(outcome: Outcome, prevalence: float) -> float:
    ids, p = scores_of(outcome)
    guilty = np.array([outcome.truth.campaign.get(one) is not None for one in ids])
    side = guilty | np.array([outcome.truth.innocent(one) for one in ids])
    return average_precision(p[side], guilty[side], prevalence)


def organisations_accused(outcome: Outcome) -> int:
    """Detected distillation campaigns of which most accounts are of one look-alike class."""
    members: dict[str, list[str | None]] = {}
    for account, group in outcome.found.group.items():
        if group is not None:
            members.setdefault(group, []).append(outcome.truth.lookalike.get(account))
    return sum(sum(kind is not None for kind in kinds) * 2 > len(kinds) for kinds in members.values())


def innocents(replays: Iterable[Mapping[str, Any]]) -> Rate:
    """Innocent accounts accused over several replays."""
    held = list(replays)
    return Rate(sum(one["innocents_accused"] for one in held), sum(one["innocents"] for one in held))


def by_class(outcomes: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Innocent accounts of each look-alike class by verdict, over several replays."""
    counts: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        for row in outcome.score.lookalikes:
            held = counts.setdefault(row.name, dict.fromkeys(("accounts", *WATCHED), 0))
            for name in held:
                held[name] += getattr(row, name)
    return dict(sorted(counts.items()))


def by_campaign(replays: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The scores of each planted campaign over several replays."""
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for one in replays:
        for row in one["campaigns"]:
            rows.setdefault(row["name"], []).append(row)
    return dict(sorted(rows.items()))


def campaign_table(replays: Sequence[Mapping[str, Any]]) -> str:
    """One line a campaign: in how many replays it was found, and the means of its figures."""
    lines = []
    for name, rows in by_campaign(replays).items():
        figures = ("account_precision", "account_recall", "exchange_precision", "exchange_recall")
        means = [share(mean(row[figure] for row in rows)) for figure in figures]
        size = f"{mean(row['accounts'] for row in rows):,.0f}"
        sent = f"{mean(row['exchanges'] for row in rows):,.0f}"
        found = f"{sum(row['found'] for row in rows)} of {len(rows)}"
        lines.append([name, size, sent, found, *means, _remarks(rows)])
    heads = (
        "campaign",
        "accounts",
        "exchanges",
        "found",
        "account P",
        "account R",
        "exchange P",
        "exchange R",
        "remark",
    )
    return table(heads, lines)


def totals_table(replays: Sequence[Mapping[str, Any]]) -> str:
    """One line a replay."""
    lines = []
    for one in replays:
        rate = innocents([one])
        lines.append(
            [
                f"{one['seed']}",
                f"{one['exchanges']:,}",
                *(share(one[f"{kind}_{name}"]) for kind in ("account", "exchange") for name in ("precision", "recall")),
                f"{rate.events} of {rate.trials:,} (≤ {rate.bound_per_100k:.0f} per 100,000)",
                share(one["b_cubed_f"]),
                " / ".join(share(one["pr_auc"][f"{rate:g}"]) for rate in PREVALENCES),
                f"{one['seconds']:.0f}",
            ]
        )
    heads = ("seed", "exchanges", "account P", "account R", "exchange P", "exchange R", "innocents accused", "B³ F")
    return table((*heads, "PR-AUC at 1e-2 / 1e-3 / 1e-4", "detect, s"), lines)


def mean(values: Iterable[float]) -> float:
    """The mean; 0 of nothing."""
    held = list(values)
    return sum(held) / len(held) if held else 0.0


def _remarks(rows: Sequence[Mapping[str, Any]]) -> str:
    said = []
    if any(row["pieces"] > 1 for row in rows):
        said.append(f"split in up to {max(row['pieces'] for row in rows)}")
    merged = sorted({other for row in rows for other in row["merged_with"]})
    return "; ".join([*said, *(["merged with " + ", ".join(merged)] if merged else [])]) or " "
