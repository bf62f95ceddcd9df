"""JSON as people keep it: one object a line, one array of objects, or objects over several lines."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa

from stillwatch.ingest import ndjson
from stillwatch.ingest.adapters.base import Record
from stillwatch.ingest.raw import Tally
from stillwatch.ingest.sources import Origin
from stillwatch.ingest.text import MAX_RECORD, chunks
from stillwatch.model import InputRefused

Parse = Callable[[str], Record | None]
Found = tuple[int, int, Record | None]  # line or place from 1, characters, and the record unless it is damaged
BETWEEN = " \t\r\n,[]"  # what may stand between the objects of an array


def records(origin: Origin, parse: Parse | None, tally: Tally) -> Iterator[Found]:
    """Yield every record of a text file. `parse` reads a line that is no JSON; lines of bad UTF-8 go to the tally.

    Raises InputRefused for an array that breaks off: what follows a broken object in it cannot be told apart.
    """
    return _values(origin) if _is_spread(origin) else _lines(ndjson.line_batches(origin, tally), parse)


def first_records(origin: Origin, parse: Parse | None) -> Iterator[Record]:
    """Yield records from the beginning of a file, those that are whole; of lines no further than one block."""
    lines = itertools.islice(ndjson.line_batches(origin, Tally()), 1)
    found = _values(origin) if _is_spread(origin) else _lines(lines, parse)
    return (record for _, _, record in found if record is not None)


def _is_spread(origin: Origin) -> bool:
    """Whether a file is an array, or objects over several lines, rather than one object a line."""
    head = next(chunks(origin, 4096), b"").lstrip()
    inside = head[1:].lstrip()[:1]
    return (head[:1] == b"[" and inside in (b"{", b"]")) or head.partition(b"\n")[0].strip() == b"{"


def read_object(text: str) -> Record | None:
    """Return the JSON object that a text is, or None."""
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _lines(batches: Iterable[pa.RecordBatch], parse: Parse | None) -> Iterator[Found]:
    for batch in batches:
        for row, line in zip(batch["_row"].to_pylist(), batch["line"].to_pylist(), strict=True):
            text = line.strip()
            if text:
                plain = parse is not None and not text.startswith("{")
                yield row, len(text), parse(text) if plain and parse else read_object(text)


def _values(origin: Origin) -> Iterator[Found]:
    scan = json.JSONDecoder(parse_constant=_refuse).raw_decode
    decoder, text, place = codecs.getincrementaldecoder("utf-8")(), "", itertools.count(1)
    for block in itertools.chain(chunks(origin), [b""]):
        text, at = text + _decode(decoder, block), 0
        while (at := _skip(text, at)) < len(text):
            try:
                value, end = scan(text, at)
            except (ValueError, RecursionError):
                if not block or len(text) - at > MAX_RECORD:
                    raise InputRefused(f"breaks off in record {next(place)}; export it again, whole") from None
                break
            yield next(place), end - at, value if isinstance(value, dict) else None
            at = end
        text = text[at:]


def _decode(decoder: Any, block: bytes) -> str:
    try:
        return decoder.decode(block, not block)
    except UnicodeDecodeError:
        raise InputRefused(ndjson.NOT_UTF8) from None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BETWEEN:
        at += 1
    return at


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
