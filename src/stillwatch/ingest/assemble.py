"""Pieces to one table: bad rows and repeated ids left out, in the order of inputs and rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.ingest.engine import Engine, EngineError, OutOfMemory
from stillwatch.ingest.judge import FAULT, SAID
from stillwatch.ingest.ledger import EXCLUDED, Ledger
from stillwatch.ingest.pieces import UNREADABLE, Order, Piece, split_piece
from stillwatch.ingest.records import Ingested
from stillwatch.ingest.sources import PARQUET, Refusal

MANY_PIECES = 12  # a longer UNION is slower to plan than the rows are to copy


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
    if order.unique:
        repeats = _repeats(surveyed, engine, order.unique, ledger)
        if repeats.num_rows:
            ledger.add_repeats(repeats, order.unique)
    table = _join([one.piece for one in surveyed], engine, order, ledger.excluded)
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
    except OutOfMemory:
        raise
    except EngineError:  # a damaged page; never the engine's own words, which quote the text it stumbled on
        if any(found.origin.format != PARQUET for found, _ in piece.inputs):
            raise
        if len(piece.inputs) == 1:
            refusals.append(Refusal(piece.inputs[0][1].path, UNREADABLE))
            return []
        return [one for each in split_piece(piece, engine, order) for one in _survey(each, refusals, engine, order)]
    return [Surveyed(piece, row.pop(FAULT), row)]


def _repeats(surveyed: Sequence[Surveyed], engine: Engine, key: str, ledger: Ledger) -> pa.Table:
    """Find later rows with an id that an earlier good row has. Ids are compared by hash first: eight bytes each."""
    empty = pa.table({name: pa.array([], pa.string()) for name in ("_file", "_row", "value")})
    ids = [_good(one).select("_file", "_row", value=one.piece.table[key]) for one in surveyed]
    if not ids:
        return empty
    every = ibis.union(*ids, distinct=False) if len(ids) > 1 else ids[0]
    hashed = every.select(hash=every["value"].hash())
    twice = engine.keep("twice", hashed.group_by("hash").having(hashed.count() > 1).agg())
    if not engine.arrow(twice.limit(1)).num_rows:
        return empty
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


def _join(pieces: Sequence[Piece], engine: Engine, order: Order, excluded: Sequence[pa.Table]) -> ir.Table:
    names = [column.name for column in order.contract]
    if not pieces:
        fields = [(column.name, ibis.dtype(column.kind).to_pyarrow()) for column in order.contract]
        return engine.register("nothing", pa.schema(fields).empty_table())
    out = pa.concat_tables(excluded) if excluded else EXCLUDED.empty_table()
    bad = engine.register("excluded", out) if out.num_rows else None
    files = set(out["_file"].unique().to_pylist())
    tables = []
    for piece in pieces:
        touched = bad is not None and any(found.key in files for found, _ in piece.inputs)
        kept = piece.table.anti_join(bad, ["_file", "_row"]) if touched else piece.table
        tables.append(kept.select(*names))
    if len(tables) > MANY_PIECES:
        paths = [str(engine.spool("piece", table)) for table in tables]
        return engine.con.read_parquet(paths, table_name=engine.name("pieces"))
    return engine.view("accepted", ibis.union(*tables, distinct=False) if len(tables) > 1 else tables[0])
