"""From the watcher's state, the sketches of the exchanges in a segment: what takes the place of their text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stillwatch.apps.gateway.recording.texts import Texts

RECENT = 8  # windows in which the exchanges of a segment can be that was folded just now
COLUMNS = ("exchange_id", "template_key", "fill_hash")
NONE = pa.schema([("exchange_id", pa.string()), ("template_key", pa.int64()), ("fill_hash", pa.int64())])


def drop_text_of_folded(texts: Texts, state: Path) -> Callable[[Path], None]:
    """Return what the watcher, whose state folder this is, calls with each segment that it has folded."""

    def after_fold(segment: Path) -> None:
        if segment.exists():
            texts.after_fold(segment, sketches_in(state, segment))

    return after_fold


def sketches_in(state: Path, segment: Path) -> pa.Table:
    """Return the sketches of a segment's exchanges from the last step of a watcher's state.

    An exchange that is not there was left out as bad or repeated. Raises OSError where there is no such state.
    """
    steps = sorted((state / "steps").glob("*/state"))
    if not steps:
        raise FileNotFoundError(f"{state}: holds no step of a watcher that folds")
    wanted = pq.read_table(segment, columns=["exchange_id"])["exchange_id"].combine_chunks()
    found = [NONE.empty_table()]
    missing = len(wanted)
    for window in sorted(steps[-1].glob("window-*.parquet"), reverse=True)[:RECENT]:
        if missing <= 0:
            break
        rows = pq.read_table(window, columns=list(COLUMNS))
        mine = rows.filter(pc.is_in(rows["exchange_id"], value_set=wanted))
        missing -= mine.num_rows
        found.append(mine.select(COLUMNS).cast(NONE))
    return pa.concat_tables(found)
