"""Conversations as models' interfaces write them, read once for every adapter: what was asked, under which system
prompt, with which tools, and which opaque handles went in and came out.

Shapes: OpenAI chat completions (`messages`), text completions (`prompt`) and responses (`instructions`, `input`), from
the reference at platform.openai.com/docs/api-reference; Anthropic messages (`system`, `messages` with content blocks),
from docs.anthropic.com/en/api/messages; OpenTelemetry messages with `parts`, from the GenAI semantic conventions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stillwatch.ingest.adapters.base import Record, Row, as_json, drop_empty, first_of, hash_handle

SYSTEM = ("system", "developer")
HANDLES = ("encrypted_content", "signature", "data")  # reasoning of OpenAI; thinking and redacted thinking of Anthropic
OPAQUE = ("reasoning", "thinking", "redacted_thinking", "compaction")


def read_messages(messages: Any, system: Any = None) -> Row:
    """Return `prompt`, `system_prompt` and `turns` of a list of messages, or of a text that is the only message."""
    messages = as_json(messages)
    if isinstance(messages, Mapping):
        inner = first_of(messages, "messages", "input", "prompt")
        if inner is None:
            messages = [messages] if "role" in messages else None
        else:
            return read_messages(inner, system or first_of(messages, "system", "instructions"))
    if isinstance(messages, str):
        return drop_empty({"prompt": messages, "system_prompt": text_of(system), "turns": 1})
    if not isinstance(messages, list):
        return drop_empty({"system_prompt": text_of(system)})
    spoken = [each for each in messages if isinstance(each, Mapping) and first_of(each, "role", "type")]
    told = [text_of(each) for each in spoken if each.get("role") in SYSTEM]
    turns = [each for each in spoken if each.get("role") not in SYSTEM and each.get("type") not in OPAQUE]
    asked = [text for each in turns if each.get("role") == "user" and (text := text_of(each))]
    if not spoken and messages and all(isinstance(each, str) for each in messages):
        asked, turns = messages, messages
    above = [text for text in (text_of(system), *told) if text]
    return drop_empty(
        {"prompt": asked[-1] if asked else None, "system_prompt": "\n".join(above), "turns": len(turns) or None}
    )


def text_of(content: Any) -> str | None:
    """Return the words of a message, of its content, or of a list of parts; images and tool results have none."""
    content = as_json(content)
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [text for part in content if _speaks(part) and (text := text_of(part))]
        return "\n".join(texts) or None
    if isinstance(content, Mapping):
        return text_of(first_of(content, "text", "content", "parts", "value"))
    return None


def tool_names(tools: Any) -> list[str] | None:
    """Return the names of the tools offered, in any of the shapes."""
    tools = as_json(tools)
    if not isinstance(tools, list):
        return None
    found = []
    for tool in tools:
        tool = as_json(tool)
        inner = tool.get("function") if isinstance(tool, Mapping) else None
        name = first_of(inner, "name") if isinstance(inner, Mapping) else None
        if name is None and isinstance(tool, Mapping):
            name = first_of(tool, "name", "type")
        if name is None and isinstance(tool, str):
            name = tool
        if name is not None:
            found.append(str(name))
    return found or None


def read_request(body: Record) -> Row:
    """Return what the body of a request says: of chat or text completions, of responses, or of messages."""
    asked = first_of(body, "messages", "input", "prompt")
    handles = [*handles_in(asked), *([body["previous_response_id"]] if body.get("previous_response_id") else [])]
    row = read_messages(asked, first_of(body, "system", "instructions"))
    row |= {
        "model": body.get("model"),
        "tools": tool_names(body.get("tools")),
        "max_tokens": first_of(body, "max_tokens", "max_completion_tokens", "max_output_tokens"),
        "temperature": body.get("temperature"),
        "n": body.get("n"),
        "stream": body.get("stream"),
        "artefacts_in": [hash_handle(each) for each in handles],
    }
    return drop_empty(row)


def read_answer(body: Record) -> Row:
    """Return what the body of a response says, of the same interfaces."""
    usage = body.get("usage")
    usage = usage if isinstance(usage, Mapping) else {}
    choices = body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    said = first_of(first, "message", "text", "delta") or first_of(body, "output", "content")
    handles = list(handles_in([said, body.get("output"), body.get("content")]))
    if body.get("object") == "response" and body.get("id"):
        handles.append(body["id"])  # what previous_response_id may name later
    row = {
        "model": body.get("model"),
        "input_tokens": _tokens_in(usage),
        "output_tokens": first_of(usage, "output_tokens", "completion_tokens"),
        "response": text_of(said),
        "artefacts_out": [hash_handle(each) for each in dict.fromkeys(handles)],
    }
    return drop_empty(row)


def handles_in(value: Any) -> Iterator[str]:
    """Yield the opaque handles that messages, items or content blocks carry."""
    value = as_json(value)
    if isinstance(value, list):
        for each in value:
            yield from handles_in(each)
    elif isinstance(value, Mapping):
        if value.get("type") in OPAQUE:
            yield from (value[name] for name in HANDLES if isinstance(value.get(name), str))
        yield from handles_in([value.get(name) for name in ("content", "parts", "thinking_blocks") if value.get(name)])


def _speaks(part: Any) -> bool:
    """Whether a part is words: not a thought, a picture, or what a tool returned."""
    if not isinstance(part, Mapping):
        return isinstance(part, str)
    kind = part.get("type")
    return kind is None or str(kind).endswith("text") or kind == "message"


def _tokens_in(usage: Record) -> Any:
    read = first_of(usage, "input_tokens", "prompt_tokens")
    cached = [usage.get(name) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    if "input_tokens" in usage and isinstance(read, int):  # messages count cached tokens apart
        return read + sum(each for each in cached if isinstance(each, int))
    return read
