"""From segments to a run. The one place that decides how a conclusion over everything so far is reached."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

import stillwatch as sw
from stillwatch.apps.detect import Examined, Look, detect_in
from stillwatch.apps.run import Run
from stillwatch.apps.watch.state import Segment
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.records import REJECTED
from stillwatch.ingest.sources import PARQUET, Origin


@dataclass(frozen=True, slots=True)
class Step:
    """One more segment. `before` and `here` are the folders of the last step and of this one.

    A folder holds the step's `run`, and whatever else a way of concluding keeps for the next step. A step that was
    killed is taken again from `before`, with an empty `here`; `before` is removed once `here` counts.
    """

    new: Path
    every: tuple[Path, ...]  # the new one included
    before: Path | None
    here: Path
    segment: Segment | None = None  # the new one, as the watcher's state names it


Conclude = Callable[[Step], Run]


def _nobody(_engine: Engine, _seen: Examined, _run: Run) -> None:
    pass


def way_to_conclude(accounts: Any, licences: Any, settings: sw.Settings, *, fold: bool = False) -> Conclude:
    """How this version concludes; the command and the lab both ask here.

    `accounts` and `licences` are what `detect` takes, read again at each step, for accounts change. With `fold` only
    the new segment is read, and added to what the step before has left.
    """
    return (by_the_new_segment if fold else over_every_segment)(accounts, licences, settings)


def over_every_segment(accounts: Any, licences: Any, settings: sw.Settings) -> Conclude:
    """Read all segments again at each step: `detect` as it is, with the last run before it."""

    def conclude(step: Step) -> Run:
        log = [Origin(f"segments/{path.name}", path, PARQUET) for path in step.every]
        previous = None if step.before is None else step.before / "run"
        return sw.detect(log, accounts, licences, dataclasses.replace(settings, previous=previous))

    return conclude


def by_the_new_segment(
    accounts: Any, licences: Any, settings: sw.Settings, look: Callable[[Step], Look] = lambda _: _nobody
) -> Conclude:
    """Fold each new segment into the state that the step before has left, as `detect --state` does.

    `look` gives whoever is to see the run of a step with what it was made of, before the step counts.
    """

    def conclude(step: Step) -> Run:
        log = [Origin(f"segments/{step.new.name}", step.new, PARQUET)]
        previous = None if step.before is None else step.before / "run"
        here = step.here / "state"
        here.mkdir()
        before = None if step.before is None else step.before / "state"
        chosen = dataclasses.replace(settings, previous=previous)
        return detect_in((log, accounts, licences), chosen, (before, here), look(step))

    return conclude


def with_rejections(run: Run, parts: Sequence[pa.Table], refused: Mapping[str, str]) -> Run:
    """Add what was left out before there were segments: rows, and inputs that are set aside now."""
    files = [
        {"file": name, "row": 0, "field": "<file>", "value": "", "mend": refused[name]} for name in sorted(refused)
    ]
    rejected = pa.concat_tables([*parts, pa.Table.from_pylist(files, schema=REJECTED), run.rejected.cast(REJECTED)])
    rows = dict(run.manifest["rows"])
    rows |= {"read": rows["read"] + sum(part.num_rows for part in parts), "rejected": rejected.num_rows}
    manifest = run.manifest | {"rows": rows}
    return dataclasses.replace(run, rejected=rejected.combine_chunks(), manifest=manifest)
