"""Accounts that send one uncommon system prompt.

A popular agent tool gives thousands of strangers the same one and weighs nothing.
"""

from __future__ import annotations

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.signals.statistics import tied_by_values
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population


@signal(
    "shared-system-prompt",
    axis=Axis.COORDINATION,
    family=Family.CONTENT,
    needs=("system_prompt",),
    runbook="Search public agent tools for the prompt before acting.",
)
def shared_system_prompt(group: GroupSketch, population: Population) -> Finding | None:
    """Bits by which members share a system prompt that few others send (Fellegi and Sunter 1969)."""
    return tied_by_values(group, population, "system_key", "a system prompt that few others send", cap=3.0)
