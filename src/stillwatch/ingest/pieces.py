"""Inputs as pieces: tables of judged rows. Text is read once into scratch Parquet; Parquet stays where it is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import ibis.expr.types as ir
import pyarrow as pa

from stillwatch.ingest import csvs, ndjson, parquet
from stillwatch.ingest.adapters.carry import adapted_lines
from stillwatch.ingest.columns import Column
from stillwatch.ingest.engine import Engine, digest_of_file
from stillwatch.ingest.fields import bind, missing_required
from stillwatch.ingest.inspect import Found
from stillwatch.ingest.judge import judge
from stillwatch.ingest.raw import Raw, Source, Tally, chain
from stillwatch.ingest.records import InputFile
from stillwatch.ingest.sources import MEMORY, NDJSON, OWNED, PARQUET, TABLE, Refusal
from stillwatch.model import InputRefused

UNREADABLE = "has damaged pages, or text that is not UTF-8; write it again"


@dataclass(frozen=True, slots=True)
class Piece:
    """Judged rows of one or several inputs, in order; `damaged` holds rows that could not be split, by input."""

    table: ir.Table
    inputs: tuple[tuple[Found, InputFile], ...]
    damaged: tuple[tuple[Found, pa.Table], ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """What is read into what: the contract, the user's mapping of names, and the column that may not repeat."""

    contract: Sequence[Column]
    fields: Mapping[str, str]
    unique: str | None = None


def read_pieces(found: Sequence[Found], engine: Engine, order: Order) -> tuple[list[Piece], list[Refusal]]:
    """Read every input; neighbours of one shape become one piece. A bad input is refused, the others are read."""
    pieces: list[Piece] = []
    refusals: list[Refusal] = []
    usable: list[Found] = []
    for each in found:
        bound = bound_of(each, order)
        empty = not each.columns and each.origin.format not in (
            PARQUET,
            MEMORY,
            TABLE,
            OWNED,
        )  # an hour without traffic
        mend = None if empty else missing_required(bound, order.contract, each.columns)
        if mend:
            refusals.append(Refusal(each.origin.label, mend))
        else:
            usable.append(each)
    for _, group in itertools.groupby(usable, key=lambda each: _shape(each, engine, order)):
        made, refused = _read_group(list(group), engine, order)
        pieces += made
        refusals += refused
    return pieces, refusals


def split_piece(piece: Piece, engine: Engine, order: Order) -> Iterator[Piece]:
    """Yield a piece of Parquet files again as one piece a file, to find the one that cannot be read."""
    for pair in piece.inputs:
        yield _parquet_piece([pair], engine, order)


def bound_of(each: Found, order: Order) -> dict[str, str]:
    """Return {our name: their name} for one input; an adapter calls columns as we do."""
    if each.adapter is None:
        return bind(order.fields, order.contract, each.columns)
    filled = {*each.adapter.columns, *order.fields.values()} - set(each.lacking)
    return {column.name: column.name for column in order.contract if column.name in filled}


def _shape(each: Found, engine: Engine, order: Order) -> object:
    if each.adapter is not None:
        return each.adapter.name, each.origin.format
    if each.origin.format in (MEMORY, TABLE, OWNED):
        return each.place
    bound = _bound(each, order)
    if each.origin.format == PARQUET and each.schema is not None:
        types = [(ours, theirs, str(each.schema.field(theirs).type)) for ours, theirs in bound.items()]
        return _reads(engine, each, order), tuple(types)
    return each.origin.format, tuple(bound.items())


def _bound(each: Found, order: Order) -> dict[str, str]:
    bound = bound_of(each, order)
    if each.adapter is None and each.origin.format == NDJSON:  # a key may appear first after the sample
        late = (c.name for c in order.contract if c.name not in bound and c.name not in order.fields)
        bound |= {name: name for name in late}
    return dict(sorted(bound.items()))


def _read_group(group: list[Found], engine: Engine, order: Order) -> tuple[list[Piece], list[Refusal]]:
    if group[0].adapter is not None:
        piece, refusals = _text_piece(group, engine, order)
        return [piece], refusals
    try:
        if group[0].origin.format == PARQUET:
            if _reads(engine, group[0], order):
                return [_parquet_piece(_files(group, engine), engine, order)], []
            return _rewritten_pieces(group, engine, order)
        if group[0].origin.format == OWNED:
            return [_table_piece(group[0], engine, order)], []
        if group[0].origin.format in (MEMORY, TABLE):
            return _frame_pieces(group[0], engine, order)
    except InputRefused as error:
        return [], [Refusal(each.origin.label, str(error)) for each in group]
    piece, refusals = _text_piece(group, engine, order)
    return [piece], refusals


