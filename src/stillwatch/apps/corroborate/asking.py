"""One campaign asked about at every named partner, and what their answers make of its verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.apps.corroborate.book import Book
from stillwatch.apps.corroborate.client import Outcome, PartnerFailed, Question, ask
from stillwatch.apps.corroborate.config import AskedRow
from stillwatch.apps.corroborate.index_file import read_index
from stillwatch.apps.run import Run
from stillwatch.model import Axis, Campaign, UsageError
from stillwatch.sharing.consensus.answers import Answer, Stance
from stillwatch.sharing.consensus.raising import Corroborated, corroborated
from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.private.allowed import AllowList
from stillwatch.sharing.private.indicators import from_bytes
from stillwatch.sharing.private.known import Shown, elements, fresh
from stillwatch.sharing.private.messages import FAMILIES
from stillwatch.sharing.private.own_set import CAP, STEP


@dataclass(frozen=True, slots=True)
class Asking:
    """How to ask."""

    partners: Mapping[str, AskedRow]
    reveal: bool = False
    wait: float = 0.0
    padding: int = STEP
    allow: AllowList = field(default_factory=AllowList)


@dataclass(frozen=True, slots=True)
class Told:
    """A campaign after its partners were asked."""

    campaign: str
    result: Corroborated
    outcomes: tuple[Outcome, ...]
    failures: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        confidence = self.result.confidence
        return {
            "campaign": self.campaign,
            "before": self.result.before.value,
            "after": self.result.after.value,
            "raised": self.result.raised,
            "because": self.result.because,
            "prior_bits": confidence.prior,
            "reported_bits": confidence.reported,
            "p": confidence.p,
            "credibility": confidence.credibility,
            "confirming": list(confidence.confirming),
            "disputing": list(confidence.disputing),
            "calibrated": False,
            "terms": [dataclasses.asdict(term) for term in confidence.terms],
            "comparisons": [
                {
                    "partner": one.partner,
                    "family": one.family,
                    "count": one.count,
                    "revealed": None
                    if one.revealed is None
                    else [dataclasses.asdict(from_bytes(element)) for element in one.revealed],
                    "bytes": one.sent + one.received,
                    "note": one.note,
                }
                for one in self.outcomes
            ],
            "failures": list(self.failures),
        }


def campaign_of(run: Run, name: str) -> Campaign:
    """Return a run's campaign. Raises UsageError naming those that there are."""
    found = {story.campaign.campaign_id: story.campaign for story in run.stories}
    if name not in found:
        raise UsageError(f"{name}: no campaign of this run; it has {', '.join(sorted(found)) or 'none'}")
    return found[name]


def corroborate(campaign: Campaign, index: Path, asking: Asking, state: Path, append: Append | None = None) -> Told:
    """Ask every partner, family by family, and add up. A partner that fails is named, and costs nobody else.

    `append` is where acts are recorded beside the book in `state`, such as the control plane's ledger.
    """
    shown = [
        one
        for one in fresh(read_index(index))
        if one.campaign == campaign.campaign_id and not asking.allow.covers(one.indicator)
    ]
    book = Book(state)
    record = book.recorder(append)
    outcomes: list[Outcome] = []
    failures: list[str] = []
    for name, row in asking.partners.items():
        try:
            outcomes += [ask(name, row, question, record) for question in _questions(shown, asking, book)]
        except PartnerFailed as error:
            failures.append(str(error))
    answers = answers_of(outcomes, asking.partners)
    bits = {
        Axis.COORDINATION: campaign.coordination_bits,
        Axis.EXTRACTION: campaign.extraction_bits,
        Axis.DECEPTION: campaign.deception_bits,
    }
    result = corroborated(campaign.verdict, bits, answers, campaign.p)
    return Told(campaign.campaign_id, result, tuple(outcomes), tuple(failures))


def answers_of(outcomes: Sequence[Outcome], partners: Mapping[str, AskedRow]) -> tuple[Answer, ...]:
    """Return what was counted as answers, graded as we grade the partner."""
    return tuple(
        Answer(
            one.partner,
            one.family,
            Stance.CONFIRMS if one.count else Stance.SILENT,
            one.count,
            partners[one.partner].reliability,
            origin=partners[one.partner].repeats,
        )
        for one in outcomes
    )


def _questions(shown: Sequence[Shown], asking: Asking, book: Book) -> list[Question]:
    secret = book.secret()
    return [
        Question(family, elements(shown, family, CAP), asking.reveal, asking.wait, step=asking.padding, secret=secret)
        for family in FAMILIES
    ]
