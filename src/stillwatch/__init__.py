"""stillwatch finds distillation attacks in the traffic of a model API: `import stillwatch as sw; sw.detect(...)`.

This page is the public namespace; what is not listed here may change without notice. Names are loaded when first used,
so that `import stillwatch` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stillwatch.actions.policy import Policy
    from stillwatch.apps.check import validate
    from stillwatch.apps.detect import Settings, detect
    from stillwatch.apps.explain import Explanation, explain
    from stillwatch.apps.output import read_run, write_run
    from stillwatch.apps.run import AttributeEdge, Run, Story, TimelineBar
    from stillwatch.campaigns.weigh import Bars, Calibration
    from stillwatch.ingest.support import Support
    from stillwatch.model import (
        Axis,
        Campaign,
        Claim,
        Evidence,
        Family,
        Grade,
        Hypothesis,
        InputRefused,
        MissingDependency,
        Rejection,
        Share,
        StillwatchError,
        UsageError,
        VerdictKind,
    )

_HOMES = {
    "actions.policy": ("Policy",),
    "apps.check": ("validate",),
    "apps.detect": ("Settings", "detect"),
    "apps.explain": ("Explanation", "explain"),
    "apps.output": ("read_run", "write_run"),
    "apps.run": ("AttributeEdge", "Run", "Story", "TimelineBar"),
    "campaigns.weigh": ("Bars", "Calibration"),
    "ingest.support": ("Support",),
    "model": (
        "Axis", "Campaign", "Claim", "Evidence", "Family", "Grade", "Hypothesis", "InputRefused", "MissingDependency",
        "Rejection", "Share", "StillwatchError", "UsageError", "VerdictKind",
    ),
}  # fmt: skip
_HOME = {name: f"stillwatch.{home}" for home, names in _HOMES.items() for name in names}

__version__ = version("stillwatch")
__all__ = [
    "AttributeEdge",
    "Axis",
    "Bars",
    "Calibration",
    "Campaign",
    "Claim",
    "Evidence",
    "Explanation",
    "Family",
    "Grade",
    "Hypothesis",
    "InputRefused",
    "MissingDependency",
    "Policy",
    "Rejection",
    "Run",
    "Settings",
    "Share",
    "StillwatchError",
    "Story",
    "Support",
    "TimelineBar",
    "UsageError",
    "VerdictKind",
    "__version__",
    "detect",
    "explain",
    "read_run",
    "validate",
    "write_run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'stillwatch' has no attribute '{name}'; its public names are in __all__")
    found = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
