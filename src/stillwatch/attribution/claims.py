"""What a campaign sought and how it was run, in sentences that say how each is known, and what would overturn them."""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.attribution.actors import OWNER, POOL, UNKNOWN
from stillwatch.attribution.hypotheses import NAMED
from stillwatch.attribution.scene import day_of
from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.identity import Named, Status
from stillwatch.campaigns.phases import bucket_days, find_phases, reconnaissance
from stillwatch.campaigns.weigh import Assessment
from stillwatch.model import Axis, Claim, Grade, Hypothesis
from stillwatch.signals.base import Finding, Signal

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def claims_of(
    assessment: Assessment, facts: Facts, pool: str | None, who: Sequence[Hypothesis] = ()
) -> tuple[Claim, ...]:
    """Return the story of one campaign; counts are observed, purposes are inferred."""
    tied = int(assessment.tied.sum())
    claims = [
        Claim(f"{tied:,} accounts sent {facts.exchanges:,} exchanges of {_templates(assessment)}", Grade.OBSERVED),
        Claim(f"they received {facts.output_tokens:,} output tokens", Grade.OBSERVED),
    ]
    sought = facts.shares.get("capability", ())
    if sought:
        names = ", ".join(f"{share.name.replace('_', ' ')} ({share.share:.0%})" for share in sought[:3])
        claims.append(Claim(f"capabilities sought: {names}", Grade.INFERRED))
    claims += _phases(facts)
    for signal, finding in _strongest(assessment, Axis.COORDINATION):
        claims.append(Claim(f"run as one: {finding.because} ({signal.name})", Grade.OBSERVED))
    if pool is not None:
        claims.append(Claim(f"its accounts belong to pool {pool}, which may serve other owners too", Grade.INFERRED))
    claims += [_leader("who runs its accounts", POOL, who), _leader("who ordered the work", OWNER, who)]
    return tuple(claims)


def lineage_claims(name: Named) -> tuple[Claim, ...]:
    """Return what became of a campaign since the run before, where that needs to be said."""
    if name.status is Status.RETURNED:
        return (Claim(f"it returned; with what was known of it before it has {name.because}", Grade.INFERRED),)
    if name.status in (Status.SPLIT, Status.MERGED):
        verb = "it is part of an earlier campaign" if name.status is Status.SPLIT else "earlier campaigns are one"
        return (Claim(f"{verb}: {name.because}", Grade.INFERRED),)
    return ()


def _phases(facts: Facts) -> list[Claim]:
    """Say what was sought first and what later, and when a search for what works became a harvest."""
    days = facts.closer.days
    width = bucket_days(days)
    phases = find_phases(days, width)
    claims = []
    if len(phases) > 1:
        first, *later = phases
        told = [f"first {_spaced(first.capability)} ({first.share:.0%})"]
        told += [f"from {_date(one.first)} mostly {_spaced(one.capability)} ({one.share:.0%})" for one in later]
        claims.append(Claim(f"sought over time: {', '.join(told)}", Grade.INFERRED))
    scaled = reconnaissance(days, width)
    if scaled is not None:
        text = (
            f"small until {_date(scaled[0])}, then {scaled[1]:.0f} times as many exchanges: a search, then its harvest"
        )
        claims.append(Claim(text, Grade.INFERRED))
    return claims


def _leader(question: str, role: str, who: Sequence[Hypothesis]) -> Claim:
    leader = next((one for one in who if one.role == role), None)
    if leader is None or leader.operator == UNKNOWN:
        return Claim(f"{question} is unknown", Grade.INFERRED)
    word = "is most likely" if leader.p >= NAMED else "may be"
    return Claim(f"{question} {word} {leader.name} (p {leader.p:.2f})", leader.grade)


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _date(day: int) -> str:
    date = day_of(day)
    return f"{date.day} {_MONTHS[date.month - 1]}"


def overturned_by(assessment: Assessment) -> tuple[str, ...]:
    """Return what would change the verdict, strongest first: the facts an analyst should try to find."""
    reasons = []
    names = {signal.name for signal, _ in assessment.findings}
    if "undeclared-relation" in names:
        reasons.append("the members show that they are one organisation, or a reseller with a contract")
    reasons.append("a licence for this work exists and was not in the licences file")
    if "template-co-use" in names:
        reasons.append(
            "the template turns out to be public: a tool, a benchmark or a course; register it and run again"
        )
    if "harness-repetition" not in names:
        reasons.append("the questions turn out to be a shared public set rather than one operator's list")
    if {"shared-address", "shared-prefix", "camouflage-density"} & names:
        reasons.append("the shared addresses are a campus, an office or a carrier gateway")
    return tuple(reasons)


def _templates(assessment: Assessment) -> str:
    count = len(assessment.group.frames)
    return "one template" if count == 1 else f"{count} templates"


def _strongest(assessment: Assessment, axis: Axis) -> list[tuple[Signal, Finding]]:
    own = [(signal, finding) for signal, finding in assessment.findings if signal.axis is axis and finding.bits > 0]
    return sorted(own, key=lambda pair: (-pair[1].bits, pair[0].name))[:4]
