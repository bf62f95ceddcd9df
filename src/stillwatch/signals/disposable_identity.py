"""Accounts that gave the least identity they could.

Bulk identities stop at the weakest check and share throw-away mail domains.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip, co_use, rest
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

WEAK = ("none", "email", "")
CAP = 3.0


@signal(
    "disposable-identity",
    axis=Axis.DECEPTION,
    family=Family.IDENTITY,
    needs=("verification|email_domain",),
    runbook="Ask for a stronger verification; it costs an honest member minutes.",
)
def disposable_identity(group: GroupSketch, population: Population) -> Finding | None:
    """Bits of members with weak verification, and of mail domains found mostly in this group."""
    bits, words = 0.0, []
    if "verification" in population.present:
        weak = np.array([(word or "") in WEAK for word in population.words["verification"]])
        inside = float(weak[group.accounts].mean())
        others = rest(population, group.accounts)
        outside = float(weak[others].mean()) if len(others) else 0.0
        bits += clip(2.0 * float(np.log2((inside + 0.1) / (outside + 0.1))), -1.0, 2.0)
        words.append(f"{inside:.0%} of members are weakly verified ({outside:.0%} elsewhere)")
    if "email_domain" in population.present:
        tied = co_use(group.accounts, population.edges["email_domain"], population.size) > 2.0
        bits += 2.0 * float(tied.mean())
        words.append(f"{tied.mean():.0%} use mail domains found mostly here")
    bits = clip(bits, 0.0, CAP)
    return Finding(bits, "; ".join(words)) if bits > 0.1 else None
