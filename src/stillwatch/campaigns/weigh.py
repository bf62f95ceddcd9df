"""Findings in, an assessment out: bits by axis and family, which members are tied, and how sure that makes us.

Signals of one family are not independent: the strongest counts in full, the others by half, and a family has a ceiling.
What speaks for innocence is not capped by what speaks against it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from stillwatch.model import Axis, Family, VerdictKind
from stillwatch.signals.base import Bits, Finding, Signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

CEILING: Mapping[Family, float] = {
    Family.INFRASTRUCTURE: 6.0,
    Family.IDENTITY: 7.0,
    Family.CONTENT: 8.0,
    Family.TIMING: 5.0,
    Family.USAGE: 4.0,
    Family.ARTEFACT: 10.0,
    Family.REPORTED: 2.0,
}
OTHERS = 0.5  # what a second signal of the same family adds
CONDUCT = (Family.IDENTITY, Family.TIMING, Family.ARTEFACT)  # a network and a tool are what neighbours share too
OWN_WORK = 0.75  # of an account's exchanges: below it, and with another client too, it has another life
WHO = (Family.IDENTITY, Family.ARTEFACT)  # what ties an account itself, not only what it was used for
DECLARING = "org_id"  # without this column nothing is known of what accounts declare
FEW = 4.0  # accounts at which coincidence explains half of what ties them
STRICTEST_FIRST = (VerdictKind.DISTILLATION, VerdictKind.SUSPECT, VerdictKind.WATCH)
SPEAKS = 1.0  # bits from which a family counts as speaking
HEARSAY = (Family.CONTENT, Family.REPORTED)  # says nothing beyond what is asked, or is not ours (docs/why/054)

Weights = Mapping[str, float]  # by signal: what its bits for guilt are multiplied by, as fitted; 1 where not named
EQUAL: Weights = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bars:
    """What a verdict needs; the policy decides the numbers."""

    coordination: float
    extraction: float
    deception: float
    beyond_content: float  # coordination bits that do not come from what is asked
    families: int  # coordination families that speak
    accounts: int  # tied members
    exchanges: int  # of the group: less is no training set
    member_families: int  # families that tie one account to the rest
    member_bits: float  # bits beyond content that tie one account to the rest
    exchanges_elsewhere: int | None = None  # instead of `exchanges` where partners report the rest of the campaign


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = 1 / (1 + exp(-(offset + slope * margin))): fitted on labelled replays, with where it was fitted."""

    offset: float
    slope: float
    source: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """One group judged: its findings, axes, verdict and tied members."""

    group: GroupSketch = field(repr=False)
    findings: tuple[tuple[Signal, Finding], ...]
    bits: Mapping[Axis, float]
    beyond_content: float
    families: int
    verdict: VerdictKind
    margin: float  # bits by which the narrowest bar of `distillation` is cleared; negative: missed
    p: float
    tied: npt.NDArray[np.bool_] = field(repr=False)
    member_p: Bits = field(repr=False)


def findings_of(
    group: GroupSketch, population: Population, roster: Sequence[Signal], hopeless: float, weights: Weights = EQUAL
) -> tuple[tuple[Signal, Finding], ...]:
    """Ask every signal whose columns are there; the silent ones leave nothing.

    Bits for guilt are multiplied by the signal's fitted weight; those for innocence stand as they are. Most groups are
    strangers: where coordination stays below `hopeless` bits, no verdict is possible and the other two axes are not
    asked.
    """
    able = [signal for signal in roster if not signal.missing(population.present)]
    first = _ask(group, population, [signal for signal in able if signal.axis is Axis.COORDINATION], weights)
    if add_up(first, Axis.COORDINATION)[0] < hopeless:
        return first
    rest = _ask(group, population, [signal for signal in able if signal.axis is not Axis.COORDINATION], weights)
    place = {signal.name: at for at, signal in enumerate(roster)}
    return tuple(sorted(first + rest, key=lambda pair: place[pair[0].name]))


def _ask(
    group: GroupSketch, population: Population, signals: Sequence[Signal], weights: Weights
) -> tuple[tuple[Signal, Finding], ...]:
    judged = ((signal, signal(group, population)) for signal in signals)
    return tuple(
        (signal, _weighted(finding, weights.get(signal.name, 1.0))) for signal, finding in judged if finding is not None
    )


def _weighted(finding: Finding, weight: float) -> Finding:
    return replace(finding, bits=finding.bits * weight) if finding.bits > 0 and weight != 1.0 else finding


def add_up(findings: Sequence[tuple[Signal, Finding]], axis: Axis) -> tuple[float, dict[Family, float]]:
    """Return an axis's bits and each family's part, by the rule at the top of this page."""
    families: dict[Family, float] = {}
    for family in Family:
        bits = [finding.bits for signal, finding in findings if (signal.axis, signal.family) == (axis, family)]
        gains = sorted((b for b in bits if b > 0), reverse=True)
        gain = min(gains[0] + OTHERS * sum(gains[1:]), CEILING[family]) if gains else 0.0
        families[family] = gain + sum(b for b in bits if b < 0)
    return sum(families.values()), families


