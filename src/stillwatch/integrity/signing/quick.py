"""The commonest events of each API, read without building what is not signed: a stream is mostly those.

Each reader takes what `read_event` takes, and says so; or it takes nothing, and `read_event` reads the event. It tells
by types: whatever has another type than most have, or a member that most have not, is none of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from stillwatch.integrity.signing.events import DELTAS, TEXT_DELTA
from stillwatch.integrity.signing.reading import CHAT, MESSAGES, RESPONSES, read_usage
from stillwatch.integrity.signing.said import Said

LONGEST = 4_096  # bytes: in a longer event a number may have more digits than Python reads, and here it is skipped
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
PLACES = {f"{stem}.delta": (family, more) for stem, (family, more, _) in DELTAS.items()}
Absent = Any  # what its default says: nothing of the name may be there


class Part(msgspec.Struct, gc=False):
    """Of an event; no part of one holds itself, so nothing needs to look for that."""


class Function(Part):
    """What a delta of a chat says of a call."""

    name: str | None = None
    arguments: str | None = None
    input: None = None


class Call(Part):
    """A tool call in a delta of a chat."""

    index: int | None = None
    function: Function | None = None
    custom: None = None


class Delta(Part):
    """What a choice of a chat says next; of members that are None here any other value is rare."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Call] | None = None
    refusal: None = None
    function_call: None = None
    audio: None = None
    annotations: None = None
    images: None = None
    provider_specific_fields: None = None


class Choice(Part):
    """A choice that goes on."""

    delta: Delta
    index: int = 0
    finish_reason: None = None


class Chunk(Part):
    """A chunk of a chat with one choice."""

    choices: tuple[Choice]
    model: str | None = None
    usage: Any = None
    stillwatch: Absent = msgspec.UNSET


class BlockDelta(Part):
    """What a block of a message says next."""

    type: str
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None


class BlockEvent(Part):
    """A block of a message that goes on."""

    type: Literal["content_block_delta"]
    delta: BlockDelta
    index: int = 0
    stillwatch: Absent = msgspec.UNSET
    choices: Absent = msgspec.UNSET


class ResponseEvent(Part):
    """A part of a response that goes on."""

    type: str
    delta: str
    output_index: int = 0
    content_index: int | msgspec.UnsetType = msgspec.UNSET
    summary_index: int = 0
    stillwatch: Absent = msgspec.UNSET
    choices: Absent = msgspec.UNSET


_chunk = msgspec.json.Decoder(Chunk).decode
_block = msgspec.json.Decoder(BlockEvent).decode
_response = msgspec.json.Decoder(ResponseEvent).decode


def take(data: bytes, said: Said, endpoint: str) -> bool:
    """Take an event's data, where it is one of the commonest of an API; say whether it was."""
    if len(data) > LONGEST:
        return False
    try:
        if not data.isascii():
            data.decode()  # what is skipped is not looked at, and text that is none has no meaning
        return TAKE[endpoint](data, said)
    except BROKEN:
        return False


def _chat(data: bytes, said: Said) -> bool:
    chunk = _chunk(data)
    if chunk.stillwatch is not msgspec.UNSET:
        return False
    if chunk.model:
        said.models.add(chunk.model)
    if chunk.usage is not None:
        read_usage(chunk.usage, said)
    choice = chunk.choices[0]
    delta, at = choice.delta, choice.index
    thought = delta.reasoning if delta.reasoning_content is None else delta.reasoning_content
    if thought:
        said.add(f"reasoning/{at}", thought)
    if delta.content:
        said.add("text/0" if at == 0 else f"text/{at}", delta.content)
    if delta.tool_calls:
        _calls(at, delta.tool_calls, said)
    return True


def _calls(at: int, calls: list[Call], said: Said) -> None:
    for position, call in enumerate(calls):
        if call.function is not None:
            channel = f"tools/{at}/{position if call.index is None else call.index}"
            said.add(f"{channel}/name", call.function.name or "")
            said.add(f"{channel}/arguments", call.function.arguments or "")


def _messages(data: bytes, said: Said) -> bool:
    event = _block(data)
    delta, kind = event.delta, event.delta.type
    if event.stillwatch is not msgspec.UNSET or event.choices is not msgspec.UNSET:
        return False
    if kind == "text_delta":
        channel, text = f"text/{event.index}", delta.text
    elif kind == "input_json_delta":
        channel, text = f"tools/{event.index}/arguments", delta.partial_json
    elif kind == "thinking_delta":
        channel, text = f"reasoning/{event.index}", delta.thinking
    else:
        return False
    if text:
        said.add(channel, text)
    return True


def _responses(data: bytes, said: Said) -> bool:
    event = _response(data)
    kind, item, part = event.type, event.output_index, event.content_index
    if event.stillwatch is not msgspec.UNSET or event.choices is not msgspec.UNSET:
        return False
    if part is msgspec.UNSET:
        part = 0 if kind == TEXT_DELTA else event.summary_index
    if kind == TEXT_DELTA:
        said.add(f"text/{item}/{part}", event.delta)
        return True
    if kind not in PLACES:
        return False
    family, more = PLACES[kind]
    said.add(f"tools/{item}/{more}" if family == "tools" else f"{family}/{item}/{part}{more}", event.delta)
    return True


TAKE: dict[str, Callable[[bytes, Said], bool]] = {CHAT: _chat, RESPONSES: _responses, MESSAGES: _messages}
