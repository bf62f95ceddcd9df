"""Speaks for innocence: the template is registered as public.

A benchmark or a popular tool gives everyone the same words.
"""

from __future__ import annotations

import numpy as np

from stillwatch.model import Axis, Family
from stillwatch.signals.base import Finding, signal
from stillwatch.sketch.groups import GroupSketch
from stillwatch.sketch.population import Population

PUBLIC = -6.0


@signal(
    "registered-template",
    axis=Axis.EXTRACTION,
    family=Family.CONTENT,
    needs=("prompt",),
    runbook="Check that the registered template is the one in use, unchanged.",
)
def registered_template(group: GroupSketch, population: Population) -> Finding | None:
    """Negative bits in proportion to the group's templates that the deployment has registered as public."""
    if not population.public_templates:
        return None
    share = float(np.isin(group.frames, list(population.public_templates)).mean())
    return Finding(PUBLIC * share, f"{share:.0%} of the templates are registered as public") if share > 0 else None
