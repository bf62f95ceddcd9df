"""Lineage without a mark: does a suspect agree with the teacher more than models of its ability do?

Any two good models agree, and the better they are the more. So agreement convicts nobody: the strongest thing said here
is "suggestive", and even that only beside enough controls that are as able as the suspect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy import stats

from stillwatch.provenance.tails import Tail, binomial_tail, holm

Array = np.ndarray[Any, Any]
LEAST_CONTROLS, MOST_CONTROLS = 8, 16  # with fewer, the spread between models cannot be told; the nearest are taken
AS_ABLE = 3  # of them must be at least as able as the suspect, or its ability alone may explain its agreement
LEVEL = 0.01  # of every part, after correction


class Lean(StrEnum):
    """What a comparison may say."""

    SUGGESTIVE = "suggestive"
    NOTHING = "nothing to see"
    NOT_EVALUATED = "not evaluated"


@dataclass(frozen=True, slots=True)
class Model:
    """For each prompt whether a model agrees with the teacher, (n,) bool; and how able it is, where higher is better.

    Ability is measured on text that neither teacher nor suspect was made of, such as minus the loss on it.
    """

    name: str
    agrees: Array
    ability: float


@dataclass(frozen=True, slots=True)
class Against:
    """A suspect beside one control: prompts on which it alone, or the control alone, agrees with the teacher."""

    control: str
    alone: int
    control_alone: int
    tail: Tail
    corrected: float  # by Holm, over all controls


@dataclass(frozen=True, slots=True)
class LineageReport:
    """How a suspect's agreement ranks among controls of its ability."""

    lean: Lean
    because: str
    agreement: float
    against: tuple[Against, ...] = ()
    rank: float = 1.0  # share of models, the suspect among them, that agree as much for their ability
    spread_p: float = 1.0  # how unusual its agreement is among models, by what their ability predicts


def compare(suspect: Model, controls: Sequence[Model]) -> LineageReport:
    """Rank a suspect's agreement with the teacher among controls (after Nikolic et al., NeurIPS 2025, 2502.00706).

    Suggestive only where it agrees more than *every* control of its ability (McNemar's exact test, Holm), ranks first
    of all for its ability, and lies beyond what the spread between models explains (a t-test of one new observation).
    """
    agreement = float(np.mean(suspect.agrees))
    matched = matched_controls(suspect, controls)
    if len(matched) < LEAST_CONTROLS:
        told = f"{len(matched)} controls; {LEAST_CONTROLS} are needed"
        return LineageReport(Lean.NOT_EVALUATED, told, agreement)
    able = sum(each.ability >= suspect.ability for each in matched)
    if able < AS_ABLE:
        told = f"{able} controls are as able as the suspect; {AS_ABLE} are needed, or its ability may explain it"
        return LineageReport(Lean.NOT_EVALUATED, told, agreement)
    against = _against(suspect, matched)
    excess, spread_p = _excess(suspect, matched)
    rank = (1 + sum(each >= excess[0] for each in excess[1:])) / len(excess)
    report = LineageReport(Lean.NOTHING, "", agreement, against, rank, spread_p)
    told = _missing(report)
    if told:
        return LineageReport(Lean.NOTHING, told, agreement, against, rank, spread_p)
    told = f"agrees more than each of {len(matched)} models as able as it, beyond the spread between them"
    return LineageReport(Lean.SUGGESTIVE, told, agreement, against, rank, spread_p)


def matched_controls(suspect: Model, controls: Sequence[Model]) -> tuple[Model, ...]:
    """Return the controls whose ability is closest to the suspect's."""
    return tuple(sorted(controls, key=lambda each: abs(each.ability - suspect.ability))[:MOST_CONTROLS])


def _against(suspect: Model, controls: Sequence[Model]) -> tuple[Against, ...]:
    found = []
    for each in controls:
        if each.agrees.shape != suspect.agrees.shape:
            raise ValueError(f"{each.name}: {len(each.agrees)} prompts, the suspect has {len(suspect.agrees)}")
        alone = int(np.sum(suspect.agrees & ~each.agrees))
        other = int(np.sum(~suspect.agrees & each.agrees))
        tail = binomial_tail(alone, alone + other, 0.5) if alone + other else Tail(1.0, 0.0)
        found.append((each.name, alone, other, tail))
    corrected = holm([tail.p for *_, tail in found])
    return tuple(Against(*each, p) for each, p in zip(found, corrected, strict=True))


