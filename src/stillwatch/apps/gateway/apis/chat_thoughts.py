"""Reasoning in the stream of a chat: held back for each choice until it says something else, then told in one event."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from stillwatch.apps.gateway.apis.stripping import get, has, put, take
from stillwatch.apps.gateway.apis.thoughts import HANDLES, LISTS, SPOKEN, TEXTS

SAYS = ("content", "tool_calls", "function_call", "refusal", "audio", "images", "annotations")
NESTED = "provider_specific_fields"  # where a library keeps the same once more


class ChatThoughts:
    """`alter` changes, in place, the event in which gathered reasoning is told."""

    def __init__(self, alter: Callable[[Any], None]) -> None:
        self._alter = alter
        self._held: dict[Any, Any] = {}  # by choice: an event of its own, with all that was gathered

    @property
    def holding(self) -> bool:
        """Whether reasoning is held back."""
        return bool(self._held)

    def event(self, event: Any) -> Iterator[Any]:
        """Yield an event without reasoning, after what it ends; nothing where it held reasoning alone."""
        says = bool(get(event, "usage"))
        for choice in get(event, "choices"):
            gathered = self._gather(event, choice)
            over = get(choice, "finish_reason") is not None or any(get(get(choice, "delta"), each) for each in SAYS)
            if over:
                yield from self._told(get(choice, "index"))
            says = says or over or not gathered or bool(get(get(choice, "delta"), "role"))
        if says or not get(event, "choices"):
            yield event

    def end(self) -> Iterator[Any]:
        """Yield what is held back for every choice."""
        for index in list(self._held):
            yield from self._told(index)

    def _told(self, index: Any) -> Iterator[Any]:
        if index in self._held:
            event = self._held.pop(index)
            self._alter(event)
            yield event

    def _gather(self, event: Any, choice: Any) -> bool:
        """Take reasoning out of a choice, and put it to what is held; say whether there was any."""
        delta, index = get(choice, "delta"), get(choice, "index")
        found = {name: get(delta, name) for name in (*SPOKEN, *LISTS) if get(delta, name)}
        if not found:
            return False
        if index not in self._held:
            self._held[index] = _alone(event, choice)
        held = get(get(self._held[index], "choices")[0], "delta")
        for name, more in found.items():
            put(held, name, _joined(get(held, name), more))
            take(delta, name)
        nested = get(delta, NESTED)
        for name in found:
            if nested is not None and has(nested, name):
                take(nested, name)
        if get(choice, "logprobs") is not None:
            put(choice, "logprobs", None)  # they spell the reasoning out
        return True


def _alone(event: Any, choice: Any) -> Any:
    """Return a copy of an event with one choice, which says nothing yet."""
    made, one = copy.copy(event), copy.deepcopy(choice)
    delta = get(one, "delta")
    for name in (*SPOKEN, *LISTS, *SAYS, NESTED, "role"):
        if has(delta, name):
            take(delta, name)
    for name in ("logprobs", "finish_reason"):
        if has(one, name):
            put(one, name, None)
    put(made, "choices", [one])
    if has(made, "usage"):
        put(made, "usage", None)
    return made


def _joined(held: Any, more: Any) -> Any:
    """Return gathered texts or blocks with more of them behind: pieces of one block become one block."""
    if isinstance(more, str):
        return (held if isinstance(held, str) else "") + more
    made = list(held) if isinstance(held, list) else []
    for block in more if isinstance(more, list) else ():
        if made and _continues(made[-1], block):
            for name in TEXTS:
                if isinstance(get(block, name), str):
                    put(made[-1], name, (get(made[-1], name) or "") + get(block, name))
            for name in HANDLES:
                if get(block, name):
                    put(made[-1], name, get(block, name))
        else:
            made.append(copy.deepcopy(block))
    return made


def _continues(last: Any, block: Any) -> bool:
    """Whether a block goes on with the last: of its kind and number, and the last has no handle yet."""
    alike = all(get(last, name) == get(block, name) for name in ("type", "index", "id"))
    return alike and not any(get(last, name) for name in HANDLES)
