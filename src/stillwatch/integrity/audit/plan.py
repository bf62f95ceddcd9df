"""Before an audit: how many calls it may use, and what it could see with them.

An audit that found nothing says something only beside what it would have found. Power is by simulation: of answers that
were recorded from a known alternative, and of ranks that are shifted by so much whatever the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.integrity.audit.hearing import WORDING, Yardstick, log_threshold
from stillwatch.integrity.monitor.betting import Capital, bet
from stillwatch.integrity.monitor.merging import average
from stillwatch.integrity.monitor.ranks import rank_in

RUNS = 200
SHIFTS = (0.95, 0.8, 0.7, 0.6, 0.55)  # chances that the endpoint's answer is the less usual one; 0.5 is none
Draw = Callable[[np.random.Generator], dict[str, float]]  # ranks of one call, by score


@dataclass(frozen=True, slots=True)
class Power:
    """The chance to conclude within the budget, and the calls after which half of the audits have (None: never)."""

    alternative: str
    calls: int
    chance: float
    median_calls: int | None


def power_against(
    by: Yardstick, alternative: Mapping[str, Sequence[str]], calls: int, level: float, seed: int = 0
) -> Power:
    """Simulate audits of an endpoint that answers as the recorded `alternative`, by prompt, does."""
    bags = {
        (name, prompt): sorted(score(prompt, text) for text in texts)
        for prompt, texts in by.ranked.items()
        for name, (_, score) in by.scores.items()
    }
    heard = [
        {name: (score(prompt, text), bags[name, prompt]) for name, (_, score) in by.scores.items()}
        for prompt, texts in alternative.items()
        if prompt in by.ranked
        for text in texts
    ]

    def draw(chance: np.random.Generator) -> dict[str, float]:
        one = heard[int(chance.integers(len(heard)))]
        return {name: rank_in(score, bag, float(chance.random())) for name, (score, bag) in one.items()}

    return _simulate("", draw, _shares(by), calls, (level, seed))


def power_at_shift(by: Yardstick, shift: float, calls: int, level: float, seed: int = 0) -> Power:
    """Simulate audits of an endpoint whose answer is less usual than the reference's with chance `shift`."""
    power = (1.0 - shift) / shift  # the rank's law is Beta(power, 1), under which the mean is 1 - shift

    def draw(chance: np.random.Generator) -> dict[str, float]:
        return {name: float(chance.beta(power, 1.0) if name == WORDING else chance.random()) for name in by.scores}

    return _simulate(f"answers less usual in {100 * shift:.0f} of 100", draw, _shares(by), calls, (level, seed))


def _shares(by: Yardstick) -> dict[str, float]:
    return {name: share for name, (share, _) in by.scores.items()}


def _simulate(name: str, draw: Draw, shares: Mapping[str, float], calls: int, bar: tuple[float, int]) -> Power:
    level, seed = bar
    chance = np.random.default_rng(seed)
    ended = sorted(filter(None, (_one_audit(draw, shares, calls, log_threshold(level), chance) for _ in range(RUNS))))
    half = RUNS // 2
    return Power(name, calls, len(ended) / RUNS, ended[half] if len(ended) > half else None)


def _one_audit(
    draw: Draw, shares: Mapping[str, float], calls: int, enough: float, chance: np.random.Generator
) -> int | None:
    """After how many calls one simulated audit concluded."""
    capitals = {name: Capital() for name in shares}
    for call in range(1, calls + 1):
        for name, rank in draw(chance).items():
            capitals[name] = bet(capitals[name], rank)
        if average([capitals[name].log_e for name in shares], list(shares.values())) >= enough:
            return call
    return None
