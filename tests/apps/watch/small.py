"""Small logs that grow, a clock that is set by hand, and a conclusion that only counts."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.run import Run
from stillwatch.apps.watch.concluding import Step
from stillwatch.apps.watch.files import Files
from stillwatch.apps.watch.loop import Surroundings, once
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.sources import Source, known_columns
from stillwatch.apps.watch.state import Store
from stillwatch.apps.watch.watcher import Plan, Verdicts, Watcher
from stillwatch.apps.watch.windows import HOUR, SECOND, Grid
from tests.apps.small_runs import make_run

START = int(dt.datetime(2026, 3, 1, tzinfo=dt.UTC).timestamp()) * SECOND
MINUTE = 60 * SECOND
LATE = 20 * SECOND


def at(minutes: float) -> int:
    """µs of a minute after the start."""
    return START + int(minutes * MINUTE)


def row(number: int, minutes: float, **other: Any) -> dict[str, Any]:
    """One exchange."""
    ts = dt.datetime.fromtimestamp(at(minutes) / SECOND, dt.UTC).isoformat()
    account = f"a{number % 5}"
    return {"exchange_id": f"e{number:05d}", "ts": ts, "account_id": account, "model": "m", "prompt": "why?"} | other


def lines(rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as NDJSON."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in rows)


def append(path: Path, data: bytes) -> None:
    """Write on at the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        stream.write(data)


def count(step: Step) -> Run:
    """A run whose manifest lists every exchange of the segments, and a hash of all the runs before it."""
    ids = [name for path in step.every for name in pq.read_table(path)["exchange_id"].to_pylist()]
    before = b"" if step.before is None else (step.before / "run" / "manifest.json").read_bytes()
    manifest = {"ids": ids, "before": hashlib.sha256(before).hexdigest(), "steps": len(step.every)}
    run = make_run()
    nothing = run.rejected.slice(0, 0)
    return replace(
        run, rejected=nothing, manifest=run.manifest | manifest | {"rows": {"read": len(ids), "rejected": 0}}
    )


@dataclass
class Desk:
    """A watcher over a folder, with everything it says and the time in hand."""

    folder: Path
    now: int = START
    said: list[str] = field(default_factory=list)
    verdicts: list[Verdicts] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)  # of the plan
    source: Source | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def store(self) -> Store:
        return Store(self.folder / "state")

    def plan(self, store: Store) -> Plan:
        if self.source is None:
            self.log.mkdir(parents=True, exist_ok=True)
            self.source = Files(str(self.log), store.scratch, known_columns({}), self.said.append)
        plan = Plan((self.source,), count, self.out, grid=Grid(HOUR, LATE))
        return replace(plan, **self.changes)

    def sweep(self, minutes: float | None = None) -> list[Verdicts]:
        """One sweep of a fresh watcher, as after a restart."""
        self.now = self.now if minutes is None else at(minutes)
        store = self.store()
        watcher = Watcher(self.plan(store), store, lambda: self.now)
        found = list(watcher.sweep(self.now, Outages(SECOND, self.said.append)))
        self.verdicts += found
        return found

    def once(self) -> None:
        """`--once`, with time that passes while it waits."""
        store = self.store()

        def wait(span: int) -> None:
            self.now += span

        once(self.plan(store), store, Surroundings(lambda: self.now, wait, self.verdicts.append, self.said.append))

    def segments(self) -> list[list[str]]:
        """The exchanges of each segment, in its order."""
        store = self.store()
        return [pq.read_table(store.path(each))["exchange_id"].to_pylist() for each in store.load().segments]

    def manifest(self) -> Any:
        return json.loads((self.out / "manifest.json").read_text())

    def rejected(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.out / "rejected.ndjson").read_text().splitlines()]


def same_bytes(one: Path, other: Path, but: Sequence[str] = ()) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    names = sorted(path.name for path in one.iterdir() if path.name not in but)
    assert names == sorted(path.name for path in other.iterdir() if path.name not in but)
    return [name for name in names if (one / name).read_bytes() != (other / name).read_bytes()] == []


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows as a table whose `ts` is a time."""
    made = pa.Table.from_pylist(list(rows))
    moments = pa.array([dt.datetime.fromisoformat(one) for one in made["ts"].to_pylist()], pa.timestamp("us", "UTC"))
    return made.set_column(made.column_names.index("ts"), "ts", moments)
