"""What runs on a worker: kernels and row-wise queries over the record batches of one partition."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.ingest.engine import Engine, Query, digest_of_file
from stillwatch.ingest.spark.shipping import Parcel, merge_all, read_states, write_state

NOT_UTF8 = "stillwatch: a text column is not UTF-8"
MEMORY = "256MB"  # of the embedded engine of one task, which streams
Batches = Iterator[pa.RecordBatch]


@dataclass(slots=True)
class Mapping:
    """Runs a kernel over every batch."""

    kernel: Parcel
    taken: pa.Schema

    def __call__(self, batches: Batches) -> Batches:
        """Yield what the kernel makes of each batch."""
        kernel = self.kernel.open()
        for batch in batches:
            yield kernel(batch.cast(self.taken))


@dataclass(slots=True)
class Folding:
    """Folds all batches of a partition into one state, and yields it as rows."""

    kernel: Parcel  # (empty, step)
    taken: pa.Schema

    def __call__(self, batches: Batches) -> Batches:
        """Yield the rows of the partition's state, none for a partition without batches."""
        empty, step = self.kernel.open()
        state = None
        for batch in batches:
            state = empty() if state is None else state
            step(state, batch.cast(self.taken))
        if state is not None:
            yield from write_state(state, _partition())


def merge_states(batches: Batches) -> Batches:
    """Merge the states of one partition, and yield the rows of the result."""
    merged = merge_all(read_states(_rows(batches)))
    if merged is not None:
        yield from write_state(merged, _partition())


@dataclass(slots=True)
class Querying:
    """Runs a query of the embedded engine over all batches of a partition, as one stream."""

    query: Parcel
    taken: pa.Schema
    made: pa.Schema

    def __call__(self, batches: Batches) -> Batches:
        """Yield the rows of the query's answer, in order."""
        query: Query = self.query.open()
        with Engine(_scratch(), threads=1, memory=MEMORY) as engine:
            reader = pa.RecordBatchReader.from_batches(self.taken, _checked(batches, self.taken))
            answer = query(engine, engine.con.table(engine.lend("rows", reader)))
            for batch in engine.stream(answer):
                yield batch.cast(self.made)


def digest_files(batches: Batches) -> Batches:
    """Give the SHA-256 of each file that the rows name."""
    for batch in batches:
        digests = [digest_of_file(Path(path)) for path in batch.column("path").to_pylist()]
        yield pa.record_batch([batch.column("place"), pa.array(digests, pa.string())], names=["place", "sha256"])


def as_message(batches: Batches) -> Batches:
    """Wrap each batch into one row, for the driver to read batch by batch."""
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        yield pa.record_batch([pa.array([sink.getvalue().to_pybytes()], pa.binary())], names=["message"])


def _checked(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Batches:
    for batch in batches:
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            raise ValueError(NOT_UTF8) from None  # never Arrow's words, which quote the text
        yield batch.cast(schema)


def _rows(batches: Batches) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        columns: list[Callable[[int], Any]] = [column.__getitem__ for column in batch.columns]
        for row in range(batch.num_rows):
            yield tuple(column(row).as_py() for column in columns)


def _partition() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else int(context.partitionId())


def _scratch() -> Path | None:
    """A folder that Spark removes with the worker, even one that is killed."""
    folder = os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0]
    return Path(folder) if folder and Path(folder).is_dir() else None
