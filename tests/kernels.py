"""Compile the kernels that most tests run, once: `python -m tests.kernels`.

In a new checkout each process that meets a kernel compiles it, and several at a time compile the same ones.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.sketch.one import FixedCounts, Sketcher
from stillwatch.sketch.templates import TemplateCounts
from stillwatch.sketch.text import SketchKey

REQUEST = Request(exchanges=3_000, accounts=300, seed=3, prompts="own")


def compile_all() -> None:
    """Compose a small log, read it in two formats, find what is in it, and sketch one exchange."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_traffic(compose(REQUEST), folder)
        log = pq.read_table(folder / "exchanges.parquet")
        sw.detect(folder / "exchanges.parquet", folder / "accounts.parquet", folder / "licences.csv")
        flat = log.drop_columns([field.name for field in log.schema if pa.types.is_list(field.type)])
        pa.csv.write_csv(flat.slice(0, 100), folder / "some.csv")
        sw.validate(folder / "some.csv")
    key = SketchKey.from_secret(b"the kernels of tests")
    counts = TemplateCounts(key, 16), TemplateCounts(key, 16)
    Sketcher(key, FixedCounts.of(*counts))("a prompt", "a system prompt")


if __name__ == "__main__":
    compile_all()
