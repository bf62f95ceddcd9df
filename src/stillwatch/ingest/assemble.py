"""Pieces to one table: bad rows and repeated ids left out, in the order of inputs and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.judge import FAULT, SAID
from stillwatch.ingest.ledger import Ledger
from stillwatch.ingest.pieces import UNREADABLE, Order, Piece, split_piece
from stillwatch.ingest.records import Ingested
from stillwatch.ingest.sources import PARQUET, Refusal

SHORT_LIST = 200  # repeated rows looked for one by one at each read; for more, the rows are copied once without them
NO_REPEATS = pa.table(
    {name: pa.array([], kind) for name, kind in (("_file", "string"), ("_row", "int64"), ("value", "string"))}
)


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A piece after its first pass: rows, faulty rows, and values in each column."""

    piece: Piece
    faults: int
    values: dict[str, int]


def assemble(pieces: Sequence[Piece], refusals: list[Refusal], engine: Engine, order: Order) -> Ingested:
    """Leave out what is wrong and join the rest; `refusals` gains the inputs that turn out to be unreadable."""
    surveyed = [one for piece in pieces for one in _survey(piece, refusals, engine, order)]
    inputs = [pair for one in surveyed for pair in one.piece.inputs]
    ledger = Ledger({found.key: (found.place, file.path) for found, file in inputs})
    for one in surveyed:
        ledger.add_damaged(one.piece)
        if one.faults:
            wrong = one.piece.table.filter(one.piece.table[FAULT].notnull())
            faults = engine.arrow(wrong.select("_file", "_row", FAULT, SAID))
            ledger.add_faults(faults, order.contract)
    repeats = _repeats(surveyed, engine, order.unique, ledger) if order.unique else NO_REPEATS
    ledger.add_repeats(repeats, order.unique or "")
    table = _join(surveyed, engine, order, repeats)
    rejected = ledger.table(refusals)
    read = sum(file.rows for _, file in inputs)
    return Ingested(
        table=table,
        present=frozenset(c.name for c in order.contract if any(one.values[c.name] for one in surveyed)),
        rows_read=read,
        rows_kept=read - rejected.num_rows + len(refusals),
        rejected=rejected,
        inputs=tuple(file for _, file in inputs),
    )


def _survey(piece: Piece, refusals: list[Refusal], engine: Engine, order: Order) -> list[Surveyed]:
    counts = {column.name: piece.table[column.name].count() for column in order.contract}
    try:
        row = engine.arrow(piece.table.aggregate(**{FAULT: piece.table[FAULT].count()}, **counts)).to_pylist()[0]
    except engine.errors as error:  # a damaged page; never the engine's own words, which quote what it stumbled on
        if not engine.is_damage(error) or any(found.origin.format != PARQUET for found, _ in piece.inputs):
            raise
        if len(piece.inputs) == 1:
            refusals.append(Refusal(piece.inputs[0][1].path, UNREADABLE))
            return []
        return [one for each in split_piece(piece, engine, order) for one in _survey(each, refusals, engine, order)]
    return [Surveyed(piece, row.pop(FAULT), row)]


def _repeats(surveyed: Sequence[Surveyed], engine: Engine, key: str, ledger: Ledger) -> pa.Table:
    """Find later rows with an id that an earlier good row has. Ids are compared by hash first: eight bytes each."""
    ids = [_good(one).select("_file", "_row", value=one.piece.table[key]) for one in surveyed]
    if not ids:
        return NO_REPEATS
    every = ibis.union(*ids, distinct=False) if len(ids) > 1 else ids[0]
    hashed = every.select(hash=every["value"].hash())
    twice = engine.keep("twice", hashed.group_by("hash").having(hashed.count() > 1).agg())
    if not engine.arrow(twice.limit(1)).num_rows:
        return NO_REPEATS
    places = engine.register(
        "places", pa.table({"_file": list(ledger.labels), "place": [place for place, _ in ledger.labels.values()]})
    )
    some = every.filter(every["value"].hash().isin(twice["hash"])).join(places, "_file")
    window = ibis.window(group_by=some["value"], order_by=[some["place"], some["_row"]])
    ranked = some.mutate(
        rank=ibis.row_number().over(window),
        first_file=some["_file"].first().over(window),
        first_row=some["_row"].first().over(window),
    )
    later = ranked.filter(ranked["rank"] > 0)
    return engine.arrow(later.select("_file", "_row", "value", "first_file", "first_row"))


def _good(one: Surveyed) -> ir.Table:
    return one.piece.table.filter(one.piece.table[FAULT].isnull()) if one.faults else one.piece.table


def _join(surveyed: Sequence[Surveyed], engine: Engine, order: Order, repeats: pa.Table) -> ir.Table:
    """Return the accepted rows: one piece as a view, several joined in order."""
    names = [column.name for column in order.contract]
    if not surveyed:
        fields = [(column.name, ibis.dtype(column.kind).to_pyarrow()) for column in order.contract]
        return engine.register("nothing", pa.schema(fields).empty_table())
    tables = [_without(_good(one), one.piece, repeats, engine).select(*names) for one in surveyed]
    if len(tables) == 1:
        return engine.view("accepted", tables[0])
    return engine.concat("accepted", tables)


def _without(table: ir.Table, piece: Piece, repeats: pa.Table, engine: Engine) -> ir.Table:
    """Leave repeated rows out. Not by a join, nor by a long IN that becomes one: neither keeps the order."""
    keys = pa.array([found.key for found, _ in piece.inputs], pa.string())
    mine = repeats.filter(pc.is_in(repeats["_file"], keys))
    rows = {key: mine.filter(pc.equal(mine["_file"], key))["_row"] for key in mine["_file"].unique().to_pylist()}
    if mine.num_rows > SHORT_LIST:
        schema = table.schema().to_pyarrow()
        return engine.map("once", table, lambda batch: _drop_rows(batch, rows).cast(schema), schema)
    for key, some in rows.items():
        listed = ibis.array(some.to_pylist()).contains(table["_row"])
        table = table.filter((table["_file"] != key) | ~listed)
    return table


def _drop_rows(batch: pa.RecordBatch, rows: Mapping[str, pa.ChunkedArray]) -> pa.RecordBatch:
    for key in batch["_file"].unique().to_pylist():
        if key in rows:
            hit = pc.and_(pc.equal(batch["_file"], key), pc.is_in(batch["_row"], rows[key].combine_chunks()))
            batch = batch.filter(pc.invert(hit))
    return batch
