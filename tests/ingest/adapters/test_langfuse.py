from __future__ import annotations

import csv
import json

import pytest

from stillwatch.model import InputRefused
from tests.ingest.adapters.foreign import MOMENT, observation, read, rows, write

ASKED = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello there"}]
EXPORTED = {  # as the blob storage integration writes it
    "id": "o-1", "trace_id": "t-1", "type": "GENERATION", "start_time": "2026-01-01 00:00:00.123456",
    "provided_model_name": "m-1", "user_id": "acct-1", "name": "answer", "input": json.dumps(ASKED),
    "output": '{"role": "assistant", "content": "hi"}', "model_parameters": '{"temperature": "0.5", "max_tokens": 9}',
    "usage_details": '{"input": 3, "output": 4, "total": 7}', "metadata": "{}",
}  # fmt: skip
ROW = {
    "exchange_id": "o-1", "ts": MOMENT, "account_id": "acct-1", "model": "m-1", "prompt": "hello there",
    "system_prompt": "Be kind.", "turns": 1, "input_tokens": 3, "output_tokens": 4, "max_tokens": 9,
    "temperature": 0.5, "endpoint": "answer", "response": "hi",
}  # fmt: skip


def test_an_exported_observation_is_an_exchange_as_lines_as_array_and_as_csv(engine, logs) -> None:
    span = EXPORTED | {"id": "o-2", "type": "SPAN"}
    lines = write(logs / "o.jsonl", EXPORTED, span)
    array = write(logs / "o.json", json.dumps([EXPORTED, span], indent=1))
    with (logs / "o.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(EXPORTED))
        writer.writeheader()
        writer.writerows([EXPORTED, span])
    for path in (lines, array, logs / "o.csv"):
        found = read(engine, path)
        assert rows(engine, found) == [ROW], path
        assert [(each.format, each.skipped) for each in found.inputs] == [("langfuse", 1)]


def test_an_observation_of_the_public_api_is_an_exchange(engine, logs) -> None:
    made = observation(input={"messages": ASKED, "tools": [{"function": {"name": "lookup"}}]}, modelParameters={"n": 2})
    (row,) = rows(engine, read(engine, write(logs / "page.json", {"data": [made], "meta": {"page": 1}})))
    assert row["exchange_id"] == "o-1"
    assert (row["prompt"], row["system_prompt"], row["tools"], row["n"]) == ("hello there", "Be kind.", ["lookup"], 2)
    assert (row["input_tokens"], row["output_tokens"]) == (3, 4)


def test_the_user_of_a_trace_is_the_account_of_its_observations(engine, logs) -> None:
    trace = {
        "id": "t-1",
        "userId": "acct-9",
        "observations": [observation(1, userId=None), observation(2, userId=None)],
    }
    assert [row["account_id"] for row in rows(engine, read(engine, write(logs / "t.json", trace)))] == ["acct-9"] * 2


def test_observations_that_nobody_sent_are_refused_with_what_to_map(engine, logs) -> None:
    path = write(logs / "o.json", observation(userId=None, metadata={"tenant": "t-1"}))
    with pytest.raises(InputRefused, match=r"has no column 'account_id'.*--field \w+=account_id"):
        read(engine, path)
    (row,) = rows(engine, read(engine, path, {"metadata.tenant": "account_id"}))
    assert row["account_id"] == "t-1"
