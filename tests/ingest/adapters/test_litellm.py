from __future__ import annotations

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.ingest.adapters.base import hash_handle
from tests.ingest.adapters.foreign import GOLDEN, MOMENT, read, rows, spend_log, write

ALICE = {
    "account_id": "alice", "api_key_id": "990ec48d4392b54eee6f2d04174a3402abc3e515dfde326e16db3075a907d988",
}  # fmt: skip
BOB = {
    "account_id": "bob", "api_key_id": "9e285d4351aa7994ee429d6f0f37e84ee3b59d6fbd4e49542dda668681b3b07b",
}  # fmt: skip
SHARED = {"prompt": "What is the capital of France?", "turns": 1, "ip": "127.0.0.1", "user_agent": "acme/2.1"}
SHARED |= {"status": 200, "response": "Paris is the capital of France."}
SMALL = {"model": "openai/gpt-4o-mini", "channel": "openai", "endpoint": "acompletion"}


def moment(second: int, micro: int) -> dt.datetime:
    return dt.datetime(2026, 11, 25, 22, 53, second, micro)


CHAT = SHARED | ALICE | SMALL | {
    "exchange_id": "dbd206f8-d21f-46a2-b49b-71cddb9c08f6", "ts": moment(20, 211813),
    "system_prompt": "You know geography.", "input_tokens": 21, "output_tokens": 7, "max_tokens": 64,
    "temperature": 0.7,
}  # fmt: skip
TURNS = SHARED | BOB | SMALL | {
    "exchange_id": "c48fecd2-02d6-46ad-a5e5-2d8a611b51e0", "ts": moment(22, 595559), "prompt": "And of Chile?",
    "system_prompt": "You know geography.", "tools": ["lookup"], "turns": 3, "input_tokens": 21, "output_tokens": 7,
}  # fmt: skip
STREAMED = SHARED | BOB | SMALL | {
    "exchange_id": "b1dcd18f-88d3-470d-97a3-eb7d8ff07088", "ts": moment(22, 679416), "input_tokens": 9,
    "output_tokens": 3, "stream": True, "response": "Paris is.",
}  # fmt: skip
MESSAGE = SHARED | ALICE | {
    "exchange_id": "653b04e3-bd7a-4fc4-9089-7e280df5b607", "ts": moment(26, 875014),
    "model": "anthropic/claude-sonnet-4-5", "channel": "anthropic", "endpoint": "anthropic_messages",
    "system_prompt": "Be brief.", "input_tokens": 19, "output_tokens": 8, "max_tokens": 32,
    "artefacts_out": [hash_handle("SIG-OPAQUE-1")],
}  # fmt: skip
RESPONSE = SHARED | ALICE | SMALL | {
    "exchange_id": "5e3dbe36-8e0c-47d0-b1ca-93ffa592fa56", "ts": moment(27, 70652), "endpoint": "aresponses",
    "system_prompt": "Be brief.", "input_tokens": 18, "output_tokens": 7,
    "artefacts_out": [hash_handle("ENC-OPAQUE-1"), "b8c0d53c567f7796fb18dfb7cc0ce044"],  # the second: of its resp_ id
}  # fmt: skip


def test_spend_logs_of_the_proxy_are_exchanges_and_its_embedding_is_not(engine) -> None:
    found = read(engine, GOLDEN / "litellm-spend-logs.json")
    assert rows(engine, found) == [CHAT, TURNS, STREAMED, MESSAGE, RESPONSE]
    assert found.rejected.num_rows == 0
    assert [(each.format, each.rows, each.skipped) for each in found.inputs] == [("litellm", 5, 1)]


def test_the_same_rows_come_from_the_table_in_parquet_and_in_memory_and_as_lines(engine, logs) -> None:
    kept = json.loads((GOLDEN / "litellm-spend-logs.json").read_text())
    for row in kept:  # as the table has them: times, and jsonb as text
        row["startTime"] = dt.datetime.fromisoformat(row["startTime"])
    table = pa.Table.from_pylist(kept)
    pq.write_table(table, logs / "spend.parquet")
    wanted = [CHAT, TURNS, STREAMED, MESSAGE, RESPONSE]
    assert rows(engine, read(engine, logs / "spend.parquet")) == wanted
    assert rows(engine, read(engine, table)) == wanted
    lines = write(logs / "spend.ndjson", *json.loads((GOLDEN / "litellm-spend-logs.json").read_text()))
    assert rows(engine, read(engine, lines)) == wanted


def test_rows_of_a_database_table_come_through_ibis(engine) -> None:
    import ibis

    names = ["request_id", "call_type", "api_key", "startTime", "model", "user", "prompt_tokens", "status"]
    table = ibis.memtable(pa.Table.from_pylist([spend_log(1), spend_log(2)]).select(names))
    found = read(engine, table)
    assert [row["exchange_id"] for row in rows(engine, found)] == ["r-1", "r-2"]
    assert [(each.path, each.format) for each in found.inputs] == [("<ibis>", "litellm")]


def test_a_page_of_the_interface_holds_rows(engine, logs) -> None:
    path = write(logs / "page.json", {"data": [spend_log(1), spend_log(2)], "total": 2, "page": 1})
    assert [row["exchange_id"] for row in rows(engine, read(engine, path))] == ["r-1", "r-2"]


def test_a_failed_call_keeps_the_code_of_its_error(engine, logs) -> None:
    failed = spend_log(status="failure", metadata={"error_information": {"error_code": "429"}})
    (row,) = rows(engine, read(engine, write(logs / "s.json", failed)))
    assert row["status"] == 429


def test_a_raw_key_that_stands_where_its_hash_should_is_hashed(engine, logs) -> None:
    (row,) = rows(engine, read(engine, write(logs / "s.json", spend_log(api_key="sk-raw-key", user=None))))
    assert row["api_key_id"] == hash_handle("sk-raw-key")


def test_without_user_the_end_user_or_the_team_is_the_account_unless_said_otherwise(engine, logs) -> None:
    path = write(logs / "s.json", spend_log(1, user="", end_user="e-1"), spend_log(2, user=None, team_id="t-1"))
    assert [row["account_id"] for row in rows(engine, read(engine, path))] == ["e-1", "t-1"]
    (row,) = rows(engine, read(engine, write(logs / "t.json", spend_log(team_id="t-2")), {"team_id": "account_id"}))
    assert row["account_id"] == "t-2"


def test_prompts_in_the_messages_column_are_read_too(engine, logs) -> None:
    asked = json.dumps([{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello there"}])
    (row,) = rows(engine, read(engine, write(logs / "s.json", spend_log(messages=asked))))
    assert (row["prompt"], row["system_prompt"], row["turns"], row["ts"]) == ("hello there", "Be kind.", 1, MOMENT)
