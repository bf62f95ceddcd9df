"""What a decision drops, left out of answers that are objects of a library and not bytes."""

from __future__ import annotations

import contextlib
from typing import Any

from stillwatch.apps.gateway.plugs.altering import REASONING, THOUGHTS, EventFilter

PARTS = ("choices", "message", "delta", "content", "output", "response", "provider_specific_fields")


def strip(held: Any, drop: frozenset[str]) -> Any:
    """Take what is dropped out of an answer, in place; return the answer."""
    if not drop or isinstance(held, str | bytes | int | float) or held is None:
        return held
    if isinstance(held, list):
        held[:] = [strip(each, drop) for each in held if not (is_thought(each) and "reasoning" in drop)]
        return held
    if "reasoning" in drop and (speaks(held) or isinstance(held, dict)):
        for name in REASONING:
            if not (name == "reasoning" and not speaks(held)):
                take(held, name)
    if "logprobs" in drop and get(held, "logprobs") is not None:
        put(held, "logprobs", [] if isinstance(get(held, "logprobs"), list) else None)
    for name in PARTS:
        strip(get(held, name), drop)
    return held


def speaks(held: Any) -> bool:
    """Whether an object is a message or the delta of one."""
    return has(held, "role") or has(held, "content")


def is_thought(held: Any) -> bool:
    """Whether a block or an item is reasoning."""
    return get(held, "type") in THOUGHTS


class ObjectFilter:
    """Leaves what is dropped out of a stream of chunks: bytes of events, or objects."""

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._bytes = EventFilter(drop)

    def feed(self, chunk: Any) -> Any:
        """Return what may pass of a chunk; None where nothing may."""
        if not self._drop:
            return chunk
        if isinstance(chunk, bytes | str):
            made = self._bytes.feed(chunk.encode() if isinstance(chunk, str) else chunk)
            return (made.decode() if isinstance(chunk, str) else made) or None
        if isinstance(chunk, dict):
            return self._bytes.alter(chunk)
        if not self._passes(chunk):
            return None
        return strip(chunk, self._drop)

    def rest(self) -> bytes:
        """Return what is left at the end."""
        return self._bytes.rest()

    def _passes(self, chunk: Any) -> bool:
        """Say whether an event may pass, and give it the number that it then has."""
        head = {name: get(chunk, name) for name in ("type", "index", "output_index")}
        item, block = get(chunk, "item"), get(chunk, "content_block")
        kind = getattr(head["type"], "value", head["type"])
        said = {"type": kind, "index": head["index"], "output_index": head["output_index"]}
        said |= {"item": {"type": get(item, "type")}, "content_block": {"type": get(block, "type")}}
        made = self._bytes.alter(said)
        for name in ("index", "output_index") if made is not None else ():
            if made is not None and made[name] != head[name]:
                put(chunk, name, made[name])
        return made is not None


def get(held: Any, name: str) -> Any:
    """Return what an object or a dictionary has by a name; None where it has nothing."""
    return held.get(name) if isinstance(held, dict) else getattr(held, name, None)


def has(held: Any, name: str) -> bool:
    """Say whether an object or a dictionary has a name."""
    return name in held if isinstance(held, dict) else hasattr(held, name)


def put(held: Any, name: str, value: Any) -> None:
    """Set what an object or a dictionary has by a name."""
    if isinstance(held, dict):
        held[name] = value
    else:
        setattr(held, name, value)


def take(held: Any, name: str) -> None:
    """Remove what an object or a dictionary has by a name; where an object must have it, it has nothing by it."""
    if isinstance(held, dict):
        held.pop(name, None)
    elif hasattr(held, name):
        with contextlib.suppress(AttributeError, ValueError):
            setattr(held, name, None)
            delattr(held, name)
