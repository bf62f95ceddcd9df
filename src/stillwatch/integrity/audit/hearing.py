"""An audit in progress: each answer of the endpoint is ranked among the reference's, and bet on, as it comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stillwatch.integrity.audit.kernel import kernel_test, pieces
from stillwatch.integrity.audit.permutation import PERMUTATIONS, Outcome
from stillwatch.integrity.audit.scoring import fit_scorer
from stillwatch.integrity.audit.uniformity import uniformity_test
from stillwatch.integrity.monitor.betting import Capital, bet
from stillwatch.integrity.monitor.merging import average
from stillwatch.integrity.monitor.ranks import Bags

Score = Callable[[str, str], float]  # prompt, answer → how unlike the reference
LEAST = 4  # answers of the reference to one prompt: half of them teach the score, half are ranked against
WORDING, LENGTH_SHARE = "wording", 0.15  # of the bet; the rest is on the wording


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What answers are measured by: scores by name, and the reference's answers that they are ranked among."""

    scores: Mapping[str, tuple[float, Score]]  # name → its share of the bet, and the score
    ranked: Mapping[str, Sequence[str]]  # prompt → answers


def yardstick(reference: Mapping[str, Sequence[str]], local: Score | None = None) -> Yardstick:
    """Make a yardstick from the reference's answers by prompt; `local` scores by a local copy of the model.

    Without a local copy, the first half of the answers to each prompt teaches the score and the second half is ranked
    against: an answer must never be ranked by a score that it taught. Raises ValueError where a prompt has fewer than
    four answers.
    """
    few = sorted(prompt for prompt, answers in reference.items() if len(answers) < LEAST)
    if few or not reference:
        raise ValueError(f"the reference needs {LEAST} answers to each prompt; too few to {', '.join(few) or 'any'}")
    length = (LENGTH_SHARE, _length)
    if local is not None:
        return Yardstick({WORDING: (1.0 - LENGTH_SHARE, local), "length": length}, reference)
    taught = {prompt: answers[: len(answers) // 2] for prompt, answers in reference.items()}
    ranked = {prompt: answers[len(answers) // 2 :] for prompt, answers in reference.items()}
    return Yardstick({WORDING: (1.0 - LENGTH_SHARE, fit_scorer(taught).score), "length": length}, ranked)


@dataclass(slots=True)
class Hearing:
    """The answers so far, the capital of each bet, and the ranks by wording. Changes in place, one answer at a time."""

    by: Yardstick
    chance: np.random.Generator
    bags: Bags
    capitals: dict[str, Capital]
    ranks: list[float]
    answers: dict[str, list[str]]
    peak: float = 0.0  # the largest logarithm of the e-value so far

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value now: the average of the bets."""
        shares = [share for share, _ in self.by.scores.values()]
        return average([self.capitals[name].log_e for name in self.by.scores], shares)

    def hear(self, prompt: str, answer: str) -> float:
        """Rank one answer, settle the bets, and return the logarithm of the e-value.

        Raises KeyError for a prompt that the reference did not answer.
        """
        _ = self.by.ranked[prompt]
        for name, (_, score) in self.by.scores.items():
            rank = self.bags.rank_and_join(f"{name}/{prompt}", score(prompt, answer), float(self.chance.random()))
            self.capitals[name] = bet(self.capitals[name], rank)
            if name == WORDING:
                self.ranks.append(rank)
        self.answers.setdefault(prompt, []).append(answer)
        now = self.log_e
        self.peak = max(self.peak, now)
        return now

    def outcomes(self, permutations: int = PERMUTATIONS) -> list[Outcome]:
        """Return the exact tests of what was heard: the ranks' uniformity, and the kernel test.

        The kernel test takes the reference's ranked answers: those that taught the score would be as good, but then
        the two tests' answers would differ.
        """
        seed = int(self.chance.integers(2**31))
        return [
            uniformity_test(self.ranks, seed, permutations),
            kernel_test(self.by.ranked, self.answers, self.chance, permutations),
        ]


def open_hearing(by: Yardstick, seed: int) -> Hearing:
    """Begin an audit; the seed parts ties and orders permutations."""
    bags = Bags()
    for prompt, answers in by.ranked.items():
        for name, (_, score) in by.scores.items():
            for answer in answers:
                bags.join(f"{name}/{prompt}", score(prompt, answer))
    return Hearing(by, np.random.default_rng(seed), bags, {name: Capital() for name in by.scores}, [], {})


def adjusted(outcomes: Sequence[Outcome]) -> list[float]:
    """Return the p-values of several tests, corrected for their number (Holm 1979), in the tests' order."""
    order = sorted(range(len(outcomes)), key=lambda place: outcomes[place].p)
    corrected, largest = [1.0] * len(outcomes), 0.0
    for done, place in enumerate(order):
        largest = max(largest, min(1.0, (len(outcomes) - done) * outcomes[place].p))
        corrected[place] = largest
    return corrected


def log_threshold(level: float) -> float:
    """Return the logarithm of the e-value at which an audit concludes, for a bound on false alarms."""
    return -math.log(level)


def _length(_prompt: str, answer: str) -> float:
    return float(len(pieces(answer, None)))
