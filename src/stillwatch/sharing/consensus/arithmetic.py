"""Partners' answers to confidence, term by term: prior + Σ reliability · independence · decay · bits of the matches.

Suggested, not calibrated: the weights order answers sensibly, the probability is no measured frequency. An organisation
counts once in a family, and so do all who repeat it. That a partner sees nothing says nothing: it sees other traffic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

from stillwatch.sharing.consensus.answers import Answer, Stance
from stillwatch.sharing.consensus.rules import Rules

SUREST = 10.0  # bits of prior odds: nothing is surer than 1 in 1,000
CONFIRMED, PROBABLE, POSSIBLE, DOUBTFUL = 1, 2, 3, 4  # credibility of the Admiralty code; 6: cannot be judged
UNJUDGED = 6


@dataclass(frozen=True, slots=True)
class Term:
    """One answer's part of the sum: `bits` is the product of the four before it."""

    answer: Answer
    llr: float
    reliability: float
    independence: float
    decay: float
    bits: float
    because: str


@dataclass(frozen=True, slots=True)
class Confidence:
    """What answers come to. Three numbers that are not mixed: how sure, how many independent, how disputed."""

    prior: float  # bits
    terms: tuple[Term, ...]
    reported: float  # bits of all answers, within the ceiling
    p: float
    confirming: tuple[str, ...]  # sources that are independent of each other
    disputing: tuple[str, ...]
    credibility: int

    @property
    def disputed(self) -> bool:
        """Whether somebody says otherwise: shown, not averaged away."""
        return bool(self.disputing)


def add_up(prior_p: float, answers: Sequence[Answer], rules: Rules | None = None) -> Confidence:
    """Return the confidence in what was concluded with probability `prior_p` before anybody was asked."""
    rules = rules or Rules()
    prior = _bits(prior_p)
    terms = weigh(answers, rules)
    reported = max(-rules.ceiling, min(rules.ceiling, sum(term.bits for term in terms)))
    p = 1.0 / (1.0 + 2.0 ** -(prior + reported))
    confirming = tuple(sorted({term.answer.source for term in terms if term.bits > 0}))
    disputing = tuple(sorted({term.answer.source for term in terms if term.bits < 0}))
    return Confidence(prior, terms, reported, p, confirming, disputing, _credibility(p, confirming, disputing))


def weigh(answers: Sequence[Answer], rules: Rules) -> tuple[Term, ...]:
    """Return each answer's term, the strongest first.

    Of one source and family one answer counts: the source's own where it gave one, for a copy must not make it younger.
    """
    raw = [(_llr(one, rules), one) for one in answers]
    scaled = [(llr * _weight(one, rules) * decay_of(one, rules), llr, one) for llr, one in raw]
    scaled.sort(key=lambda part: (-abs(part[0]), part[2].source, part[2].organisation, part[2].family))
    first: dict[tuple[str, str], Answer] = {}
    for _, _, one in sorted(scaled, key=lambda part: part[2].organisation != part[2].source):
        first.setdefault((one.source, one.family), one)
    terms = []
    for bits, llr, one in scaled:
        before = first[one.source, one.family]
        counts = float(before is one)
        terms.append(
            Term(
                one,
                llr,
                _weight(one, rules),
                counts,
                decay_of(one, rules),
                bits * counts,
                _because(one, llr, before, rules),
            )
        )
    return tuple(terms)


def decay_of(one: Answer, rules: Rules) -> float:
    """Return what time leaves of an answer: a half with each half-life, nothing once it is expired."""
    rule = rules.families.get(one.family)
    if rule is None or one.age_days >= rule.expires:
        return 0.0
    return float(0.5 ** (max(one.age_days, 0.0) / rule.half_life))


def _llr(one: Answer, rules: Rules) -> float:
    rule = rules.families.get(one.family)
    if rule is None or one.stance is Stance.SILENT:
        return 0.0
    if one.stance is Stance.DISPUTES:
        return -rules.dispute
    return rule.most * one.matches / (one.matches + rule.half) if one.matches >= rule.least else 0.0


def _weight(one: Answer, rules: Rules) -> float:
    return rules.reliability.get(one.reliability, 0.0)


def _because(one: Answer, llr: float, before: Answer, rules: Rules) -> str:
    rule = rules.families.get(one.family)
    if rule is None:
        return f"{one.family}: no family that is weighed"
    if before is not one:
        return f"{before.organisation} said so already; one source counts once"
    if one.age_days >= rule.expires:
        return f"{one.age_days:.0f} days old; it expired after {rule.expires:.0f}"
    if one.stance is Stance.SILENT:
        return "nothing in common, which says nothing"
    if one.stance is Stance.DISPUTES:
        return "says that it is not so"
    told = f"{one.matches:,} in common"
    return told if llr else f"{told}: below {rule.least} it may be coincidence"


def _credibility(p: float, confirming: Sequence[str], disputing: Sequence[str]) -> int:
    """Return the Admiralty digit: 1 needs two independent organisations, and nobody who says otherwise."""
    if not confirming:
        return DOUBTFUL if disputing else UNJUDGED
    if p >= 0.9 and len(confirming) >= 2 and not disputing:
        return CONFIRMED
    return PROBABLE if p >= 0.7 else POSSIBLE


def _bits(p: float) -> float:
    inside = min(max(p, 2.0**-SUREST), 1.0 - 2.0**-SUREST)
    return log2(inside / (1.0 - inside))
