from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from tests.ingest.small_logs import column, exchange, why, write_csv, write_ndjson

NOON = dt.datetime(2025, 3, 1, 12, 0, 0)
US = 1_740_830_400_000_000


def read_one(engine: Engine, logs: Path, form: str, values: list[dict[str, Any]]):
    rows = [exchange(i, **value) for i, value in enumerate(values)]
    write = write_ndjson if form == "ndjson" else write_csv
    return read_exchanges(write(logs / f"a.{form}", rows), engine)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_times_are_read_in_every_usual_spelling(engine: Engine, logs: Path, form: str) -> None:
    spelled = [
        *("2025-03-01T12:00:00Z", "2025-03-01 12:00:00", "2025-03-01T13:00:00+01:00", "2025-03-01T12:00Z"),
        *("2025-03-01T06:30:00.000-0530", US // 10**6, US // 10**3, US, US * 1000, str(US // 10**6), US / 10**6),
    ]
    got = read_one(engine, logs, form, [{"ts": each} for each in spelled])
    assert column(engine, got, "ts") == [NOON] * len(spelled)


def test_native_times_with_and_without_zone_become_utc(engine: Engine) -> None:
    plain = pa.array([NOON], pa.timestamp("ns"))
    zoned = pa.array([NOON], pa.timestamp("ms", "Asia/Tokyo"))
    seconds = pa.array([US / 10**6])
    for ts in (plain, zoned, seconds, pa.array([US * 1000])):
        base = {"exchange_id": ["e"], "account_id": ["a"], "model": ["m"]}
        assert column(engine, read_exchanges(pa.table(base | {"ts": ts}), engine), "ts") == [NOON]


BAD = [
    {"ts": "yesterday"},
    {"ts": "2014-12-31"},
    {"ts": "2101-01-01"},
    {"ts": 12},
    {"ts": ""},
    {"account_id": "  "},
    {"model": ""},
    {"input_tokens": -1},
    {"input_tokens": "many"},
    {"input_tokens": 1.5},
    {"temperature": "warm"},
    {"stream": "perhaps"},
    {"status": "ok"},
    {"status": 700},
    {"asn": "ASX"},
    {"ip": "10.0.0.256"},
    {"ip": "10.0.0.1:443"},
    {"ip": "1::2::3"},
    {"tools": '["a"'},
]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_wrong_value_rejects_its_row_and_names_the_field(engine: Engine, logs: Path, form: str) -> None:
    got = read_one(engine, logs, form, [{}, *BAD, {}])
    assert [field for _, field in why(got)] == [next(iter(bad)) for bad in BAD]
    assert got.rows_kept == 2


def test_json_values_of_the_wrong_type_reject_their_row(engine: Engine, logs: Path) -> None:
    objects = [{"model": {"name": "m"}}, {"tools": {"a": 1}}, {"status": [200]}]
    bad = [{"account_id": True}, {"prompt": ["secret"]}, *objects]
    got = read_one(engine, logs, "ndjson", [{"model": 4, "prompt": '{"a": [1]}'}, *bad])
    assert [field for _, field in why(got)] == ["account_id", "prompt", "model", "tools", "status"]
    assert column(engine, got, "model") == ["4"]
    assert column(engine, got, "prompt") == ['{"a": [1]}']


def test_the_mend_says_what_where_and_what_to_do(engine: Engine, logs: Path) -> None:
    got = read_one(engine, logs, "ndjson", [{"status": "ok"}, {"user_agent": {"x": "y" * 200}}])
    first, second = got.rejected.to_pylist()
    assert first["mend"] == (
        "'status' is 'ok', expected an HTTP status number from 100 to 599; "
        "map another column with --field THEIRS=status"
    )
    assert len(second["value"]) == 80


def test_text_of_prompts_and_answers_never_reaches_a_rejection(engine: Engine, logs: Path) -> None:
    rows = [exchange(i, **{name: {"hush": "secret"}}) for i, name in enumerate(("prompt", "system_prompt", "response"))]
    path = write_ndjson(logs / "a.ndjson", [*rows, '{"prompt": "secret', exchange(9)])
    got = read_exchanges(path, engine)
    assert got.rejected.num_rows == 4
    assert "secret" not in str(got.rejected.to_pylist())
    assert got.rejected["value"].to_pylist()[-1] == "<line of 18 characters>"


def test_usual_variants_are_normalised(engine: Engine, logs: Path) -> None:
    given = {
        "asn": "AS13335",
        "ip": "::FFFF:192.0.2.1",
        "country": "us",
        "stream": "1",
        "tools": "a; b;",
        "turns": "3.0",
    }
    for form in ("ndjson", "csv"):
        (row,) = engine.arrow(read_one(engine, logs, form, [given]).table).to_pylist()
        assert (row["asn"], row["ip"], row["country"], row["stream"]) == (13335, "192.0.2.1", "US", True)
        assert (row["tools"], row["turns"]) == (["a", "b"], 3)


@pytest.mark.parametrize(
    "ip", ["::1", "::", "fe80::1:2", "2001:db8:0:0:0:0:0:1", "64:ff9b::192.0.2.33", "1:2:3:4:5:6:7::"]
)
def test_v6_addresses_are_addresses(engine: Engine, logs: Path, ip: str) -> None:
    assert column(engine, read_one(engine, logs, "csv", [{"ip": ip}]), "ip") == [ip]


def test_a_key_that_appears_late_is_still_read(engine: Engine, logs: Path) -> None:
    rows = [exchange(i, prompt="word " * 200) for i in range(1500)] + [exchange(1500, channel="bedrock")]
    got = read_exchanges(write_ndjson(logs / "a.ndjson", rows), engine)
    assert "channel" in got.present


def test_a_parquet_column_that_cannot_serve_refuses_the_table(engine: Engine) -> None:
    rows = pa.table({"exchange_id": ["e"], "ts": ["2025-03-01"], "account_id": ["a"], "model": [{"name": "m"}]})
    with pytest.raises(Exception, match="column 'model' is struct"):
        read_exchanges(rows, engine)


def test_categories_and_floats_with_holes_from_a_frame_are_read(engine: Engine) -> None:
    pd = pytest.importorskip("pandas")
    rows = {"exchange_id": [1.0, 2.0], "ts": [1.74e9, 1.74e9], "account_id": pd.Categorical(["a", "b"])}
    frame = pd.DataFrame(rows | {"model": ["m", "m"], "status": [200.0, float("nan")]})
    got = read_exchanges(frame, engine)
    assert column(engine, got, "exchange_id") == ["1", "2"]
    assert column(engine, got, "status") == [200, None]


def test_a_list_column_without_a_single_value_counts_as_absent(engine):
    rows = {"exchange_id": ["a"], "ts": [dt.datetime(2026, 1, 1)], "account_id": ["x"], "model": ["m"]}
    log = read_exchanges(pa.table(rows | {"tools": pa.nulls(1)}), engine)
    assert log.rows_kept == 1
    assert "tools" not in log.present
