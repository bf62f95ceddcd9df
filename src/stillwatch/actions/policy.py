"""The only place with thresholds: what a verdict needs, and what is recommended for it.

stillwatch recommends; people act. Every action named here can be taken back, and none alters an answer in silence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stillwatch.campaigns.judge import Rules
from stillwatch.campaigns.weigh import Bars, Calibration, Weights
from stillwatch.model import VerdictKind
from stillwatch.signals.base import Signal

BARS: Mapping[VerdictKind, Bars] = {
    VerdictKind.DISTILLATION: Bars(
        5.0,
        3.5,
        2.5,
        beyond_content=3.0,
        families=2,
        accounts=8,
        exchanges=100,
        member_families=2,
        member_bits=2.0,
        exchanges_elsewhere=60,
    ),
    VerdictKind.SUSPECT: Bars(
        4.5, 3.0, 2.0, beyond_content=3.0, families=2, accounts=8, exchanges=60, member_families=2, member_bits=2.0
    ),
    VerdictKind.WATCH: Bars(
        3.0, 2.5, 1.0, beyond_content=1.5, families=2, accounts=3, exchanges=30, member_families=2, member_bits=2.0
    ),
}
MERGING = Bars(
    2.5, 1.5, 0.0, beyond_content=1.5, families=2, accounts=0, exchanges=0, member_families=2, member_bits=2.0
)


def _read_calibration() -> Calibration:
    """Read the constants that `stillwatch-lab calibrate` wrote."""
    stored = json.loads((Path(__file__).parent / "calibration.json").read_text(encoding="utf-8"))
    return Calibration(stored["offset"], stored["slope"], stored["source"])


def _read_weights() -> tuple[Weights, str]:
    """Read the weights that `stillwatch-lab fit` wrote, and where they come from."""
    stored = json.loads((Path(__file__).parent / "weights.json").read_text(encoding="utf-8"))
    return stored["weights"], stored["source"]


CALIBRATION = _read_calibration()
WEIGHTS, WEIGHTS_SOURCE = _read_weights()

RECOMMENDED: Mapping[VerdictKind, tuple[str, ...]] = {
    VerdictKind.DISTILLATION: (
        "Read the evidence and what would overturn it, then approve by name; nothing is done without approval.",
        "Ask all members for a stronger verification at once, so that failover is not taught; lift it on success.",
        "Set one pooled budget for the campaign's accounts, for 14 days, with the reason code in the refusal.",
        "Watch for accounts that take over within hours; share the behaviour, not customers' data, with partners.",
    ),
    VerdictKind.SUSPECT: (
        "Have an analyst read the evidence this week; ask the members who they are to each other.",
        "Keep exchange logs for 30 days; do not limit anyone yet.",
    ),
    VerdictKind.WATCH: ("Look again with the next run; no action.",),
    VerdictKind.CLEAR: (),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """Thresholds and recommendations of one deployment."""

    bars: Mapping[VerdictKind, Bars] = field(default_factory=lambda: dict(BARS))
    calibration: Calibration = CALIBRATION
    weights: Weights = field(default_factory=lambda: dict(WEIGHTS))

    def rules(self, roster: tuple[Signal, ...]) -> Rules:
        """Return what groups are judged by."""
        return Rules(roster, self.bars, self.calibration, MERGING, self.weights)

    def recommend(self, verdict: VerdictKind) -> tuple[str, ...]:
        """Return what to do about a campaign with this verdict, mildest and most reversible first."""
        return RECOMMENDED[verdict]
