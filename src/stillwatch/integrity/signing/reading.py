"""Which pieces an answer in JSON says, for each API. What a piece should be text and is not, counts by its JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stillwatch.integrity.signing.canonical import text_of
from stillwatch.integrity.signing.said import Said

CHAT, RESPONSES, MESSAGES = "chat.completions", "responses", "messages"
VOLATILE = ("id", "status", "call_id")  # of items: relays give their own
PATHS = {"/chat/completions": CHAT, "/responses": RESPONSES, "/messages": MESSAGES}  # how they end
Json = Mapping[str, Any]


def read_answer(endpoint: str, answer: Json, said: Said) -> None:
    """Take what an answer says, and what it tells of itself."""
    WHOLE[endpoint](answer, said)


def read_usage(told: Any, said: Said) -> None:
    """Take the tokens in and out that an answer counts."""
    if not isinstance(told, dict):
        return
    for at, names in enumerate((("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))):
        for name in names:
            count = told.get(name)
            if type(count) is int and 0 <= count < 2**53:
                said.usage[at] = count


def read_model(told: Any, said: Said) -> None:
    """Take a model's name."""
    if told not in (None, ""):
        said.models.add(text_of(told))


def objects(told: Any) -> list[Json]:
    """Return the objects of a list; anything else has none."""
    return [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []


def inner(told: Json, name: str) -> Json:
    """Return an object inside another, an empty one where there is none."""
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def bare(told: Any) -> Any:
    """Return a value without members that are empty or that relays set anew."""
    if isinstance(told, dict):
        kept = {name: bare(value) for name, value in told.items() if name not in VOLATILE}
        return {name: value for name, value in kept.items() if value not in (None, [], {}, "")}
    return [bare(each) for each in told] if isinstance(told, list) else told


def number(told: Any, else_: int = 0) -> int:
    """Return an index; another one where there is none."""
    return told if type(told) is int else else_


def add(said: Said, channel: str, told: Any) -> None:
    """Add a piece, unless nothing is there."""
    if told is not None and told != []:
        said.add(channel, text_of(told))


def read_message(at: int, message: Json, said: Said) -> None:
    """Take a choice's message, or a delta of it, of chat completions."""
    reasoning = message.get("reasoning_content")
    add(said, f"reasoning/{at}", message.get("reasoning") if reasoning is None else reasoning)
    add(said, f"text/{at}", message.get("content"))
    add(said, f"text/{at}/refusal", message.get("refusal"))
    for position, call in enumerate(objects(message.get("tool_calls"))):
        read_call(f"tools/{at}/{number(call.get('index'), position)}", call, said)
    legacy = message.get("function_call")
    if isinstance(legacy, dict):
        read_function(f"tools/{at}/function", legacy, said)
    for name in ("audio", "annotations", "images"):
        if message.get(name):
            said.add(f"other/{at}/{name}", text_of(bare(message[name])))


def read_call(channel: str, call: Json, said: Said) -> None:
    """Take a tool call, or a delta of it."""
    for name in ("function", "custom"):
        if isinstance(call.get(name), dict):
            read_function(channel, call[name], said)


def read_function(channel: str, function: Json, said: Said) -> None:
    """Take the name and the arguments of a call, exactly as they are written."""
    add(said, f"{channel}/name", function.get("name"))
    for name in ("arguments", "input"):
        add(said, f"{channel}/arguments", function.get(name))


def read_block(at: int, block: Json, said: Said) -> None:
    """Take a block of Anthropic's messages, or the beginning of one."""
    kind = block.get("type")
    if kind == "text":
        add(said, f"text/{at}", block.get("text"))
        for citation in objects(block.get("citations")):
            said.add(f"other/{at}/citations", text_of(bare(citation)))
    elif kind == "thinking":
        add(said, f"reasoning/{at}", block.get("thinking"))
    elif kind == "redacted_thinking":
        add(said, f"reasoning/{at}/redacted", block.get("data"))
    elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        add(said, f"tools/{at}/name", block.get("name"))
        if block.get("input") not in (None, {}):
            said.add(f"tools/{at}/arguments", text_of(block["input"]))
    else:
        said.add(f"other/{at}", text_of(bare(block)))


def read_item(at: int, item: Json, said: Said, end: str = "") -> None:
    """Take an item of a response's output; `end` marks where in a stream it is repeated."""
    kind = item.get("type")
    if kind == "message":
        for place, part in enumerate(objects(item.get("content"))):
            read_part((at, place), part, said, end)
    elif kind in ("function_call", "custom_tool_call"):
        add(said, f"tools/{at}/name{end}", item.get("name"))
        add(said, f"tools/{at}/arguments{end}", item.get("arguments") or item.get("input"))
    elif kind == "reasoning":
        for name in ("summary", "content"):
            for place, part in enumerate(objects(item.get(name))):
                add(said, f"reasoning/{at}/{name}/{place}{end}", part.get("text"))
    else:
        said.add(f"tools/{at}/item{end}", text_of(bare(item)))


def read_part(at: tuple[int, int], part: Json, said: Said, end: str = "") -> None:
    """Take a part of a message's content in a response."""
    place = f"{at[0]}/{at[1]}"
    if part.get("type") == "output_text":
        add(said, f"text/{place}{end}", part.get("text"))
        if part.get("annotations"):
            said.add(f"other/{place}/annotations{end}", text_of(bare(part["annotations"])))
    elif part.get("type") == "refusal":
        add(said, f"text/{place}/refusal{end}", part.get("refusal"))
    elif part.get("type") in ("summary_text", "reasoning_text"):
        add(said, f"reasoning/{place}/part{end}", part.get("text"))
    else:
        said.add(f"other/{place}{end}", text_of(bare(part)))


def read_response(answer: Json, said: Said, end: str = "") -> None:
    """Take a response, as it is or as the last event of a stream repeats it."""
    read_model(answer.get("model"), said)
    read_usage(answer.get("usage"), said)
    for at, item in enumerate(objects(answer.get("output"))):
        read_item(at, item, said, end)
    why = inner(answer, "incomplete_details").get("reason") or inner(answer, "error").get("code")
    said.finish[0] = ":".join(text_of(each) for each in (answer.get("status"), why) if each)


def _read_chat(answer: Json, said: Said) -> None:
    read_model(answer.get("model"), said)
    read_usage(answer.get("usage"), said)
    for position, choice in enumerate(objects(answer.get("choices"))):
        at = number(choice.get("index"), position)
        read_message(at, inner(choice, "message"), said)
        add_finish(said, at, choice.get("finish_reason"))


def _read_messages(answer: Json, said: Said) -> None:
    read_model(answer.get("model"), said)
    read_usage(answer.get("usage"), said)
    for at, block in enumerate(objects(answer.get("content"))):
        read_block(at, block, said)
    add_finish(said, 0, answer.get("stop_reason"))


def add_finish(said: Said, at: int, why: Any) -> None:
    """Take why a choice ended."""
    if why is not None:
        said.finish[at] = text_of(why)


WHOLE = {CHAT: _read_chat, RESPONSES: read_response, MESSAGES: _read_messages}


def endpoint_at(method: str, path: str) -> str | None:
    """Return what is asked of a model at a path; None for anything else, such as a message of a thread."""
    if method != "POST" or "/threads/" in path:
        return None
    return next((name for end, name in PATHS.items() if path.endswith(end)), None)


def endpoint_of(answer: Json) -> str | None:
    """Return which API an answer, or an event of a stream, belongs to; None for what is none."""
    told = str(answer.get("object", ""))
    if told.startswith("chat.completion"):
        return CHAT
    kind = str(answer.get("type", ""))
    if told == "response" or kind.startswith("response."):
        return RESPONSES
    return MESSAGES if kind in ("message", *EVENTS_OF_MESSAGES) else None


EVENTS_OF_MESSAGES: Iterable[str] = (
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
    "message_stop",
)  # fmt: skip
