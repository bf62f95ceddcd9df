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
from stillwatch.sketch.population import Ints, Population, Replays

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
    row = _between_members(replays, group)
    org = population.organisation
    inside = row[(org[replays.minted[row]] < 0) | (org[replays.minted[row]] != org[replays.submitted[row]])]
    times = int(replays.times[inside].sum())
    if times < MIN_TIMES:
        return None
    involved = np.isin(group.accounts, np.concatenate([replays.minted[inside], replays.submitted[inside]]))
    bits = clip(4.0 + float(np.log2(1 + times)), 0.0, CAP) * float(involved.mean()) ** 0.5
    cites = tuple(replays.cites[i] for i in inside[:5].tolist())
    because = f"{times} opaque handles of one member were submitted by another; {int(involved.sum())} are involved"
    return Finding(bits, because, cites, np.where(involved, bits, 0.0))


def _between_members(replays: Replays, group: GroupSketch) -> Ints:
    """Rows of what was minted for a member and submitted by one, ascending."""
    first = np.searchsorted(replays.minted, group.accounts)
    many = np.searchsorted(replays.minted, group.accounts, side="right") - first
    row = np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())
    submitted = replays.submitted[row]
    place = np.minimum(np.searchsorted(group.accounts, submitted), group.size - 1)
    found: Ints = row[group.accounts[place] == submitted]
    return found
