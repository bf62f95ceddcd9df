"""When a campaign would have been found: the log is read up to an hour, again and again.

Windows are cumulative: at hour h the detector sees everything before h and nothing after. One run tells of every
campaign, so runs are kept and shared. Days are run until every campaign is found; within the day at whose end a
campaign was first found, the hour is found by halving. That assumes that a campaign once found stays found (`relapses`
counts windows that were run after the first and had lost it); the hour before the one reported was always run, and had
not found it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pyarrow.compute as pc

from stillwatch.lab.evaluate.tables import HOUR, Tables, until
from stillwatch.lab.score import mostly
from stillwatch.lab.truth import ACCUSED, Truth
from stillwatch.model import VerdictKind

DAY = 24  # hours
AT_LEAST_SUSPECT = (VerdictKind.SUSPECT.value, ACCUSED)


@dataclass(frozen=True, slots=True)
class Conclusion:
    """One campaign that a detector names: its verdict and its accounts."""

    verdict: str
    accounts: tuple[str, ...]


Detector = Callable[[Tables, int], Sequence[Conclusion]]  # what was known at an end, and that end in µs


@dataclass(frozen=True, slots=True)
class Detection:
    """When one planted campaign was found. Hours are of the log; None where it never was."""

    campaign: str
    exchanges: int
    began: float  # hour of its first exchange
    lasted: float  # hours from its first exchange to its last
    suspect_hour: int | None  # first observed window with `suspect` or worse: an upper bound on the true hour
    hour: int | None  # first hourly window with `distillation`
    day_hour: int | None  # the same on the daily grid
    leaked: float  # share of its exchanges before that hour; all when it is never found
    leaked_daily: float
    relapses: int

    @property
    def lag(self) -> float | None:
        """Hours from its first exchange to the end of the window that found it."""
        return None if self.hour is None else self.hour - self.began


@dataclass
class Replay:
    """A log read up to any hour, each hour once."""

    tables: Tables
    truth: Truth
    detector: Detector
    seen: dict[int, dict[str, str]] = field(default_factory=dict)  # hour → planted campaign → gravest verdict

    @property
    def start(self) -> int:
        """The full hour in which the log begins: windows end on the hour, as a watcher's do."""
        return self.tables.start // HOUR * HOUR

    def verdicts(self, hour: int) -> dict[str, str]:
        """What is said at the end of an hour about each planted campaign that is found."""
        if hour not in self.seen:
            end = self.start + hour * HOUR
            window = until(self.tables, end)
            self.seen[hour] = {}
            if window.exchanges.num_rows:
                self.seen[hour] = name_found(self.detector(window, end), self.truth)
        return self.seen[hour]

    def found(self, campaign: str, hour: int) -> bool:
        """Whether a campaign is called distillation at the end of an hour."""
        return self.verdicts(hour).get(campaign) == ACCUSED


def name_found(concluded: Sequence[Conclusion], truth: Truth) -> dict[str, str]:
    """Planted campaign → gravest verdict of the detected campaigns whose accounts are mostly its own."""
    gravest = [kind.value for kind in VerdictKind]
    named: dict[str, str] = {}
    for one in concluded:
        owner = mostly(truth, one.accounts) if one.accounts else None
        if owner and gravest.index(one.verdict) > gravest.index(named.get(owner, "clear")):
            named[owner] = one.verdict
    return named


def times_to_detect(replay: Replay, hourly: bool = True) -> tuple[Detection, ...]:
    """Replay day after day, then the hours of the day in which each campaign was found."""
    span = -(-(replay.tables.end - replay.start) // HOUR)
    days = [*range(DAY, span, DAY), span]
    sent = _sent(replay)
    named: dict[str, int] = {}  # campaign → number of the day at whose end it is found
    for number, day in enumerate(days):
        named |= {name: number for name in sent if name not in named and replay.found(name, day)}
        if len(named) == len(sent):
            break
    hours = {name: days[at] for name, at in named.items()}
    if hourly:
        hours = {name: _halve(replay, name, days[at - 1] if at else 0, days[at]) for name, at in sorted(named.items())}
    return tuple(
        _detection(replay, name, sent[name], hours.get(name), days[named[name]] if name in named else None)
        for name in sorted(sent)
    )


def _halve(replay: Replay, name: str, low: int, high: int) -> int:
    """The first hour that finds a campaign, given that `low` does not and `high` does."""
    while high - low > 1:
        middle = (low + high) // 2
        if replay.found(name, middle):
            high = middle
        else:
            low = middle
    return high


def _sent(replay: Replay) -> dict[str, list[int]]:
    """Microseconds of each planted campaign's exchanges."""
    log = replay.tables.exchanges
    names = [replay.truth.exchange.get(each) for each in log["exchange_id"].to_pylist()]
    sent: dict[str, list[int]] = {}
    for name, ts in zip(names, pc.cast(log["ts"], "int64").to_pylist(), strict=True):
        if name is not None:
            sent.setdefault(name, []).append(ts)
    return sent


def _detection(replay: Replay, name: str, sent: list[int], hour: int | None, day: int | None) -> Detection:
    start = replay.start
    suspected = [at for at, seen in replay.seen.items() if seen.get(name) in AT_LEAST_SUSPECT]
    relapses = sum(at > hour and not replay.found(name, at) for at in replay.seen) if hour is not None else 0
    return Detection(
        name,
        len(sent),
        (min(sent) - start) / HOUR,
        (max(sent) - min(sent)) / HOUR,
        min(suspected, default=None),
        hour,
        day,
        _before(sent, start, hour),
        _before(sent, start, day),
        relapses,
    )


def _before(sent: list[int], start: int, hour: int | None) -> float:
    return 1.0 if hour is None else sum(ts < start + hour * HOUR for ts in sent) / len(sent)
