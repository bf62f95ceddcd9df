"""Many small segments to few: those of an hour that is over become one, each exchange still once.

A merged file lists its parts and has the name of the first, which is removed last; as with spool files, a kill leaves
something that tells what is done (compactor).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq

from stillwatch.apps.disk import fsync
from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, begun, files
from stillwatch.apps.gateway.recording.segments import has_text, made_of, write_parts

HOUR = 3_600.0
SETTLED = 600.0  # seconds after its end until an hour's last segments are folded
MOST = 1_000_000  # rows of one file
PREFIX = "hour-"


def merge_hours(layout: Layout, now: float, may: Callable[[Path], bool]) -> int:
    """Merge the segments of hours that are over, those that `may` be; return how many files fewer there are."""
    finish_merging(layout)
    fewer = 0
    for parts in _groups(layout, now, may):
        write_parts(parts, _merged(parts[0]))
        _remove(layout, parts)
        fewer += len(parts) - 1
    return fewer


def finish_merging(layout: Layout) -> None:
    """Remove parts that are in a merged file, after a kill or an error."""
    for path in _parts(layout):
        if _merged(path).exists():
            listed = [layout.segments / name for name in made_of(_merged(path))]
            _remove(layout, [path, *(each for each in listed if each != path)])


def _groups(layout: Layout, now: float, may: Callable[[Path], bool]) -> Iterator[list[Path]]:
    late = {begun(path) // HOUR for path in files(layout.waiting, PARQUET)}
    held: dict[tuple[float, bool], list[Path]] = {}
    rows: dict[tuple[float, bool], int] = {}
    for path in _parts(layout):
        hour = begun(path) // HOUR
        if hour in late or (hour + 1) * HOUR + SETTLED > now or not may(path):
            continue
        kind = (hour, has_text(path))
        held.setdefault(kind, []).append(path)
        rows[kind] = rows.get(kind, 0) + pq.read_metadata(path).num_rows
        if rows[kind] >= MOST:
            yield held.pop(kind)
            rows.pop(kind)
    yield from (parts for parts in held.values() if len(parts) > 1)


def _parts(layout: Layout) -> list[Path]:
    return [path for path in files(layout.segments, PARQUET) if not path.name.startswith(PREFIX)]


def _merged(first: Path) -> Path:
    return first.with_name(f"{PREFIX}{first.name}")


def _remove(layout: Layout, paths: list[Path]) -> None:
    for path in paths[1:]:
        path.unlink(missing_ok=True)
    fsync(layout.segments)
    paths[0].unlink(missing_ok=True)
    fsync(layout.segments)
