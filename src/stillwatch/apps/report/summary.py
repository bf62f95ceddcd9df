"""The top of the page: the outcome in one sentence, how sure, what to do first, and what nobody looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.apps.report.words import (
    count,
    iso_minute,
    minute,
    percent,
    percent_said,
    plural,
    sentence,
    sentence_list,
)
from stillwatch.apps.run import Run, Story
from stillwatch.model import Campaign, VerdictKind

SEVERITY = (VerdictKind.DISTILLATION, VerdictKind.SUSPECT, VerdictKind.WATCH, VerdictKind.CLEAR)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the executive reads."""

    outcome: str
    also: str
    period: str
    sureness: str
    first_step: str
    first_campaign: Campaign | None
    blind_spots: tuple[tuple[str, tuple[str, ...]], ...]  # reason, signals
    blind_sentence: str
    rejected: str


def worst_first(stories: Sequence[Story]) -> list[Story]:
    """Order by verdict, then by size."""
    return sorted(
        stories,
        key=lambda story: (
            SEVERITY.index(story.campaign.verdict),
            -story.campaign.flagged_exchanges,
            -story.campaign.p,
            story.campaign.campaign_id,
        ),
    )


def summarise(run: Run) -> Summary:
    """Say what the run found, in the words of someone who reads nothing else."""
    campaigns = [story.campaign for story in worst_first(run.stories)]
    found = [one for one in campaigns if one.verdict is VerdictKind.DISTILLATION]
    blind = _blind_spots(run.manifest)
    first = next((one for one in campaigns if one.verdict in SEVERITY[:2]), None)
    return Summary(
        outcome=_outcome(run, found),
        also=_also(campaigns, found),
        period=_period(run.manifest, campaigns),
        sureness=_sureness(found),
        first_step=_first_step(first, bool(blind)),
        first_campaign=first,
        blind_spots=blind,
        blind_sentence=_blind_sentence(run.manifest, blind),
        rejected=_rejected(run.manifest),
    )


def whole(manifest: dict[str, Any], key: str) -> int:
    """Read a count of the manifest, 0 when it is absent."""
    value = manifest.get(key)
    return value if isinstance(value, int) else 0


def _outcome(run: Run, found: list[Campaign]) -> str:
    accounts = max(whole(run.manifest, "accounts"), run.verdicts.num_rows)
    exchanges = whole(run.manifest, "exchanges")
    seen = f"{plural(exchanges, 'exchange')} of {plural(accounts, 'account')}"
    if not found:
        looked = exchanges or accounts
        return f"No distillation campaign was found in {seen}." if looked else "Nothing to judge: no exchange was read."
    flagged = _distinct_exchanges(run, found)
    involved = _distinct_accounts(found)
    of_accounts = f"{count(involved)} of {plural(accounts, 'account')}" if accounts else plural(involved, "account")
    of_exchanges = f" ({percent(flagged / exchanges)})" if exchanges else ""
    return f"{plural(len(found), 'distillation campaign')}: {of_accounts}, {plural(flagged, 'exchange')}{of_exchanges}."


def _distinct_exchanges(run: Run, campaigns: list[Campaign]) -> int:
    """Count an exchange of two campaigns once, where the table of flagged exchanges tells."""
    if {"exchange_id", "campaign_id"} <= set(run.flagged.column_names):
        names = pa.array([one.campaign_id for one in campaigns], run.flagged.schema.field("campaign_id").type)
        own = run.flagged.filter(pc.is_in(run.flagged["campaign_id"], value_set=names))
        if own.num_rows:
            return int(pc.count_distinct(own["exchange_id"]).as_py())
    return sum(one.flagged_exchanges for one in campaigns)


def _distinct_accounts(campaigns: list[Campaign]) -> int:
    """Count an account of a shared pool once, where the members are known."""
    if all(len(one.members) == one.accounts for one in campaigns):
        return len({member for one in campaigns for member in one.members})
    return sum(one.accounts for one in campaigns)


