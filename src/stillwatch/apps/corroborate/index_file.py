"""An index as a file: indicators of campaigns' members, private to their owner."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.model import InputRefused
from stillwatch.sharing.private.indicators import Indicator
from stillwatch.sharing.private.known import Shown

SCHEMA = pa.schema(
    [
        ("campaign_id", pa.string()),
        ("verdict", pa.string()),
        ("kind", pa.string()),
        ("value", pa.string()),
        ("inside", pa.int64()),
        ("outside", pa.int64()),
        ("last_seen", pa.float64()),
    ]
)
FORMAT = b"stillwatch-indicators-1"


def write_index(shown: Iterable[Shown], path: Path) -> None:
    """Write an index, private to its owner. It holds values of customers' accounts: it never leaves the site."""
    rows = [
        (one.campaign, one.verdict, one.indicator.kind, one.indicator.value, one.inside, one.outside, one.last_seen)
        for one in shown
    ]
    names = SCHEMA.names
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=SCHEMA)
    partial = path.with_name(f".{path.name}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        pq.write_table(table.replace_schema_metadata({b"format": FORMAT}), file, compression="zstd")
    partial.replace(path)


def read_index(path: Path) -> tuple[Shown, ...]:
    """Return the index that a file holds. Raises InputRefused where it holds none."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise InputRefused(f"{path}: no index; make one with `stillwatch partner index`") from error
    if (table.schema.metadata or {}).get(b"format") != FORMAT:
        raise InputRefused(f"{path}: is no index of this version; make it again with `stillwatch partner index`")
    return tuple(
        Shown(
            row["campaign_id"], row["verdict"], Indicator(row["kind"], row["value"]), row["inside"], row["outside"],
            row["last_seen"],
        )
        for row in table.to_pylist()
    )  # fmt: skip
