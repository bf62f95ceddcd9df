from __future__ import annotations

import datetime as dt
import json
import struct
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.ingest.adapters.base import hash_handle
from stillwatch.model import InputRefused, MissingDependency
from tests.ingest.adapters.foreign import GOLDEN, MOMENT, NANOS, any_value, read, request, rows, span, write

WHO = {"account_id": "acct-7", "ip": "203.0.113.9", "user_agent": "acme-app/2.1", "channel": "openai"}
ASKED = "What is the capital of France?"
SPANS = [
    {
        "exchange_id": "94ad8d2b0a7b4637b8c52a6cfd5db9c2-c5c6ef50766894af",
        "ts": dt.datetime(2026, 11, 25, 22, 44, 27, 804394),
        "model": "gpt-4o-mini",
        "prompt": ASKED,
        "system_prompt": "You know geography.",
        "turns": 1,
        "input_tokens": 21,
        "output_tokens": 7,
        "max_tokens": 64,
        "temperature": 0.7,
        "response": "Paris is the capital of France.",
    },
    {
        "exchange_id": "e983ec654df01ba825b7ca34cfa2a79a-6f8d4e6df7628112",
        "ts": dt.datetime(2026, 11, 25, 22, 44, 27, 858676),
        "model": "gpt-4o-mini",
        "prompt": "And of Chile?",
        "system_prompt": "You know geography.",
        "turns": 3,
        "input_tokens": 21,
        "output_tokens": 7,
        "n": 2,
        "response": "Paris is the capital of France.\nParis is the capital of France.",
    },
    {
        "exchange_id": "a89da91c1336697b011eeb77e6e392eb-4d3378d49dac47b0",
        "ts": dt.datetime(2026, 11, 25, 22, 44, 27, 882897),
        "model": "gpt-4o-mini",
        "prompt": ASKED,
        "turns": 1,
        "input_tokens": 9,
        "output_tokens": 3,
        "response": "Paris is.",
    },
    {
        "exchange_id": "c9f9ed9df6e5db2591408129078f4ba9-11f357bf21783f72",
        "ts": dt.datetime(2026, 11, 25, 22, 44, 28, 6729),
        "model": "overloaded",
        "prompt": ASKED,
        "turns": 1,
    },
]


@pytest.mark.parametrize("name", ["opentelemetry-openai.otlp.json", "opentelemetry-openai.otlp.pb"])
def test_spans_of_the_sdk_are_exchanges_and_the_embedding_and_the_health_check_are_not(engine, name) -> None:
    found = read(engine, GOLDEN / name)
    assert rows(engine, found) == [one | WHO for one in SPANS]
    assert found.rejected.num_rows == 0
    assert [(each.format, each.rows, each.skipped) for each in found.inputs] == [("otel", 4, 2)]


def test_generations_of_the_langfuse_sdk_are_exchanges(engine) -> None:
    found = read(engine, GOLDEN / "langfuse-sdk.otlp.pb")
    (row,) = rows(engine, found)
    assert row == {
        "exchange_id": "fbcd1f153356df057bea021ede4b583c-0f3a9700c39cc7c7",
        "ts": dt.datetime(2026, 11, 25, 22, 40, 54, 938612),
        "account_id": "acct-7",
        "model": "gpt-4o-mini",
        "prompt": ASKED,
        "system_prompt": "Be brief.",
        "turns": 1,
        "input_tokens": 21,
        "output_tokens": 7,
        "max_tokens": 64,
        "temperature": 0.7,
        "response": "Paris is the capital of France.",
    }
    assert found.inputs[0].skipped == 1


def test_one_request_alone_in_protobuf_is_read_as_framed_ones_are(engine, logs) -> None:
    framed = (GOLDEN / "opentelemetry-openai.otlp.pb").read_bytes()
    (size,) = struct.unpack(">I", framed[:4])
    alone = logs / "one.pb"
    alone.write_bytes(framed[4 : 4 + size])
    assert rows(engine, read(engine, alone)) == [SPANS[0] | WHO]


def test_messages_packed_by_the_collector_are_unpacked(engine, logs) -> None:
    framed, packed = (GOLDEN / "opentelemetry-openai.otlp.pb").read_bytes(), b""
    while framed:
        (size,) = struct.unpack(">I", framed[:4])
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(framed[4 : 4 + size])
        small = sink.getvalue().to_pybytes()
        packed, framed = packed + struct.pack(">I", len(small)) + small, framed[4 + size :]
    (logs / "packed").write_bytes(packed)  # a name that promises nothing
    assert rows(engine, read(engine, logs / "packed")) == [one | WHO for one in SPANS]


def test_a_message_that_is_no_request_is_rejected_and_the_next_is_read(engine, logs) -> None:
    framed = (GOLDEN / "opentelemetry-openai.otlp.pb").read_bytes()
    bad = b"\x0a\xff\xff\xff"
    (logs / "mixed.pb").write_bytes(struct.pack(">I", len(bad)) + bad + framed)
    found = read(engine, logs / "mixed.pb")
    assert len(rows(engine, found)) == 4
    assert [(each["row"], each["field"], each["value"]) for each in found.rejected.to_pylist()] == [
        (1, "<line>", "<line of 4 characters>")
    ]


