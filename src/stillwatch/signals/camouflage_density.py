"""Members that share more attribute values than a random crowd of their size, however much other traffic they add.

Camouflage adds edges to popular values; values held mostly by others carry no weight here, so it buys nothing.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.counting import tally_values, values_of
from stillwatch.signals.statistics import clip
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

KINDS = ("ip", "payment_fingerprint", "phone_hash", "signup_ip")
FLOOR = 0.15  # weight a member: one coincidence in a handful of accounts is not density
CAP = 3.0
MOSTLY_OTHERS = 2  # times the group's size: a value with more holders is not the group's own


@signal(
    "camouflage-density",
    axis=Axis.COORDINATION,
    family=Family.INFRASTRUCTURE,
    needs=("ip|payment_fingerprint|tls_fingerprint",),
    runbook="Draw the members' shared values; ordinary traffic around them is camouflage, not innocence.",
)
def camouflage_density(group: GroupSketch, population: Population) -> Finding | None:
    """Weighted shared edges a member over what chance expects, weights 1/log(degree + 5) (FRAUDAR, KDD 2016 §4)."""
    observed, expected = 0.0, 0.0
    chance = max(group.size - 1, 1) / max(population.size - 1, 1)
    for kind in KINDS:
        if kind not in population.edges:
            continue
        edges = population.edges[kind]
        _, value = values_of(group.accounts, edges)
        distinct, inside = tally_values(value, edges)
        degree = edges.degree[distinct]
        weight = np.where(degree <= MOSTLY_OTHERS * group.size, inside / np.log(degree + 5.0), 0.0)
        observed += float(weight[inside >= 2].sum())
        expected += float((weight * (1.0 - (1.0 - chance) ** (degree - 1))).sum())
    bits = clip(float(np.log2((observed / group.size + FLOOR) / (expected / group.size + FLOOR))), -1.0, CAP)
    if abs(bits) < 0.1:
        return None
    because = f"shared identifiers are {2**bits:.1f} times as dense as in a random crowd of {group.size}"
    return Finding(bits, because, group.cites if bits > 0 else ())
