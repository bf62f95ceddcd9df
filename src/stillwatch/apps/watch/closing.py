"""Waiting rows to one segment: the rows of a window, in an order that does not depend on how they came.

And many small files of waiting rows to one, for each poll leaves a file.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.disk import fsync
from stillwatch.apps.watch.reading import WINDOW
from stillwatch.apps.watch.state import Segment, Spooled, State, Store
from stillwatch.apps.watch.windows import Grid
from stillwatch.ingest.engine import ROW_GROUP, Engine

SMALL = 500_000  # rows: a larger file is not written again, or a long window would be copied over and over
MANY = 64


def close(state: State, store: Store, grid: Grid, ends: Sequence[int], engine: Callable[[], Engine]) -> State:
    """Write the segment of these windows (all that wait up to the last of them); return the state that names it."""
    until = ends[-1]
    taken = [each for each in state.spool if each.first <= until or not each.rows]  # rejections alone wait for none
    number = state.segments[-1].number + 1 if state.segments else state.concluded + 1
    path = store.folder / "segments" / f"{number:06d}.parquet"
    _write(taken, store, (state.closed or 0, until), engine, path)
    segment = Segment(
        number=number,
        since=ends[0] - grid.every,
        until=until,
        rows=_rows(path),
        late=sum(each.late for each in taken),
        rejected=sum(each.rejected for each in taken),
    )
    _join_rejections(store, taken, segment)
    left = [replace(each, first=until + 1, late=0, rejected=0) for each in taken if each.rows and each.last > until]
    untouched = [each for each in state.spool if each not in taken]
    return replace(
        state, spool=(*left, *untouched), segments=(*state.segments, segment), closed=max(until, state.closed or until)
    )


def gather(state: State, store: Store, engine: Callable[[], Engine]) -> State | None:
    """Write the newest spool files, when there are many small ones, as one; None when there are not."""
    small = list(itertools.takewhile(lambda each: each.rows < SMALL, reversed(state.spool)))[::-1]
    if len(small) < MANY:
        return None
    merged = Spooled(
        number=state.spooled + 1,
        first=min(each.first for each in small),
        last=max(each.last for each in small),
        rows=0,
        late=sum(each.late for each in small),
        rejected=sum(each.rejected for each in small),
    )
    path = store.path(merged)
    _write(small, store, (state.closed or 0, merged.last), engine, path, waiting=True)
    merged = replace(merged, rows=_rows(path))
    _join_rejections(store, small, merged)
    return replace(state, spool=(*state.spool[: -len(small)], merged), spooled=merged.number)


def _write(
    taken: Sequence[Spooled],
    store: Store,
    between: tuple[int, int],
    engine: Callable[[], Engine],
    path: Path,
    waiting: bool = False,
) -> None:
    """Write the rows of the windows between two ends: sorted, or `waiting` on as they came."""
    with engine() as own:
        files = [str(store.path(each)) for each in taken]
        table = own.con.read_parquet(files, table_name=own.name("spool"), file_row_number=True, filename="_from")
        table = table.filter((table[WINDOW] > between[0]) & (table[WINDOW] <= between[1]))
        came = ["_from", "file_row_number"]
        # by time and name: the bytes must not depend on the polls in which rows came; then as they came: the first of
        # a repeated name stays the first
        ordered = table.order_by(came if waiting else ["ts", "exchange_id", *came])
        bare = ordered.drop(*came, *(() if waiting else (WINDOW,)))
        own.con.to_parquet(bare, path, compression="zstd", row_group_size=ROW_GROUP)
    fsync(path)
    fsync(path.parent)


def _rows(path: Path) -> int:
    with pq.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def _join_rejections(store: Store, taken: Sequence[Spooled], into: Segment | Spooled) -> None:
    parts = [pq.read_table(store.rejected(each)) for each in taken if each.rejected]
    if parts:
        pq.write_table(pa.concat_tables(parts), store.rejected(into), compression="zstd")
        fsync(store.rejected(into))
        fsync(store.rejected(into).parent)
