"""An exchange as a record of the spool, and records as rows of the exchange log: both in one order of fields."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.recording.decided import said
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.model import MissingDependency

try:
    from msgspec import DecodeError, msgpack
except ImportError:
    raise MissingDependency("the gateway's exchange log needs msgspec: pip install 'stillwatch[gateway]'") from None

DECIDED = ("decision", "would", "rule", "reason", "campaign_id")  # beyond the contract; `detect` passes over them
TEXT = ("prompt", "system_prompt", "response")
MADE = ("template_key", "fill_hash")  # take the place of text when it is dropped
FIELDS = (*(column.name for column in EXCHANGE_COLUMNS if column.name not in MADE), *DECIDED)
_KINDS = {
    "string": pa.string(), "timestamp": pa.timestamp("us", "UTC"), "int64": pa.int64(), "float64": pa.float64(),
    "boolean": pa.bool_(), "array<string>": pa.list_(pa.string()),
}  # fmt: skip
_TYPES = {column.name: _KINDS[column.kind] for column in EXCHANGE_COLUMNS} | dict.fromkeys(DECIDED, pa.string())
SCHEMA = pa.schema([(name, _TYPES[name]) for name in FIELDS])
BARE = pa.schema(  # as it stays once text is dropped: in the contract's order
    [(column.name, _TYPES[column.name]) for column in EXCHANGE_COLUMNS if column.name not in TEXT]
    + [(name, pa.string()) for name in DECIDED]
)
_HIGHEST = 1 << 63

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(tuple | dict).decode  # tuples: the garbage collector soon leaves those alone


def header() -> bytes:
    """Return the record that opens a spool file: the names of the fields, in their order."""
    return _encode({"stillwatch-spool": 1, "fields": FIELDS})


def pack(arrival: Arrival, decision: Decision, outcome: Outcome, keep_response: bool) -> bytes:
    """Return an exchange as a record."""
    done, would = said(decision)
    a = arrival
    values = (
        a.exchange_id, a.ts, a.account_id, a.model, a.prompt, a.system_prompt, a.tools or None, a.turns,
        outcome.input_tokens, outcome.output_tokens, a.max_tokens, a.temperature, a.n, a.stream, a.ip, a.asn, a.country,
        a.user_agent, a.tls_fingerprint, a.api_key_id, a.channel, a.endpoint, outcome.status or None,
        outcome.artefacts_out or None, a.artefacts_in or None, outcome.response if keep_response else None, done, would,
        decision.rule or None, decision.reason or None, decision.campaign_id,
    )  # fmt: skip
    try:
        return _encode(values)
    except (UnicodeEncodeError, OverflowError, TypeError):  # half a character, 100 digits
        return _encode([_tame(value) for value in values])


def unpack(records: Iterable[bytes]) -> tuple[list[Sequence[Any]], list[bytes]]:
    """Return the values of each exchange, in the order of FIELDS, and the records that are whole but no exchange."""
    fields: Sequence[str] = FIELDS
    rows: list[Sequence[Any]] = []
    strange: list[bytes] = []
    for record in records:
        try:
            found = _decode(record)
        except (DecodeError, UnicodeDecodeError):  # ValidationError, for another type, is one
            found = None
        if isinstance(found, dict):
            fields = found.get("fields", FIELDS)
        elif isinstance(found, tuple) and len(found) == len(fields):
            rows.append(found if list(fields) == list(FIELDS) else _reorder(fields, found))
        else:
            strange.append(record)
    return rows, strange


def to_table(rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return exchanges as rows of the log, by time and name."""
    arrays = [_column([row[at] for row in rows], field.type) for at, field in enumerate(SCHEMA)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA).sort_by([("ts", "ascending"), ("exchange_id", "ascending")])


def _reorder(fields: Sequence[str], found: Sequence[Any]) -> Sequence[Any]:
    """Read a file of another version: what it did not know is null."""
    known = dict(zip(fields, found, strict=True))
    return [known.get(name) for name in FIELDS]


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):  # one odd value must not cost the others
        return pa.array([_fit(value, kind) for value in values], kind)


def _fit(value: Any, kind: pa.DataType) -> Any:
    try:
        return pa.scalar(_tame(value), kind).as_py()
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return str(_tame(value)) if pa.types.is_string(kind) else None


def _tame(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_HIGHEST <= value < _HIGHEST else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_tame(each) for each in value]
    return None
