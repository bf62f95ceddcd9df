"""Ibis expressions as Spark SQL that means what DuckDB's means, where ibis' own translation would differ."""

from __future__ import annotations

from typing import Any

import ibis.expr.datatypes as dt
from ibis.backends.sql.compilers.base import FALSE, NULL
from ibis.backends.sql.compilers.pyspark import PySparkCompiler

MICROS = 1_000_000
# Java writes 1.0E-5 and 1.0E7 where DuckDB writes 1e-05 and 10000000.0. From 1e17 on, where no temperature is, Java
# before 19 may write digits that are not needed; that is left.
SPELL = r"""
CREATE OR REPLACE TEMPORARY FUNCTION stillwatch_spell(x DOUBLE) RETURNS STRING RETURN CASE
  WHEN isnan(x) THEN 'nan'
  WHEN abs(x) = double('Infinity') THEN if(x > 0, 'inf', '-inf')
  WHEN x = 0 OR (abs(x) >= 1e-3 AND abs(x) < 1e7) THEN string(x)
  WHEN abs(x) >= 1e-4 AND abs(x) < 1e16 THEN
    regexp_replace(regexp_replace(string(cast(string(x) AS DECIMAL(38, 20))), '0+$', ''), '[.]$', '.0')
  ELSE concat(
    regexp_replace(substring_index(string(x), 'E', 1), '[.]0$', ''),
    if(abs(x) < 1, 'e-', 'e+'),
    regexp_replace(lpad(string(abs(int(substring_index(string(x), 'E', -1)))), 3, '0'), '^0', '')
  )
END"""


class Dialect(PySparkCompiler):
    """ibis' compiler for Spark with the differences to DuckDB taken out; a test compares each with DuckDB."""

    __slots__ = ()

    def visit_ExtractMicrosecond(self, op: Any, *, arg: Any) -> Any:
        """Microseconds within the second; ibis refuses it for Spark."""
        return self.cast(self.f.anon.pmod(self._micros(arg), MICROS), op.dtype)

    def visit_ExtractEpochSeconds(self, _: Any, *, arg: Any) -> Any:
        """Whole seconds since 1970 in 64 bits, as DuckDB gives them whatever ibis believes."""
        return self.cast(self.f.floor(self._micros(arg) / MICROS), dt.int64)

    def visit_Hash(self, _: Any, *, arg: Any) -> Any:
        """64 bits: of a billion ids nearly all would share one of Spark's 32-bit hashes with another."""
        return self.f.anon.xxhash64(arg)

    def visit_ArrayContains(self, _: Any, *, arg: Any, other: Any) -> Any:
        """Of an unknown value it is unknown whether a list has it."""
        found = self.f.coalesce(self.f.array_contains(arg, other), FALSE)
        return self.if_(arg.is_(NULL).or_(other.is_(NULL)), NULL, found)

    def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:
        """A number as text is spelled as DuckDB and Python spell it."""
        if to.is_string() and op.arg.dtype.is_float64():
            return self.f.anon.stillwatch_spell(arg)
        return super().visit_Cast(op, arg=arg, to=to)

    def _micros(self, moment: Any) -> Any:
        return self.f.anon.unix_micros(self.cast(moment, dt.timestamp))
