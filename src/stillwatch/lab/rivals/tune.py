"""The setting of each rival that ranks best on tuning replays; the report split is never looked at.

The measure is the area under precision and recall over accounts, weighed to a prevalence of one guilty account in a
thousand. What a rival learns, it learns on the other replays than the one it is measured on.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned
from stillwatch.lab.rivals.roster import ROSTER
from stillwatch.lab.rivals.train import train
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.model import UsageError

SETTINGS = Path(__file__).with_name("settings.json")
PREVALENCE = 1e-3
EXCHANGES, ACCOUNTS = 60_000, 2_000
SEEDS = (101, 102)

Labelled = tuple[Log, Truth]


def pr_auc(ranking: Ranking, truth: Truth) -> float:
    """Average precision over accounts, ties taken together, at a prevalence of PREVALENCE."""
    guilty, innocent = _sides(ranking, truth)
    counted = guilty | innocent
    return average_precision(guilty[counted], ranking.score[counted])


def average_precision(guilty: NDArray[np.bool_], score: NDArray[np.float64], prevalence: float = PREVALENCE) -> float:
    """Area under the steps of precision over recall, with both kinds of account weighed to the prevalence."""
    if not guilty.any() or guilty.all():
        return float("nan")
    weight = np.where(guilty, prevalence / guilty.sum(), (1 - prevalence) / (~guilty).sum())
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)  # of each run of equal scores
    hit = np.cumsum(np.where(guilty, weight, 0.0)[order])[last]
    every = np.cumsum(weight[order])[last]
    return float(np.sum(np.diff(hit, prepend=0.0) / prevalence * hit / every))


def tune(
    logs_with_labels: Sequence[Labelled], out: Path, source: Mapping[str, Any], say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Write, for each rival, the setting of the best mean PR-AUC.

    Settings that only move a rival's own threshold rank alike: among those the one that accuses the largest share of
    the guilty beyond its share of the innocent, then the first of the grid.
    """
    if len(logs_with_labels) < 2:
        raise UsageError("tuning needs two replays or more: what is learnt on one is measured on another")
    taught = [_taught(logs_with_labels, but=number) for number in range(len(logs_with_labels))]
    found = {}
    for rival in ROSTER:
        began = time.perf_counter()
        scores = [_scores(rival, setting, logs_with_labels, taught) for setting in rival.settings]
        best = max(range(len(scores)), key=lambda at: (scores[at], -at))
        found[rival.name] = {"setting": dict(rival.settings[best]), "pr_auc": scores[best][0]}
        say(f"{rival.name}: {scores[best][0]} with {found[rival.name]['setting']}, {time.perf_counter() - began:.0f} s")
    stored = {
        "source": {**source, "measure": f"mean PR-AUC over accounts at prevalence {PREVALENCE:g}"},
        "rivals": found,
    }
    out.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
    return stored


def tune_on_replays(out: Path, seeds: Sequence[int] = SEEDS, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Compose tuning replays, and tune on them."""
    source = {"split": "tuning", "seeds": list(seeds), "exchanges": EXCHANGES, "accounts": ACCOUNTS}
    with tempfile.TemporaryDirectory() as folder:
        replays = []
        for seed in seeds:
            place = Path(folder) / str(seed)
            write_traffic(compose(Request(EXCHANGES, ACCOUNTS, seed, "tuning")), place)
            replays.append((Log(place), read_truth(place / "labels")))
        return tune(replays, out, source, say)


def best_setting(rival: Rival | str) -> dict[str, Any]:
    """The stored setting of a rival."""
    name = rival if isinstance(rival, str) else rival.name
    rivals = stored_settings()["rivals"]
    if name not in rivals:
        raise UsageError(f"no setting of {name!r} in {SETTINGS.name}; run stillwatch-lab tune-rivals")
    return dict(rivals[name]["setting"])


@lru_cache(maxsize=1)
def stored_settings() -> dict[str, Any]:
    """What tuning stored."""
    if not SETTINGS.exists():
        raise UsageError(f"{SETTINGS.name} is missing; run stillwatch-lab tune-rivals")
    stored: dict[str, Any] = json.loads(SETTINGS.read_text(encoding="utf-8"))
    return stored


def _taught(replays: Sequence[Labelled], but: int) -> Tuned:
    first, *more = [replay for number, replay in enumerate(replays) if number != but]
    return train(*first, *more)


def _scores(
    rival: Rival, setting: Setting, replays: Sequence[Labelled], taught: Sequence[Tuned]
) -> tuple[float, float]:
    """Mean PR-AUC, and mean share of the guilty accused less that of the innocent."""
    areas, edges = [], []
    for (log, truth), known in zip(replays, taught, strict=True):
        ranking = rival.rank(log, setting, known)
        guilty, innocent = _sides(ranking, truth)
        areas.append(pr_auc(ranking, truth))
        edges.append(ranking.accused[guilty].mean() - ranking.accused[innocent].mean())
    return round(float(np.mean(areas)), 4), round(float(np.mean(edges)), 4)


def _sides(ranking: Ranking, truth: Truth) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Who belongs to a campaign and who is innocent; a pool's account that no campaign used is neither."""
    guilty = np.array([truth.campaign.get(account) is not None for account in ranking.account.tolist()], bool)
    innocent = np.array([truth.innocent(account) for account in ranking.account.tolist()], bool)
    return guilty, innocent
