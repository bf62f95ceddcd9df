"""Reports as JSON: what was tested, how sure it is, and what it does not show. No key, no text."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from stillwatch.provenance.lineage import HarvestReport, LineageReport
from stillwatch.provenance.radioactivity import Report
from stillwatch.provenance.tails import Tail
from stillwatch.provenance.twins.judge import TwinsReport

NULL = "A null result shows nothing: whoever rewrites text before training on it leaves no mark."
SUGGESTIVE = "Agreement shows likeness, not training. Nothing here convicts; randomised twins can."


def as_json(report: Report | TwinsReport | LineageReport | HarvestReport) -> dict[str, Any]:
    """Return a report as JSON holds it."""
    if isinstance(report, LineageReport | HarvestReport):
        told: dict[str, Any] = dataclasses.asdict(report)
        told = {name: _plain(value) for name, value in told.items()}
        return {"format": "stillwatch provenance 1", "test": _name(report), **told, "note": SUGGESTIVE}
    held = report.calibration
    calibration = {
        "keys": len(held.ps),
        "lowest_p": min(held.ps),
        "uniform_p": held.uniform_p,
        "sound": held.sound,
        "rank": held.rank(report.tail.p),
    }
    told = {
        name: _plain(getattr(report, name))
        for name in (field.name for field in dataclasses.fields(report))
        if name not in ("tail", "calibration")
    }
    shown = {"finding": report.finding.value, **_tail(report.tail), **told, "calibration": calibration, "note": NULL}
    return {"format": "stillwatch provenance 1", "test": _name(report), **shown}


def _name(report: object) -> str:
    return {
        Report: "radioactivity",
        TwinsReport: "twins",
        LineageReport: "lineage",
        HarvestReport: "harvest",
    }[type(report)]


def _tail(tail: Tail) -> dict[str, Any]:
    return {"p": tail.p, "log10_p": tail.log10 if math.isfinite(tail.log10) else None}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"p", "log10"}:
            return {"p": value["p"], "log10_p": value["log10"] if math.isfinite(value["log10"]) else None}
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
