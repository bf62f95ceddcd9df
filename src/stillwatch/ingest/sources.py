"""What the user names (a path, a glob, a folder, a table in memory) as an ordered list of origins."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.ingest.tables import open_table, parse_url
from stillwatch.model import InputRefused, UsageError

PARQUET, NDJSON, CSV, MEMORY, TABLE = "parquet", "ndjson", "csv", "memory", "table"
OWNED = "owned"  # a table of the engine itself
UNNAMED = "unnamed"  # the name says nothing; what the file holds may
FORMATS = {".parquet": PARQUET, ".pq": PARQUET, ".ndjson": NDJSON, ".jsonl": NDJSON, ".json": NDJSON, ".csv": CSV}
CODECS = {".gz": "gzip", ".zst": "zstd"}
SPARK_TABLE = "spark://"  # a table of Spark's catalogue: spark://catalog.database.table
KNOWN = ".parquet, .ndjson, .jsonl, .json or .csv (the text ones also .gz or .zst)"


@dataclass(frozen=True, slots=True)
class Origin:
    """One input: a file, a table in memory, or one elsewhere. `label` is what the user called it, less credentials."""

    label: str
    path: Path
    format: str
    codec: str | None = None
    data: Any = None  # for MEMORY and TABLE the table, for OWNED its name or the Ibis table
    columns: tuple[str, ...] | None = None  # known already: a piece of a log need not show every column of the whole


@dataclass(frozen=True, slots=True)
class Refusal:
    """A whole input that could not be read, and the mend."""

    label: str
    mend: str


def expand(source: Any, *, any_name: bool = False) -> tuple[list[Origin], list[Refusal]]:
    """List the inputs that `source` names, each once, in the order given; folders and globs are sorted.

    With `any_name`, files of a folder need no ending that is ours.
    Raises UsageError for something that is neither a path nor a table, InputRefused when nothing matched.
    """
    origins: list[Origin] = []
    refusals: list[Refusal] = []
    for item in _items(source):
        if isinstance(item, Origin):
            origins.append(item)
            continue
        if not isinstance(item, str | Path):
            origins.append(_in_memory(item))
            continue
        if str(item).startswith(SPARK_TABLE):
            origins.append(Origin(str(item), Path(), OWNED, data=str(item).removeprefix(SPARK_TABLE)))
            continue
        table = parse_url(item) if isinstance(item, str) else None
        if table is not None:
            origins.append(Origin(table.label, Path(), TABLE, data=open_table(table)))
            continue
        found = list(_files(str(item), any_name))
        if not found:
            refusals.append(Refusal(str(item), f"no file matched; give a file, a folder or a glob of {KNOWN}"))
        for path in found:
            origins.append(origin_of(path) or Origin(str(path), path, UNNAMED, CODECS.get(path.suffix.lower())))
    if not origins and not refusals:
        raise InputRefused(f"no input was named; give a file, a folder or a glob of {KNOWN}")
    once = {o.label if o.data is not None else str(o.path.resolve()): o for o in reversed(origins)}
    kept = {id(o) for o in once.values()}
    return [o for o in origins if id(o) in kept or o.format == MEMORY], refusals


def origin_of(path: Path) -> Origin | None:
    """Return the origin that a file's name promises, or None when the extension is not one of ours."""
    codec = CODECS.get(path.suffix.lower())
    kind = FORMATS.get((path.with_suffix("") if codec else path).suffix.lower())
    if kind is None or (codec and kind == PARQUET):
        return None
    return Origin(str(path), path, kind, codec)


def _items(source: Any) -> Sequence[Any]:
    if isinstance(source, Sequence) and not isinstance(source, str):
        return source
    return [source]


def _files(item: str, any_name: bool) -> Iterator[Path]:
    path = Path(item)
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in each.relative_to(path).parts)
            if each.is_file() and not hidden and (any_name or origin_of(each)):
                yield each
    elif path.exists():
        yield path
    elif glob.has_magic(item):
        for name in sorted(glob.glob(item, recursive=True)):
            if Path(name).is_file():
                yield Path(name)


def _in_memory(item: Any) -> Origin:
    kinds = {"pyarrow": "<arrow>", "pandas": "<pandas>", "polars": "<polars>", "ibis": "<ibis>"}
    package = type(item).__module__.partition(".")[0]
    if package not in kinds or not hasattr(item, "columns"):
        raise UsageError(
            f"cannot read exchanges from a {type(item).__name__}; "
            "give a path, a pyarrow.Table, a pandas or polars DataFrame, or an Ibis table"
        )
    return Origin(kinds[package], Path(), MEMORY, data=item)
