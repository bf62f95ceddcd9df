"""The engine past one machine: the same Ibis expressions on Apache Spark, kernels running on its workers.

What comes to the driver is accounts, edges and groups, merged states, rejected rows, and the ids of flagged exchanges.
Exchange rows stay on the workers, kept in memory or on their disks; rows of a worker that dies are made again.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.ingest.engine import ALONE, BATCH_ROWS, MEMORY, THREADS, Engine, Query, State
from stillwatch.ingest.spark import workers
from stillwatch.ingest.spark.dialect import SPELL, Dialect
from stillwatch.ingest.spark.session import Session, open_session
from stillwatch.ingest.spark.shipping import STATES, Parcel, merge_all, pack, read_states
from stillwatch.model import InputRefused, UsageError

FAN_IN = 8  # states that one task, or the driver, merges
BROKEN_FILE = ("FAILED_READ_FILE", "CANNOT_READ_FILE_FOOTER", workers.NOT_UTF8)
SOON_READ = 1 << 30  # bytes: a second or two
FILE_URI = ("^file:/+", "/")  # Spark writes file:/ in one place and file:/// in another
_RUNS = itertools.count(1)  # a session may serve several runs


class SparkEngine(Engine):
    """Spark where `Engine` is DuckDB, beside an embedded DuckDB (`local`) for text formats and small tables."""

    def __init__(
        self,
        scratch: Path | None = None,
        *,
        threads: int = THREADS,
        memory: str = MEMORY,
        master: str = "",
        conf: Mapping[str, str] | None = None,
    ) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="stillwatch-", dir=scratch))
        self.scratch.chmod(0o700)
        self.threads = threads
        self._prefix = f"stillwatch{next(_RUNS)}"
        self._names = itertools.count()
        self._held: dict[str, Any] = {}
        self._sent: list[Any] = []
        try:
            self.session: Session = open_session(master, conf or {}, self.scratch / "spark.log")
        except BaseException:
            shutil.rmtree(self.scratch, ignore_errors=True)
            raise
        from py4j.protocol import Py4JError  # here: both come with pyspark, which is there by now
        from pyspark.errors import PySparkException

        self.errors = (PySparkException, Py4JError)
        self._embedded = Engine(self.scratch, threads=threads, memory=memory)
        self.spark = self.session.spark
        self.spark.sql(SPELL)
        self.con = ibis.pyspark.connect(self.spark)
        self.con.compiler = Dialect()
        self.con.to_pyarrow = self.arrow

    def close(self) -> None:
        """Forget everything that was kept, close the session, and remove what was written."""
        for name in list(self._held):
            self._forget(name)
        for array in self._sent:
            array.destroy()
        self.session.close()
        self._embedded.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def local(self) -> Engine:
        """The embedded engine beside this process, for text formats and small tables."""
        return self._embedded

    def is_damage(self, error: Exception) -> bool:
        """Whether an error says that a file's pages cannot be read, rather than that a worker is in trouble."""
        return any(mark in str(error) for mark in BROKEN_FILE)

    def reads(self, _file: Path, _schema: pa.Schema) -> bool:
        """Whether Spark reads a file as DuckDB does: not one with nanoseconds, nor one that it takes for hidden."""
        return not _file.name.startswith(("_", ".")) and all(_is_common(field.type) for field in _schema)

    def name(self, stem: str) -> str:
        """Return a table or file name not used before in this engine."""
        return f"{self._prefix}_{stem}_{next(self._names)}"

    # tables

    def register(self, stem: str, data: pa.Table) -> ir.Table:
        """Bring a small Arrow table (accounts, groups: never exchanges) to the engine."""
        return self._view(stem, self.spark.createDataFrame(data, schema=_spark_schema(data.schema)))

    def lend(self, stem: str, data: pa.Table | pa.RecordBatchReader) -> str:
        """Bring a small Arrow table to the engine; return the name it reads it by."""
        table = data.read_all() if isinstance(data, pa.RecordBatchReader) else data
        return str(self.register(stem, table).get_name())

    @contextmanager
    def lent(self, stem: str, data: pa.Table | pa.RecordBatchReader) -> Iterator[str]:
        """Lend for the length of a `with` block."""
        name = self.lend(stem, data)
        try:
            yield name
        finally:
            self._forget(name)

    def open_parquet(self, stem: str, paths: Sequence[str | Path]) -> ir.Table:
        """Open Parquet files where they lie: on a folder that every worker sees under the same path."""
        return self._view(stem, self._reader().parquet(*(_uri(path) for path in paths)))

    def number_parquet(self, stem: str, paths: Sequence[str], columns: Mapping[str, str]) -> ir.Table:
        """Open Parquet files like `open_parquet`: `_row` from 1, `_file` as in `paths`, `columns` under new names."""
        from pyspark.sql import functions as f

        files = self._reader().parquet(*(_uri(path) for path in paths))
        known = {os.path.abspath(path): path for path in paths}
        uris = [_plain_uri(uri) for uri in files.inputFiles()]
        if sorted(map(unquote, uris)) != sorted(known):  # a file that Spark passes over must not be lost in silence
            raise InputRefused("Spark does not list every one of these files; read them with --engine duckdb")
        named = self.spark.createDataFrame([(uri, known[unquote(uri)]) for uri in uris], "_uri string, _name string")
        picked = files.select(
            (f.col("_metadata.row_index") + 1).alias("_row"),
            f.regexp_replace("_metadata.file_path", *FILE_URI).alias("_uri"),
            *(files[_quoted(theirs)].alias(new) for new, theirs in columns.items()),
        )
        known_file = f.coalesce("_name", f.raise_error(f.lit("a file that was not listed"))).alias("_file")
        return self._view(stem, picked.join(f.broadcast(named), "_uri", "left").select("_row", known_file, *columns))

    def number_table(self, stem: str, source: Any, columns: Mapping[str, str]) -> ir.Table:
        """Open a table of the catalogue, or an Ibis table of this session. `_row` is a number, but not of a place."""
        from pyspark.sql import functions as f

        frame = self._source(source)
        picked = [frame[_quoted(theirs)].alias(new) for new, theirs in columns.items()]
        return self._view(stem, frame.select((f.monotonically_increasing_id() + 1).alias("_row"), *picked))

    def owns(self, table: Any) -> bool:
        """Whether an Ibis table lives in this session, so that the workers can read it."""
        found = table._find_backends()[0] if isinstance(table, ir.Table) else []
        return any(getattr(backend, "_session", None) is self.spark for backend in found)

    def schema_of(self, source: Any) -> ibis.Schema:
        """Return the columns of a table that the engine owns. Raises InputRefused where there is none of that name."""
        from pyspark.errors import AnalysisException

        try:
            return self.con.table(self._view("source", self._source(source)).get_name()).schema()
        except AnalysisException:
            raise InputRefused(
                "Spark knows no such table; give spark://catalog.database.table as its catalogue has it"
            ) from None

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """Return the SHA-256 of each file; the workers read them, unless they are soon read here."""
        if sum(path.stat().st_size for path in paths) < SOON_READ:
            return self.local.digests(paths)
        rows = [(place, os.path.abspath(path)) for place, path in enumerate(paths)]
        files = self.spark.createDataFrame(rows, "place long, path string").repartition(4 * self.session.cores)
        found = files.mapInArrow(workers.digest_files, "place long, sha256 string").toArrow()
        return found.sort_by("place")["sha256"].to_pylist()

    def concat(self, stem: str, tables: Sequence[ir.Table]) -> ir.Table:
        """Return the rows of several tables of one schema."""
        return self.view(stem, ibis.union(*tables, distinct=False))

    # expressions

    def keep(self, stem: str, expr: ir.Table) -> ir.Table:
        """Compute an expression once and keep its rows on the workers."""
        return self._hold(stem, self._frame(expr))

    def query(self, stem: str, sql: str) -> ir.Table:
        """Name a query of Spark's own, for what Ibis cannot say, without computing it."""
        return self._view(stem, self.spark.sql(sql))

    def view(self, stem: str, expr: ir.Table) -> ir.Table:
        """Name an expression without computing it, so that what is built on it stays short."""
        return self._view(stem, self._frame(expr))

    def drop(self, table: ir.Table) -> None:
        """Forget a kept table."""
        self._forget(table.get_name())

    def arrow(self, expr: ir.Table) -> pa.Table:
        """Bring a result to the driver: accounts, edges and groups, never exchanges by the million."""
        if any(backend is self.local.con for backend in expr._find_backends()[0]):
            return self.local.arrow(expr)
        return self._frame(expr).toArrow().cast(expr.schema().to_pyarrow())

    def stream(self, expr: ir.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield an expression's rows in record batches of at most `rows`: in order where the expression has one."""
        messages = self._frame(expr).mapInArrow(workers.as_message, "message binary")
        schema = expr.schema().to_pyarrow()
        for (message,) in messages.toLocalIterator():
            for batch in pa.ipc.open_stream(message):
                table = pa.Table.from_batches([batch]).cast(schema)
                yield from table.to_batches(max_chunksize=rows)

    def spool(self, stem: str, expr: ir.Table) -> Path:
        """Compute an expression once into a folder of Parquet files in the scratch folder."""
        path = self.scratch / f"{self.name(stem)}.parquet"
        self._frame(expr).write.parquet(_uri(path))
        return path

    # kernels

    def rowwise(self, stem: str, table: ir.Table, query: Query) -> ir.Table:
        """Apply a query of the embedded engine to a table row by row, on the workers; they keep its rows on disk."""
        taken = table.schema().to_pyarrow()
        with self.local.lent("empty", taken.empty_table()) as name:
            made = self.local.arrow(query(self.local, self.local.con.table(name))).schema
        run = workers.Querying(self._pack(query), taken, made)
        return self._hold(stem, self._frame(table).mapInArrow(run, _spark_schema(made)), disk_only=True)

    def map(
        self,
        stem: str,
        expr: ir.Table,
        kernel: Callable[[pa.RecordBatch], pa.RecordBatch],
        schema: pa.Schema,
        into: Path | None = None,
    ) -> ir.Table:
        """Run an Arrow kernel over every batch of an expression and keep what it returns."""
        if into is not None:
            raise UsageError(ALONE)
        run = workers.Mapping(self._pack(kernel), expr.schema().to_pyarrow())
        return self._hold(stem, self._frame(expr).mapInArrow(run, _spark_schema(schema)))

    def fold(self, expr: ir.Table, empty: Callable[[], State], step: Callable[[State, pa.RecordBatch], None]) -> State:
        """Fold every batch of an expression into one mergeable state: one a core, merged by eights, then here."""
        run = workers.Folding(self._pack((empty, step)), expr.schema().to_pyarrow())
        states = self._frame(expr).coalesce(self.session.cores).mapInArrow(run, _spark_schema(STATES))
        merged = merge_all(self._merged(states))
        return empty() if merged is None else merged

    def _merged(self, states: Any) -> Iterator[Any]:
        from pyspark import StorageLevel
        from pyspark.sql import functions as f

        with self._small_batches():
            if self.session.cores > FAN_IN:
                tasks = -(-self.session.cores // FAN_IN)
                states = states.repartition(tasks, f.col("state") % tasks).sortWithinPartitions("state", "chunk")
                states = states.mapInArrow(workers.merge_states, _spark_schema(STATES))
            states = states.persist(StorageLevel.DISK_ONLY)
            states.count()  # all at once; the iterator below asks for one partition after the other
            try:
                yield from read_states(states.toLocalIterator())
            finally:
                states.unpersist()

    @contextmanager
    def _small_batches(self) -> Iterator[None]:
        name = "spark.sql.execution.arrow.maxRecordsPerBatch"
        before = self.spark.conf.get(name)
        self.spark.conf.set(name, str(FAN_IN))  # rows of a state are megabytes
        try:
            yield
        finally:
            self.spark.conf.set(name, before)

    def _pack(self, kernel: Any) -> Parcel:
        from pyspark import cloudpickle

        return pack(kernel, cloudpickle.dumps, self._broadcast)

    def _broadcast(self, array: bytearray) -> Any:
        sent = self.spark.sparkContext.broadcast(array)
        self._sent.append(sent)
        return sent

    # names

    def _frame(self, expr: ir.Table) -> Any:
        return self.spark.sql(self.con.compile(expr))

    def _reader(self) -> Any:
        return self.spark.read.option("__globPaths__", "false")  # a bracket in a name is a bracket

    def _source(self, source: Any) -> Any:
        return self.spark.table(source) if isinstance(source, str) else self._frame(source)

    def _hold(self, stem: str, frame: Any, *, disk_only: bool = False) -> ir.Table:
        from pyspark import StorageLevel

        return self._view(stem, frame.persist(StorageLevel.DISK_ONLY if disk_only else StorageLevel.MEMORY_AND_DISK))

    def _view(self, stem: str, frame: Any) -> ir.Table:
        name = self.name(stem)
        frame.createOrReplaceTempView(name)
        self._held[name] = frame
        return self.con.table(name)

    def _forget(self, name: str) -> None:
        frame = self._held.pop(name, None)
        if frame is not None:
            frame.unpersist()
            self.spark.catalog.dropTempView(name)


def _spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema, prefer_timestamp_ntz=True)


def _uri(path: str | Path) -> str:
    return f"file://{os.path.abspath(path)}"  # not encoded: Spark encodes it itself


def _plain_uri(uri: str) -> str:
    return re.sub(*FILE_URI, uri)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _is_common(kind: pa.DataType) -> bool:
    is_ = pa.types
    if is_.is_dictionary(kind) or is_.is_list(kind):
        return _is_common(kind.value_type)
    if is_.is_timestamp(kind):
        return kind.unit != "ns"
    small = is_.is_unsigned_integer(kind) and kind.bit_width < 64
    return (
        small
        or is_.is_signed_integer(kind)
        or (is_.is_floating(kind) and kind.bit_width > 16)
        or is_.is_string(kind)
        or is_.is_large_string(kind)
        or is_.is_boolean(kind)
        or is_.is_date(kind)
    )
