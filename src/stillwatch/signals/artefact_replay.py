"""Accounts that submit opaque handles which were minted for other accounts.

Encrypted reasoning and canaries are bound to a conversation; carrying them to another account is how hidden
reasoning is taken out. Within one declared organisation it is session stickiness and says nothing.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_TIMES = 2
CAP = 10.0


@signal(
    "artefact-replay",
    axis=Axis.COORDINATION,
    family=Family.ARTEFACT,
    needs=("artefacts_in", "artefacts_out"),
    runbook="Act on this first: opaque handles do not cross accounts by accident. Exclude keys of one organisation.",
)
def artefact_replay(group: GroupSketch, population: Population) -> Finding | None:
    """Bits from replays across accounts that share no declared organisation."""
    replays = population.replays
    if not len(replays.minted):
        return None
    inside = np.isin(replays.minted, group.accounts) & np.isin(replays.submitted, group.accounts)
    org = population.organisation
    inside &= (org[replays.minted] < 0) | (org[replays.minted] != org[replays.submitted])
    times = int(replays.times[inside].sum())
    if times < MIN_TIMES:
        return None
    involved = np.isin(group.accounts, np.concatenate([replays.minted[inside], replays.submitted[inside]]))
    bits = clip(4.0 + float(np.log2(1 + times)), 0.0, CAP) * float(involved.mean()) ** 0.5
    cites = tuple(replays.cites[i] for i in np.flatnonzero(inside)[:5])
    because = f"{times} opaque handles of one member were submitted by another; {int(involved.sum())} are involved"
    return Finding(bits, because, cites, np.where(involved, bits, 0.0))
