"""What every adapter keeps: nothing lost with a bad record, nothing quoted, nothing held, nothing guessed."""

from __future__ import annotations

import gzip
import json
import tracemalloc

import pyarrow as pa
import pytest

from stillwatch.ingest.adapters.carry import adapted_batches, adapted_lines
from stillwatch.ingest.adapters.litellm import LITELLM
from stillwatch.ingest.adapters.roster import ROSTER
from stillwatch.ingest.columns import EXCHANGE_COLUMNS
from stillwatch.ingest.raw import Tally
from stillwatch.ingest.sources import NDJSON, Origin
from stillwatch.model import InputRefused, UsageError
from tests.ingest.adapters.foreign import PROMPT, SECRET, dump, observation, read, request, rows, span, spend_log, write
from tests.ingest.small_logs import exchange

ENVOY = {
    "start_time": "2026-01-01T00:00:00Z", "response_code": 200, "response_flags": "-", "request_id": "r-1",
    "account_id": "acct-1", "model": "m-1",
}  # fmt: skip
MAKERS = {
    "otel": lambda n, **bad: request(span(n, **bad)),
    "litellm": spend_log,
    "langfuse": observation,
    "envoy": lambda n, **bad: ENVOY | {"request_id": f"r-{n}"} | bad,
    "dump": dump,
}
NO_ACCOUNT = {
    "otel": {"user__id": None},
    "litellm": {"user": None, "api_key": ""},
    "langfuse": {"userId": None},
    "envoy": {"account_id": "-"},
    "dump": {"account_id": ""},
}


@pytest.mark.parametrize("name", list(MAKERS))
def test_every_format_is_recognised_and_a_bad_record_loses_nothing_else(engine, logs, name) -> None:
    make = MAKERS[name]
    path = write(logs / "log.json", make(1), "not a record", make(3, **NO_ACCOUNT[name]), "[1, 2]", make(5))
    found = read(engine, path)
    assert found.inputs[0].format == name
    assert len(rows(engine, found)) == 2
    assert [(each["row"], each["field"]) for each in found.rejected.to_pylist()] == [
        (2, "<line>"),
        (3, "account_id"),
        (4, "<line>"),
    ]
    assert (found.rows_read, found.rows_kept) == (5, 2)


@pytest.mark.parametrize("adapter", ROSTER, ids=lambda each: each.name)
def test_an_adapter_fills_columns_of_the_contract_in_its_order(adapter) -> None:
    ours = [column.name for column in EXCHANGE_COLUMNS]
    assert list(adapter.columns) == sorted(adapter.columns, key=ours.index)
    assert {"exchange_id", "ts", "account_id", "model"} <= set(adapter.columns)


@pytest.mark.parametrize("name", list(MAKERS))
def test_no_adapter_fills_a_column_that_it_does_not_declare(name) -> None:
    (adapter,) = [each for each in ROSTER if each.name == name]
    (record,) = adapter.unpack(MAKERS[name](1))
    assert set(adapter.reads(record)) <= set(adapter.columns)


@pytest.mark.parametrize(
    ("name", "odd"), [("otel", {"resourceSpans": [5]}), ("litellm", {"data": [7]}), ("langfuse", {"data": [[]]})]
)
def test_a_document_of_another_shape_is_rejected_by_its_line(engine, logs, name, odd) -> None:
    found = read(engine, write(logs / "log.json", MAKERS[name](1), odd, MAKERS[name](3)))
    assert len(rows(engine, found)) == 2
    assert [(each["row"], each["field"]) for each in found.rejected.to_pylist()] == [(2, "<line>")]


@pytest.mark.parametrize("name", list(MAKERS))
def test_rejections_hold_neither_prompt_nor_key(engine, logs, name) -> None:
    asked = [{"role": "user", "content": PROMPT}]
    hidden = {
        "otel": {"gen_ai.input.messages": json.dumps(asked), "user.id": None, "http.request.header.x-api-key": SECRET},
        "litellm": {"messages": asked, "startTime": None, "api_key": SECRET},
        "langfuse": {"input": asked, "startTime": None, "metadata": {"key": SECRET}},
        "envoy": {"body": PROMPT, "authorization": SECRET, "start_time": "never"},
        "dump": {"request": {"model": "m", "messages": asked}, "ts": "never", "headers": {"x-api-key": SECRET}},
    }[name]
    path = write(logs / "log.json", MAKERS[name](1), MAKERS[name](2, **hidden), '{"cut": "' + PROMPT + SECRET)
    found = read(engine, path)
    assert found.rejected.num_rows == 2
    assert PROMPT not in str(found.rejected.to_pylist())
    assert SECRET not in str(found.rejected.to_pylist())


def test_a_log_with_our_own_columns_is_never_taken_for_another(engine, logs) -> None:
    ours = exchange(1) | {
        "traceId": "t",
        "startTime": "s",
        "type": "SPAN",
        "id": "x",
        "call_type": "c",
        "request_id": "r",
    }
    found = read(engine, write(logs / "log.ndjson", ours | {"api_key": "k"}))
    assert (found.inputs[0].format, found.rows_kept) == ("ndjson", 1)


