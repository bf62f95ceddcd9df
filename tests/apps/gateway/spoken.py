"""Answers with reasoning in them, of three APIs, whole and as events; any reasoning, cut into any pieces."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint

PATHS = {CHAT: "/v1/chat/completions", RESPONSES: "/v1/responses", MESSAGES: "/v1/messages"}
SIGNATURE, REDACTED, ENCRYPTED, RESPONSE = "c2lnbg==", "cmVkYWN0ZWQ=", "ZW5jcnlwdGVk", "resp_upstream"
TEXT = ("The answer ", "is 89.")
TRACE = (
    "Okay, so I need to find the total. There are 12 boxes with 7 pens each, so 12 * 7 = 84 pens. "
    "Wait, let me check the loose ones. The loose pens are 5. Adding them, 84 + 5 = 89. Therefore the answer is 89."
)
ASKED: dict[Endpoint, dict[str, Any]] = {
    CHAT: {"model": "m", "messages": [{"role": "user", "content": "How many?"}]},
    RESPONSES: {"model": "m", "input": "How many?"},
    MESSAGES: {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "How many?"}]},
}
HEAD = {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m"}


def token(value: float) -> dict[str, Any]:
    others = [{"token": each, "logprob": value - n, "bytes": None} for n, each in enumerate("xyz")]
    return {"token": "x", "logprob": value, "bytes": None, "top_logprobs": others}


def whole(endpoint: Endpoint, trace: str = TRACE) -> dict[str, Any]:
    """An answer in one piece."""
    said = "".join(TEXT)
    if endpoint is CHAT:
        message = {"role": "assistant", "content": said, "reasoning_content": trace, "refusal": None}
        listed = {"content": [token(-0.123456)], "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": listed}
        return {**HEAD, "choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 9, "total_tokens": 10}}
    if endpoint is MESSAGES:
        blocks = [{"type": "thinking", "thinking": trace, "signature": SIGNATURE},
                  {"type": "redacted_thinking", "data": REDACTED}, {"type": "text", "text": said}]  # fmt: skip
        return {"id": "m-1", "type": "message", "role": "assistant", "model": "m", "content": blocks,
                "stop_reason": "end_turn", "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 9}}  # fmt: skip
    return response([reasoning(trace), message_item(said)])


def response(output: list[dict[str, Any]], status: str = "completed") -> dict[str, Any]:
    return {"id": RESPONSE, "object": "response", "created_at": 1, "status": status, "error": None, "metadata": {},
            "incomplete_details": None, "instructions": None, "model": "m", "output": output, "temperature": 1.0,
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "top_p": 1.0,
            "reasoning": {"effort": "low", "summary": None}, "previous_response_id": None, "usage": None}  # fmt: skip


def reasoning(trace: str) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": trace}],
            "content": [{"type": "reasoning_text", "text": trace}], "encrypted_content": ENCRYPTED}  # fmt: skip


def message_item(said: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": said, "annotations": [], "logprobs": [token(-0.123456)]}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def events(endpoint: Endpoint, pieces: Sequence[str] = (TRACE,)) -> bytes:
    """The same as a stream, its reasoning in pieces."""
    if endpoint is CHAT:
        chunks = [{"role": "assistant", "content": ""}, *({"reasoning_content": each} for each in pieces),
                  *({"content": each} for each in TEXT), {}]  # fmt: skip
        last = len(chunks) - 1
        told = [{**HEAD, "object": "chat.completion.chunk",
                 "choices": [{"index": 0, "delta": delta, "finish_reason": "stop" if at == last else None}]}
                for at, delta in enumerate(chunks)]  # fmt: skip
        return b"".join(framed(each, named=False) for each in told) + b"data: [DONE]\n\n"
    return b"".join(framed(each) for each in (_message if endpoint is MESSAGES else _response)(pieces))


def _message(pieces: Sequence[str]) -> Iterable[dict[str, Any]]:
    blocks = whole(MESSAGES)["content"]
    yield {"type": "message_start", "message": {**whole(MESSAGES), "content": [], "stop_reason": None}}
    yield {"type": "content_block_start", "index": 0, "content_block": {**blocks[0], "thinking": "", "signature": ""}}
    for each in pieces:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": each}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": SIGNATURE}}
    yield {"type": "content_block_stop", "index": 0}
    yield {"type": "content_block_start", "index": 1, "content_block": blocks[1]}
    yield {"type": "content_block_stop", "index": 1}
    yield {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}}
    for each in TEXT:
        yield {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": each}}
    yield {"type": "content_block_stop", "index": 2}
    ends = {"stop_reason": "end_turn", "stop_sequence": None}
    yield {"type": "message_delta", "delta": ends, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


def _response(pieces: Sequence[str]) -> Iterable[dict[str, Any]]:
    return ({**each, "sequence_number": number} for number, each in enumerate(_unnumbered(pieces)))


def _unnumbered(pieces: Sequence[str]) -> Iterable[dict[str, Any]]:
    trace, said = "".join(pieces), "".join(TEXT)
    thought, answer = reasoning(trace), message_item(said)
    yield {"type": "response.created", "response": response([], "in_progress")}
    empty = {**thought, "summary": [], "content": []}
    yield {"type": "response.output_item.added", "output_index": 0, "item": empty}
    for name, part, number in (("reasoning_summary", "summary_text", "summary_index"),
                               ("reasoning", "reasoning_text", "content_index")):  # fmt: skip
        at = {"item_id": "rs_1", "output_index": 0, number: 0}
        added = "response.reasoning_summary_part" if number == "summary_index" else "response.content_part"
        yield {"type": f"{added}.added", **at, "part": {"type": part, "text": ""}}
        for each in pieces:
            yield {"type": f"response.{name}_text.delta", **at, "delta": each}
        yield {"type": f"response.{name}_text.done", **at, "text": trace}
        yield {"type": f"{added}.done", **at, "part": {"type": part, "text": trace}}
    yield {"type": "response.output_item.done", "output_index": 0, "item": thought}
    yield {"type": "response.output_item.added", "output_index": 1, "item": {**answer, "content": []}}
    at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    part = answer["content"][0]
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": "", "logprobs": []}}
    for each in TEXT:
        yield {"type": "response.output_text.delta", **at, "delta": each, "logprobs": [token(-0.123456)]}
    yield {"type": "response.output_text.done", **at, "text": said, "logprobs": part["logprobs"]}
    yield {"type": "response.content_part.done", **at, "part": part}
    yield {"type": "response.output_item.done", "output_index": 1, "item": answer}
    yield {"type": "response.completed", "response": response([thought, answer])}


def framed(event: dict[str, Any], named: bool = True) -> bytes:
    name = f"event: {event['type']}\n" if named else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()
