"""The evidence waterfall: how the bits of each axis add up, with what spoke for innocence drawn beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.apps.report.words import plural, signed
from stillwatch.model import Axis, Campaign, Evidence

MAX_STEPS = 10  # bars per axis; the smallest terms share one bar, and the table lists every one
QUESTIONS = {
    Axis.COORDINATION: "Do these accounts act as one operator?",
    Axis.EXTRACTION: "Is the traffic shaped to become training data?",
    Axis.DECEPTION: "Does the operator hide that, or lack the licence for it?",
}
_NOTHING = 0.05  # bits; smaller differences vanish in the printed figure


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of the waterfall; `left` and `width` are percentages of the track."""

    label: str
    note: str
    bits: float
    left: float
    width: float
    side: str  # "for" the verdict, "against" it, "adjust" or "total"


@dataclass(frozen=True, slots=True)
class Lane:
    """One axis: its question, its terms in order and their sum."""

    axis: Axis
    question: str
    bits: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Three lanes on one scale; `zero` is where nothing has been said yet."""

    zero: float
    lanes: tuple[Lane, ...]
    summary: str


_Term = tuple[str, str, float, str]  # label, note, bits, side


def draw_waterfall(campaign: Campaign, evidence: Sequence[Evidence]) -> Waterfall:
    """Lay out the campaign's terms per axis; they end at the bits of the verdict."""
    totals = {
        Axis.COORDINATION: campaign.coordination_bits,
        Axis.EXTRACTION: campaign.extraction_bits,
        Axis.DECEPTION: campaign.deception_bits,
    }
    terms = {axis: _terms([one for one in evidence if one.axis == axis], totals[axis]) for axis in Axis}
    reached = [0.0, *totals.values()]
    for those in terms.values():
        height = 0.0
        for _, _, bits, _ in those:
            height += bits
            reached.append(height)
    low, high = min(reached), max(reached)
    scale = 100 / ((high - low) or 1.0)
    lanes = tuple(
        Lane(axis, QUESTIONS[axis], totals[axis], _steps(terms[axis], totals[axis], low, scale)) for axis in Axis
    )
    said = ", ".join(f"{axis.value} {signed(totals[axis])} bits" for axis in Axis)
    return Waterfall(round(-low * scale, 2), lanes, f"Evidence per axis: {said}")


def _terms(evidence: list[Evidence], total: float) -> list[_Term]:
    """What speaks for the verdict first, then what speaks against it, then what overlap between them takes off."""
    ranked = sorted(evidence, key=lambda one: (-abs(one.bits), one.signal, one.because))
    drawn, small = ranked[:MAX_STEPS], ranked[MAX_STEPS:]
    drawn.sort(key=lambda one: (-one.bits, one.signal, one.because))
    terms = [(one.signal, one.family.value, one.bits, "for" if one.bits >= 0 else "against") for one in drawn]
    if small:
        rest = sum(one.bits for one in small)
        terms.append((plural(len(small), "smaller term"), "in the table", rest, "for" if rest >= 0 else "against"))
    gap = total - sum(one.bits for one in evidence)
    if evidence and abs(gap) >= _NOTHING:
        why = "overlap, few accounts" if evidence[0].axis is Axis.COORDINATION else "overlap"
        terms.append(("adjustment", why, gap, "adjust"))
    return terms


def _steps(terms: list[_Term], total: float, low: float, scale: float) -> tuple[Step, ...]:
    steps = []
    height = 0.0
    for label, note, bits, side in [*terms, ("sum", "", total, "total")]:
        start = 0.0 if side == "total" else height
        height = start + bits
        left = round((min(start, height) - low) * scale, 2)
        steps.append(Step(label, note, bits, left, round(abs(bits) * scale, 2), side))
    return tuple(steps)