def test_a_file_that_ends_within_a_message_is_refused(engine, logs) -> None:
    (logs / "cut.pb").write_bytes((GOLDEN / "opentelemetry-openai.otlp.pb").read_bytes()[:-20])
    with pytest.raises(InputRefused, match="ends within a message"):
        read(engine, logs / "cut.pb")


def test_without_the_package_for_protobuf_it_says_what_to_install(engine, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.proto.collector.trace.v1.trace_service_pb2", None)
    with pytest.raises(MissingDependency, match=r"stillwatch\[otlp\]"):
        read(engine, GOLDEN / "opentelemetry-openai.otlp.pb")


def one_row(engine, logs, made, fields=None):
    (row,) = rows(engine, read(engine, write(logs / "spans.json", request(made)), fields))
    return row


def test_a_request_over_many_lines_is_one_document(engine, logs) -> None:
    path = logs / "pretty.json"
    path.write_text(json.dumps(request(span(1), span(2)), indent=2))
    assert [row["exchange_id"][-1] for row in rows(engine, read(engine, path))] == ["1", "2"]


def test_current_attributes_fill_every_column_they_have(engine, logs) -> None:
    said = [{"role": "user", "parts": [{"type": "text", "content": "hello there"}]}]
    tools = [{"type": "function", "name": "lookup"}]
    row = one_row(engine, logs, span(
        gen_ai__response__model="m-1-dated",
        **{
            "gen_ai.input.messages": json.dumps(said), "gen_ai.tool.definitions": json.dumps(tools),
            "gen_ai.system_instructions": '[{"type":"text","content":"Be kind."}]',
            "gen_ai.usage.input_tokens": 8, "gen_ai.usage.output_tokens": 9,
            "gen_ai.request.max_tokens": 50, "gen_ai.request.temperature": 0.5, "gen_ai.request.choice.count": 3,
            "gen_ai.request.stream": True, "client.address": "2001:db8::1", "geo.country.iso_code": "NZ",
            "user_agent.original": "u/1", "tls.client.ja3": "abc", "gen_ai.provider.name": "aws.bedrock",
            "http.route": "/v1/chat", "http.response.status_code": 200,
        },
    ))  # fmt: skip
    assert row == {
        "exchange_id": f"{1:032x}-{1:016x}", "ts": MOMENT, "account_id": "acct-1", "model": "m-1-dated",
        "prompt": "hello there", "system_prompt": "Be kind.", "tools": ["lookup"], "turns": 1, "input_tokens": 8,
        "output_tokens": 9, "max_tokens": 50, "temperature": 0.5, "n": 3, "stream": True, "ip": "2001:db8::1",
        "country": "NZ", "user_agent": "u/1", "tls_fingerprint": "abc", "channel": "aws.bedrock",
        "endpoint": "/v1/chat", "status": 200,
    }  # fmt: skip


def test_attributes_and_events_of_earlier_conventions_are_understood(engine, logs) -> None:
    old = {"gen_ai.operation.name": None, "user.id": None, "enduser.id": "acct-2", "gen_ai.system": "openai"}
    old |= {"gen_ai.usage.prompt_tokens": 3, "gen_ai.usage.completion_tokens": 4}
    messages = json.dumps([{"role": "user", "content": "from an event"}])
    row = one_row(engine, logs, span(events=[
        ("gen_ai.content.prompt", {"gen_ai.prompt": messages}),
        ("gen_ai.content.completion", {"gen_ai.completion": '[{"role":"assistant","content":"well"}]'}),
    ], **old))  # fmt: skip
    assert (row["account_id"], row["prompt"], row["response"]) == ("acct-2", "from an event", "well")
    assert (row["input_tokens"], row["output_tokens"], row["channel"]) == (3, 4, "openai")


def test_messages_that_are_one_event_each_are_a_conversation(engine, logs) -> None:
    row = one_row(engine, logs, span(events=[
        ("gen_ai.system.message", {"content": "Be kind."}),
        ("gen_ai.user.message", {"content": "first"}),
        ("gen_ai.assistant.message", {"content": "yes"}),
        ("gen_ai.user.message", {"content": "second"}),
        ("gen_ai.choice", {"index": 0, "message": {"role": "assistant", "content": "done"}}),
    ]))  # fmt: skip
    assert (row["prompt"], row["system_prompt"], row["turns"], row["response"]) == ("second", "Be kind.", 3, "done")


def test_messages_with_a_number_in_the_attribute_are_a_conversation(engine, logs) -> None:
    row = one_row(engine, logs, span(**{
        "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be kind.", "gen_ai.prompt.10.role": "user",
        "gen_ai.prompt.10.content": "tenth", "gen_ai.prompt.2.role": "user", "gen_ai.prompt.2.content": "second",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": "done",
    }))  # fmt: skip
    assert (row["prompt"], row["system_prompt"], row["turns"], row["response"]) == ("tenth", "Be kind.", 2, "done")


def test_content_in_the_details_event_of_a_span_is_found(engine, logs) -> None:
    asked = [{"role": "user", "parts": [{"type": "text", "content": "in details"}]}]
    details = ("gen_ai.client.inference.operation.details", {"gen_ai.input.messages": asked})
    assert one_row(engine, logs, span(events=[details]))["prompt"] == "in details"


def test_a_rate_limited_span_keeps_its_status(engine, logs) -> None:
    assert one_row(engine, logs, span(error__type="429"))["status"] == 429


def test_another_attribute_may_name_the_account(engine, logs) -> None:
    made = span(user__id=None, tenant__name="t-9")
    assert one_row(engine, logs, made, {"tenant.name": "account_id"})["account_id"] == "t-9"


def test_rows_count_spans_over_all_requests_of_a_file(engine, logs) -> None:
    path = write(
        logs / "spans.json",
        request(span(1), span(2, gen_ai__operation__name="embeddings"), span(3)),
        '{"resourceSpans": "broken"',
        request(span(4, user__id=None), span(5)),
    )
    found = read(engine, path)
    assert [row["exchange_id"][-1] for row in rows(engine, found)] == ["1", "3", "5"]
    assert [(each["row"], each["field"]) for each in found.rejected.to_pylist()] == [(4, "<line>"), (5, "account_id")]
    assert (found.rows_read, found.rows_kept, found.inputs[0].skipped) == (5, 3, 1)


def test_a_span_of_another_shape_loses_none_of_its_request(engine, logs) -> None:
    odd = [span(2) | {"attributes": 5}, span(3) | {"attributes": [{"key": "a", "value": {"intValue": "x"}}]}, "span"]
    found = read(engine, write(logs / "spans.json", request(span(1), *odd, span(5))))
    assert [row["exchange_id"][-1] for row in rows(engine, found)] == ["1", "5"]
    assert [(each["row"], each["field"]) for each in found.rejected.to_pylist()] == [(n, "<line>") for n in (2, 3, 4)]
    assert all("OpenTelemetry" in each["mend"] for each in found.rejected.to_pylist())


def test_a_time_that_is_none_is_rejected_with_what_stood_there(engine, logs) -> None:
    path = write(logs / "spans.json", request(span(1) | {"startTimeUnixNano": "soon"}, span(2)))
    found = read(engine, path)
    (bad,) = found.rejected.to_pylist()
    assert (bad["row"], bad["field"], bad["value"]) == (1, "ts", "soon")


def test_the_clickhouse_table_of_the_collector_is_read_from_parquet(engine, logs) -> None:
    asked = json.dumps([{"role": "user", "content": "from the table"}])
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "user.id": "acct-1"}
    chat |= {"gen_ai.usage.input_tokens": "12", "http.response.status_code": "200"}
    texts = pa.map_(pa.string(), pa.string())
    table = pa.table({
        "Timestamp": pa.array([NANOS, NANOS + 1000], pa.timestamp("ns")),
        "TraceId": ["t1", "t2"], "SpanId": ["s1", "s2"], "SpanName": ["chat", "GET /healthz"],
        "SpanAttributes": pa.array([list(chat.items()), [("http.route", "/healthz")]], texts),
        "Duration": pa.array([5, 6], pa.uint64()),
        "Events.Timestamp": pa.array([[NANOS], []], pa.list_(pa.timestamp("ns"))),
        "Events.Name": [["gen_ai.content.prompt"], []],
        "Events.Attributes": pa.array([[[("gen_ai.prompt", asked)]], []], pa.list_(texts)),
    })  # fmt: skip
    pq.write_table(table, logs / "otel_traces.parquet")
    found = read(engine, logs / "otel_traces.parquet")
    assert rows(engine, found) == [{
        "exchange_id": "t1-s1", "ts": MOMENT, "account_id": "acct-1", "model": "m-1", "prompt": "from the table",
        "turns": 1, "input_tokens": 12, "status": 200,
    }]  # fmt: skip
    assert [(each.format, each.skipped) for each in found.inputs] == [("otel", 1)]


def test_handles_of_thoughts_are_hashed(engine, logs) -> None:
    asked = [
        {"role": "assistant", "parts": [{"type": "reasoning", "encrypted_content": "OPAQUE"}]},
        {"role": "user", "parts": [{"type": "text", "content": "go on"}]},
    ]
    row = one_row(engine, logs, span(**{"gen_ai.input.messages": json.dumps(asked)}))
    assert row["artefacts_in"] == [hash_handle("OPAQUE")]
    assert "OPAQUE" not in str(row)


def test_values_of_every_kind_are_understood() -> None:
    from stillwatch.ingest.adapters.spans import plain

    value = {"text": "a", "whole": 3, "real": 0.5, "yes": True, "list": ["a", 1], "map": {"b": [2]}}
    assert plain([{"key": name, "value": any_value(each)} for name, each in value.items()]) == value
