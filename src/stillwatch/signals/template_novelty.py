"""Accounts that fill one frame with ever new content.

Harvesting needs coverage, so it loops over slots in a fixed frame and never asks twice. People rephrase; test suites
repeat.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import clip
from stillwatch.signals.ties import hold
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

MIN_EXCHANGES = 30
CAP = 4.0


@signal(
    "template-novelty",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt|fill_hash",),
    runbook="Read the template: does each fill ask for one more training example?",
)
def template_novelty(group: GroupSketch, population: Population) -> Finding | None:
    """Template rigidity times item novelty: distinct fills an exchange, by how far the frame is members' work."""
    if group.exchanges < MIN_EXCHANGES:
        return None
    novelty = group.fill["fills"] / group.exchanges
    held = hold(group, population)
    common = float(group.common.sum()) / group.exchanges  # an office of products has many frames, none in common
    bits = clip(5.0 * (novelty - 0.4) * (0.2 + 0.8 * held) * min(0.25 + common, 1.0), 0.0, CAP)
    because = f"{novelty:.0%} of fills are new; the frame is the members' work by {held:.0%}"
    return Finding(bits, because, group.cites) if bits > 0.1 else None
