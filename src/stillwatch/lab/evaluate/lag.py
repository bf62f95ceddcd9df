"""Time to detect: how long a campaign runs, and how much it takes away, before it is called by its name."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stillwatch.actions.policy import BARS
from stillwatch.lab.compose import Request
from stillwatch.lab.evaluate import february
from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.metrics import median
from stillwatch.lab.evaluate.part import Bar, Data, Part, hours, percent, table
from stillwatch.lab.evaluate.plan import Plan
from stillwatch.lab.evaluate.replay import DAY, Replay, times_to_detect
from stillwatch.lab.evaluate.svg import SHARE, Scale, dots
from stillwatch.lab.evaluate.tables import load
from stillwatch.lab.evaluate.watched import Watched
from stillwatch.lab.truth import read_truth
from stillwatch.model import VerdictKind

LEAK = 0.05  # of a campaign's exchanges, the median campaign, before the verdict
MINUTE = 60.0
WAIT = 25  # s: `--lateness 20s` and `--poll 5s`, unless they are set otherwise
GRIDS = ("hourly", "daily")
LEAST = BARS[VerdictKind.DISTILLATION].exchanges


def requests(plan: Plan) -> dict[str, Request]:
    """The default scenarios, and the February replay, whose campaigns are nearer to real volumes."""
    return {"default": plan.request(plan.exchanges, plan.seeds[0]), "february": february.request(plan)}


def measure(bench: Bench, plan: Plan) -> dict[str, Any]:
    """Replay both logs by day and by hour."""
    return {
        "hourly": not plan.quick,
        "logs": [_replayed(bench, name, request, not plan.quick) for name, request in requests(plan).items()],
    }


def _replayed(bench: Bench, name: str, request: Request, hourly: bool) -> dict[str, Any]:
    folder = bench.log(request)

    with tempfile.TemporaryDirectory(prefix="watched-", dir=bench.folder) as states:
        watched = Watched(Path(states), bench.say)
        replay = Replay(load(folder), read_truth(folder / "labels"), watched)
        found = times_to_detect(replay, hourly)
    rows = [asdict(one) | {"lag": one.lag} for one in found]
    delay = {"median": median(watched.delays), "max": max(watched.delays)}
    return {"name": name, "windows": len(replay.seen), "delay": delay, "campaigns": rows}


def tell(data: Data) -> str:
    """One line a campaign, for each log."""
    said = (
        "Windows are cumulative. Hours count from a campaign's first exchange to the end of the window that calls it "
        "distillation; what it sent before that is leaked. The hour is found by halving the day, which assumes that a "
        "campaign once found stays found; the hour before was run and had not found it. `suspect` is an upper bound: "
        f"only windows that were run count. A verdict needs {LEAST} exchanges of a campaign: the smaller it is, the "
        "larger a share has gone by then.\n\n"
    )
    if all("delay" in log for log in data["logs"]):
        said += (
            "The windows are those of `stillwatch watch`, which closed, concluded and published each of them; its "
            "clock was the log's, with nothing to wait for. A watcher of live traffic adds its `--lateness` and at "
            f"most one `--poll`, {WAIT} s as they are set at first.\n\n"
        )
    if not data["hourly"]:
        said += "Only days were replayed here, so both columns tell of days.\n\n"
    pictures = "![leaked share by campaign](results/leak.svg)\n\n![hours to detect by campaign](results/lag.svg)\n"
    return said + "".join(_told(log) for log in data["logs"]) + pictures


def _told(log: Data) -> str:
    campaigns = log["campaigns"]
    never = [one["campaign"] for one in campaigns if one["hour"] is None]
    relapses = [one["campaign"] for one in campaigns if one["relapses"]]
    rows = [
        [
            one["campaign"],
            f"{one['exchanges']:,}",
            hours(one["began"]),
            hours(None if one["suspect_hour"] is None else one["suspect_hour"] - one["began"]),
            hours(one["lag"]),
            f"{one['leaked'] * one['exchanges']:,.0f}",
            percent(one["leaked"]),
            hours(None if one["day_hour"] is None else one["day_hour"] - one["began"]),
            percent(one["leaked_daily"]),
        ]
        for one in campaigns
    ]
    heads = ("campaign", "exchanges", "began", "suspect, at the latest", "found, hourly", "leaked exchanges")
    delay = log.get("delay")
    told = (
        f" From a window's end to its verdicts: {delay['median']:.1f} s, {delay['max']:.1f} s at most." if delay else ""
    )
    return (
        f"The log `{log['name']}`, {log['windows']} windows.{told} Median leak: "
        f"{percent(_leak(log, 'leaked'))} by the hour, "
        f"{percent(_leak(log, 'leaked_daily'))} by the day. Never called distillation, and so leaked whole: "
        f"{', '.join(never) or 'none'}. Found and lost again in a later window that was run: "
        f"{', '.join(relapses) or 'none'}.\n\n{table((*heads, 'leaked', 'found, daily', 'leaked'), rows)}\n"
    )


def _leak(log: Data, name: str) -> float:
    return median(one[name] for one in log["campaigns"])


def bars(data: Data) -> Sequence[Bar]:
    """The leak of the median campaign of each log, and of all."""
    found = []
    for log in data["logs"]:
        value = _leak(log, "leaked")
        said = f"{percent(value)} of {len(log['campaigns'])} campaigns"
        promise = f"hour by hour, median leak ≤ 5 % in the log `{log['name']}`"
        found.append(Bar(promise, said, value <= LEAK if data["hourly"] else None))
    delays = [log["delay"]["max"] for log in data["logs"] if "delay" in log]
    if delays:
        promise = "verdicts within a minute of a window's end, `--lateness` and `--poll` included"
        slowest = max(delays) + WAIT
        found.append(Bar(promise, f"{slowest:.0f} s at most", slowest <= MINUTE if data["hourly"] else None))
    leaked = [one["leaked"] for log in data["logs"] for one in log["campaigns"]]
    promise = "hour by hour, median leak ≤ 5 % over the campaigns of both logs"
    said = f"{percent(median(leaked))} of {len(leaked)} campaigns"
    return [*found, Bar(promise, said, median(leaked) <= LEAK if data["hourly"] else None)]


def draw(data: Data) -> dict[str, str]:
    """Leaked shares, and hours to detect; whoever was never found has no dot in the second."""
    leaks, lags = [], []
    for label, one in ((f"{log['name']} {one['campaign']}", one) for log in data["logs"] for one in log["campaigns"]):
        leaks.append((label, {"hourly": one["leaked"], "daily": one["leaked_daily"]}))
        held = {"hourly": one["hour"], "daily": one["day_hour"]}
        lags.append((label, {name: at - one["began"] for name, at in held.items() if at is not None}))
    longest = max((lag for _, row in lags for lag in row.values()), default=1.0)
    top = float(DAY * max(1, -(-longest // DAY)))
    step = max(DAY, round(top / 6 / DAY) * DAY)
    ticks = tuple((float(at), f"{at} h") for at in range(0, int(top) + 1, step))
    return {
        "leak.svg": dots("share of a campaign's exchanges sent before it was found", leaks, GRIDS, SHARE),
        "lag.svg": dots("hours from a campaign's first exchange to its verdict", lags, GRIDS, Scale(0.0, top, ticks)),
    }


PART = Part(
    "time",
    "Time to detect",
    measure,
    tell,
    lambda plan: f"{plan.exchanges:,} exchanges, and the February replay at scale {plan.scale:g}",
    bars,
    draw,
    1,
)
