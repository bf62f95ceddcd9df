"""What to measure: sizes and seeds. Reports are made on the report split, with seeds that nothing was tuned on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stillwatch.lab.compose import Request
from stillwatch.model import UsageError

SPLIT = "report"
TUNING_SEEDS = range(200)  # whatever was fitted or chosen used seeds below 200
SEEDS = (311, 312, 313)  # 301 to 303 were looked at while signals were mended


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of one measurement of everything."""

    seeds: tuple[int, ...] = SEEDS
    exchanges: int = 300_000  # of a log with every scenario
    small: int = 120_000  # of the logs of which many are needed: evasions, rivals, missing columns
    scale: float = 0.1  # of the February replay
    quick: bool = False
    date: str = "not given"

    def __post_init__(self) -> None:
        tuned = [seed for seed in self.seeds if seed in TUNING_SEEDS]
        if tuned or not self.seeds:
            raise UsageError(f"seed is {tuned or 'missing'}; below {TUNING_SEEDS.stop} is for tuning, give another")

    def request(self, exchanges: int, seed: int, **more: Any) -> Request:
        """Traffic of the report split; one account for every fifty exchanges unless said otherwise."""
        asked: dict[str, Any] = {"accounts": max(400, exchanges // 50), "split": SPLIT, **more}
        return Request(exchanges=exchanges, seed=seed, **asked)

    def preset(self, name: str, seed: int, scale: float = 1.0) -> Request:
        """A population of its own numbers, of the report split."""
        asked: dict[str, Any] = {"preset": name, "scale": scale}
        return Request(seed=seed, split=SPLIT, **asked)


def quick_plan(seeds: tuple[int, ...], date: str) -> Plan:
    """A plan that proves that every part works, on logs too small for its figures to mean much."""
    return Plan(seeds[:1], exchanges=40_000, small=30_000, scale=0.004, quick=True, date=date)