def _excess(suspect: Model, controls: Sequence[Model]) -> tuple[list[float], float]:
    """Agreement beyond what ability predicts, of the suspect and of each control; p of the suspect's as a new model's.

    The line is fitted to the controls alone, so the suspect's error is that of a prediction (n − 2 degrees of freedom).
    """
    x = np.array([each.ability for each in controls])
    y = np.array([each.agrees.mean() for each in controls])
    middle, size = x.mean(), len(x)
    width = float(((x - middle) ** 2).sum())
    slope = float(((x - middle) * (y - y.mean())).sum()) / width if width > 0 else 0.0
    left = y - y.mean() - slope * (x - middle)
    own = float(suspect.agrees.mean() - y.mean() - slope * (suspect.ability - middle))
    leverage = (suspect.ability - middle) ** 2 / width if width > 0 else 0.0
    deviation = math.sqrt(float((left**2).sum()) / (size - 2) * (1 + 1 / size + leverage))
    p = float(stats.t.sf(own / deviation, size - 2)) if deviation > 0 else float(own <= 0)
    return [own, *(float(each) for each in left)], p


def _missing(report: LineageReport) -> str:
    """What speaks against calling it suggestive; nothing where nothing does."""
    weak = [each.control for each in report.against if each.corrected >= LEVEL]
    if weak:
        return f"agrees no more than {len(weak)} of {len(report.against)} models as able as it, {weak[0]} among them"
    if report.rank * (1 + len(report.against)) > 1:
        return "a control agrees as much for its ability"
    if report.spread_p >= LEVEL:
        return "its agreement is within the spread between models"
    return ""


@dataclass(frozen=True, slots=True)
class HarvestReport:
    """Whether a suspect knows harvested exchanges better than held-out ones."""

    lean: Lean
    because: str
    treated: int
    held_out: int
    tail: Tail
    controls: tuple[tuple[str, float], ...]  # the same p-value of each control


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How well a model knows exchanges, such as the mean log-likelihood of the answer: of treated ones, of held-out."""

    name: str
    treated: Array
    held_out: Array


def compare_harvest(suspect: Familiarity, controls: Sequence[Familiarity]) -> HarvestReport:
    """Compare exchanges that a campaign harvested with exchanges like them that it did not get (Mann-Whitney).

    The campaign chose what it asked, so the two sets may differ for other reasons. Then the controls differ too: only
    what the suspect shows and no control shows is suggestive. Randomised twins need no such care (docs/why/064).
    """
    tail = _knows(suspect)
    found = tuple((each.name, _knows(each).p) for each in controls)
    sizes = (len(suspect.treated), len(suspect.held_out))
    if len(controls) < LEAST_CONTROLS:
        told = f"{len(controls)} controls; {LEAST_CONTROLS} are needed to see whether the two sets differ by themselves"
        return HarvestReport(Lean.NOT_EVALUATED, told, *sizes, tail, found)
    if tail.p >= LEVEL:
        return HarvestReport(Lean.NOTHING, "knows both sets alike", *sizes, tail, found)
    also = [name for (name, _), p in zip(found, holm([p for _, p in found]), strict=True) if p < LEVEL]
    beyond = _effect(suspect) > max(_effect(each) for each in controls)
    if also or not beyond:
        told = f"{also[0] if also else 'a control'} knows the harvested exchanges better too: the two sets differ"
        return HarvestReport(Lean.NOTHING, told, *sizes, tail, found)
    return HarvestReport(Lean.SUGGESTIVE, "knows the harvested exchanges better; no control does", *sizes, tail, found)


def _knows(model: Familiarity) -> Tail:
    p = float(stats.mannwhitneyu(model.treated, model.held_out, alternative="greater").pvalue)
    return Tail(p, math.log10(p) if p > 0 else -math.inf)


def _effect(model: Familiarity) -> float:
    """How often a treated exchange is known better than a held-out one, less one half."""
    found = stats.mannwhitneyu(model.treated, model.held_out, alternative="greater").statistic
    return float(found) / (len(model.treated) * len(model.held_out)) - 0.5
