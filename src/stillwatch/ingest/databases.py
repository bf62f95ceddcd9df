"""Tables of databases: DuckDB files, and PostgreSQL by its binary COPY stream (ADBC)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from stillwatch.ingest.engine import BATCH_ROWS
from stillwatch.ingest.tables import TableName, needed, unknown_table
from stillwatch.model import InputRefused

SOURCE_MEMORY = "512MB"  # of the DuckDB that reads a file, beside the engine's own
TIMEOUT = 10  # seconds to connect, unless the URL or PGCONNECT_TIMEOUT says otherwise
# types that come as Arrow has them; addresses are cut to the address, all others become text
NATIVE = frozenset(
    [
        "text",
        "varchar",
        "bpchar",
        "name",
        "bool",
        "int2",
        "int4",
        "int8",
        "float4",
        "float8",
        "timestamptz",
        "timestamp",
        "date",
        "_text",
        "_varchar",
    ]
)
ADDRESSES = frozenset({"inet", "cidr"})
COLUMNS = """
SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
TABLES = """
SELECT CASE WHEN n.nspname = 'public' THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
AND n.nspname NOT LIKE 'pg\\_toast%' ORDER BY 1
"""
# a table's rows come in the order in which they lie, so that it has the same digest while it is the same
SESSION = (
    "SET default_transaction_read_only = on",
    "SET synchronize_seqscans = off",
    "SET max_parallel_workers_per_gather = 0",
    "SET TimeZone = 'UTC'",
)
FAILURES = (  # what libpq says, and the mend; its own words may quote the URL
    ("Connection refused", "no server answers there; check host and port, and that the server listens (pg_isready)"),
    ("could not translate host name", "its host is not known; check the host's name"),
    ("No such file or directory", "no server answers at that socket; name a host, or the socket's folder as host="),
    ("timeout expired", "the server does not answer; check host, port and what filters packets in between"),
    ("no password supplied", "the server asks for a password; set PGPASSWORD, or a line in ~/.pgpass"),
    ("password authentication failed", "user or password are refused; check the user, PGPASSWORD and ~/.pgpass"),
    ("no pg_hba.conf entry", "the server lets nobody in from here; ask for an entry in its pg_hba.conf"),
    ('role "', "the user does not exist there; name one as postgresql://USER@HOST/DATABASE::TABLE"),
    ('database "', "the database does not exist there; check its name"),
    ("permission denied", "the user may not read it; ask for GRANT SELECT"),
    ("closed the connection", "the connection was lost; try again"),
    ("SSL", "the server and this client do not agree on TLS; see sslmode"),
)


@dataclass(frozen=True, slots=True)
class DuckDBTable:
    """A table or view of a DuckDB file, opened for reading only."""

    name: TableName

    def columns(self) -> list[str]:
        """Return the names of its columns."""
        with self._connected() as con:
            try:
                if self.name.table:
                    return [row[0] for row in con.execute(f"SELECT * FROM {self._quoted} LIMIT 0").description]
            except duckdb.CatalogException:
                pass
            listed = con.execute(
                "SELECT CASE WHEN table_schema = 'main' THEN table_name ELSE table_schema || '.' || table_name END "
                "FROM information_schema.tables WHERE table_catalog = current_database() ORDER BY 1"
            ).fetchall()
            raise unknown_table(self.name.table, [row[0] for row in listed])

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns in the order in which the table has its rows."""
        with self._connected() as con:
            chosen = ", ".join(map(_quote, names))
            yield from con.execute(f"SELECT {chosen} FROM {self._quoted}").to_arrow_reader(BATCH_ROWS)

    @property
    def _quoted(self) -> str:
        return ".".join(map(_quote, self.name.table.split(".")))

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        path = Path(self.name.place)
        if not path.is_file():
            raise InputRefused("no such file; give duckdb://PATH::TABLE (three slashes for a path from the root)")
        try:
            with duckdb.connect(str(path), read_only=True, config={"memory_limit": SOURCE_MEMORY}) as con:
                con.execute("SET TimeZone = 'UTC'")
                yield con
        except duckdb.IOException as error:
            if "lock" in str(error):
                raise InputRefused("another program writes to the file; close it, or give a copy") from error
            raise InputRefused("is not a DuckDB file that this version reads, or is damaged") from error
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise InputRefused(f"cannot be read ({type(error).__name__}); is it a whole table or view?") from error


@dataclass(frozen=True, slots=True)
class PostgreSQLTable:
    """A table or view of a PostgreSQL database; the password comes from the environment or ~/.pgpass (libpq)."""

    name: TableName

    def columns(self) -> list[str]:
        """Return the names of its columns."""
        with self._connected() as cursor:
            return [name for name, _ in self._described(cursor)]

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns in the order in which the table has its rows, as the server sends them."""
        with self._connected() as cursor:
            kinds = dict(self._described(cursor))
            chosen = ", ".join(f"{_as_arrow(name, kinds[name])} AS {_quote(name)}" for name in names)
            cursor.execute(f"SELECT {chosen} FROM {self._quoted}")
            yield from cursor.fetch_record_batch()

    @property
    def _quoted(self) -> str:
        return ".".join(map(_quote, self.name.table.split(".")))

    def _described(self, cursor: Any) -> list[tuple[str, str]]:
        cursor.execute(COLUMNS, (self._quoted if self.name.table else "",))
        found = cursor.fetchall()
        if not found:
            cursor.execute(TABLES)
            raise unknown_table(self.name.table, [row[0] for row in cursor.fetchall()])
        return [(str(name), str(kind)) for name, kind in found]

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        driver = needed("adbc_driver_postgresql.dbapi", "postgresql")
        try:
            with driver.connect(self._uri(), autocommit=True) as connection, connection.cursor() as cursor:
                for line in SESSION:
                    cursor.execute(line)
                yield cursor
        except (driver.Error, OSError, pa.ArrowException) as error:  # the last two, once rows are on their way
            raise InputRefused(_mend_of(error)) from None  # not its own words: they may quote the URL

    def _uri(self) -> str:
        place = self.name.place
        if "connect_timeout=" not in place:
            place += f"{'&' if '?' in place else '?'}connect_timeout={TIMEOUT}"
        return f"postgresql://{place}"


def _as_arrow(name: str, kind: str) -> str:
    column = _quote(name)
    if kind in ADDRESSES:
        return f"host({column})"
    if kind in NATIVE:
        return column
    return f"{column}::text[]" if kind.startswith("_") else f"{column}::text"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _mend_of(error: Exception) -> str:
    said = str(error)
    for words, mend in FAILURES:
        if words in said:
            return mend
    state = getattr(error, "sqlstate", None)
    code = f", SQLSTATE {state}" if state and re.fullmatch(r"\w{5}", state) else ""
    return f"cannot be read ({type(error).__name__}{code}); try the same URL without '::TABLE' in psql"