def test_a_log_whose_required_columns_are_all_mapped_is_read_as_it_was(engine, logs) -> None:
    fields = {"request_id": "exchange_id", "startTime": "ts", "user": "account_id"}
    found = read(engine, write(logs / "log.ndjson", spend_log(1)), fields)
    assert found.inputs[0].format == "ndjson"
    assert read(engine, logs / "log.ndjson", fields, "litellm").inputs[0].format == "litellm"


def test_a_format_may_be_said_and_an_unknown_one_is_misuse(engine, logs) -> None:
    path = write(logs / "log.anything", dump(1))
    assert read(engine, path, format="dump").rows_kept == 1
    assert read(engine, logs, format="dump").rows_kept == 1  # a folder, whatever the names in it
    with pytest.raises(UsageError, match="one of native, otel, litellm, langfuse, envoy, dump"):
        read(engine, path, format="syslog")


def test_a_file_of_unknown_name_and_contents_is_refused(engine, logs) -> None:
    path = write(logs / "notes.txt", "just words")
    with pytest.raises(InputRefused, match="unknown kind of file"):
        read(engine, path)


def test_formats_may_be_mixed_in_one_run(engine, logs) -> None:
    write(logs / "a.ndjson", exchange(1))
    write(logs / "b.json", spend_log(1))
    (logs / "c.json.gz").write_bytes(gzip.compress(json.dumps(request(span(1), span(2))).encode()))
    found = read(engine, logs)
    assert [(each.format, each.rows) for each in found.inputs] == [("ndjson", 1), ("litellm", 1), ("otel", 2)]
    assert found.rows_kept == 4


def test_an_hour_without_traffic_is_no_error(engine, logs) -> None:
    (logs / "a.json").write_text("[]")
    (logs / "b.json").write_text("")
    found = read(engine, logs, format="litellm")
    assert [(each.format, each.rows) for each in found.inputs] == [("litellm", 0), ("litellm", 0)]
    (logs / "a.json").write_text('{"resourceSpans": []}')
    assert read(engine, logs / "a.json").rows_read == 0


def test_an_id_that_appears_again_is_rejected_as_everywhere(engine, logs) -> None:
    found = read(engine, write(logs / "log.json", spend_log(1), spend_log(2), spend_log(1)))
    (bad,) = found.rejected.to_pylist()
    assert (bad["row"], bad["field"]) == (3, "exchange_id")
    assert "log.json:1" in bad["mend"]


def test_an_array_that_breaks_off_is_refused_and_other_files_are_read(engine, logs) -> None:
    whole = json.dumps([spend_log(n) for n in range(50)])
    (logs / "a.json").write_text(whole[: len(whole) // 2])
    (logs / "b.json").write_text(whole)
    found = read(engine, logs)
    assert found.rows_kept == 50
    (bad,) = found.rejected.to_pylist()
    assert (bad["row"], bad["field"]) == (0, "<file>")
    assert "breaks off in record" in bad["mend"]


def test_a_line_that_is_no_utf8_is_rejected_alone(engine, logs) -> None:
    path = write(logs / "log.json", spend_log(1), spend_log(2))
    path.write_bytes(path.read_bytes() + b'{"request_id": "\xff\xfe"}\n' + json.dumps(spend_log(4)).encode())
    found = read(engine, path)
    assert [row["exchange_id"] for row in rows(engine, found)] == ["r-1", "r-2", "r-4"]
    assert [(each["row"], each["field"]) for each in found.rejected.to_pylist()] == [(3, "<line>")]


def test_odd_numbers_and_half_characters_do_no_harm(engine, logs) -> None:
    odd = json.dumps(spend_log(1)).replace('"prompt_tokens": 5', '"prompt_tokens": NaN')
    half = json.dumps(spend_log(2, messages=[{"role": "user", "content": "\ud800 half"}]))
    huge = json.dumps(spend_log(3)).replace('"prompt_tokens": 5', '"prompt_tokens": ' + "9" * 400)
    deep = '{"request_id": ' + "[" * 100_000 + "]" * 100_000 + "}"
    found = read(engine, write(logs / "log.json", spend_log(0), odd, half, huge, deep))
    assert [row["exchange_id"] for row in rows(engine, found)] == ["r-0", "r-2"]
    assert [each["row"] for each in found.rejected.to_pylist()] == [2, 4, 5]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path) -> None:
    asked = [{"role": "user", "content": "word " * 1000}]
    small, large = (
        write(tmp_path / f"{many}.json", *(spend_log(n, messages=asked) for n in range(many)))
        for many in (4_000, 16_000)
    )

    def peak(path) -> int:
        tracemalloc.start()
        for batch in adapted_lines(Origin(path.name, path, NDJSON), LITELLM, {}, Tally()):
            assert batch.num_rows <= 10_000
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(large) < 1.2 * peak(small)


def test_batches_of_a_table_from_anywhere_become_the_same_lines() -> None:
    table = pa.Table.from_pylist([spend_log(n, metadata="{}", messages="{}") for n in range(5)])
    tally = Tally()
    batches = list(adapted_batches(table.to_batches(max_chunksize=2), LITELLM, {"call_type": "channel"}, tally))
    lines = [json.loads(line) for batch in batches for line in batch["line"].to_pylist()]
    assert [line["exchange_id"] for line in lines] == [f"r-{n}" for n in range(5)]
    assert {line["channel"] for line in lines} == {"acompletion"}
    assert tally.rows == 5