def _also(campaigns: list[Campaign], found: list[Campaign]) -> str:
    suspects = sum(one.verdict is VerdictKind.SUSPECT for one in campaigns)
    watched = sum(one.verdict is VerdictKind.WATCH for one in campaigns)
    parts = []
    if suspects:
        parts.append(f"{suspects} {'is' if suspects == 1 else 'are'} suspected")
    if watched:
        parts.append(f"{watched} {'is' if watched == 1 else 'are'} only worth watching")
    if not parts:
        return "" if found else "No group of accounts is suspected either."
    groups = "more group of accounts" if found else "group of accounts"
    if len(parts) == 1:
        number, _, rest = parts[0].partition(" ")
        return f"{number} {groups if number == '1' else groups.replace('group', 'groups')} {rest}."
    return f"Of the {'other ' if found else ''}groups of accounts, {' and '.join(parts)}."


def _period(manifest: dict[str, Any], campaigns: list[Campaign]) -> str:
    period = manifest.get("period")
    since, until = (
        (iso_minute(period.get("from")), iso_minute(period.get("until"))) if isinstance(period, dict) else (None, None)
    )
    if not since and campaigns:
        since = minute(min(one.first_seen for one in campaigns))
    if not until and campaigns:
        until = minute(max(one.last_seen for one in campaigns))
    return f"{since} – {until} UTC" if since and until else "not recorded"


def _sureness(found: list[Campaign]) -> str:
    if not found:
        return (
            "No group of accounts reached the verdict. That is no proof of innocence: see what could not be evaluated."
        )
    low, high = min(one.p for one in found), max(one.p for one in found)
    if len(found) == 1:
        stands = f"The probability that it is distillation is {percent_said(low)}"
    elif percent(low) == percent(high):
        stands = f"For each campaign the probability of distillation is {percent_said(low)}"
    else:
        stands = f"The probability of distillation is {percent_said(low)} for the least certain campaign and "
        stands += f"{percent_said(high)} for the most certain"
    return f"{stands}. Each verdict needs evidence of coordination, of extraction and of deception."


def _first_step(first: Campaign | None, blind: bool) -> str:
    if first is None:
        more = " To see more, supply what the signals below lack." if blind else ""
        return "Nothing needs to be done about any account." + more
    return sentence(first.actions[0]) if first.actions else "Have an analyst read its evidence."


def _blind_spots(manifest: dict[str, Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Signals that could not speak, gathered by reason."""
    reasons: dict[str, list[str]] = {}
    for one in manifest.get("signals_not_evaluated") or ():
        reasons.setdefault(str(one.get("reason") or "no reason recorded"), []).append(str(one.get("signal", "?")))
    return tuple((reason, tuple(signals)) for reason, signals in reasons.items())


def _blind_sentence(manifest: dict[str, Any], blind: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
    silent = sum(len(signals) for _, signals in blind)
    spoke = len(manifest.get("signals_evaluated") or ())
    absent = [str(name) for name in manifest.get("columns_absent") or ()]
    lacks = f" The input lacks {sentence_list(absent)}." if absent else ""
    if not silent:
        return (f"All {plural(spoke, 'signal')} were evaluated." if spoke else "Not recorded.") + lacks
    total = f"{silent} of {plural(spoke + silent, 'signal')}" if spoke else plural(silent, "signal")
    return f"{total} could not be evaluated.{lacks} A signal that could not look is no sign of innocence."


def _rejected(manifest: dict[str, Any]) -> str:
    rows = manifest.get("rows")
    rejected = whole(rows, "rejected") if isinstance(rows, dict) else 0
    if not rejected or not isinstance(rows, dict):
        return ""
    share = f" ({percent(rejected / whole(rows, 'read'))})" if whole(rows, "read") else ""
    were = "was" if rejected == 1 else "were"
    return f"{plural(rejected, 'row')}{share} of the input could not be read and {were} set aside in rejected.ndjson."
