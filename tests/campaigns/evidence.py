"""Findings made up for the tests that weigh them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.actions.policy import Policy
from stillwatch.campaigns.weigh import Assessment, assess
from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, Signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population
from tests.signals.build import among, group

Said = tuple[Signal, Finding]
RING = range(0, 600, 20)
C, E, D = Axis.COORDINATION, Axis.EXTRACTION, Axis.DECEPTION


def said(
    axis: Axis, family: Family, bits: float, members: Sequence[float] | float | None = None, name: str = ""
) -> Said:
    """Return a signal and what it says; `members` are its ties, one for all or one a member."""
    signal = Signal(name or f"{axis}-{family}", axis, family, (), "Look.", lambda group, population: None)
    ties = None if members is None else np.broadcast_to(np.asarray(members, float), len(RING)).copy()
    return signal, Finding(bits, f"{bits} of 10", ("e-0",), ties)


ATTACK: tuple[Said, ...] = (
    said(C, Family.IDENTITY, 6.0, 6.0, "shared-payment"),
    said(C, Family.INFRASTRUCTURE, 5.0, 5.0, "shared-address"),
    said(C, Family.CONTENT, 4.0, 4.0, "template-co-use"),
    said(E, Family.CONTENT, 7.0, name="template-novelty"),
    said(E, Family.USAGE, 3.0, name="harvest-shape"),
    said(D, Family.IDENTITY, 4.0, name="undeclared-relation"),
    said(D, Family.INFRASTRUCTURE, 3.0, name="stack-mismatch"),
)


def without(*names: str) -> tuple[Said, ...]:
    return tuple((signal, finding) for signal, finding in ATTACK if signal.name not in names)


def ring() -> GroupSketch:
    return group(RING, exchanges=200)


def weighed(
    findings: Sequence[Said], sketch: GroupSketch | None = None, population: Population | None = None
) -> Assessment:
    """Weigh findings by the bars of the policy."""
    policy, own = Policy(), sketch or ring()
    return assess(own, population or among(own), tuple(findings), policy.bars, policy.calibration)
