"""Tables that are folders of Parquet files with a log of which of them count: Delta and Iceberg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from stillwatch.ingest.engine import BATCH_ROWS
from stillwatch.ingest.tables import TableName, needed
from stillwatch.model import InputRefused

VERSION = re.compile(r"^v?(\d+)(?:-.*)?\.metadata\.json$")  # 00002-….metadata.json, v2.metadata.json


@dataclass(frozen=True, slots=True)
class DeltaTable:
    """The newest version of a Delta folder of this machine."""

    name: TableName

    def columns(self) -> list[str]:
        """Return the names of its columns."""
        return [field.name for field in self._opened().schema().fields]

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns file by file, in the order of the table's own list of files."""
        package = needed("deltalake.exceptions", "delta")
        try:
            dataset = self._opened().to_pyarrow_dataset()
            yield from dataset.to_batches(columns=list(names), batch_size=BATCH_ROWS, fragment_readahead=1)
        except package.DeltaProtocolError as error:
            raise InputRefused(
                "uses a feature of Delta that cannot be read in order (deletion vectors, column mapping); "
                "purge it (REORG TABLE … APPLY (PURGE)), or give a copy"
            ) from error
        except (package.DeltaError, pa.ArrowException, OSError) as error:
            raise InputRefused("lacks a file, or has a damaged one; run fsck on it, or give a copy") from error

    def _opened(self) -> Any:
        package = needed("deltalake", "delta")
        path = _folder(self.name, "_delta_log", "a Delta table: it has no folder _delta_log")
        try:
            return package.DeltaTable(str(path))
        except package.exceptions.DeltaError as error:
            raise InputRefused("is no whole Delta table; its _delta_log cannot be read") from error


@dataclass(frozen=True, slots=True)
class IcebergTable:
    """The newest snapshot of an Iceberg folder of this machine, or the one of a metadata file."""

    name: TableName

    def columns(self) -> list[str]:
        """Return the names of its columns."""
        with self._opened() as table:
            return [field.name for field in table.schema().fields]

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield columns file by file, in the order of the snapshot; one data file is held at a time."""
        reader = needed("pyiceberg.io.pyarrow", "iceberg")
        with self._opened() as table:
            scan = table.scan(selected_fields=tuple(names))
            arrow = reader.ArrowScan(table.metadata, table.io, scan.projection(), scan.row_filter)
            for file in scan.plan_files():  # all at once, the reader would hold every file that is ready
                for batch in arrow.to_record_batches([file]):
                    yield batch.select(list(names))

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        package = needed("pyiceberg.table", "iceberg")
        path = Path(self.name.place)
        if not path.is_file():
            folder = _folder(self.name, "metadata", "an Iceberg table: it has no folder metadata")
            path = _newest(folder / "metadata")
        try:
            yield package.StaticTable.from_metadata(str(path))
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise InputRefused(
                "is no whole Iceberg table, or lacks a file; give its folder, or a metadata file of it"
            ) from error


def _folder(name: TableName, inside: str, what: str) -> Path:
    if name.table:
        raise InputRefused("a folder is one table; leave out what follows '::'")
    path = Path(name.place)
    if not path.is_dir():
        raise InputRefused(f"no such folder on this machine; give {name.scheme}://PATH (three slashes from the root)")
    if not (path / inside).is_dir():
        raise InputRefused(f"is not {what}")
    return path


def _newest(folder: Path) -> Path:
    """The metadata file of the highest version. Raises InputRefused where two claim it: only a catalog knows then."""
    found = sorted((int(match[1]), path) for path in folder.iterdir() if (match := VERSION.match(path.name)))
    if not found:
        raise InputRefused("has no metadata file; give one by its path")
    if len(found) > 1 and found[-1][0] == found[-2][0]:
        pair = " and ".join(path.name for _, path in found[-2:])
        raise InputRefused(f"has two metadata files of one version ({pair}); give the one that your catalog names")
    return found[-1][1]
