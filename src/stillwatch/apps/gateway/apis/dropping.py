"""Reasoning and logprobs left out of an answer, whole or streamed, so that what is left is still valid for the SDKs.

Blocks of Anthropic's messages and items of OpenAI's responses are counted from 0, and clients store them by that count:
what follows a dropped one moves up.
"""

from __future__ import annotations

import json
from typing import Any

from stillwatch.apps.gateway.apis.altering import AlteredStream, encode
from stillwatch.apps.gateway.apis.stripping import REASONING, get, is_thought, put, strip

NUMBERED = (("index", "content_block"), ("output_index", "item"))  # the number of a block or item, and where it is
THINKING = ("thinking_delta", "signature_delta")


class Dropping:
    """The step that leaves parts out."""

    marks: tuple[bytes, ...] = ()
    holding = False

    def __init__(self, drop: frozenset[str]) -> None:
        self._drop = drop
        self._left: dict[str, set[int]] = {number: set() for number, _ in NUMBERED}

    def whole(self, answer: Any) -> Any:
        """Return an answer without what is dropped."""
        return strip(answer, self._drop)

    def event(self, event: Any) -> list[Any]:
        """Return an event as it may pass, changed in place; nothing where it may not."""
        if REASONING in self._drop and not self._renumber(event):
            return []
        return [strip(event, self._drop)]

    def end(self) -> tuple[()]:
        """Return nothing: none was held back."""
        return ()

    def _renumber(self, event: Any) -> bool:
        """Say whether an event may pass, and give its block or item the number that it then has."""
        if get(event, "choices") is not None:
            return True
        kind = get(event, "type")
        if str(getattr(kind, "value", kind)).startswith("response.reasoning"):
            return False
        if get(get(event, "delta"), "type") in THINKING:
            return False
        for number, holder in NUMBERED:
            at = get(event, number)
            if not isinstance(at, int):
                continue
            if is_thought(get(event, holder)):
                self._left[number].add(at)
            if at in self._left[number]:
                return False
            put(event, number, at - sum(each < at for each in self._left[number]))
        return True


def drop_from_answer(body: bytes, drop: frozenset[str]) -> bytes:
    """Return the JSON of an answer without what is dropped. Raises ValueError for what is no JSON object."""
    held = json.loads(body)
    if not isinstance(held, dict):
        raise ValueError("the answer is no JSON object")
    return encode(strip(held, drop))


class DroppingStream(AlteredStream):
    """Server-sent events without what is dropped."""

    def __init__(self, drop: frozenset[str]) -> None:
        super().__init__((Dropping(drop),))
