"""Why an account or a campaign has its verdict: every term for and against it, and what nobody looked at."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from stillwatch.apps.run import AttributeEdge, Run, Story
from stillwatch.campaigns.lineage import Step
from stillwatch.campaigns.weigh import CEILING, add_up
from stillwatch.model import Axis, Campaign, Evidence, Family, Hypothesis, UsageError
from stillwatch.signals.base import Finding, Signal

FAMILY_RULE = "within a family the strongest term counts in full, the others by half, up to the family's ceiling"
NEAR = 5  # ids suggested for one that is unknown
SEARCHED = 50_000  # ids compared letter by letter


@dataclass(frozen=True, slots=True)
class FamilySum:
    """What one family's terms come to by the family rule; `raw` is their plain sum."""

    axis: Axis
    family: Family
    terms: int
    raw: float
    counts: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class Cause:
    """One campaign's case: its terms against and for innocence, its sums, and how its members are tied.

    `trust` is what its coordination counts for: below 1 where the group is so small that coincidence may tie it.
    `hypotheses` say who may run and who may have ordered it; `history` is what became of it in each run.
    """

    campaign: Campaign
    against: tuple[Evidence, ...]
    innocence: tuple[Evidence, ...]
    sums: tuple[FamilySum, ...]
    trust: float
    ties: tuple[AttributeEdge, ...]
    hypotheses: tuple[Hypothesis, ...] = ()
    history: tuple[Step, ...] = ()
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """One subject explained. `row` is an account's row of the verdicts; `causes` is empty when it is clear."""

    subject_type: str  # account, campaign
    subject_id: str
    because: str
    row: dict[str, Any] | None
    causes: tuple[Cause, ...]
    not_evaluated: tuple[tuple[str, str], ...]  # signal, reason
    family_rule: str = FAMILY_RULE

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; moments stay datetimes."""
        return dataclasses.asdict(self)


def explain(run: Run, subject: str) -> Explanation:
    """Explain a campaign or an account of a run by its id.

    Raises UsageError for an id that the run does not have, with those that resemble it.
    """
    skipped = tuple((each["signal"], each["reason"]) for each in run.manifest.get("signals_not_evaluated", ()))
    for story in run.stories:
        if story.campaign.campaign_id == subject:
            cause = _cause(run, story, story.edges)
            return Explanation("campaign", subject, _because_campaign(story.campaign), None, (cause,), skipped)
    rows = run.verdicts.filter(pc.equal(run.verdicts["account_id"], subject)).to_pylist()
    if not rows:
        raise UsageError(f"no account or campaign of this run is {subject!r}{_nearest(run, subject)}")
    own = [story for story in run.stories if subject in story.campaign.members]
    causes = tuple(_cause(run, story, [tie for tie in story.edges if tie.account_id == subject]) for story in own)
    return Explanation("account", subject, _because_account(rows[0], own), rows[0], causes, skipped)


def _cause(run: Run, story: Story, ties: Iterable[AttributeEdge]) -> Cause:
    order = {axis: place for place, axis in enumerate(Axis)}
    terms = sorted(story.evidence, key=lambda term: (order[term.axis], -term.bits, term.signal))
    against = tuple(term for term in terms if term.bits >= 0)
    innocence = tuple(term for term in terms if term.bits < 0)
    sums = _sums(terms)
    record = run.lineage.of(story.campaign.campaign_id)
    return Cause(
        story.campaign,
        against,
        innocence,
        sums,
        _trust(story.campaign, sums),
        tuple(ties),
        story.hypotheses,
        record.steps if record else (),
        record.parents if record else (),
        record.children if record else (),
    )


def _sums(terms: Sequence[Evidence]) -> tuple[FamilySum, ...]:
    findings = [(_signal_of(term), Finding(term.bits, term.because)) for term in terms]
    sums = []
    for axis in Axis:
        _, families = add_up(findings, axis)
        for family, counts in families.items():
            bits = [term.bits for term in terms if (term.axis, term.family) == (axis, family)]
            if bits:
                sums.append(FamilySum(axis, family, len(bits), sum(bits), counts, CEILING[family]))
    return tuple(sums)


def _trust(campaign: Campaign, sums: Sequence[FamilySum]) -> float:
    """What was left of coordination's gains when the group's size was taken into account."""
    parts = [part.counts for part in sums if part.axis is Axis.COORDINATION]
    gains, losses = sum(bits for bits in parts if bits > 0), sum(bits for bits in parts if bits < 0)
    return round((campaign.coordination_bits - losses) / gains, 2) if gains else 1.0


def _signal_of(term: Evidence) -> Signal:
    return Signal(term.signal, term.axis, term.family, (), "", lambda _group, _population: None)


def _because_campaign(campaign: Campaign) -> str:
    return (
        f"{campaign.accounts:,} accounts and {campaign.exchanges:,} exchanges are linked and judged as one; "
        "a verdict needs evidence on all three axes"
    )


def _because_account(row: dict[str, Any], own: Sequence[Story]) -> str:
    if not own:
        return (
            f"its {row['exchanges']:,} exchanges are in no campaign: no group of accounts that it acts with has "
            "evidence on all three axes, or it is not tied to one by enough families"
        )
    names = " and ".join(story.campaign.campaign_id for story in own)
    return f"it is tied to campaign {names}; the verdict is that of the gravest"


def _nearest(run: Run, subject: str) -> str:
    campaigns = [story.campaign.campaign_id for story in run.stories]
    accounts = run.verdicts["account_id"]
    holding = accounts.filter(pc.match_substring(accounts, subject, ignore_case=True)).slice(0, NEAR).to_pylist()
    alike = difflib.get_close_matches(subject, [*campaigns, *accounts.slice(0, SEARCHED).to_pylist()], NEAR, 0.6)
    near = list(dict.fromkeys([*(name for name in campaigns if subject in name), *holding, *alike]))[:NEAR]
    return f"; near it are {', '.join(near)}" if near else "; `verdicts.parquet` lists them"
