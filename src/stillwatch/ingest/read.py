"""Exchange logs, account tables and licence tables of any format to typed rows, or a rejection that says the mend.

source ─► origins ─► found (columns) ─► pieces (judged rows) ─► one table, and what was left out
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from stillwatch.ingest.adapters.choose import Asked
from stillwatch.ingest.adapters.roster import NATIVE, named
from stillwatch.ingest.assemble import assemble
from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.fields import check_fields
from stillwatch.ingest.inspect import inspect_all
from stillwatch.ingest.pieces import Order, bound_of, read_pieces
from stillwatch.ingest.records import Ingested, InputFile
from stillwatch.ingest.sources import SPARK_TABLE, expand
from stillwatch.model import InputRefused

__all__ = ["Ingested", "InputFile", "read_accounts", "read_exchanges", "read_licences"]

NO_FIELDS: Mapping[str, str] = MappingProxyType({})


def read_exchanges(
    source: Any, engine: Engine, fields: Mapping[str, str] = NO_FIELDS, format: str | None = None
) -> Ingested:
    """Read an exchange log: one row per exchange, the first of each `exchange_id`.

    `source` is a path, glob or folder, a pyarrow Table, a pandas or polars DataFrame, an Ibis table, or a sequence of
    these. `fields` maps their column names to ours. `format` names the adapter of a foreign format; unless it is given,
    each input is read as what it looks like. Token counts are whole numbers; times become UTC.
    Raises UsageError for a mapping that fits nothing, InputRefused when no input could be read.
    """
    order = Order(EXCHANGE_COLUMNS, fields, unique="exchange_id")
    return _read(source, engine, order, Asked(EXCHANGE_COLUMNS, fields, format))


def read_accounts(source: Any, engine: Engine, fields: Mapping[str, str] = NO_FIELDS) -> Ingested:
    """Read an account table: one row per account, the first of each `account_id`.

    Sources and errors as for exchanges.
    """
    return _read(source, _home(source, engine), Order(ACCOUNT_COLUMNS, fields, unique="account_id"))


def read_licences(source: Any, engine: Engine, fields: Mapping[str, str] = NO_FIELDS) -> Ingested:
    """Read declared authorisations; each row must name an `org_id` or an `account_id`.

    An empty cell means any; lists are parted by ';' in CSV. Sources and errors as for exchanges.
    """
    return _read(source, _home(source, engine), Order(LICENCE_COLUMNS, fields))


def _home(source: Any, engine: Engine) -> Engine:
    """Where small tables are read: here, for they come here anyway, but for a table that only the engine can reach."""
    there = (isinstance(source, str) and source.startswith(SPARK_TABLE)) or engine.owns(source)
    return engine if there else engine.local


def _read(source: Any, engine: Engine, order: Order, asked: Asked | None = None) -> Ingested:
    asked = asked or Asked(order.contract, order.fields, NATIVE)
    origins, unmatched = expand(source, any_name=named(asked.format) is not None)
    found, uninspected = inspect_all(origins, engine, asked)
    check_fields(order.fields, order.contract, {name for each in found for name in each.columns})
    pieces, unread = read_pieces(found, engine, order)
    refusals = [*unmatched, *uninspected, *unread]
    ingested = assemble(pieces, refusals, engine, order)
    if not ingested.inputs:
        raise InputRefused("\n".join(f"{refusal.label}: {refusal.mend}" for refusal in refusals))
    present = {ours for each in found for ours in bound_of(each, order)}
    return dataclasses.replace(ingested, named=frozenset(present))
