"""Signed answers of every API, whole and streamed, with words, tool calls and reasoning that chance chose."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stillwatch.integrity.signing.keys import KeyRing, new_ring
from stillwatch.integrity.signing.reading import CHAT, MESSAGES, RESPONSES
from stillwatch.integrity.signing.signer import Signer, SigningStream, read_question, sign_answer

NOW = 1_795_000_000  # seconds
ISSUER = "api.example.com"
WORDS = (
    "alpha",
    "beta",
    "naïve",
    "Ω",
    "你好",
    "🙂",
    "two words",
    "“quoted”",
    "a\nline",
    "\t",
    "0.5",
    '{"x":1}',
    "\\",
    "&",
    "end.",
)
ENDPOINTS = (CHAT, RESPONSES, MESSAGES)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer as its signer sent it, and the request that it answers."""

    endpoint: str
    stream: bool
    request: Json
    answer: bytes
    tools: int = 0
    reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """What a model said."""

    model: str
    text: list[str]
    calls: list[tuple[str, str]]  # name, arguments
    reasoning: list[str]

    @property
    def finish(self) -> str:
        """Why it ends."""
        return "tool_calls" if self.calls else "stop"


def make_signer(at: int = NOW, ring: KeyRing | None = None) -> Signer:
    """Return a signer whose clock stands still."""
    return Signer(ring or new_ring(ISSUER, at - 60), now=lambda: at * 1_000_000)


def make_sample(chance: random.Random, signer: Signer) -> Sample:
    """Return a signed answer."""
    endpoint, stream = chance.choice(ENDPOINTS), chance.random() < 0.6
    content = Content(
        f"model-{chance.randrange(9)}",
        [_words(chance) for _ in range(chance.randint(3, 12))],
        [
            (f"tool_{at}", json.dumps({"to": _words(chance), "n": chance.randrange(999)}))
            for at in range(chance.choice((0, 0, 1, 2, 3)))
        ],
        [_words(chance) for _ in range(3)] if chance.random() < 0.3 else [],
    )
    request = _request(endpoint, stream, content.model, _words(chance))
    question = read_question(endpoint, request)
    if not stream:
        body = json.dumps(WHOLE[endpoint](content), ensure_ascii=chance.random() < 0.5).encode()
        answer = sign_answer(body, question, signer)
    else:
        signing = SigningStream(question, signer)
        sent = [signing.feed(write_event(each)) for each in EVENTS[endpoint](content)]
        answer = b"".join((*sent, signing.feed(b"data: [DONE]\n\n" if endpoint == CHAT else b""), signing.rest()))
    return Sample(endpoint, stream, request, answer, len(content.calls), bool(content.reasoning))


def write_event(event: Json) -> bytes:
    """Return an event as servers write it: named where its API names events."""
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def _words(chance: random.Random) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 6))) + f" {chance.randrange(10**6)} "


def _request(endpoint: str, stream: bool, model: str, words: str) -> Json:
    asked: Json = {"model": model, "stream": stream, "temperature": 0.7}
    talk = [{"role": "user", "content": words}]
    return asked | ({"input": words} if endpoint == RESPONSES else {"messages": talk})


def _chat(content: Content) -> Json:
    calls = [{"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": told}}
             for at, (name, told) in enumerate(content.calls)]  # fmt: skip
    message: Json = {"role": "assistant", "content": "".join(content.text), "refusal": None}
    message |= {"tool_calls": calls} if calls else {}
    message |= {"reasoning_content": "".join(content.reasoning)} if content.reasoning else {}
    choice = {"index": 0, "message": message, "finish_reason": content.finish, "logprobs": None}
    usage = {"prompt_tokens": 11, "completion_tokens": 22, "total_tokens": 33}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": NOW, "model": content.model,
            "choices": [choice], "usage": usage}  # fmt: skip


def _chat_events(content: Content) -> Iterator[Json]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": content.model}

    def chunk(delta: Json, finish: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    yield chunk({"role": "assistant", "content": ""})
    yield from (chunk({"reasoning_content": each}) for each in content.reasoning)
    yield from (chunk({"content": each}) for each in content.text)
    for at, (name, told) in enumerate(content.calls):
        yield chunk(
            {
                "tool_calls": [
                    {"index": at, "id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": ""}}
                ]
            }
        )
        for piece in _halves(told):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, content.finish)


