"""Where exchange rows live and are computed on: the seam between detection and the engine that runs it.

Everything above speaks Ibis expressions, or an Arrow kernel (record batch → record batch, or record batch → mergeable
state) that the engine runs over an expression's batches. Exchange rows never become Python objects. `Engine` is the
embedded DuckDB; `ingest.spark` has the same methods on Apache Spark.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends.sql.compilers import DuckDBCompiler
from ibis.backends.sql.datatypes import DuckDBType

from stillwatch.model import UsageError

ALONE = "--state and --enrich are with --engine duckdb alone; leave them out, or say --engine duckdb"
ROW_GROUP = 20_480  # ten vectors; a row group of long prompts must fit in memory several times
BATCH_ROWS = 32_768  # one batch of text stays near 20 MB
THREADS = 2
LEAST_MIB, SHARE = 1_536, 5  # DuckDB may hold a fifth of the machine's memory, and spills past it; sketches come on top
MEMORY = f"{max(LEAST_MIB, os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') // 2**20 // SHARE)}MB"


class Mergeable(Protocol):
    """A state that folds batches and merges exactly: integers, in any order."""

    def merge(self, other: Any) -> None:
        """Add another state of the same kind to this one."""


@cache
def _type_of(text: str, nullable: bool | None) -> dt.DataType:
    return DuckDBType.from_string(text, nullable)


class _Types(DuckDBType):
    """ibis' types of DuckDB; each is parsed once, not for every column of every table."""

    @classmethod
    def from_string(cls, text: str, nullable: bool | None = None) -> dt.DataType:
        """Return the type that DuckDB calls so."""
        return _type_of(text, nullable)


class _Dialect(DuckDBCompiler):
    """ibis' compiler for DuckDB, but for one function."""

    type_mapper = _Types

    def visit_ExtractEpochSeconds(self, _: Any, *, arg: Any) -> Any:
        """Whole seconds since 1970; ibis' own translation leaves the fraction in."""
        return self.cast(self.f.floor(self.f.anon.epoch_us(arg) / 1_000_000), dt.int64)


State = TypeVar("State", bound=Mergeable)
Query = Callable[["Engine", ir.Table], ir.Table]


