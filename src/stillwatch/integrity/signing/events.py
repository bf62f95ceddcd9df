"""Which pieces the events of a stream say, for each API, and which event carries the receipt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.integrity.signing.canonical import text_of
from stillwatch.integrity.signing.reading import (
    CHAT,
    MESSAGES,
    RESPONSES,
    Json,
    add,
    add_finish,
    bare,
    inner,
    number,
    objects,
    read_block,
    read_item,
    read_message,
    read_model,
    read_part,
    read_response,
    read_usage,
)
from stillwatch.integrity.signing.said import Said

DONE = b"[DONE]"
TEXT_DELTA = "response.output_text.delta"
LAST = ("response.completed", "response.incomplete", "response.failed")
DELTAS = {  # of Responses, by type: kind of channel, what stands after the numbers, and the name of the field
    "response.output_text": ("text", "", "text"),
    "response.refusal": ("text", "/refusal", "refusal"),
    "response.reasoning_text": ("reasoning", "", "text"),
    "response.reasoning_summary_text": ("reasoning", "/summary", "text"),
    "response.function_call_arguments": ("tools", "arguments", "arguments"),
    "response.custom_tool_call_input": ("tools", "arguments", "input"),
    "response.mcp_call_arguments": ("tools", "arguments", "arguments"),
    "response.code_interpreter_call_code": ("tools", "code", "code"),
}


def read_event(endpoint: str, event: Json, said: Said) -> bool:
    """Take what an event says; return whether it is the one that carries the receipt: all was said by its end."""
    return EVENTS[endpoint](event, said)


def _chat(event: Json, said: Said) -> bool:
    choices = event.get("choices")
    model = event.get("model")
    if isinstance(model, str) and model:
        said.models.add(model)
    else:
        read_model(model, said)
    if event.get("usage") is not None:
        read_usage(event["usage"], said)
    carries = False
    for position, choice in enumerate(choices if isinstance(choices, list) else ()):
        if not isinstance(choice, dict):
            continue
        at = number(choice.get("index"), position)
        delta = choice.get("delta")
        if isinstance(delta, dict):
            _delta(at, delta, said)
        if choice.get("finish_reason") is not None:
            add_finish(said, at, choice["finish_reason"])
            carries = True
    return carries


def _delta(at: int, delta: Json, said: Said) -> None:
    text = delta.get("content")
    if len(delta) == 1 and isinstance(text, str):  # most of them
        said.add("text/0" if at == 0 else f"text/{at}", text)
    else:
        read_message(at, delta, said)


def _messages(event: Json, said: Said) -> bool:
    kind = event.get("type")
    if kind == "content_block_delta":
        delta = inner(event, "delta")
        if delta.get("type") == "text_delta" and type(delta.get("text")) is str:  # most of them
            said.add(f"text/{number(event.get('index'))}", delta["text"])
        else:
            _block_delta(number(event.get("index")), delta, said)
    elif kind == "content_block_start":
        read_block(number(event.get("index")), inner(event, "content_block"), said)
    elif kind == "message_start":
        message = inner(event, "message")
        read_model(message.get("model"), said)
        read_usage(message.get("usage"), said)
        for at, block in enumerate(objects(message.get("content"))):
            read_block(at, block, said)
    elif kind == "message_delta":
        read_usage(event.get("usage"), said)
        add_finish(said, 0, inner(event, "delta").get("stop_reason"))
        return True
    elif kind == "message_stop":
        said.ended = True
    return False


def _block_delta(at: int, delta: Json, said: Said) -> None:
    kind = delta.get("type")
    if kind == "text_delta":
        add(said, f"text/{at}", delta.get("text"))
    elif kind == "input_json_delta":
        add(said, f"tools/{at}/arguments", delta.get("partial_json"))
    elif kind == "thinking_delta":
        add(said, f"reasoning/{at}", delta.get("thinking"))
    elif kind == "citations_delta":
        add(said, f"other/{at}/citations", bare(delta.get("citation")))
    elif kind != "signature_delta":  # its maker checks that itself when it comes back
        said.add(f"other/{at}", text_of(bare(delta)))


def _responses(event: Json, said: Said) -> bool:
    if event.get("type") == TEXT_DELTA and type(event.get("delta")) is str:  # most of them
        said.add(f"text/{number(event.get('output_index'))}/{number(event.get('content_index'))}", event["delta"])
        return False
    kind = str(event.get("type", ""))
    item, part = number(event.get("output_index")), number(event.get("content_index", event.get("summary_index")))
    stem, _, end = kind.rpartition(".")
    if stem in DELTAS and end in ("delta", "done"):
        family, more, field = DELTAS[stem]
        place = f"tools/{item}/{more}" if family == "tools" else f"{family}/{item}/{part}{more}"
        add(said, place if end == "delta" else f"{place}/done", event.get("delta" if end == "delta" else field))
    elif kind == "response.output_item.added":
        added = inner(event, "item")
        if added.get("name") is not None:
            add(said, f"tools/{item}/name", added["name"])
    elif kind == "response.output_item.done":
        read_item(item, inner(event, "item"), said, "/item")
    elif kind in ("response.content_part.done", "response.reasoning_summary_part.done"):
        read_part((item, part), inner(event, "part"), said, "/part")
    elif kind in LAST:
        read_response(inner(event, "response"), said, "/last")
        said.ended = True
        return True
    elif kind.startswith("response.") and isinstance(event.get("response"), dict):
        read_model(event["response"].get("model"), said)
    elif end in ("delta", "partial_image") or stem == "response.output_text.annotation":
        told = {
            name: value for name, value in event.items() if name not in ("sequence_number", "item_id", "stillwatch")
        }
        said.add(f"other/{item}/{part}/event", text_of(bare(told)))
    return False


EVENTS: dict[str, Callable[[Any, Said], bool]] = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages}
