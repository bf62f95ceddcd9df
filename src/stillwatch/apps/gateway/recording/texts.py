"""Text leaves the exchange log once the watcher has sketched it, or when it has waited too long for that.

A segment lies in `waiting/` until it is folded; then what stays of it is put into `segments/` and it is removed, in
that order. While both are there, the one that waits is done with.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.apps.disk import fsync
from stillwatch.apps.gateway.recording.layout import PARQUET, Layout, alone, begun, files, put
from stillwatch.apps.gateway.recording.rows import BARE, MADE, TEXT
from stillwatch.apps.gateway.recording.segments import WITHOUT, has_text, made_of, read_segment, write_segment
from stillwatch.apps.gateway.recording.settings import RecordingSettings
from stillwatch.sketch.named import name_keys
from stillwatch.sketch.text import SketchKey, hash_text

logger = logging.getLogger("stillwatch.gateway.recording")


class Texts:
    """Decides what becomes of the text of segments. Several processes may use one on the same log."""

    def __init__(self, settings: RecordingSettings, key: SketchKey) -> None:
        """Name texts with a `key`: that of the watcher, else the names match nothing."""
        self._settings, self._key = settings, key
        self._layout = Layout(settings.folder)
        self._drops = settings.text == "sketch"

    def after_fold(self, path: Path, sketches: pa.Table | None = None) -> None:
        """Do with a segment what the configuration says, now that the watcher has folded it.

        `sketches` has `exchange_id`, `template_key` and `fill_hash` of its exchanges, as a window of a state does.
        Without it, or for an exchange that is not in it, no template is known and the fill is the whole prompt.
        """
        with alone(self._layout.folder, "texts", wait=True):
            place = self._layout.segments / path.name
            if path.exists() and not place.exists():
                if not self._drops:
                    put(path, place)
                    fsync(self._layout.waiting)
                    return
                write_segment(self._without_text(read_segment(path), sketches), place, made_of(path), WITHOUT)
            path.unlink(missing_ok=True)
            fsync(self._layout.waiting)

    def written(self, path: Path) -> None:
        """A segment was written; where no watcher will fold it, it is finished now."""
        if not self._settings.watched:
            self.after_fold(path)

    def drop_old(self, now: float) -> int:
        """Drop text that has waited too long; return how many exchanges lost theirs unsketched.

        Such segments go on waiting for the watcher, which can still count what is left in them.
        """
        if not self._drops:
            return 0
        before = now - self._settings.text_max_age
        for path in files(self._layout.damaged, ".bin"):
            if path.stat().st_mtime < before:
                path.unlink()
                logger.warning("damaged-stretch-removed", extra={"file": path.name})
        old = [path for path in files(self._layout.waiting, PARQUET) if begun(path) < before]
        return sum(self._drop(path) for path in old)

    def recover(self) -> None:
        """Remove what a kill left half written, and what waits though it is done with."""
        with alone(self._layout.folder, "texts", wait=True):
            for folder in (self._layout.waiting, self._layout.segments):
                for stray in folder.glob(".*.new"):
                    stray.unlink()
            for path in files(self._layout.waiting, PARQUET):
                if (self._layout.segments / path.name).exists():
                    path.unlink()
            fsync(self._layout.waiting)

    def _drop(self, path: Path) -> int:
        with alone(self._layout.folder, "texts", wait=True):
            if not path.exists() or not has_text(path):
                return 0
            table = read_segment(path)
            write_segment(self._without_text(table, None), path, made_of(path), WITHOUT)
        logger.error("text-dropped-unsketched", extra={"file": path.name, "count": table.num_rows})
        return int(table.num_rows)

    def _without_text(self, table: pa.Table, sketches: pa.Table | None) -> pa.Table:
        """Return the rows with the names of their templates and fills in place of their texts."""
        named = self._names_of_whole_prompts(table)
        if sketches is not None:
            place = pc.index_in(table["exchange_id"], value_set=sketches["exchange_id"].combine_chunks())
            for name in MADE:
                found = name_keys(pc.fill_null(sketches[name].take(place), 0).to_numpy().astype(np.int64), self._key)
                known = pc.is_valid(place).combine_chunks()
                named[name] = pc.if_else(known, found, named[name])
        bare = table.drop_columns([name for name in (*TEXT, *MADE) if name in table.column_names])
        for name in MADE:
            bare = bare.append_column(name, named[name])
        return bare.select(BARE.names).cast(BARE)

    def _names_of_whole_prompts(self, table: pa.Table) -> dict[str, pa.Array]:
        if "prompt" not in table.column_names:  # dropped before, for its age
            return {name: table[name].combine_chunks() for name in MADE}
        fills = hash_text(table["prompt"], self._key)
        return {"template_key": pa.nulls(table.num_rows, pa.string()), "fill_hash": name_keys(fills, self._key)}