def _messages(content: Content) -> Json:
    blocks: list[Json] = []
    if content.reasoning:
        blocks.append({"type": "thinking", "thinking": "".join(content.reasoning), "signature": "c2ln"})
    blocks.append({"type": "text", "text": "".join(content.text)})
    blocks += [{"type": "tool_use", "id": f"toolu_{at}", "name": name, "input": json.loads(told)}
               for at, (name, told) in enumerate(content.calls)]  # fmt: skip
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": content.model, "content": blocks,
            "stop_reason": "tool_use" if content.calls else "end_turn", "stop_sequence": None,
            "usage": {"input_tokens": 11, "output_tokens": 22}}  # fmt: skip


def _messages_events(content: Content) -> Iterator[Json]:
    whole = _messages(content)
    yield {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}}
    yield {"type": "ping"}
    for at, block in enumerate(whole["content"]):
        kind = block["type"]
        empty: Json = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}}.get(kind, {"input": {}})
        yield {"type": "content_block_start", "index": at, "content_block": block | empty}
        for delta in _deltas(kind, block, content):
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": 22},
    }
    yield {"type": "message_stop"}


def _deltas(kind: str, block: Json, content: Content) -> Iterator[Json]:
    if kind == "text":
        yield from ({"type": "text_delta", "text": each} for each in content.text)
    elif kind == "thinking":
        yield from ({"type": "thinking_delta", "thinking": each} for each in content.reasoning)
        yield {"type": "signature_delta", "signature": "c2ln"}
    else:
        yield from ({"type": "input_json_delta", "partial_json": each} for each in _halves(json.dumps(block["input"])))


def _response(content: Content) -> Json:
    items: list[Json] = []
    if content.reasoning:
        summary = [{"type": "summary_text", "text": "".join(content.reasoning)}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary})
    part = {"type": "output_text", "text": "".join(content.text), "annotations": []}
    items.append({"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part]})
    items += [{"type": "function_call", "id": f"fc_{at}", "call_id": f"call_{at}", "name": name, "arguments": told,
               "status": "completed"} for at, (name, told) in enumerate(content.calls)]  # fmt: skip
    return {"id": "resp_1", "object": "response", "created_at": NOW, "model": content.model, "status": "completed",
            "output": items, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
            "usage": {"input_tokens": 11, "output_tokens": 22, "total_tokens": 33}}  # fmt: skip


def _response_events(content: Content) -> Iterator[Json]:
    whole = _response(content)
    yield {"type": "response.created", "response": whole | {"status": "in_progress", "output": [], "usage": None}}
    for at, item in enumerate(whole["output"]):
        place = {"output_index": at, "item_id": item["id"]}
        kind = item["type"]
        empty: Json = {"message": {"content": []}, "reasoning": {"summary": []}}.get(kind, {"arguments": ""})
        yield {
            "type": "response.output_item.added",
            "output_index": at,
            "item": item | empty | {"status": "in_progress"},
        }
        if kind == "message":
            for each in content.text:
                yield {"type": "response.output_text.delta", **place, "content_index": 0, "delta": each, "logprobs": []}
            yield {
                "type": "response.output_text.done",
                **place,
                "content_index": 0,
                "text": "".join(content.text),
                "logprobs": [],
            }
        elif kind == "reasoning":
            for each in content.reasoning:
                yield {"type": "response.reasoning_summary_text.delta", **place, "summary_index": 0, "delta": each}
        else:
            for piece in _halves(item["arguments"]):
                yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
            yield {
                "type": "response.function_call_arguments.done",
                **place,
                "name": item["name"],
                "arguments": item["arguments"],
            }
        yield {"type": "response.output_item.done", "output_index": at, "item": item}
    yield {"type": "response.completed", "response": whole}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


WHOLE = {CHAT: _chat, RESPONSES: _response, MESSAGES: _messages}
EVENTS = {CHAT: _chat_events, RESPONSES: _response_events, MESSAGES: _messages_events}