def _text_piece(group: list[Found], engine: Engine, order: Order) -> tuple[Piece, list[Refusal]]:
    bound, tallies = _bound(group[0], order), [Tally() for _ in group]
    pairs, local = list(zip(group, tallies, strict=True)), engine.local
    if group[0].adapter is not None:
        sources = [Source(each.key, _adapted(each, tally, order), tally) for each, tally in pairs]
        raw = ndjson.open_rows(chain(sources, ndjson.LINES), local, order.contract, bound)
    elif group[0].origin.format == NDJSON:
        sources = [Source(each.key, ndjson.line_batches(each.origin, tally), tally) for each, tally in pairs]
        raw = ndjson.open_rows(chain(sources, ndjson.LINES), local, order.contract, bound)
    else:
        sources = [Source(each.key, csvs.record_batches(each.origin, tally, bound), tally) for each, tally in pairs]
        raw = csvs.open_rows(chain(sources, csvs.schema_of(bound)), local, bound)
    try:
        path = local.spool("rows", judge(raw, order.contract, local))
    except local.errors:
        for tally in tallies:
            if tally.failure:
                raise tally.failure from None
        raise
    table = engine.open_parquet("spooled", [path])
    for each, tally in pairs:
        if tally.failure:  # its rows up to there are in the copy
            table = table.filter(table["_file"] != each.key)
    whole = [(each, tally) for each, tally in pairs if not tally.failure]
    inputs = tuple(
        (each, _file(each, tally.rows, digest_of_file(each.origin.path), tally.skipped)) for each, tally in whole
    )
    damaged = tuple((each, rows) for each, tally in whole for rows in tally.damaged)
    refusals = [Refusal(each.origin.label, str(tally.failure)) for each, tally in pairs if tally.failure]
    return Piece(table, inputs, damaged), refusals


def _parquet_piece(inputs: list[tuple[Found, InputFile]], engine: Engine, order: Order) -> Piece:
    bound = bind(order.fields, order.contract, inputs[0][0].columns)
    raw = parquet.open_files([each.key for each, _ in inputs], engine, bound)
    return Piece(_judged(raw, engine, order), tuple(inputs))


def _reads(engine: Engine, each: Found, order: Order) -> bool:
    bound = bind(order.fields, order.contract, each.columns)
    fields = [] if each.schema is None else [each.schema.field(theirs) for theirs in bound.values()]
    return engine.reads(each.origin.path, pa.schema(fields))


def _rewritten_pieces(group: list[Found], engine: Engine, order: Order) -> tuple[list[Piece], list[Refusal]]:
    """Files with types that only the embedded engine reads (nanoseconds, say): judged there, and written anew."""
    pieces, refusals = [], []
    for pair in _files(group, engine):
        piece = _parquet_piece([pair], engine.local, order)
        try:
            path = engine.local.spool("rows", piece.table)
        except engine.local.errors as error:
            if not engine.local.is_damage(error):
                raise
            refusals.append(Refusal(pair[0].origin.label, UNREADABLE))
        else:
            pieces.append(replace(piece, table=engine.open_parquet("rewritten", [path])))
    return pieces, refusals


def _table_piece(each: Found, engine: Engine, order: Order) -> Piece:
    raw = parquet.open_table(each.origin.data, engine, bind(order.fields, order.contract, each.columns))
    table = _judged(raw, engine, order, each.key)
    rows = engine.arrow(table.aggregate(rows=table.count()))["rows"][0].as_py()
    return Piece(table, ((each, InputFile(each.origin.label, TABLE, 0, "", rows)),))


def _frame_pieces(each: Found, engine: Engine, order: Order) -> tuple[list[Piece], list[Refusal]]:
    bound = bind(order.fields, order.contract, each.columns)
    if each.origin.format == TABLE or each.origin.label == "<ibis>":
        path = parquet.fetch_table(each.origin, engine.local, list(bound.values()))
        (schema, rows), origin = parquet.schema_of(path), replace(each.origin, path=path, format=PARQUET, data=None)
        fetched = replace(each, origin=origin, schema=schema, rows=rows)
        pieces, refusals = _read_group([fetched], engine, order)
        return [_said_to_be(piece, each.origin.format) for piece in pieces], refusals
    frame = parquet.frame_of(each.origin, list(bound.values()))
    raw = parquet.open_frame(frame, engine.local, bound)
    file = InputFile(each.origin.label, MEMORY, frame.nbytes, parquet.digest_of_frame(frame), frame.num_rows)
    table = judge(raw, order.contract, engine.local, each.key)
    if engine.local is not engine:
        table = engine.open_parquet("frame", [engine.local.spool("rows", table)])
    return [Piece(table, ((each, file),))], []


def _said_to_be(piece: Piece, kind: str) -> Piece:
    """Name a piece's inputs by what they were before they were fetched."""
    return replace(piece, inputs=tuple((found, replace(file, format=kind)) for found, file in piece.inputs))


def _adapted(each: Found, tally: Tally, order: Order) -> Iterator[pa.RecordBatch]:
    assert each.adapter is not None
    return adapted_lines(each.origin, each.adapter, order.fields, tally)


def _judged(raw: Raw, engine: Engine, order: Order, key: str | None = None) -> ir.Table:
    return engine.rowwise("rows", raw.table, partial(_judge_rows, raw=replace(raw, table=None), order=order, key=key))


def _judge_rows(engine: Engine, table: ir.Table, *, raw: Raw, order: Order, key: str | None) -> ir.Table:
    return judge(replace(raw, table=table), order.contract, engine, key)


def _files(group: list[Found], engine: Engine) -> list[tuple[Found, InputFile]]:
    digests = engine.digests([each.origin.path for each in group])
    return [(each, _file(each, each.rows, digest)) for each, digest in zip(group, digests, strict=True)]


def _file(each: Found, rows: int, digest: str, skipped: int = 0) -> InputFile:
    kind = each.origin.format if each.adapter is None else each.adapter.name
    return InputFile(each.origin.label, kind, each.origin.path.stat().st_size, digest, rows, skipped)
