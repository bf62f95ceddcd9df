"""Waiting rows to one segment: the rows of a window, in an order that does not depend on how they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.apps.watch.disk import settle
from stillwatch.apps.watch.reading import WINDOW
from stillwatch.apps.watch.state import Segment, Spooled, State, Store
from stillwatch.apps.watch.windows import Grid
from stillwatch.ingest.engine import ROW_GROUP, Engine


def close(state: State, store: Store, grid: Grid, ends: Sequence[int], engine: Callable[[], Engine]) -> State:
    """Write the segment of these windows (all that wait up to the last of them); return the state that names it."""
    until = ends[-1]
    taken = [each for each in state.spool if each.first <= until or not each.rows]  # rejections alone wait for none
    number = state.segments[-1].number + 1 if state.segments else state.concluded + 1
    path = store.folder / "segments" / f"{number:06d}.parquet"
    segment = Segment(
        number=number,
        since=ends[0] - grid.every,
        until=until,
        rows=_write([str(store.path(each)) for each in taken], (state.closed or 0, until), engine, path),
        late=sum(each.late for each in taken),
        read=sum(each.read for each in taken),
        rejected=sum(each.rejected for each in taken),
    )
    _join_rejections(store, taken, segment)
    left = [
        replace(each, first=until + 1, late=0, read=0, rejected=0) for each in taken if each.rows and each.last > until
    ]
    untouched = [each for each in state.spool if each not in taken]
    return replace(
        state, spool=(*left, *untouched), segments=(*state.segments, segment), closed=max(until, state.closed or until)
    )


def _write(files: list[str], between: tuple[int, int], engine: Callable[[], Engine], path: Path) -> int:
    with engine() as own:
        table = own.con.read_parquet(files, table_name=own.name("spool"), file_row_number=True, filename="_from")
        table = table.filter((table[WINDOW] > between[0]) & (table[WINDOW] <= between[1]))
        # by time and name: the bytes must not depend on the polls in which rows came; by file and row: the first of a
        # repeated name stays the first
        ordered = table.order_by(["ts", "exchange_id", "_from", "file_row_number"])
        bare = ordered.drop(WINDOW, "_from", "file_row_number")
        own.con.to_parquet(bare, path, compression="zstd", row_group_size=ROW_GROUP)
    settle(path)
    settle(path.parent)
    with pq.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def _join_rejections(store: Store, taken: Sequence[Spooled], segment: Segment) -> None:
    parts = [pq.read_table(store.rejected(each)) for each in taken if each.rejected]
    if parts:
        pq.write_table(pa.concat_tables(parts), store.rejected(segment), compression="zstd")
        settle(store.rejected(segment))
        settle(store.rejected(segment).parent)
