"""Accounts with mail addresses at domains hardly anyone else uses.

Bulk accounts need mailboxes in bulk; a company's domain is shared too, and its declared organisation speaks for it.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-mail-domain",
    axis=Axis.COORDINATION,
    family=Family.IDENTITY,
    needs=("email_domain",),
    runbook="Look at the domain's age and its mail provider.",
)
def shared_mail_domain(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share mail domains that few others use (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "email_domain", "mail domains that few others use", cap=4.0)
