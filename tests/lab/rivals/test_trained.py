"""Rivals that bring something from tuning: what they learn, and what they say without it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.rivals import boosting, mmd, prada
from stillwatch.lab.rivals.base import Log, Tuned, optional
from stillwatch.lab.rivals.tune import average_precision, pr_auc
from stillwatch.lab.truth import Truth
from stillwatch.model import MissingDependency, UsageError

from .small_logs import accused, people, ring, write_log

MMD = {"pooled": True, "least": 10, "scaled": True}


@pytest.mark.parametrize("rival", [boosting.ORACLE, boosting.NOISY, prada.RIVAL, mmd.RIVAL], ids=lambda one: one.name)
def test_says_what_it_needs_when_nothing_was_trained(rival, labelled: tuple[Log, Truth]) -> None:
    with pytest.raises(UsageError, match="train"):
        rival.rank(labelled[0], rival.settings[0], None)


def test_boosting_with_true_labels_ranks_the_guilty_of_another_log_first(tuned: Tuned, tmp_path: Path) -> None:
    log = write_log(tmp_path, people(60, first=90) + ring(20, 30))
    truth = Truth({f"r{one:03d}": "A" for one in range(20)}, {}, {}, {})
    assert pr_auc(boosting.ORACLE.rank(log, boosting.GRID[0], tuned), truth) > 0.9


def test_noisy_labels_miss_the_quiet_and_wrong_the_loud() -> None:
    label = np.arange(1_000) < 100
    volume = np.arange(1_000, dtype=float) % 100 + 1
    seen = boosting.noisy(label, volume)
    assert (label & ~seen).sum() == 40
    assert (~label & seen).sum() == 9
    assert volume[label & ~seen].mean() < volume[label & seen].mean()
    assert volume[~label & seen].mean() > 60


def test_prada_sees_a_stream_of_one_shape_and_nothing_below_the_least(tuned: Tuned, tmp_path: Path) -> None:
    setting = {"pooled": False, "least": 30, "delta": 0.9}
    robot = ring(1, 60, "Answer with the single word yes and nothing else at all")
    log = write_log(tmp_path, people(10, 8, first=90) + robot)
    found = prada.rank(log, setting, tuned)
    assert accused(found) == {"r000"}
    assert (found.score[found.account != "r000"] == 0).all()


def test_mmd_pools_what_single_accounts_do_not_show(tuned: Tuned, tmp_path: Path) -> None:
    log = write_log(tmp_path, people(30, first=90) + ring(20, 4))  # four exchanges each
    pooled = mmd.rank(log, MMD, tuned)
    alone = mmd.rank(log, MMD | {"pooled": False}, tuned)
    harvest = np.char.startswith(pooled.account, "r")
    assert pooled.score[harvest].min() > pooled.score[~harvest].max()
    assert (alone.score[harvest] == 0).all()


def test_average_precision_is_that_of_scikit_learn_with_weights() -> None:
    metrics = optional("sklearn.metrics", "scikit-learn")
    rng = np.random.default_rng(3)
    guilty, score = rng.random(400) < 0.2, np.round(rng.random(400), 1)
    weight = np.where(guilty, 1e-3 / guilty.sum(), (1 - 1e-3) / (~guilty).sum())
    expected = metrics.average_precision_score(guilty, score, sample_weight=weight)
    assert average_precision(guilty, score) == pytest.approx(expected)


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(MissingDependency, match=r"pip install 'stillwatch\[lab\]'"):
        optional("stillwatch_no_such_package", "no-such-package")
