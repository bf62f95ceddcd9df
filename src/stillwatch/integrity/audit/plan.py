"""Before an audit: how many calls it may use, and what it could see with them.

An audit that found nothing says something only beside what it would have found. Power is by simulation: of answers that
were recorded from a known alternative, and of ranks that are shifted by so much whatever the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.integrity.audit.hearing import WORDING, Yardstick, log_threshold
from stillwatch.integrity.monitor.many_bets import open_capitals

RUNS = 200
SHIFTS = (0.95, 0.8, 0.7, 0.6, 0.55)  # chances that the endpoint's answer is the less usual one; 0.5 is none
Ranks = Mapping[str, npt.NDArray[np.float64]]  # score → one rank a run
Draw = Callable[[np.random.Generator], Ranks]


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
    heard = [(prompt, text) for prompt, texts in alternative.items() if prompt in by.ranked for text in texts]
    lows, widths = {}, {}
    for name, (_, score) in by.scores.items():
        bags = {prompt: np.sort([score(prompt, text) for text in texts]) for prompt, texts in by.ranked.items()}
        scores = [(bags[prompt], score(prompt, text)) for prompt, text in heard]
        above = np.array([len(bag) - np.searchsorted(bag, one, "right") for bag, one in scores])
        equal = np.array(
            [np.searchsorted(bag, one, "right") - np.searchsorted(bag, one, "left") for bag, one in scores]
        )
        size = np.array([len(bag) + 1 for bag, _ in scores])
        lows[name], widths[name] = above / size, (equal + 1) / size

    def draw(chance: np.random.Generator) -> Ranks:
        which = chance.integers(len(heard), size=RUNS)
        return {name: lows[name][which] + chance.random(RUNS) * widths[name][which] for name in by.scores}

    return _simulate("", draw, by, calls, (level, seed))


def power_at_shift(by: Yardstick, shift: float, calls: int, level: float, seed: int = 0) -> Power:
    """Simulate audits of an endpoint whose answer is less usual than the reference's with chance `shift`."""
    power = (1.0 - shift) / shift  # the rank's law is Beta(power, 1), under which the mean is 1 - shift

    def draw(chance: np.random.Generator) -> Ranks:
        return {name: chance.beta(power, 1.0, RUNS) if name == WORDING else chance.random(RUNS) for name in by.scores}

    return _simulate(f"answers less usual in {100 * shift:.0f} of 100", draw, by, calls, (level, seed))


def _simulate(name: str, draw: Draw, by: Yardstick, calls: int, bar: tuple[float, int]) -> Power:
    level, seed = bar
    chance = np.random.default_rng(seed)
    capitals = {each: open_capitals(RUNS) for each in by.scores}
    ended = np.full(RUNS, calls + 1)
    for call in range(1, calls + 1):
        ranks = draw(chance)
        told = [np.log(share) + capitals[each].bet(ranks[each]) for each, (share, _) in by.scores.items()]
        sure = np.logaddexp.reduce(told, axis=0) >= log_threshold(level)
        ended = np.where(sure & (ended > calls), call, ended)
    seen, middle = int(np.count_nonzero(ended <= calls)), int(np.sort(ended)[RUNS // 2])
    return Power(name, calls, seen / RUNS, middle if middle <= calls else None)
