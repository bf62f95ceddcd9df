"""Every planted scenario over several seeds: found, missed, split, merged, and who was wrongly accused.

Two logs a seed: the nine scenarios of the default, and the preset of the hardest cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.part import Bar, Data, Part, share
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.scores import by_campaign, campaign_table, innocents, mean, summary, totals_table

AGAIN = 0.8  # of a banned campaign's accounts: its second half took over, so both halves were linked
# scenario name as it stands in a campaign's label → account recall promised
RECALLS = (("ring", "the careful ring", 0.8), ("mixed", "the mixed ring", 0.7))
FOUND = (
    ("burst", "4,000 accounts ask four times each"),
    ("diluted", "95 % of the accounts' traffic is harmless"),
)


def requests(plan: Plan) -> list[Request]:
    """The default population, and that of the hardest cases, for each seed."""
    default = [plan.request(plan.exchanges, seed) for seed in plan.seeds]
    return default + [plan.preset("hardest", seed, 0.1 if plan.quick else 1.0) for seed in plan.seeds]


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Detect in each log and score it."""
    half = len(plan.seeds)
    replays = [summary(bench.outcome(request)) for request in requests(plan)]
    return {"default": replays[:half], "hardest": replays[half:]}


def tell(data: Data) -> str:
    """Means by campaign, totals by seed, and the misses in words, for both populations."""
    return (
        f"### The nine default scenarios\n\n{_told(data['default'])}\n"
        f"### The hardest cases\n\nThe preset `hardest`: 4,000 accounts that ask four times each, 95 % mixing, a mixed "
        f"ring, a search for techniques, a trickle, a torrent, and four of the default.\n\n{_told(data['hardest'])}"
    )


def _told(replays: Sequence[Mapping[str, Any]]) -> str:
    rate = innocents(replays)
    missed = [
        f"{name} in {sum(not row['found'] for row in rows)} of {len(rows)}"
        for name, rows in by_campaign(replays).items()
        if not all(row["found"] for row in rows)
    ]
    wrong = sum(one["false_campaigns"] for one in replays)
    return (
        f"Missed: {', '.join(missed) or 'none'}. Detected campaigns of mostly innocent accounts: {wrong}. Innocents "
        f"accused: {rate.events} of {rate.trials:,}, which bounds the rate at {rate.bound_per_100k:.0f} per 100,000 "
        f"(95 %).\n\n{campaign_table(replays)}\n{totals_table(replays)}"
    )


def bars(data: Data) -> Sequence[Bar]:
    """The hard cases, where either population plants them; the burst counts at its full number of accounts."""
    hard = by_campaign(data["hardest"])
    rows = by_campaign([*data["default"], *data["hardest"]])
    found = [_recall(rows, suffix, words, least) for suffix, words, least in RECALLS]
    found += [_found(hard, suffix, words) for suffix, words in FOUND]
    return (*found, _not_merged(rows), _linked_again(rows))


def _of(rows: dict[str, list[Any]], suffix: str) -> list[Any]:
    return [row for name, held in rows.items() if name.partition("-")[2] == suffix for row in held]


def _recall(rows: dict[str, list[Any]], suffix: str, words: str, least: float) -> Bar:
    held = _of(rows, suffix)
    promise = f"account recall ≥ {least} on {words}"
    if not held:
        return Bar(promise, "not planted", None)
    value = mean(row["account_recall"] for row in held)
    lowest = min(row["account_recall"] for row in held)
    return Bar(promise, f"{share(value)} (least {share(lowest)})", value >= least)


def _found(rows: dict[str, list[Any]], suffix: str, words: str) -> Bar:
    held = _of(rows, suffix)
    count = sum(row["found"] for row in held)
    said = f"{count} of {len(held)}, account recall {share(mean(row['account_recall'] for row in held))}"
    return Bar(f"found though {words}", said if held else "not planted", count == len(held) if held else None)


def _not_merged(rows: dict[str, list[Any]]) -> Bar:
    held = _of(rows, "pool")
    merged = sum(bool(row["merged_with"]) for row in held)
    found = sum(row["found"] for row in held)
    said = f"{found} of {len(held)} found, {merged} merged"
    return Bar("three owners of one pool found and not merged", said, found == len(held) and not merged)


def _linked_again(rows: dict[str, list[Any]]) -> Bar:
    held = _of(rows, "failover")
    linked = [row for row in held if row["pieces"] == 1 and row["account_recall"] >= AGAIN]
    said = f"one campaign with ≥ {AGAIN:.0%} of both halves' accounts in {len(linked)} of {len(held)}"
    return Bar("failover after a ban re-linked", said, len(linked) == len(held))


PART = Part(
    "scenarios",
    "Every scenario",
    measure,
    tell,
    lambda plan: f"two logs a seed: {plan.exchanges:,} exchanges of the default, and the preset `hardest`",
    bars,
)
