"""Times as logs write them (native, ISO 8601, or a count since 1970) to a UTC timestamp without zone, in µs."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir

EARLIEST, LATEST = "2015-01-01", "2100-01-01"  # no model was served before; a later time is a broken clock
FIRST_EVER, LAST_EVER = "0001-01-01", "9999-12-31 23:59:59.999999"  # for the end of a licence
FIRST_US, LAST_US = 0, 4_102_444_800_000_000  # 1970 to 2100 as µs
# Counts since 1970, told apart by size: 1e11 s is the year 5138, 1e11 ms is 1973.
SECONDS_BELOW, MILLIS_BELOW, MICROS_BELOW = 1e11, 1e14, 1e17


@ibis.udf.scalar.builtin(name="make_timestamp", signature=(("int64",), "timestamp"))
def from_micros(micros):  # type: ignore[no-untyped-def]  # types are in the signature
    """DuckDB's own conversion of µs since 1970."""


def read_time(raw: ir.Value, *, bounded: bool) -> ir.Value | None:
    """Return the UTC timestamp, NULL where there is none; None when the column's type can hold no time.

    `bounded` refuses times before 2015 and after 2100. A text without an offset is UTC.
    """
    kind = raw.type()
    if kind.is_timestamp() or kind.is_date():
        moment = raw.cast("timestamp")
    elif kind.is_null():
        return ibis.null("timestamp(6)")
    elif kind.is_string():
        moment = _from_text(raw)
    elif kind.is_numeric() and not kind.is_boolean():
        moment = _from_number(raw.cast("float64"))
    else:
        return None
    low, high = (EARLIEST, LATEST) if bounded else (FIRST_EVER, LAST_EVER)
    within = moment.between(ibis.timestamp(low), ibis.timestamp(high))
    return ibis.ifelse(within, moment, ibis.null("timestamp")).cast("timestamp(6)")


def _from_number(number: ir.Value) -> ir.Value:
    micros = ibis.cases(
        (number < SECONDS_BELOW, number * 1e6),
        (number < MILLIS_BELOW, number * 1e3),
        (number < MICROS_BELOW, number),
        else_=number / 1e3,
    )
    # guarded: make_timestamp fails the whole query on a number out of range, NaN included
    return ibis.ifelse(micros.between(FIRST_US, LAST_US), from_micros(micros.round().try_cast("int64")), None)


def _from_text(text: ir.Value) -> ir.Value:
    # with zone, or DuckDB would drop the offset; the engine's zone is UTC, so a naive time is UTC
    zoned = text.try_cast("timestamp('UTC')")
    minutes = text.re_replace(r"^([^T ]+[T ]\d\d:\d\d)(Z|[+-]\d\d.*)$", r"\1:00\2").try_cast("timestamp('UTC')")
    number = text.try_cast("float64")
    return ibis.coalesce(zoned.cast("timestamp"), minutes.cast("timestamp"), _from_number(number))
