"""A damaged log loses its damaged rows, and no others."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from tests.ingest.small_logs import exchange, ids, why, write_csv, write_ndjson

ROWS = [exchange(i, prompt=f"Explain step {i} slowly, then “again” 再来一次") for i in range(1500)]


def damage_line(line: bytes, rng: random.Random) -> bytes:
    how = rng.randrange(3)
    if how == 0:  # cut short
        return line[: rng.randrange(1, len(line) - 20)]
    at = rng.randrange(len(line))
    if how == 1:  # not UTF-8
        return line[:at] + b"\xff" + line[at + 1 :]
    return line[:at] + b'"' + line[at + 1 :]  # a stray quote


@pytest.mark.parametrize("form", ["ndjson", "csv"])
@pytest.mark.parametrize("seed", range(2))
def test_five_in_a_hundred_damaged_lines_cost_only_themselves(engine: Engine, logs: Path, form: str, seed: int) -> None:
    path = logs / f"a.{form}"
    (write_ndjson if form == "ndjson" else write_csv)(path, ROWS)
    rng = random.Random(seed)
    head, lines = ([], path.read_bytes().splitlines()) if form == "ndjson" else _split(path)
    hit = set(rng.sample(range(len(lines)), len(lines) // 20))
    path.write_bytes(
        b"\n".join(head + [damage_line(line, rng) if i in hit else line for i, line in enumerate(lines)]) + b"\n"
    )
    got = read_exchanges(path, engine)
    kept = set(ids(engine, got))
    assert {row["exchange_id"] for i, row in enumerate(ROWS) if i not in hit} <= kept
    assert got.rows_kept + got.rejected.num_rows == got.rows_read
    assert {row - len(head) - 1 for row, _ in why(got)} <= hit


def _split(path: Path) -> tuple[list[bytes], list[bytes]]:
    first, *rest = path.read_bytes().split(b"\r\n")
    return [first], rest[:-1]


def test_a_parquet_with_wrong_texts_among_numbers_loses_those_rows(engine: Engine, logs: Path) -> None:
    rng = random.Random(5)
    hit = set(rng.sample(range(1500), 75))
    rows = [row | {"status": "oops" if i in hit else "200", "temperature": "0.5"} for i, row in enumerate(ROWS)]
    pq.write_table(pa.Table.from_pylist(rows), logs / "a.parquet", row_group_size=100)
    got = read_exchanges(logs / "a.parquet", engine)
    assert why(got) == [(i + 1, "status") for i in sorted(hit)]
    assert ids(engine, got) == [row["exchange_id"] for i, row in enumerate(ROWS) if i not in hit]


def test_a_lost_closing_quote_in_a_csv_costs_one_record(engine: Engine, logs: Path) -> None:
    path = write_csv(logs / "a.csv", [exchange(i) for i in range(6)])
    text = path.read_bytes()
    path.write_bytes(text.replace(b'again",22', b"again,22", 1))
    got = read_exchanges(path, engine)
    assert ids(engine, got) == ["e00000", "e00001", "e00003", "e00004", "e00005"]


def test_a_row_with_too_few_values_says_how_many(engine: Engine, logs: Path) -> None:
    (logs / "a.csv").write_text(
        "exchange_id,ts,account_id,model\ne1,2025-03-01,a,m\ne2,2025-03-01\n\ne3,2025-03-01,a,m\n"
    )
    got = read_exchanges(logs, engine)
    assert ids(engine, got) == ["e1", "e3"]
    (row,) = got.rejected.to_pylist()
    assert row["row"] == 3
    assert row["mend"].startswith("has 2 values, expected 4")


def test_line_numbers_count_breaks_inside_quotes(engine: Engine, logs: Path) -> None:
    path = write_csv(logs / "a.csv", [exchange(0), exchange(1, status=3)])
    assert why(read_exchanges(path, engine)) == [(4, "status")]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_byte_order_mark_and_windows_line_ends_are_no_damage(engine: Engine, logs: Path, form: str) -> None:
    path = logs / f"a.{form}"
    rows = [exchange(i, prompt="plain") for i in range(3)]
    (write_ndjson if form == "ndjson" else write_csv)(path, rows)
    lines = path.read_bytes().replace(b"\r\n", b"\n")
    path.write_bytes(b"\xef\xbb\xbf" + lines.replace(b"\n", b"\r\n").rstrip())
    got = read_exchanges(path, engine)
    assert (got.rows_kept, got.rejected.num_rows) == (3, 0)


@pytest.mark.parametrize("mark", ["\t", ";", "|"])
def test_other_separators_are_recognised(engine: Engine, logs: Path, mark: str) -> None:
    names, values = ["exchange_id", "ts", "account_id", "model"], ["e1", "2025-03-01", "a", "m"]
    (logs / "a.csv").write_text(f"{mark.join(names)}\n{mark.join(values)}\n")
    assert ids(engine, read_exchanges(logs, engine)) == ["e1"]
