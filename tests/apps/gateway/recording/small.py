"""Exchanges, logs and readers that the tests of the exchange log share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.apps.gateway.recording.compactor import Compactor, Swept
from stillwatch.apps.gateway.recording.disk import Disk
from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, files
from stillwatch.apps.gateway.recording.segments import read_segment
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"test")
NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
MARKER = "zanzibar-marker-7719"
DENIED = Decision(ActionKind.DENY, Effect(refused=True, status=403), rule="r1", reason="known-campaign")
SHADOW = replace(DENIED, effect=Effect(), would=DENIED.effect, campaign_id="c-1")
OK = Outcome(200, input_tokens=120, output_tokens=80)


def arrival(number: int = 0, **other: Any) -> Arrival:
    """One numbered request."""
    fields = {
        "exchange_id": f"e{number:05d}", "ts": NOON + number * 1_000, "account_id": f"a{number % 5}", "api": "openai",
        "endpoint": "chat.completions", "model": "m-large", "prompt": f"{MARKER} explain step {number}", "turns": 1,
        "max_tokens": 100, "temperature": 0.7, "stream": False, "ip": "192.0.2.7", "user_agent": "client/1",
    }  # fmt: skip
    return Arrival(**(fields | other))


def settings(folder: Path, **other: Any) -> RecordingSettings:
    """Settings without a threshold of free space, which would depend on the machine."""
    return RecordingSettings(folder=folder, **({"free_bytes": 0, "fsync": "none", "slow_seconds": 60.0} | other))


def keep(spool: Spool, numbers: Sequence[int], decision: Decision = ALLOWED, outcome: Outcome = OK) -> None:
    """Record these exchanges."""
    for number in numbers:
        spool.record(arrival(number), decision, outcome)


def fill(folder: Path, numbers: Sequence[int], disk: Disk | None = None, **other: Any) -> Path:
    """A finished spool file with these exchanges; return its path."""
    before = set(Layout(folder).make().spool.iterdir())
    spool = Spool(settings(folder, **other), *([disk] if disk else []))
    keep(spool, numbers)
    spool.close()
    (path,) = set(Layout(folder).spool.iterdir()) - before
    return path


def compact(folder: Path, clock: float | None = None, **other: Any) -> Swept:
    """One round of the compactor."""
    given = {} if clock is None else {"clock": lambda: clock}
    with Compactor(settings(folder, **other), KEY, **given) as compactor:
        return compactor.sweep()


def segments(folder: Path, *names: str) -> list[pa.Table]:
    """The segments of a log, those that wait too."""
    layout = Layout(folder)
    places = [getattr(layout, name) for name in names or ("waiting", "segments")]
    return [read_segment(path) for place in places for path in files(place, PARQUET)]


def ids(folder: Path, *names: str) -> list[str]:
    """Every exchange in the segments of a log, as often as it is there."""
    return sorted(name for table in segments(folder, *names) for name in table["exchange_id"].to_pylist())


def numbered(numbers: Sequence[int]) -> list[str]:
    return [f"e{number:05d}" for number in numbers]


def everything_on_disk(folder: Path) -> bytes:
    """All bytes of all files, and the cells of Parquet files as they are read."""
    raw = b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    return raw + repr([table.to_pylist() for table in segments(folder)]).encode()
