"""What a decision drops, taken out of an answer: of parsed JSON, or of the objects of a library."""

from __future__ import annotations

import contextlib
from typing import Any

REASONING, LOGPROBS = "reasoning", "logprobs"  # what a decision may drop
SAID_BESIDE = ("reasoning", "reasoning_content", "reasoning_details", "thinking_blocks")  # of a message or its delta
THOUGHTS = ("thinking", "redacted_thinking", "reasoning")  # types of blocks and items
PARTS = ("choices", "message", "delta", "content", "output", "response", "item", "part", "provider_specific_fields")
EMPTY = (str, bytes, int, float, type(None))


def strip(held: Any, drop: frozenset[str]) -> Any:
    """Take what is dropped out of an answer, in place; return the answer."""
    if not drop or isinstance(held, EMPTY):
        return held
    if isinstance(held, list):
        held[:] = [strip(each, drop) for each in held if not (is_thought(each) and REASONING in drop)]
        return held
    if REASONING in drop:
        for name in SAID_BESIDE:
            if name != "reasoning" or not has(held, "output"):  # which a response has as a setting
                take(held, name)
    if LOGPROBS in drop and get(held, "logprobs") is not None:
        put(held, "logprobs", [] if isinstance(get(held, "logprobs"), list) else None)
    for name in PARTS:
        strip(get(held, name), drop)
    return held


def is_thought(held: Any) -> bool:
    """Whether a block or an item is reasoning."""
    return get(held, "type") in THOUGHTS


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
