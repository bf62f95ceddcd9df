"""How one raw column becomes a typed column of the contract, and when a value is wrong. Ibis expressions only."""

from __future__ import annotations

from collections.abc import Callable

import ibis
import ibis.expr.types as ir

from stillwatch.ingest.addresses import read_address
from stillwatch.ingest.columns import Column
from stillwatch.ingest.times import read_time
from stillwatch.model import InputRefused

BOUNDS = {"status": (100, 599), "asn": (0, 2**32 - 1)}  # other whole numbers: from zero
EXACT = 2**53  # above it a float cannot tell neighbouring whole numbers apart
ADDRESSES = ("ip", "signup_ip")
SECRET = ("prompt", "system_prompt", "response")  # never quoted, whatever is wrong with them
EXPECTED = {
    "status": "an HTTP status number from 100 to 599",
    "asn": "an AS number such as 13335 or AS13335",
    "ip": "an IPv4 or IPv6 address",
    "signup_ip": "an IPv4 or IPv6 address",
    "ts": "a time from 2015 to 2100 (ISO 8601, or seconds, ms, µs or ns since 1970)",
    "string": "text",
    "int64": "a whole number, zero or more",
    "float64": "a number",
    "boolean": "true, false, 1 or 0",
    "timestamp": "a time (ISO 8601, or seconds, ms, µs or ns since 1970)",
    "array<string>": "a list of text (a JSON array, or parted by ';')",
}


@ibis.udf.scalar.builtin
def json_valid(text: str) -> bool:  # type: ignore[empty-body]
    """DuckDB's own check, so that `from_json` is asked only for what it can parse."""


@ibis.udf.scalar.builtin(name="from_json", signature=(("string", "string"), "array<string>"))
def from_json(text, structure):  # type: ignore[no-untyped-def]  # types are in the signature
    """DuckDB's own parser of a JSON text into a given structure."""


def expected(column: Column) -> str:
    """Say what a value of this column must be."""
    return EXPECTED.get(column.name) or EXPECTED[column.kind]


def read_value(column: Column, raw: ir.Value | None) -> ir.Value:
    """Type one raw column: the value, NULL where there is none or a wrong one. An absent column is all NULL.

    Raises InputRefused when no value of such a type could ever be read (a struct for a number).
    """
    if raw is None:
        return ibis.null("timestamp(6)" if column.kind == "timestamp" else column.kind)
    value = READERS[column.kind](column, raw)
    if value is None:
        raise InputRefused(f"column '{column.name}' is {raw.type()}, expected {expected(column)}")
    return value


def is_wrong(column: Column, value: ir.Value, raw: ir.Value | None, shape: ir.Value | None) -> ir.BooleanValue:
    """Say whether a typed value is one that must not be used. `shape` is its JSON type, where there is one."""
    wrong = ibis.literal(False)
    if raw is not None:
        if column.kind != "string" or column.name in ADDRESSES:  # any text is text: no need to read a prompt for it
            wrong = _present(raw) & value.isnull()
        if column.kind == "int64":
            low, high = BOUNDS.get(column.name, (0, EXACT))
            wrong = wrong | ~value.between(low, high).fill_null(True)
    if shape is not None:
        unfit = ("OBJECT", "BOOLEAN", "ARRAY") if column.kind == "string" else ("OBJECT", "BOOLEAN")
        wrong = wrong | shape.isin(unfit).fill_null(False)
    if column.required:
        wrong = wrong | value.isnull()
        if column.kind == "string":
            wrong = wrong | (value.strip() == "").fill_null(False)
    return wrong


def quote(column: Column, raw: ir.Value) -> ir.StringValue:
    """Return what stood there, shortened to 80 characters; of prompts and answers only how long it was."""
    text = raw if raw.type().is_string() else raw.cast("string")
    if column.name in SECRET:
        return ibis.literal("<text of ") + text.length().cast("string") + ibis.literal(" characters>")
    return ibis.ifelse(text.length() > 80, text.left(79) + "…", text)


