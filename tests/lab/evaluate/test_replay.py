"""A replay in time on a log of a few rows, with a detector that finds a campaign from a planted hour on."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from stillwatch.lab.evaluate.replay import Conclusion, Replay, times_to_detect
from stillwatch.lab.evaluate.tables import HOUR, MOMENT, Tables, until, without
from stillwatch.lab.truth import Truth

START = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
HOURS = 72
OWN = ("a1", "a2")


def at(hour: float) -> dt.datetime:
    return START + dt.timedelta(hours=hour)


@pytest.fixture
def tables() -> Tables:
    """One exchange an hour: innocent ones at full hours; from hour 10 on, planted ones at half hours."""
    rows = [(f"i{hour}", at(hour), "z") for hour in range(HOURS)]
    rows += [(f"p{hour}", at(hour + 0.5), OWN[hour % 2]) for hour in range(10, HOURS)]
    rows.sort(key=lambda row: row[1])
    ids, ts, who = (list(column) for column in zip(*rows, strict=True))
    exchanges = pa.table({"exchange_id": ids, "ts": pa.array(ts, MOMENT), "account_id": who})
    accounts = pa.table(
        {
            "account_id": ["z", "a1", "a2", "late"],
            "created_at": pa.array([at(-9), at(-1), None, at(40)], MOMENT),
            "suspended_at": pa.array([None, at(30), at(60), None], MOMENT),
        }
    )
    return Tables(exchanges, accounts, Path("licences.csv"))


@pytest.fixture
def truth(tables: Tables) -> Truth:
    planted = {one: "P" for one in tables.exchanges["exchange_id"].to_pylist() if one.startswith("p")}
    campaign = {"z": None, "late": None, "a1": "P", "a2": "P"}
    return Truth(campaign, dict(campaign), dict.fromkeys(campaign), planted)


class FromHour:
    """Calls the campaign `suspect` and then `distillation` once the window reaches an hour; counts its runs."""

    def __init__(self, suspect: int, named: int, accounts: tuple[str, ...] = (*OWN, "z"), lost: int = 10**6) -> None:
        self.suspect, self.named, self.accounts, self.lost = suspect, named, accounts, lost
        self.windows: list[float] = []

    def __call__(self, window: Tables, _end: int) -> list[Conclusion]:
        hour = (window.end - 1 - int(START.timestamp() * 1e6)) / HOUR
        self.windows.append(hour)
        if hour < self.suspect - 0.5 or hour >= self.lost:
            return []
        verdict = "distillation" if hour >= self.named - 0.5 else "suspect"
        return [Conclusion(verdict, self.accounts), Conclusion("watch", ("z",))]


def test_the_planted_hour_is_found(tables: Tables, truth: Truth) -> None:
    detector = FromHour(suspect=20, named=31)
    (found,) = times_to_detect(Replay(tables, truth, detector))
    assert (found.campaign, found.exchanges, found.hour, found.day_hour) == ("P", HOURS - 10, 31, 48)
    assert found.began == 10.5
    assert found.lag == 20.5
    assert found.leaked == (31 - 10) / (HOURS - 10)
    assert found.leaked_daily == (48 - 10) / (HOURS - 10)
    assert found.suspect_hour == 24  # the first window that was run, not the first that there is
    assert found.relapses == 0


def test_the_hour_before_was_run_and_had_not_found_it(tables: Tables, truth: Truth) -> None:
    replay = Replay(tables, truth, FromHour(suspect=31, named=31))
    times_to_detect(replay)
    assert replay.seen[30] == {}
    assert replay.seen[31] == {"P": "distillation"}


def test_runs_are_shared_and_few(tables: Tables, truth: Truth) -> None:
    detector = FromHour(suspect=31, named=31)
    replay = Replay(tables, truth, detector)
    times_to_detect(replay)
    runs = len(detector.windows)
    assert runs <= 2 + 5  # days, and the halvings of one
    times_to_detect(replay)
    assert len(detector.windows) == runs


def test_days_alone_are_enough_for_the_daily_figure(tables: Tables, truth: Truth) -> None:
    detector = FromHour(suspect=31, named=31)
    (found,) = times_to_detect(Replay(tables, truth, detector), hourly=False)
    assert (found.hour, len(detector.windows)) == (48, 2)  # the third day is not needed any more


def test_a_campaign_that_is_never_named_leaks_whole(tables: Tables, truth: Truth) -> None:
    (found,) = times_to_detect(Replay(tables, truth, FromHour(suspect=20, named=999)))
    assert (found.hour, found.day_hour, found.leaked, found.leaked_daily) == (None, None, 1.0, 1.0)
    assert found.suspect_hour == 24
    assert found.lag is None


def test_a_detected_campaign_of_mostly_other_accounts_does_not_count(tables: Tables, truth: Truth) -> None:
    (found,) = times_to_detect(Replay(tables, truth, FromHour(1, 1, accounts=("a1", "z", "late"))))
    assert found.hour is None


def test_a_campaign_lost_again_is_told(tables: Tables, truth: Truth) -> None:
    truth.exchange["i3"] = "Q"  # another one, never found, keeps the days going
    found, other = times_to_detect(Replay(tables, truth, FromHour(5, 31, lost=60)))
    assert (found.hour, found.relapses) == (31, 1)
    assert (other.hour, other.relapses) == (None, 0)


def test_a_window_shows_nothing_of_the_future(tables: Tables) -> None:
    window = until(tables, tables.start + 40 * HOUR)
    assert max(window.exchanges["ts"].to_pylist()) == at(39.5)
    assert window.accounts is not None
    rows = {row["account_id"]: row["suspended_at"] for row in window.accounts.to_pylist()}
    assert rows == {"z": None, "a1": at(30), "a2": None}  # `late` is created at the window's end, a2 suspended after it


def test_a_window_does_not_need_an_ordered_log(tables: Tables) -> None:
    turned = Tables(tables.exchanges.take(list(range(tables.exchanges.num_rows))[::-1]), None, None)
    assert set(until(turned, turned.start + HOUR).exchanges["exchange_id"].to_pylist()) == {"i0"}


def test_columns_can_be_taken_away(tables: Tables) -> None:
    assert without(tables, ("ts", "prompt")).exchanges.column_names == ["exchange_id", "account_id"]
    assert without(tables, accounts=None).accounts is None
    left = without(tables, accounts=("suspended_at",)).accounts
    assert left is not None
    assert left.column_names == ["account_id", "created_at"]
