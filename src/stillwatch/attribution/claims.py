"""What a campaign sought and how it was run, in sentences that say how each is known, and what would overturn them."""

from __future__ import annotations

from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.weigh import Assessment
from stillwatch.model import Axis, Claim, Grade
from stillwatch.signals.base import Finding, Signal


def claims_of(assessment: Assessment, facts: Facts, pool: str | None) -> tuple[Claim, ...]:
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
    for signal, finding in _strongest(assessment, Axis.COORDINATION):
        claims.append(Claim(f"run as one: {finding.because} ({signal.name})", Grade.OBSERVED))
    if pool is not None:
        claims.append(Claim(f"its accounts belong to pool {pool}, which may serve other owners too", Grade.INFERRED))
    claims.append(Claim("who ordered the work is unknown", Grade.INFERRED))
    return tuple(claims)


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
