"""Tuning keeps the setting that ranks the guilty highest, and says from what it was chosen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.lab.rivals import identifiers, tune, volume
from stillwatch.lab.rivals.base import Log
from stillwatch.lab.truth import Truth
from stillwatch.model import UsageError

from .small_logs import members, people, ring, write_log


@pytest.fixture
def replays(tmp_path: Path) -> list[tuple[Log, Truth]]:
    card = {name: {"payment_fingerprint": "pm_one"} for name in members(8)}
    truth = Truth(dict.fromkeys(members(8), "A"), {}, {}, {})
    return [(write_log(tmp_path / f"{first}", people(30, first=first) + ring(8, 12), card), truth) for first in (0, 40)]


def test_keeps_the_best_setting_of_each_rival_and_its_source(
    replays: list[tuple[Log, Truth]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tune, "ROSTER", (volume.RIVAL, identifiers.RIVAL))
    said: list[str] = []
    tune.tune(replays, tmp_path / "settings.json", {"split": "tuning", "seeds": [1, 2]}, said.append)
    stored = json.loads((tmp_path / "settings.json").read_text(encoding="utf-8"))
    assert stored["source"]["seeds"] == [1, 2]
    assert stored["rivals"]["identifiers"]["pr_auc"] == 1.0
    assert stored["rivals"]["identifiers"]["setting"]["cap"] in (0, 10, 40)  # a cap of 5 would lose the card of eight
    assert len(said) == 2


def test_one_replay_is_too_few_to_learn_and_to_measure(replays: list[tuple[Log, Truth]], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two replays"):
        tune.tune(replays[:1], tmp_path / "settings.json", {})


def test_a_rival_without_a_stored_setting_says_what_to_run() -> None:
    with pytest.raises(UsageError, match="tune-rivals"):
        tune.best_setting("nobody")
