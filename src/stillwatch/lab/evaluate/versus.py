"""One ranking of accounts against the truth: what stillwatch and its rivals are compared by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from stillwatch.lab.evaluate.bench import Outcome
from stillwatch.lab.evaluate.metrics import Flags, Floats, average_precision, precision_recall
from stillwatch.lab.rivals import Ranking
from stillwatch.lab.score import b_cubed
from stillwatch.lab.truth import ACCUSED, Truth

PREVALENCE = 1e-3  # at which rankings are compared
OURS = "stillwatch"


def own_ranking(outcome: Outcome) -> Ranking:
    """What stillwatch says of every account, in the shape of a rival's answer: `p` of the table of verdicts."""
    rows = outcome.verdicts.sort_by("account_id")
    campaigns = {name: at for at, name in enumerate(outcome.campaigns["campaign_id"].to_pylist())}
    accused = np.array([verdict == ACCUSED for verdict in rows["verdict"].to_pylist()], np.bool_)
    group = np.array([-1 if name is None else campaigns[name] for name in rows["campaign_id"].to_pylist()], np.int64)
    return Ranking(np.array(rows["account_id"].to_pylist()), rows["p"].to_numpy(), group, accused)


def compare(ranking: Ranking, truth: Truth) -> dict[str, Any]:
    """Its figures on one log: by campaign, over all, and at its own threshold."""
    ids = ranking.account.tolist()
    owner = np.array([truth.campaign.get(one) or "" for one in ids])
    innocent = np.array([truth.innocent(one) for one in ids], np.bool_)
    guilty = owner != ""
    counted = guilty | innocent
    precision, recall = precision_recall(ranking.accused[counted], guilty[counted])
    cluster = {one: f"{group}" if group >= 0 else None for one, group in zip(ids, ranking.group.tolist(), strict=True)}
    blamed = {one: cluster[one] for one, hit in zip(ids, ranking.accused.tolist(), strict=True) if hit}
    judged = {*blamed, *(one for one, bad in zip(ids, guilty.tolist(), strict=True) if bad)}
    bcp, bcr = b_cubed({one: truth.campaign.get(one) for one in judged}, blamed)
    names = sorted(set(owner[guilty].tolist()))
    return {
        "campaigns": {name: _one(ranking.score, owner == name, innocent) for name in names},
        "all": _one(ranking.score, guilty, innocent),
        "precision": precision,
        "recall": recall,
        "innocents": int(innocent.sum()),
        "innocents_accused": int((ranking.accused & innocent).sum()),
        "b_cubed": 2 * bcp * bcr / (bcp + bcr) if bcp + bcr else 0.0,
    }


def _one(score: npt.NDArray[np.float64], guilty: Flags, innocent: Flags) -> float:
    side = guilty | innocent
    known: Floats = score[side]
    return average_precision(known, guilty[side], PREVALENCE)
