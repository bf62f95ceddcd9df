"""Rejections as a file that a person or a script can work through."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa


def write_rejections(rejected: pa.Table, path: str | Path) -> Path:
    """Write rejections as NDJSON, one object a line with file, row, field, value and mend; return the path.

    An empty table gives an empty file: nothing was rejected. Raises OSError when the file cannot be written.
    """
    path = Path(path)
    with path.open("w", encoding="utf-8") as stream:
        for batch in rejected.to_batches(max_chunksize=10_000):
            stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
    return path
