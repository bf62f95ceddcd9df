"""What holds for every rival: each account once, whatever the order of rows; silence where there is nothing."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import numpy as np
import pytest

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Tuned
from stillwatch.lab.rivals.roster import ROSTER
from stillwatch.lab.rivals.run import run_within
from stillwatch.lab.rivals.tune import best_setting, stored_settings

from .small_logs import people, ring, row, write_log

EVERY = pytest.mark.parametrize("rival", ROSTER, ids=lambda rival: rival.name)
ROWS = people(30) + ring(8, 12, ip="90.0.0.1")
CARDS = {
    f"r{one:03d}": {"payment_fingerprint": "pm_one", "signup_ip": "s1", "phone_hash": f"ph{one}"} for one in range(8)
}
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "rivals.md"


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Log, Log]:
    shuffled = list(ROWS)
    random.Random(5).shuffle(shuffled)
    folder = tmp_path_factory.mktemp("order")
    return write_log(folder / "one", ROWS, CARDS), write_log(folder / "other", shuffled, CARDS)


@EVERY
def test_order_of_rows_has_no_effect_and_each_account_is_ranked_once(
    rival: Rival, logs: tuple[Log, Log], tuned: Tuned
) -> None:
    setting = best_setting(rival)
    one, other = (rival.rank(log, setting, tuned) for log in logs)
    assert one.account.tolist() == sorted({exchange["account_id"] for exchange in ROWS})
    for name in ("account", "score", "group", "accused"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    kinds = (one.score.dtype, one.group.dtype, one.accused.dtype)
    assert kinds == (np.float64, np.int64, np.bool_)
    assert np.isfinite(one.score).all()


@EVERY
@pytest.mark.parametrize("rows", [[], [row("p1", "what is a fjord", each * 900, ip="2.2.2.2") for each in range(5)]],
                         ids=["empty", "one account"])  # fmt: skip
def test_nothing_and_one_account_are_silence(rival: Rival, rows: list[dict], tuned: Tuned, tmp_path: Path) -> None:
    found = rival.rank(write_log(tmp_path, rows), best_setting(rival), tuned)
    assert len(found.account) == len({one["account_id"] for one in rows})
    assert not found.accused.any()


@EVERY
def test_its_stored_setting_is_of_its_grid(rival: Rival) -> None:
    assert best_setting(rival) in [dict(setting) for setting in rival.settings]
    assert rival.kind in ("package", "port", "baseline")


def test_the_page_names_every_rival_with_its_source_and_stored_setting() -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = {name: line for line in text.splitlines() for name in re.findall(r"^\| `([\w-]+)` \|", line)}
    assert list(lines) == [rival.name for rival in ROSTER]
    for rival in ROSTER:
        setting = ", ".join(f"{name}={value}" for name, value in best_setting(rival).items())
        assert f"`{setting}`" in lines[rival.name]
        assert f"| {rival.source} | {rival.kind} | {rival.substituted} |" in lines[rival.name]
        for name in rival.settings[0]:
            values = list(dict.fromkeys(str(setting[name]) for setting in rival.settings))
            assert f"{name}: {', '.join(values)}" in lines[rival.name]
    assert set(stored_settings()["rivals"]) == set(lines)


def _sleeps(log: Log, setting: object, tuned: object = None) -> Ranking:
    time.sleep(60)
    raise AssertionError


@pytest.mark.slow
def test_a_rival_past_its_budget_is_stopped_and_said_to_be(logs: tuple[Log, Log]) -> None:
    slow = Rival("slow", "this test", "baseline", ({},), _sleeps)
    outcome = run_within(slow, logs[0], {}, None, 4.0)
    assert outcome.ranking is None
    assert outcome.note == "did not finish in 4 s"


def test_a_rival_within_its_budget_gives_its_ranking_and_its_time(logs: tuple[Log, Log]) -> None:
    outcome = run_within(ROSTER[0], logs[0], best_setting(ROSTER[0]), None, 60.0)
    assert outcome.ranking is not None
    assert outcome.seconds > 0
