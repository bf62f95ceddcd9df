from __future__ import annotations

import datetime as dt

from stillwatch.ingest.adapters.base import hash_handle
from tests.ingest.adapters.foreign import MOMENT, SECRET, dump, read, rows, write

CHAT = {
    "id": "d-1", "ts": "2026-01-01T00:00:00.123456Z", "account_id": "acct-1", "ip": "203.0.113.9:55100",
    "headers": {"Authorization": f"Bearer {SECRET}", "User-Agent": "acme/2.1"}, "url": "/v1/chat/completions",
    "request": {
        "model": "m-1", "max_completion_tokens": 50, "temperature": 0.5, "n": 2, "stream": False,
        "tools": [{"type": "function", "function": {"name": "lookup"}}, {"type": "web_search"}],
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "look:"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "found"},
        ],
    },
    "response": {
        "status_code": 200,
        "body": {
            "id": "chatcmpl-1", "model": "m-1-dated", "usage": {"prompt_tokens": 11, "completion_tokens": 12},
            "choices": [{"message": {"role": "assistant", "content": "well"}}],
        },
    },
}  # fmt: skip
RESPONSES = {
    "account_id": "acct-1", "api_key": SECRET,
    "request": {
        "model": "m-1", "instructions": "Be brief.", "previous_response_id": "resp_before", "max_output_tokens": 40,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "first"}]},
            {"type": "reasoning", "encrypted_content": "ENC-IN"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
            {"role": "user", "content": "second"},
        ],
    },
    "response": {
        "id": "resp_now", "object": "response", "created_at": 1767225600, "model": "m-1",
        "usage": {"input_tokens": 5, "output_tokens": 6},
        "output": [
            {"type": "reasoning", "encrypted_content": "ENC-OUT", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]},
        ],
    },
}  # fmt: skip
MESSAGES = {
    "id": "d-3", "ts": 1767225600.5,
    "headers": {"x-api-key": SECRET},
    "request": {
        "model": "m-2", "max_tokens": 30, "system": [{"type": "text", "text": "Be brief."}],
        "messages": [
            {"role": "user", "content": "first"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "private", "signature": "SIG-IN"},
                {"type": "redacted_thinking", "data": "RED-IN"},
                {"type": "tool_use", "id": "u1", "name": "lookup", "input": {}},
            ]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "u1", "content": "found"}]},
        ],
        "tools": [{"name": "lookup", "input_schema": {}}],
    },
    "response": {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m-2",
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 100, "output_tokens": 6},
        "content": [{"type": "thinking", "thinking": "private", "signature": "SIG"}, {"type": "text", "text": "done"}],
    },
}  # fmt: skip


def test_a_chat_completion_is_an_exchange(engine, logs) -> None:
    assert rows(engine, read(engine, write(logs / "dump.jsonl", CHAT))) == [{
        "exchange_id": "d-1", "ts": MOMENT, "account_id": "acct-1", "model": "m-1-dated", "prompt": "look:",
        "system_prompt": "Be kind.", "tools": ["lookup", "web_search"], "turns": 3, "input_tokens": 11,
        "output_tokens": 12, "max_tokens": 50, "temperature": 0.5, "n": 2, "stream": False, "ip": "203.0.113.9",
        "user_agent": "acme/2.1", "api_key_id": hash_handle(SECRET), "endpoint": "/v1/chat/completions", "status": 200,
        "response": "well",
    }]  # fmt: skip


def test_a_response_carries_its_handles_as_hashes(engine, logs) -> None:
    assert rows(engine, read(engine, write(logs / "dump.jsonl", RESPONSES))) == [{
        "exchange_id": "resp_now", "ts": dt.datetime(2026, 1, 1), "account_id": "acct-1", "model": "m-1",
        "prompt": "second", "system_prompt": "Be brief.", "turns": 3, "input_tokens": 5, "output_tokens": 6,
        "max_tokens": 40, "api_key_id": hash_handle(SECRET), "response": "done",
        "artefacts_in": [hash_handle("ENC-IN"), hash_handle("resp_before")],
        "artefacts_out": [hash_handle("ENC-OUT"), hash_handle("resp_now")],
    }]  # fmt: skip


def test_a_message_with_thoughts_carries_their_signatures_as_hashes_and_not_their_words(engine, logs) -> None:
    (row,) = rows(engine, read(engine, write(logs / "dump.jsonl", MESSAGES)))
    assert row == {
        "exchange_id": "d-3", "ts": dt.datetime(2026, 1, 1, 0, 0, 0, 500000), "account_id": hash_handle(SECRET),
        "model": "m-2", "prompt": "first", "system_prompt": "Be brief.", "tools": ["lookup"], "turns": 3,
        "input_tokens": 105, "output_tokens": 6, "max_tokens": 30, "api_key_id": hash_handle(SECRET),
        "response": "done", "artefacts_in": [hash_handle("SIG-IN"), hash_handle("RED-IN")],
        "artefacts_out": [hash_handle("SIG")],
    }  # fmt: skip


def test_the_handle_that_an_answer_mints_is_the_one_that_a_later_request_submits(engine, logs) -> None:
    later = dump(9, request={"model": "m-1", "input": "more", "previous_response_id": "resp_now"})
    minted, submitted = rows(engine, read(engine, write(logs / "dump.jsonl", RESPONSES, later)))
    assert set(minted["artefacts_out"]) & set(submitted["artefacts_in"]) == {hash_handle("resp_now")}


def test_the_key_and_the_handles_appear_nowhere(engine, logs) -> None:
    found = read(engine, write(logs / "dump.jsonl", CHAT, RESPONSES, MESSAGES))
    for said in (SECRET, "SIG-IN", "ENC-OUT", "resp_before", "private"):
        assert said not in str(rows(engine, found))


def test_an_embedding_and_a_call_of_no_model_are_left_out(engine, logs) -> None:
    vectors = dump(2, request={"model": "m-e", "input": "words"}, response={"object": "list", "data": []})
    found = read(engine, write(logs / "dump.jsonl", dump(1), vectors, dump(3, request={"model": "m-1"})))
    assert [row["exchange_id"] for row in rows(engine, found)] == ["d-1"]
    assert found.inputs[0].skipped == 2


def test_a_completion_of_a_bare_prompt_is_one_turn(engine, logs) -> None:
    path = write(logs / "dump.jsonl", dump(request={"model": "m-1", "prompt": "once upon"}))
    (row,) = rows(engine, read(engine, path))
    assert (row["prompt"], row["turns"]) == ("once upon", 1)