def assess(
    group: GroupSketch,
    population: Population,
    findings: tuple[tuple[Signal, Finding], ...],
    bars: Mapping[VerdictKind, Bars],
    calibration: Calibration,
) -> Assessment:
    """Weigh a group's findings against the bars, from the strictest verdict down."""
    totals: dict[Axis, float] = {}
    speaking, beyond, conduct, reported = 0, 0.0, False, 0.0
    for axis in Axis:
        totals[axis], families = add_up(findings, axis)
        if axis is Axis.COORDINATION:
            trust = group.size / (group.size + FEW)
            families = {family: bits * trust if bits > 0 else bits for family, bits in families.items()}
            totals[axis] = sum(families.values())
            beyond = totals[axis] - sum(families[family] for family in HEARSAY)
            speaking = sum(bits >= SPEAKS for family, bits in families.items() if family is not Family.REPORTED)
            reported = families[Family.REPORTED]
            conduct = any(families[family] >= SPEAKS for family in CONDUCT)
    strict = bars[VerdictKind.DISTILLATION]
    visiting = group.sums["exchanges"] < OWN_WORK * population.usage["exchanges"][group.accounts]
    visiting &= population.usage["stacks"][group.accounts] >= 2
    tie, tied = _tie_members(group, findings, strict, population.organisation[group.accounts], visiting)
    tied &= ~population.licensed[group.accounts] | population.breaks_licence[group.accounts]
    standing = _Standing(
        totals, beyond, speaking, int(tied.sum()), group.exchanges, conduct, DECLARING in population.present, reported
    )
    verdict = next((kind for kind in STRICTEST_FIRST if _clears(standing, kind, bars[kind])), VerdictKind.CLEAR)
    margin = _margin(standing, strict)
    p = _probability(margin, calibration)
    member_p = p * _probability(np.minimum(tie - strict.member_bits, 4.0) + 1.0, calibration)
    return Assessment(group, findings, totals, beyond, speaking, verdict, float(margin), float(p), tied, member_p)


@dataclass(frozen=True, slots=True)
class _Standing:
    bits: Mapping[Axis, float]
    beyond_content: float
    families: int
    tied: int
    exchanges: int
    conduct: bool
    declarations_known: bool
    reported: float  # bits of coordination that partners told, contained in `bits`


def _clears(standing: _Standing, kind: VerdictKind, bar: Bars) -> bool:
    if not standing.conduct and kind is not VerdictKind.WATCH:
        return False
    counted = standing.families >= bar.families and standing.tied >= bar.accounts
    if not counted or standing.exchanges < _least(standing, bar) or standing.beyond_content < bar.beyond_content:
        return False
    bits = standing.bits
    if bits[Axis.COORDINATION] < bar.coordination or bits[Axis.EXTRACTION] < bar.extraction:
        return False
    if standing.declarations_known:
        return bits[Axis.DECEPTION] >= bar.deception
    # nobody can be said to hide what the log could not show: the third axis is unknown, so never the gravest verdict,
    # and the two others must carry its weight; what speaks for openness still does
    if bits[Axis.DECEPTION] < 0:
        return False
    surplus = bits[Axis.COORDINATION] + bits[Axis.EXTRACTION] - bar.coordination - bar.extraction
    return kind is not VerdictKind.DISTILLATION and surplus + bits[Axis.DECEPTION] >= 2 * bar.deception


def _least(standing: _Standing, bar: Bars) -> int:
    """Return how many exchanges a verdict needs: a part of a campaign is smaller than the whole that partners see."""
    elsewhere = bar.exchanges_elsewhere
    return bar.exchanges if elsewhere is None or standing.reported < SPEAKS else elsewhere


def _margin(standing: _Standing, bar: Bars) -> float:
    """Return the bits by which the narrowest bar is cleared; one bit short at least where a count is too small.

    By one's own evidence alone: nobody calibrated what partners say, and a confidence that held theirs would come back
    to them as if it were new.
    """
    narrowest = min(
        standing.bits[Axis.COORDINATION] - standing.reported - bar.coordination,
        standing.bits[Axis.EXTRACTION] - bar.extraction,
        standing.bits[Axis.DECEPTION] - bar.deception,
        standing.beyond_content - bar.beyond_content,
    )
    enough = standing.families >= bar.families and standing.tied >= bar.accounts and standing.exchanges >= bar.exchanges
    return narrowest if enough and standing.conduct else min(narrowest, -1.0)


def _tie_members(
    group: GroupSketch,
    findings: Sequence[tuple[Signal, Finding]],
    bar: Bars,
    organisation: npt.NDArray[np.int64],
    visiting: npt.NDArray[np.bool_],
) -> tuple[Bits, npt.NDArray[np.bool_]]:
    """Bits beyond content that tie each member, and who is tied by enough families: no account by one soft edge.

    Colleagues of one declared organisation keep office hours and start together; an attacker who copies their template
    must not tie them by that. Only what they share with strangers beyond hours and content does. Nor is an account
    accused that has another life on another client, unless who it is ties it: it may be a stolen one.
    """
    families: dict[Family, Bits] = {}
    for signal, finding in findings:
        if signal.axis is Axis.COORDINATION and finding.members is not None:
            best = families.get(signal.family)
            families[signal.family] = finding.members if best is None else np.maximum(best, finding.members)
    count = np.zeros(group.size, np.int64)
    own = ~visiting
    tie = np.zeros(group.size)
    named = organisation >= 0
    _, code, together = np.unique(organisation, return_inverse=True, return_counts=True)
    colleagues = named & (together[code] >= 2)
    for family, bits in families.items():
        if family is Family.TIMING:
            bits = np.where(colleagues, 0.0, bits)
        count += bits >= SPEAKS
        if family in WHO:
            own |= bits >= SPEAKS
        if family is not Family.CONTENT:
            tie += bits
    strict = named | (group.common.sum() == 0)  # who declares an organisation hides less; neighbours share no frame
    needed = np.where(strict, 2.0, 1.0) * bar.member_bits
    return tie, (count >= bar.member_families) & (tie >= needed) & own


def _probability(margin: float | Bits, calibration: Calibration) -> Bits:
    return np.asarray(1.0 / (1.0 + np.exp(-(calibration.offset + calibration.slope * np.asarray(margin)))))
