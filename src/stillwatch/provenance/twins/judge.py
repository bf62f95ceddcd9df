"""Was the served twin learned? Exact, whatever the suspect is: without the key, each coin is as fair as any."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stillwatch.provenance.calibration import LEAST_KEYS, Calibration
from stillwatch.provenance.keyring import MarkKey
from stillwatch.provenance.radioactivity import CONVICTS, Finding
from stillwatch.provenance.tails import Tail, binomial_tail, weighted_tail
from stillwatch.provenance.twins.coins import coin
from stillwatch.provenance.twins.scan import sites_of

HALF = 0.5
SPREAD = 0.1  # variance of how two models prefer a rendering by unit, in that of one coin
LEAST_LEAN = 1e-9  # what rounding leaves is none


class Seen(StrEnum):
    """What of the suspect was looked at."""

    LIKELIHOODS = "likelihoods"
    COMPLETIONS = "completions"


@dataclass(frozen=True, slots=True)
class Scored:
    """A suspect's log-likelihoods of the two renderings of a pair, in nats; and an independent model's, if given."""

    unit: str
    rule: str
    first: float
    second: float
    reference: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class TwinsReport:
    """The result of a test of twins, with the same test under random keys."""

    seen: Seen
    tail: Tail
    coins: int  # units that lean to one side
    wins: int  # of them, to the side that was served
    calibration: Calibration
    commitment: str

    @property
    def finding(self) -> Finding:
        """What follows."""
        if not self.calibration.sound:
            return Finding.NOT_CALIBRATED
        return Finding.LEARNED if self.tail.p < CONVICTS else Finding.NOT_SHOWN


def sign_test(scores: Iterable[Scored], key: MarkKey, random: Sequence[bytes]) -> TwinsReport:
    """Test whether a suspect finds the served renderings likelier (the idea of STAMP, ICML 2025, with exact coins).

    By unit, the mean difference of the two log-likelihoods, less that of the reference; less the median of its rule,
    for one rendering is likelier everywhere. All that is made of likelihoods alone, so each sign agrees with its coin
    with probability one half, independently, under any model that was not trained on what the key chose.
    """
    differences: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in scores:
        base = each.reference or (0.0, 0.0)
        differences[each.rule, each.unit].append((each.second - each.first) - (base[1] - base[0]))
    leans = _centred({name: statistics.fmean(found) for name, found in differences.items()})
    return _report(Seen.LIKELIHOODS, leans, key, random)


def completion_test(
    texts: Sequence[str], key: MarkKey, random: Sequence[bytes], prompts: Sequence[str] = ()
) -> TwinsReport:
    """Test whether a suspect's own text has the renderings that were served.

    By unit, how much oftener it writes the second one than it does on the average of the rule; weighed down where a
    unit stands often, for models differ by unit too. All that is made of the text alone, so the coins stay fair; the
    sum of what agrees with them has its tail by `weighted_tail`. A rule of a text's prompt is left out of that text,
    where it may be copied; prompts should hold no served text.
    """
    told = list(prompts) or [""] * len(texts)
    if len(told) != len(texts):
        raise ValueError(f"{len(told)} prompts for {len(texts)} texts")
    sides: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for text, prompt in zip(texts, told, strict=True):
        known = {site.rule for site in sites_of(prompt)}
        for site in sites_of(text):
            if site.rule not in known:
                sides[site.rule, site.unit][site.stands] += 1
    return _report(Seen.COMPLETIONS, _leaning(sides), key, random)


def _centred(differences: Mapping[tuple[str, str], float]) -> dict[str, float]:
    by_rule: dict[str, list[float]] = defaultdict(list)
    for (rule, _), found in differences.items():
        by_rule[rule].append(found)
    middle = {rule: statistics.median(found) for rule, found in by_rule.items()}
    return {unit: found - middle[rule] for (rule, unit), found in differences.items()}


def _leaning(sides: Mapping[tuple[str, str], Sequence[int]]) -> dict[str, float]:
    """How far each unit leans to its second rendering, of how often each of both stood."""
    by_rule: dict[str, list[float]] = defaultdict(list)
    for (rule, _), (first, second) in sides.items():
        by_rule[rule].append(second / (first + second))
    usual = {rule: statistics.fmean(found) for rule, found in by_rule.items()}
    return {
        unit: (second - (first + second) * usual[rule]) / (1.0 + SPREAD * (first + second))
        for (rule, unit), (first, second) in sides.items()
    }


def _report(seen: Seen, leans: Mapping[str, float], key: MarkKey, random: Sequence[bytes]) -> TwinsReport:
    """`leans` says by unit how far to the second rendering; what leans to neither side is left out."""
    if not leans:
        raise ValueError("nothing to test: no site stands in it")
    told = {unit: lean for unit, lean in leans.items() if abs(lean) > LEAST_LEAN}
    if len(random) < LEAST_KEYS:
        raise ValueError(f"{len(random)} random keys; a report needs {LEAST_KEYS}")
    of_key = _sign if seen is Seen.LIKELIHOODS else _weighted

    def tail(told: Mapping[str, float], secret: bytes) -> Tail:
        return of_key(told, secret) if told else Tail(1.0, 0.0)  # whoever prefers nothing has learned nothing

    calibration = Calibration(tuple(tail(told, each).p for each in random))
    wins = _wins(told, key.secret)
    return TwinsReport(seen, tail(told, key.secret), len(told), wins, calibration, key.commitment)


def _sign(told: Mapping[str, float], secret: bytes) -> Tail:
    return binomial_tail(_wins(told, secret), len(told), HALF)


def _weighted(told: Mapping[str, float], secret: bytes) -> Tail:
    return weighted_tail(np.array(list(told.values())), np.array([coin(secret, unit) for unit in told]) == 1, HALF)


def _wins(told: Mapping[str, float], secret: bytes) -> int:
    return sum(coin(secret, unit) == (lean > 0) for unit, lean in told.items())
