"""Who ranks the accounts of which scenario best, from stored figures of stillwatch and its rivals."""

from __future__ import annotations

from collections.abc import Mapping

from stillwatch.lab.evaluate.part import Data, share
from stillwatch.lab.evaluate.scores import mean
from stillwatch.lab.evaluate.versus import OURS

TIE = 0.005  # of PR-AUC: less is no lead
FULL = 1.0 - TIE
TRUE_LABELS, NOISY_LABELS = "boosting-oracle", "boosting-noisy"


def by_scenario(data: Data) -> dict[str, dict[str, float]]:
    """Campaign → detector → mean PR-AUC over the logs."""
    found: dict[str, dict[str, float]] = {}
    for detector, row in data["detectors"].items():
        for name in sorted({name for run in row["runs"] for name in run["campaigns"]}):
            held = [run["campaigns"][name] for run in row["runs"] if name in run["campaigns"]]
            found.setdefault(name, {})[detector] = mean(held)
    return dict(sorted(found.items()))


def best_rival(row: Mapping[str, float]) -> tuple[str, float]:
    """The strongest of the others on one scenario."""
    others = {name: value for name, value in row.items() if name != OURS}
    return max(others.items(), key=lambda pair: (pair[1], pair[0])) if others else ("none", 0.0)


def behind(data: Data) -> list[str]:
    """Where stillwatch does not lead, in words."""
    said = []
    for name, row in by_scenario(data).items():
        rival, value = best_rival(row)
        gap = value - row[OURS]
        if gap > TIE:
            said.append(f"{name}: {rival} is ahead by {gap:.3f} ({value:.3f} against {row[OURS]:.3f})")
        elif gap > -TIE:
            why = ": nothing is left to lead by" if row[OURS] > FULL else ""
            said.append(f"{name}: {rival} is level ({value:.3f} against {row[OURS]:.3f}){why}")
    return said


def lost_to_noise(rows: Mapping[str, Mapping[str, float]]) -> str:
    """What the supervised rival loses when its tuning labels are those of operations."""
    pairs = [
        (row[TRUE_LABELS], row[NOISY_LABELS]) for row in rows.values() if TRUE_LABELS in row and NOISY_LABELS in row
    ]
    if not pairs:
        return ""
    true, noisy = (mean(pair[at] for pair in pairs) for at in (0, 1))
    return (
        f"\nWith operational labels instead of true ones, the supervised rival's mean over the scenarios goes from "
        f"{share(true)} to {share(noisy)}; stillwatch reads no labels of the log and its ranking stays.\n"
    )
