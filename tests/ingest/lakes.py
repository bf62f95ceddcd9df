"""One Arrow table as a table of a DuckDB file, of PostgreSQL, or of a Delta or Iceberg folder; each returns its URL."""

from __future__ import annotations

import os
from pathlib import Path

import adbc_driver_postgresql.dbapi
import deltalake
import duckdb
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog


def write_duckdb(path: Path, table: pa.Table, name: str) -> str:
    with duckdb.connect(str(path)) as con:
        con.register("given", table)
        con.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM given")
    return f"duckdb://{path}::{name}"


def write_postgres(url: str, table: pa.Table, name: str) -> str:
    with adbc_driver_postgresql.dbapi.connect(url) as connection:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {name}")
            cursor.adbc_ingest(name, table, mode="create")
        connection.commit()
    return f"{url}::{name}"


def execute(url: str, *lines: str) -> None:
    with adbc_driver_postgresql.dbapi.connect(url, autocommit=True) as connection, connection.cursor() as cursor:
        for line in lines:
            cursor.execute(line)


def write_delta(folder: Path, table: pa.Table) -> str:
    deltalake.write_deltalake(str(folder), table, mode="append")
    return f"delta://{folder}"


def write_iceberg(folder: Path, table: pa.Table) -> str:
    """Append to a table of a catalog that lies beside the folder."""
    os.makedirs(folder.parent, exist_ok=True)
    catalog = SqlCatalog(
        "tests", uri=f"sqlite:///{folder.parent}/{folder.name}.db", warehouse=f"file://{folder.parent}"
    )
    try:
        catalog.create_namespace_if_not_exists("ns")
        made = catalog.create_table_if_not_exists("ns.log", schema=table.schema, location=f"file://{folder}")
        if table.num_rows:
            made.append(table)
    finally:
        catalog.engine.dispose()
    return f"iceberg://{folder}"
