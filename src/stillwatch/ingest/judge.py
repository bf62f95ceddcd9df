"""Every row typed and judged: the contract's columns, and for a bad row which field is wrong and what stood there."""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.ingest.columns import Column
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.raw import Raw
from stillwatch.ingest.text import WHOLE_ROW
from stillwatch.ingest.values import expected, is_wrong, quote, read_value

FAULT, SAID = "_fault", "_said"
BROKEN = -1  # the whole row
NOT_AN_OBJECT = "is not a JSON object; write one object a line"
NEITHER = 1_000  # a licence for nobody


def judge(raw: Raw, contract: Sequence[Column], engine: Engine, key: str | None = None) -> ir.Table:
    """Return `_file`, `_row`, the typed columns, `_fault` (NULL for a good row) and `_said`, in the order of the rows.

    `key` names the file where the table does not. Each stage is a view, or one expression would repeat the stage below
    it at every mention. Raises InputRefused when a column has a type that cannot serve.
    """
    table = raw.table
    file = table["_file"] if key is None else ibis.literal(key)
    stood = {name: table[theirs] for name, theirs in raw.columns.items()}
    values = [read_value(column, stood.get(column.name)).name(column.name) for column in contract]
    carried = [table[name] for name in (*raw.columns.values(), *raw.shapes.values())]
    broken = [table["_broken"]] if raw.breakable else []
    typed = engine.view("typed", table.select(file.name("_file"), table["_row"], *values, *carried, *broken))
    judged = engine.view("judged", typed.mutate(_fault_of(typed, raw, contract).name(FAULT)))
    said = [
        (judged[FAULT] == i, quote(c, judged[raw.columns[c.name]])) for i, c in enumerate(contract) if c.name in stood
    ]
    if raw.breakable:
        said.append((judged[FAULT] == BROKEN, whole_row(judged["_broken"])))
    names = ["_file", "_row", *(column.name for column in contract), FAULT]
    return engine.view("rows", judged.select(*names, ibis.cases(*said, else_=ibis.null("string")).name(SAID)))


def _fault_of(typed: ir.Table, raw: Raw, contract: Sequence[Column]) -> ir.Value:
    cases = [(typed["_broken"].notnull(), BROKEN)] if raw.breakable else []
    for index, column in enumerate(contract):
        stood = typed[raw.columns[column.name]] if column.name in raw.columns else None
        shape = typed[raw.shapes[column.name]] if column.name in raw.shapes else None
        if stood is not None or column.required:
            cases.append((is_wrong(column, typed[column.name], stood, shape), index))
    if contract[0].name == "licence_id":
        cases.append((typed["org_id"].isnull() & typed["account_id"].isnull(), NEITHER))
    return ibis.cases(*cases).cast("int16")


def whole_row(length: ir.IntegerValue) -> ir.StringValue:
    """Say how long a row is that may not be quoted."""
    return ibis.literal("<line of ") + length.cast("string") + ibis.literal(" characters>")


def field_and_mend(faults: pa.Table, contract: Sequence[Column]) -> tuple[pa.Array, pa.Array]:
    """Return the `field` and the `mend` of every faulty row, from its `_fault` and `_said`."""
    fields, mends = [], []
    for index, said in zip(faults[FAULT].to_pylist(), faults[SAID].to_pylist(), strict=True):
        if index == BROKEN:
            fields.append(WHOLE_ROW)
            mends.append(NOT_AN_OBJECT)
        elif index == NEITHER:
            fields.append("account_id")
            mends.append("'org_id' and 'account_id' are both empty; fill one of them")
        else:
            column = contract[index]
            fields.append(column.name)
            state = f"is '{said}'" if said else "is empty"
            other = f"map another column with --field THEIRS={column.name}"
            mends.append(f"'{column.name}' {state}, expected {_wanted(column)}; {other}")
    return pa.array(fields, pa.string()), pa.array(mends, pa.string())


def _wanted(column: Column) -> str:
    return f"{expected(column)}: {column.meaning}" if column.required and column.kind == "string" else expected(column)
