"""Conversations as models' interfaces write them, read once for every adapter: what was asked, under which system
prompt, with which tools, and which opaque handles went in and came out.

Shapes: OpenAI chat completions (`messages`), text completions (`prompt`) and responses (`instructions`, `input`), from
the reference at platform.openai.com/docs/api-reference; Anthropic messages (`system`, `messages` with content blocks),
from docs.anthropic.com/en/api/messages; OpenTelemetry messages with `parts`, from the GenAI semantic conventions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from stillwatch.ingest.adapters.base import Record, Row, as_json, drop_empty, first_of, hash_handle

SYSTEM = ("system", "developer")
HANDLES = ("encrypted_content", "signature", "data")  # reasoning of OpenAI; thinking and redacted thinking of Anthropic
INNER = ("messages", "input", "prompt")
WITHIN = ("content", "parts", "thinking_blocks")  # where blocks lie inside a message
IN_PART = ("text", "content", "parts", "value")
IN_MESSAGE = ("content", "parts", "text", "value")  # a text beside a message's content is nobody's word
OPAQUE = ("reasoning", "thinking", "redacted_thinking", "compaction")


def read_messages(messages: Any, system: Any = None) -> Row:
    """Return `prompt`, `system_prompt` and `turns` of what a log keeps: messages, a text, or JSON of either.

    What holds no messages is itself the prompt: a text as it stands, an object as its JSON.
    """
    held = as_json(messages)
    if isinstance(held, list | dict) and not _holds_messages(held):
        held = messages if isinstance(messages, str) or _are_texts(held) else json.dumps(held, ensure_ascii=False)
    return _converse(held, system) if messages else _converse(None, system)


def _converse(asked: Any, system: Any) -> Row:
    if isinstance(asked, dict):
        inner = first_of(asked, *INNER)
        if inner is not None:
            return _converse(inner, system or first_of(asked, "system", "instructions"))
        asked = [asked]
    if isinstance(asked, str):
        return drop_empty({"prompt": asked, "system_prompt": text_of(system), "turns": 1})
    if not isinstance(asked, list):
        return drop_empty({"system_prompt": text_of(system)})
    if _are_texts(asked):
        return drop_empty({"prompt": asked[-1], "system_prompt": text_of(system), "turns": len(asked)})
    spoken = [each for each in asked if isinstance(each, dict)]
    told = [text_of(each) for each in spoken if each.get("role") in SYSTEM]
    turns = [each for each in spoken if each.get("role") not in SYSTEM and each.get("type") not in OPAQUE]
    last = next((text for each in reversed(turns) if each.get("role") == "user" and (text := text_of(each))), None)
    above = [text for text in (text_of(system), *told) if text]
    return drop_empty({"prompt": last, "system_prompt": "\n".join(above), "turns": len(turns) or None})


def _holds_messages(held: Any) -> bool:
    if isinstance(held, dict):
        return "role" in held or first_of(held, *INNER) is not None
    return any(isinstance(each, dict) and (each.get("role") or each.get("type")) for each in held)


def _are_texts(held: Any) -> bool:
    return isinstance(held, list) and bool(held) and all(isinstance(each, str) for each in held)


def text_of(content: Any) -> str | None:
    """Return the words of a message, of its content, or of a list of parts; images and tool results have none."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [text for part in content if _speaks(part) and (text := text_of(part))]
        return "\n".join(texts) or None
    if isinstance(content, dict):
        message = "role" in content and content.get("type") in (None, "message")
        return text_of(first_of(content, *(IN_MESSAGE if message else IN_PART)))
    return None


def as_parts(content: Any) -> Any:
    """Return the parts that a text of JSON lists, as instrumentations keep them; any other text as it is."""
    held = as_json(content)
    return (
        held if isinstance(held, list) and all(isinstance(each, dict) and "type" in each for each in held) else content
    )


def tool_names(tools: Any) -> list[str] | None:
    """Return the names of the tools offered, in any of the shapes."""
    tools = as_json(tools)
    if not isinstance(tools, list):
        return None
    found = []
    for tool in tools:
        tool = as_json(tool)
        inner = tool.get("function") if isinstance(tool, dict) else None
        name = first_of(inner, "name") if isinstance(inner, dict) else None
        if name is None and isinstance(tool, dict):
            name = first_of(tool, "name", "type")
        if name is None and isinstance(tool, str):
            name = tool
        if name is not None:
            found.append(str(name))
    return found or None


def read_request(body: Record, name: Callable[[str], str] = hash_handle) -> Row:
    """Return what the body of a request says: of chat or text completions, of responses, or of messages.

    `name` gives what stands for an opaque handle.
    """
    asked = first_of(body, *INNER)
    handles = [*handles_in(asked), *([body["previous_response_id"]] if body.get("previous_response_id") else [])]
    row = _converse(asked, first_of(body, "system", "instructions"))
    row |= {
        "model": body.get("model"),
        "tools": tool_names(body.get("tools")),
        "max_tokens": first_of(body, "max_tokens", "max_completion_tokens", "max_output_tokens"),
        "temperature": body.get("temperature"),
        "n": body.get("n"),
        "stream": body.get("stream"),
        "artefacts_in": [name(each) for each in handles],
    }
    return drop_empty(row)


def read_answer(body: Record, name: Callable[[str], str] = hash_handle) -> Row:
    """Return what the body of a response says, of the same interfaces; `name` as above."""
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    said = first_of(first, "message", "text", "delta") or first_of(body, "output", "content")
    handles = handles_in([said, body.get("output"), body.get("content")])
    if body.get("object") == "response" and body.get("id"):
        handles.append(body["id"])  # what previous_response_id may name later
    tokens_in, tokens_out = tokens_of(usage)
    row = {
        "model": body.get("model"),
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "response": text_of(said),
        "artefacts_out": [name(each) for each in dict.fromkeys(handles)],
    }
    return drop_empty(row)


def handles_in(value: Any) -> list[str]:
    """Return the opaque handles that messages, items or content blocks carry, in their order."""
    found: list[str] = []
    _collect_handles(value, found)
    return found


def _collect_handles(value: Any, found: list[str]) -> None:
    if isinstance(value, list):
        for each in value:
            if isinstance(each, list | dict):
                _collect_handles(each, found)
    elif isinstance(value, dict):
        if value.get("type") in OPAQUE:
            found += [held for name in HANDLES if isinstance(held := value.get(name), str) and held]
        for name in WITHIN:
            inner = value.get(name)
            if isinstance(inner, list | dict):
                _collect_handles(inner, found)


def _speaks(part: Any) -> bool:
    """Whether a part is words: not a thought, a picture, or what a tool returned."""
    if not isinstance(part, dict):
        return isinstance(part, str)
    kind = part.get("type")
    return kind is None or str(kind).endswith("text") or kind == "message"


def tokens_of(usage: Record) -> tuple[Any, Any]:
    """Return the tokens in and out that a `usage` names."""
    return _tokens_in(usage), first_of(usage, "output_tokens", "completion_tokens")


def _tokens_in(usage: Record) -> Any:
    read = first_of(usage, "input_tokens", "prompt_tokens")
    cached = [usage.get(name) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    if "input_tokens" in usage and isinstance(read, int):  # messages count cached tokens apart
        return read + sum(each for each in cached if isinstance(each, int))
    return read
