"""Where reasoning stands in answers and requests of three APIs: its texts, and the opaque handles beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stillwatch.apps.gateway.apis.stripping import EMPTY, PARTS, THOUGHTS, get, put

SPOKEN = ("reasoning_content", "reasoning")  # of a chat's message or its delta, as texts
LISTS = ("thinking_blocks", "reasoning_details")  # of the same, as blocks
OF_PARTS = ("reasoning_text", "summary_text")  # parts of a response's reasoning
KINDS = frozenset({*THOUGHTS, "compaction", "reasoning.text", "reasoning.summary", "reasoning.encrypted"})
HANDLES = ("signature", "data", "encrypted_content")
TEXTS = ("thinking", "text", "summary")  # where a block's text stands, when it is a text
LISTED = ("summary", "content")  # where a block lists parts with texts

Slot = tuple[Any, str]  # what holds a text, and by which name


def is_block(held: Any) -> bool:
    """Say whether something is a block or an item of reasoning, readable or not."""
    kind = get(held, "type")
    return isinstance(kind, str) and kind in KINDS


def slots_of(block: Any) -> list[Slot]:
    """Return where the texts of a block stand, always in the same order."""
    found = [(block, name) for name in TEXTS if isinstance(get(block, name), str)]
    for name in LISTED:
        parts = get(block, name)
        if isinstance(parts, list):
            found += [(each, "text") for each in parts if isinstance(get(each, "text"), str)]
    return found


def handles_of(block: Any) -> list[str]:
    """Return the names by which a block has opaque handles."""
    return [name for name in HANDLES if isinstance(get(block, name), str) and get(block, name)]


def parts_within(held: Any) -> Iterator[Any]:
    """Yield every object of an answer in which reasoning, or what belongs to it, may stand; outer ones first.

    A block of reasoning is yielded whole, and nothing within it.
    """
    if isinstance(held, EMPTY):
        return
    if isinstance(held, list):
        for each in held:
            yield from parts_within(each)
        return
    yield held
    if not is_block(held):
        for name in (*PARTS, *LISTS):
            yield from parts_within(get(held, name))


def spoken_in(held: Any) -> list[Slot]:
    """Return where a message, or a part of a response, has reasoning as a plain text."""
    found = [(held, name) for name in SPOKEN if isinstance(get(held, name), str) and get(held, name)]
    kind = get(held, "type")
    if isinstance(kind, str) and kind in OF_PARTS and isinstance(get(held, "text"), str):
        found.append((held, "text"))
    return found


def fill(slots: list[Slot], texts: list[str]) -> None:
    """Put texts into slots; nothing where there is another number of them."""
    if len(slots) == len(texts):
        for (held, name), text in zip(slots, texts, strict=True):
            put(held, name, text)
