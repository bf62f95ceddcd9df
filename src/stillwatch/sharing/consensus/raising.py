"""What partners' answers do to a verdict: at most one step up, and never without a case of one's own.

"Found after corroboration" means: the own log made it `watch` or `suspect` by itself, all three axes spoke, and
answers of partners then carried it one step further: to `suspect`, which is what `detect` counts as found, or to
`distillation`. `clear` stays `clear` whatever anybody reports, so an indicator of a partner alone accuses nobody, and
`distillation` is reached only from an own `suspect`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stillwatch.model import Axis, VerdictKind
from stillwatch.sharing.consensus.answers import Answer
from stillwatch.sharing.consensus.arithmetic import Confidence, add_up
from stillwatch.sharing.consensus.rules import Rules

NEXT: Mapping[VerdictKind, VerdictKind] = {
    VerdictKind.WATCH: VerdictKind.SUSPECT,
    VerdictKind.SUSPECT: VerdictKind.DISTILLATION,
}
NEEDED = "funding"  # a network, a client and a mail domain are what a school or a company shares too
FAMILIES = 2  # families, or else sources, that must confirm before `distillation`


@dataclass(frozen=True, slots=True)
class Corroborated:
    """A verdict before and after its answers, with the arithmetic and the reason."""

    before: VerdictKind
    after: VerdictKind
    confidence: Confidence
    because: str

    @property
    def raised(self) -> bool:
        """Whether the answers carried the verdict one step further."""
        return self.after is not self.before


def corroborated(
    verdict: VerdictKind,
    bits: Mapping[Axis, float],
    answers: Sequence[Answer],
    p: float = 0.5,
    rules: Rules | None = None,
) -> Corroborated:
    """Return what partners' answers make of an own verdict with own `bits` by axis and own probability `p`."""
    rules = rules or Rules()
    confidence = add_up(p, answers, rules)
    after, because = _step(verdict, bits, confidence, rules)
    return Corroborated(verdict, after, confidence, because)


def _step(
    verdict: VerdictKind, bits: Mapping[Axis, float], confidence: Confidence, rules: Rules
) -> tuple[VerdictKind, str]:
    if verdict is VerdictKind.CLEAR:
        return verdict, "the own log has no case; what others report accuses nobody alone"
    if verdict not in NEXT:
        return verdict, "the own log needed no help"
    silent = [axis.value for axis in Axis if bits.get(axis, 0.0) <= 0]
    if silent:
        return verdict, f"the own log says nothing of {' and '.join(silent)}; others cannot say it for us"
    if confidence.reported < rules.step:
        return verdict, f"{confidence.reported:+.1f} bits were reported, {rules.step:.1f} raise a verdict"
    raised = NEXT[verdict]
    families = {term.answer.family for term in confidence.terms if term.bits > 0}
    if NEEDED not in families:
        return verdict, f"no {NEEDED} is in common; a network, a client or a mail domain is what neighbours share too"
    if raised is VerdictKind.DISTILLATION and max(len(families), len(confidence.confirming)) < FAMILIES:
        return verdict, "one family of one source is not enough for distillation"
    if raised is VerdictKind.DISTILLATION and confidence.disputed:
        return verdict, f"{', '.join(confidence.disputing)} says otherwise; ask before going further"
    return raised, f"{confidence.reported:+.1f} bits from {', '.join(confidence.confirming)} carry it one step"
