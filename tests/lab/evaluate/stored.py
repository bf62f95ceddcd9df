"""Measurements of every part, made up and small, as a run would have stored them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.record import Measurement, store
from stillwatch.lab.evaluate.results import command
from stillwatch.lab.evaluate.roster import PARTS


def campaign(name: str, recall: float = 1.0, pieces: int = 1, merged: tuple[str, ...] = ()) -> dict[str, Any]:
    figures = dict.fromkeys(("account_precision", "account_recall", "exchange_precision", "exchange_recall"), recall)
    sizes = {"name": name, "accounts": 40, "exchanges": 4_000, "found": recall > 0, "pieces": pieces}
    return sizes | figures | {"merged_with": list(merged)}


def replay(*campaigns: dict[str, Any], accused: int = 0) -> dict[str, Any]:
    shares = ("account_precision", "account_recall", "exchange_precision", "exchange_recall")
    return {
        **dict.fromkeys((*shares, "b_cubed_precision", "b_cubed_recall", "b_cubed_f"), 0.97),
        **dict.fromkeys(("innocents_accused", "false_campaigns", "organisations_accused"), accused),
        "seed": 301,
        "exchanges": 9_000,
        "accounts": 900,
        "seconds": 12.0,
        "innocents": 800,
        "pr_auc": {"0.01": 0.99, "0.001": 0.98, "0.0001": 0.97},
        "campaigns": list(campaigns),
    }


def classes(suspect: int = 0) -> dict[str, dict[str, int]]:
    return {"campus": {"accounts": 5_000, "watch": 3, "suspect": suspect, "distillation": 0}}


def detection(name: str, hour: int | None, leaked: float) -> dict[str, Any]:
    times = {"began": 4.5, "lasted": 300.0, "suspect_hour": hour, "hour": hour, "day_hour": hour and 24, "relapses": 0}
    lag = None if hour is None else hour - 4.5
    return {"campaign": name, "exchanges": 500, **times, "leaked": leaked, "leaked_daily": leaked * 2, "lag": lag}


def ran(ours: float, theirs: float) -> dict[str, Any]:
    def runs(value: float, seconds: float) -> dict[str, Any]:
        figures = dict.fromkeys(("all", "precision", "recall", "b_cubed"), value)
        counts = {"innocents": 800, "innocents_accused": 2, "seconds": seconds}
        return {"runs": [{"campaigns": {"A-one": value, "B-two": 1.0}, **figures, **counts}]}

    return {
        "stillwatch": runs(ours, 10.0),
        "volume": runs(theirs, 1.0),
        "absent": {"runs": [], "skipped": "no package"},
    }


def point(strength: float, recall: float) -> dict[str, Any]:
    counts = {"innocents": 100, "innocents_accused": 0, "lost": ["E-ring"] if recall < 0.5 else []}
    price = {"dollars": 3.5, "slowdown": 2.0} if strength else {}
    return {"strength": strength, "campaign_recall": 1.0, "account_recall": recall, **counts, **price}


def stages(*seconds: float) -> dict[str, Any]:
    return {"stages": dict(zip(("ingest", "sketch", "judge"), seconds, strict=True))}


def data() -> dict[str, dict[str, Any]]:
    """The figures of each part."""
    partial = replay(campaign("A-one")) | {"lacks": "all text", "not_evaluated": 13, "signals": 41}
    bins = [(0.1, 0.0, 40), (0.9, 1.0, 10)]
    about = {"source": "a paper", "kind": "port", "substituted": "nothing", "setting": {"cap": "10"}}
    assumed = {"name": "virtual_card", "unit": "dollars a card", "source": "judgement", "value": 2.0}
    constants = {"offset": 0.5, "slope": 1.0, "source": "a fit"}
    fit = {"labels": "oracle", "offset": 1.0, "slope": 1.0, "brier": 0.02, "labelled": 9, "curve": []}
    weights = {"fitted": 0, "source": "judgement"}
    scored = {"account_precision": 0.4, "account_recall": 0.6, "innocents_accused": 9, "innocents": 800}
    return {
        "headline": {
            "replay": replay(campaign("C-coding", 0.96)),
            "composed_s": 200.0,
            "floor_s": 100.0,
            "detect": {"seconds": 650.0, "cpu": 1_100.0, "gib": 5.5},
            "stages": {"ingest": 50.0, "sketch": 300.0},
            "bytes": 3_000_000_000,
            "rivals": {
                "splink": {"seconds": 90.0, "note": ""} | scored,
                "fraudar": {"seconds": 600.0, "note": "did not finish in 600 s"},
            },
        },
        "february": {"scale": 0.1, "replay": replay(campaign("C-coding", 0.96)), "classes": classes()},
        "scenarios": {
            "default": [replay(campaign("E-ring", 0.9), campaign("G-failover"), campaign("D1-pool"))],
            "hardest": [replay(campaign("F-burst"), campaign("K-diluted", 0.0), campaign("J-mixed", 0.6))],
        },
        "lookalikes": {"logs": 1, "classes": classes(suspect=6)},
        "rivals": {"detectors": ran(0.9, 0.95), "about": {"volume": about}},
        "time": {
            "hourly": True,
            "logs": [
                {
                    "name": "default",
                    "windows": 20,
                    "delay": {"median": 9.5, "max": 12.25},
                    "campaigns": [detection("A-one", 9, 0.02), detection("E", None, 1.0)],
                },
                {
                    "name": "february",
                    "windows": 5,
                    "delay": {"median": 20.0, "max": 31.0},
                    "campaigns": [detection("B-two", 12, 0.04)],
                },
            ],
        },
        "incremental": {
            "days": 28,
            "exchanges": 1_200_000,
            "last": 40_000,
            "both": 1,
            "day": {"seconds": 9.0, "cpu": 12.0, "accused": 2} | stages(0.3, 0.9, 6.0),
            "batch": {"seconds": 40.0, "cpu": 60.0, "accused": 1} | stages(3.0, 9.0, 8.0),
        },
        "failover": {
            "second": {"accounts": 40, "exchanges": 900, "leaked": 4, "decided_first": 39, "matched_first": 40},
            "innocent": {"accounts": 700, "exchanges": 9_000, "denied": 1, "matched_twice": 2, "tied": 3},
            "classes": {"framed": {"sent": 90, "matched": 3, "denied": 1}},
            "campaigns": {"G-failover": {"sent": 950, "refused": 940}},
        },
        "gateway": {
            "second": {"accounts": 40, "exchanges": 900, "leaked": 4, "decided_first": 40},
            "innocent": {"accounts": 700, "exchanges": 9_000, "denied": 1},
            "classes": {"framed": {"sent": 90, "denied": 1}},
            "reasons": {"verify-continued-campaign": 896},
            "kept": {"acknowledged": 9_900, "once": 9_900, "more": 0},
        },
        "evasions": {
            "scenarios": ["a_reasoning"],
            "curves": {"cards": [point(0.0, 1.0), point(0.5, 0.7), point(1.0, 0.3)]},
            "about": {"cards": {"does": "a card each", "full": "every account"}},
            "assumptions": [assumed],
        },
        "partial": {"rows": [partial | {"suspect_recall": 0.0, "suspect_innocents": 0}]},
        "calibration": {
            "groups": 50,
            "campaigns": 10,
            "brier": 0.02,
            "brier_of_the_base_rate": 0.16,
            "bins": bins,
            "named_bins": bins[1:],
            "accounts": 70,
            "account_brier": 0.03,
            "account_bins": bins[1:],
            "constants": constants,
        },
        "noise": {"groups": 50, "campaigns": 10, "rows": [fit], "verdicts_changed": 0, "weights": weights},
    }


def write_all(folder: Path, plan: Plan = Plan(date="2026-11-23")) -> None:  # noqa: B008  (frozen)
    """Store every part."""
    made = data()
    for part in PARTS:
        told = (part.name, command(part, plan), "report", plan.seeds[: part.seeds], part.size(plan), plan.date, 61.0)
        store(Measurement(*told, made[part.name], {"numpy": "2"}, {"cpus": 2, "memory_gib": 24}), folder)