class Engine:
    """An embedded DuckDB in a scratch folder that only its owner can read, removed on close."""

    errors: tuple[type[Exception], ...] = (duckdb.Error,)  # what a computation that fails raises

    def __init__(self, scratch: Path | None = None, *, threads: int = THREADS, memory: str = MEMORY) -> None:
        self.scratch = Path(tempfile.mkdtemp(prefix="stillwatch-", dir=scratch))
        self.scratch.chmod(0o700)
        self.threads = threads
        self._names = itertools.count()
        self.con = ibis.duckdb.connect(
            self.scratch / "engine.duckdb",
            threads=threads,
            memory_limit=memory,
            temp_directory=str(self.scratch / "spill"),
            preserve_insertion_order=True,
        )
        self.con.compiler = _Dialect()
        self.con.raw_sql("SET TimeZone = 'UTC'")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database and remove everything it wrote."""
        self.con.disconnect()
        shutil.rmtree(self.scratch, ignore_errors=True)

    @property
    def local(self) -> Engine:
        """The embedded engine beside this process, for text formats and small tables."""
        return self

    def is_damage(self, error: Exception) -> bool:
        """Whether one of `errors` says that a file's pages cannot be read, not that the engine is in trouble."""
        return not isinstance(error, duckdb.OutOfMemoryException)

    def reads(self, _file: Path, _schema: pa.Schema) -> bool:
        """Whether the engine itself reads this Parquet file and these types; what it does not goes through `local`."""
        return True

    def name(self, stem: str) -> str:
        """Return a table or file name not used before in this engine."""
        return f"{stem}_{next(self._names)}"

    def register(self, stem: str, data: pa.Table) -> ir.Table:
        """Bring a small Arrow table (accounts, groups: never exchanges) to the engine."""
        with self.lent(stem, data) as name:  # create_table(data) of ibis 12 fails to drop its own view
            return self.con.create_table(self.name(stem), self.con.table(name))

    def lend(self, stem: str, data: pa.Table | pa.RecordBatchReader) -> str:
        """Let the engine read an Arrow table, or a reader once, without copying it; return the name it reads it by."""
        name = self.name(stem)
        self.con.con.register(name, data)
        return name

    @contextmanager
    def lent(self, stem: str, data: pa.Table | pa.RecordBatchReader) -> Iterator[str]:
        """Lend for the length of a `with` block."""
        name = self.lend(stem, data)
        try:
            yield name
        finally:
            self.con.con.unregister(name)

    def open_parquet(self, stem: str, paths: Sequence[str | Path]) -> ir.Table:
        """Open Parquet files of one schema where they lie, in the order given."""
        return self.con.read_parquet([str(path) for path in paths], table_name=self.name(stem))

    def number_parquet(self, stem: str, paths: Sequence[str], columns: Mapping[str, str]) -> ir.Table:
        """Open Parquet files like `open_parquet`: `_row` from 1, `_file` as in `paths`, `columns` under new names."""
        table = self.con.read_parquet(
            list(paths), table_name=self.name(stem), file_row_number=True, filename="_stillwatch_file"
        )
        place = (table["file_row_number"] + 1).name("_row"), table["_stillwatch_file"].name("_file")
        return table.select(*place, *(table[theirs].name(new) for new, theirs in columns.items()))

    def number_table(self, stem: str, source: Any, columns: Mapping[str, str]) -> ir.Table:
        """Open a table that the engine owns like Parquet files. This engine owns none that it did not make."""
        raise UsageError(f"{source} ({stem}: {len(columns)} columns) is a table of Spark; say --engine spark")

    def owns(self, _: Any) -> bool:
        """Whether this engine can read an Ibis table, or a table by its name, where it lies."""
        return False

    def schema_of(self, source: Any) -> ibis.Schema:
        """Return the columns of a table that the engine owns."""
        raise UsageError(f"{source} is a table of Spark; say --engine spark")

    def digests(self, paths: Sequence[Path]) -> list[str]:
        """Return the SHA-256 of each file."""
        return [digest_of_file(path) for path in paths]

    def rowwise(self, stem: str, table: ir.Table, query: Query) -> ir.Table:
        """Apply a query to a table row by row: one that the embedded engine computes, wherever the rows are."""
        return self.view(stem, query(self, table))

    def concat(self, stem: str, tables: Sequence[ir.Table]) -> ir.Table:
        """Return the rows of several tables of one schema, in order. Copied, for DuckDB reorders a UNION."""
        return self.open_parquet(stem, [self.spool(stem, table) for table in tables])

    def spool(self, stem: str, expr: ir.Table) -> Path:
        """Compute an expression once into a Parquet file of the scratch folder, rows in order."""
        path = self.scratch / f"{self.name(stem)}.parquet"
        self.con.to_parquet(expr, path, compression="lz4", row_group_size=ROW_GROUP)
        return path

    def write(self, expr: ir.Table, path: Path) -> None:
        """Compute an expression once into a Parquet file that outlives this engine."""
        whole = [name for name, kind in expr.schema().items() if kind.is_int64()]
        cast = ", ".join(f'CAST("{name}" AS BIGINT) AS "{name}"' for name in whole)  # DuckDB's sums are 128 bits wide
        rows = f"SELECT * REPLACE ({cast}) FROM ({self.con.compile(expr)})" if whole else self.con.compile(expr)
        self.con.raw_sql(f"COPY ({rows}) TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet, CODEC lz4)")

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """Return the rows of Parquet files of one schema, which are read when they are asked for."""
        return self.con.read_parquet([str(path) for path in paths], table_name=self.name("read"))

    def keep(self, stem: str, expr: ir.Table) -> ir.Table:
        """Compute an expression once and keep its rows: on the disk, as they may be many."""
        name = self.name(stem)
        self.write(expr, self._kept(name))
        return self.con.read_parquet(self._kept(name), table_name=name)

    def _kept(self, name: str) -> Path:
        return self.scratch / f"{name}.parquet"

    def query(self, stem: str, sql: str) -> ir.Table:
        """Name a query of DuckDB's own, for what Ibis cannot say, without computing it."""
        name = self.name(stem)
        self.con.raw_sql(f"CREATE VIEW {name} AS {sql}")
        return self.con.table(name)

    def view(self, stem: str, expr: ir.Table) -> ir.Table:
        """Name an expression without computing it, so that what is built on it stays short."""
        return self.con.create_view(self.name(stem), expr)

    def drop(self, table: ir.Table) -> None:
        """Forget a kept table."""
        name = table.get_name().rpartition(".")[2]
        self.con.raw_sql(f'DROP VIEW "{name}"')  # ibis 12 writes a DROP that DuckDB 1.5 refuses
        self._kept(name).unlink()

    def arrow(self, expr: ir.Table) -> pa.Table:
        """Bring a result to the driver: accounts, edges and groups, never exchanges by the million."""
        return self.con.to_pyarrow(expr)

    def stream(self, expr: ir.Table, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield an expression's rows in record batches of at most `rows`, in order."""
        # not to_pyarrow_batches: ibis 12 calls a method there that duckdb 1.5 deprecates
        yield from self.con.raw_sql(self.con.compile(expr)).to_arrow_reader(rows)

    def map(
        self,
        stem: str,
        expr: ir.Table,
        kernel: Callable[[pa.RecordBatch], pa.RecordBatch],
        schema: pa.Schema,
        into: Path | None = None,
    ) -> ir.Table:
        """Run an Arrow kernel over every batch of an expression and keep what it returns, in the same order.

        It is kept in the Parquet file `into`, else in one of the scratch folder.
        """
        path = into or self.scratch / f"{self.name(stem)}.parquet"
        repeats = [field.name for field in schema if pa.types.is_string(field.type) and field.name != "exchange_id"]
        options = {"compression": "lz4", "use_dictionary": repeats, "write_statistics": False}
        with pq.ParquetWriter(path, schema, **options) as writer:  # a dictionary of what never repeats only costs time
            for batch in self._in_order(expr, kernel):
                writer.write_batch(batch)
        return self.con.read_parquet(path, table_name=self.name(stem))

    def beside(self, stem: str, left: ir.Table, right: ir.Table) -> ir.Table:
        """Put two named tables of equally many rows side by side, row by row, in the order of the left one.

        For what `map` made of a table. Unlike a join it has no key, keeps the order and copies no text.
        """
        names = [table.get_name().rpartition(".")[2] for table in (left, right)]
        return self.query(stem, f"SELECT * FROM {names[0]} POSITIONAL JOIN {names[1]}")

    def fold(self, expr: ir.Table, empty: Callable[[], State], step: Callable[[State, pa.RecordBatch], None]) -> State:
        """Fold every batch of an expression into one mergeable state, one state a thread."""
        local = threading.local()
        states: list[State] = []
        lock = threading.Lock()

        def fold_batch(batch: pa.RecordBatch) -> None:
            if not hasattr(local, "state"):
                local.state = empty()
                with lock:
                    states.append(local.state)
            step(local.state, batch)

        for _ in self._in_order(expr, fold_batch):
            pass
        if not states:
            return empty()
        first, *rest = states
        for state in rest:
            first.merge(state)
        return first

    def _in_order(self, expr: ir.Table, work: Callable[[pa.RecordBatch], Any]) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(self.threads) as pool:
            for batch in self.stream(expr):
                waiting.append(pool.submit(work, batch))
                if len(waiting) > 2 * self.threads:  # bounded, or a fast reader would hold the whole log
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def digest_of_file(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
