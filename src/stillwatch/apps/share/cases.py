"""From a run, and what was gathered from its log, to the cases that the gate decides on."""

from __future__ import annotations

import datetime as dt
import difflib

from stillwatch.apps.run import AttributeEdge, Run, Story
from stillwatch.apps.share.gathered import Gathered
from stillwatch.model import UsageError
from stillwatch.sharing.case import Case, Kind, Shown

CUT = "…"  # ends a tie's value that was too long to print, which is therefore not the value
KINDS = {"address": Kind.ADDRESS, "payment": Kind.PAYMENT, "mail domain": Kind.MAIL_DOMAIN}


def case_of(run: Run, campaign: str, gathered: Gathered | None) -> Case:
    """Return the case of a campaign of a run. Raises UsageError for one that the run has not."""
    story = next((one for one in run.stories if one.campaign.campaign_id == campaign), None)
    if story is None:
        names = [one.campaign.campaign_id for one in run.stories]
        near = difflib.get_close_matches(campaign, names, 5, 0.4) or names[:5]
        raise UsageError(f"no campaign of this run is {campaign!r}; near it are {', '.join(near) or 'none'}")
    shown = _from_ties(run, story) if gathered is None else gathered.of(campaign)
    since, until = _ends(run, story)
    return Case(story.campaign, story.evidence, story.hypotheses, shown, since, until)


def _ends(run: Run, story: Story) -> tuple[dt.datetime, dt.datetime]:
    """Return the ends of the logs of the campaign's first and last run: moments that do not change by exporting."""
    record = run.lineage.of(story.campaign.campaign_id)
    if record is not None and record.steps:
        return record.steps[0].until, record.steps[-1].until
    return story.campaign.last_seen, story.campaign.last_seen


def _from_ties(run: Run, story: Story) -> tuple[Shown, ...]:
    """Return what the run itself tells: the strongest ties, of which it knows how many accounts show them."""
    ties = {(tie.kind, tie.value): tie for tie in story.edges if tie.kind in KINDS and not tie.value.endswith(CUT)}
    size = int(run.manifest.get("accounts", 0))
    return tuple(
        Shown(KINDS[kind], value, tie.shared_by, None, _outsiders(tie, size)) for (kind, value), tie in ties.items()
    )


def _outsiders(tie: AttributeEdge, size: int) -> int | None:
    return max(0, round(size / 2.0**tie.bits) - tie.shared_by) if size else None