def _present(raw: ir.Value) -> ir.BooleanValue:
    if raw.type().is_string():
        return raw.notnull() & (raw.strip() != "")
    if raw.type().is_floating():
        return raw.notnull() & ~raw.isnan()
    return raw.notnull()


def _text(column: Column, raw: ir.Value) -> ir.Value | None:
    kind = raw.type()
    if kind.is_floating():  # a frame that holds missing ids turns 12 into 12.0
        whole = (raw.abs() < EXACT) & (raw == raw.floor())
        number = ibis.ifelse(whole, raw.try_cast("int64").cast("string"), raw.cast("string"))
        return ibis.ifelse(raw.isnan(), ibis.null("string"), number)
    if kind.is_integer() or kind.is_uuid() or kind.is_date() or kind.is_decimal() or kind.is_null():
        raw = raw.cast("string")
    elif not kind.is_string():
        return None
    if column.name in ADDRESSES:
        return read_address(raw)
    if column.name == "country":
        return raw.strip().upper().nullif("")
    return raw.nullif("")


def _number(raw: ir.Value) -> ir.Value | None:
    kind = raw.type()
    if kind.is_string():
        return raw.try_cast("float64")
    return raw.cast("float64") if (kind.is_numeric() and not kind.is_boolean()) or kind.is_null() else None


def _whole(column: Column, raw: ir.Value) -> ir.Value | None:
    if raw.type().is_integer():
        return raw.try_cast("int64")
    if column.name == "asn" and raw.type().is_string():
        raw = raw.strip().re_replace("^(?i:as)([0-9]+)$", r"\1")
    number = _number(raw)
    if number is None:
        return None
    exact = (number.abs() <= EXACT) & (number == number.floor())  # NaN and infinity compare as larger
    return ibis.ifelse(exact, number.try_cast("int64"), ibis.null("int64"))


def _real(_: Column, raw: ir.Value) -> ir.Value | None:
    number = _number(raw)
    return None if number is None else ibis.ifelse(number.abs() < 1e300, number, ibis.null("float64"))


def _truth(_: Column, raw: ir.Value) -> ir.Value | None:
    kind = raw.type()
    if kind.is_boolean() or kind.is_null():
        return raw.cast("boolean")
    if not (kind.is_string() or kind.is_integer() or kind.is_floating()):
        return None
    yes, no = (("true", "1"), ("false", "0")) if kind.is_string() else ((1,), (0,))
    said = raw.strip().lower() if kind.is_string() else raw
    return ibis.cases((said.isin(yes), True), (said.isin(no), False))


def _time(column: Column, raw: ir.Value) -> ir.Value | None:
    return read_time(raw, bounded=column.name == "ts")


def _list(_: Column, raw: ir.Value) -> ir.Value | None:
    kind = raw.type()
    if kind.is_array() and not kind.value_type.is_nested():
        listed = raw.cast("array<string>")
    elif kind.is_string():
        structure = ibis.literal('["VARCHAR"]')
        parsed = ibis.ifelse(json_valid(raw), from_json(raw, structure), ibis.null("array<string>"))
        parts = raw.split(";").map(lambda part: part.strip())
        blank = (raw.strip() == "", ibis.null("array<string>"))
        listed = ibis.cases(blank, (raw.strip().startswith("["), parsed), else_=parts)
    else:
        # the engine reads a column of nothing but nulls as integers; a number that is there is rejected row by row
        return ibis.null("array<string>") if kind.is_null() or kind.is_integer() else None
    return listed.filter(lambda part: part.notnull() & (part != ""))


READERS: dict[str, Callable[[Column, ir.Value], ir.Value | None]] = {
    "string": _text,
    "int64": _whole,
    "float64": _real,
    "boolean": _truth,
    "timestamp": _time,
    "array<string>": _list,
}
