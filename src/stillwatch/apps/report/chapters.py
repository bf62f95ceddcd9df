"""One campaign as the page tells it: its sentence, its charts, its evidence on both sides."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from stillwatch.apps.report.graph import Graph, draw_graph
from stillwatch.apps.report.timeline import Timeline, draw_timeline
from stillwatch.apps.report.waterfall import Waterfall, draw_waterfall
from stillwatch.apps.report.who import Layer, write_layers
from stillwatch.apps.report.words import count, percent, plural, spaced, span, top_shares
from stillwatch.apps.run import Story, TimelineBar
from stillwatch.model import Axis, Campaign, Evidence, Share, VerdictKind

MAX_MEMBERS = 50
MAX_ACCOUNT_TERMS = 100  # lines about single accounts; evidence.parquet holds the rest
MAX_EXAMPLES = 3  # exchange ids beside each term

_STATUS = {
    "born": "first seen in this run",
    "grew": "grew since the run before",
    "steady": "steady since the run before",
    "split": "split off from an earlier campaign",
    "merged": "merged from earlier campaigns",
    "returned": "returned under new accounts, or after a silence",
    "went quiet": "went quiet since the run before",
}


@dataclass(frozen=True, slots=True)
class Chapter:
    """Everything the template prints about one campaign."""

    anchor: str
    campaign: Campaign
    lead: str
    status: str
    panels: tuple[tuple[str, tuple[Share, ...], int], ...]  # title, strongest shares, how many more
    layers: tuple[Layer, ...]
    sought: Timeline | None  # capabilities by day
    timeline: Timeline | None
    graph: Graph | None
    waterfall: Waterfall
    terms: tuple[Evidence, ...]  # about the campaign, all of them
    account_terms: tuple[Evidence, ...]  # about single accounts, the strongest
    account_terms_left_out: int
    innocent: tuple[Evidence, ...]

    @property
    def calm(self) -> bool:
        """Whether the campaign belongs in the quieter half of the page."""
        return self.campaign.verdict is not VerdictKind.DISTILLATION


def write_chapter(number: int, story: Story) -> Chapter:
    """Turn one story into what the page shows of it."""
    campaign = story.campaign
    ranked = sorted(story.evidence, key=_by_axis_then_weight)
    terms = [one for one in ranked if one.subject_type == "campaign"]
    about_accounts = [one for one in ranked if one.subject_type != "campaign"]
    strongest = sorted(about_accounts, key=lambda one: (-abs(one.bits), one.subject_id, one.signal))[:MAX_ACCOUNT_TERMS]
    return Chapter(
        anchor=f"campaign-{number}",
        campaign=campaign,
        lead=_lead(campaign),
        status=_STATUS.get(campaign.status, campaign.status),
        panels=tuple(_panel(title, shares) for title, shares in _panels(campaign) if shares),
        layers=write_layers(story.hypotheses),
        sought=_sought(story),
        timeline=draw_timeline(story.timeline),
        graph=draw_graph(story.edges),
        waterfall=draw_waterfall(campaign, terms or about_accounts),
        terms=tuple(terms),
        account_terms=tuple(strongest),
        account_terms_left_out=len(about_accounts) - len(strongest),
        innocent=tuple(one for one in terms or strongest if one.bits < 0),
    )


def _sought(story: Story) -> Timeline | None:
    """Draw what was sought over time where there is time to speak of: on one day the panel says it all."""
    if len({day for day, _, _ in story.capability_days}) < 2:
        return None
    midnight = dt.time(tzinfo=dt.UTC)
    bars = (
        TimelineBar(dt.datetime.combine(day, midnight), spaced(capability), exchanges, 0)
        for day, capability, exchanges in story.capability_days
    )
    return draw_timeline(tuple(bars), kind="capability")


def _by_axis_then_weight(one: Evidence) -> tuple[int, float, str, str, str]:
    return [*Axis].index(one.axis), -one.bits, one.signal, one.subject_id, one.because


def _lead(campaign: Campaign) -> str:
    """When, how many and what was sought, in two sentences."""
    when = span(campaign.first_seen, campaign.last_seen)
    text = f"{when[0].upper()}{when[1:]}, {plural(campaign.accounts, 'account')} sent "
    text += plural(campaign.exchanges, "exchange")
    if campaign.flagged_exchanges and campaign.flagged_exchanges != campaign.exchanges:
        share = percent(campaign.flagged_exchanges / campaign.exchanges) if campaign.exchanges else "0%"
        text += f", of which {count(campaign.flagged_exchanges)} ({share}) are flagged"
    text += "."
    return f"{text} Sought: {top_shares(campaign.capabilities)}." if campaign.capabilities else text


def _panels(campaign: Campaign) -> tuple[tuple[str, tuple[Share, ...]], ...]:
    return (
        ("What was sought", tuple(Share(spaced(part.name), part.share) for part in campaign.capabilities)),
        ("Models", campaign.models),
        ("Channels", campaign.channels),
        ("Countries", campaign.countries),
        ("Networks (ASN)", campaign.asns),
    )


def _panel(title: str, shares: tuple[Share, ...]) -> tuple[str, tuple[Share, ...], int]:
    ranked = sorted(shares, key=lambda part: (-part.share, part.name))
    return title, tuple(ranked[:5]), max(len(ranked) - 5, 0)
