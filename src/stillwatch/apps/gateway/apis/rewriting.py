"""The step that puts something else in place of reasoning, and seals the handles beside it.

A stream's reasoning is held back until a piece of it is over, then told as one event; what follows waits for nothing.
A handle whose text was altered carries the text in its seal, so that a server which checks one against the other gets
back what it gave.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Protocol

from stillwatch.apps.gateway.apis.chat_thoughts import ChatThoughts
from stillwatch.apps.gateway.apis.rewriters import Rewriter
from stillwatch.apps.gateway.apis.stripping import get, put
from stillwatch.apps.gateway.apis.thoughts import handles_of, is_block, parts_within, slots_of, spoken_in

HANDLED = (b'"signature"', b'"encrypted_content"', b'"redacted_thinking"', b'"reasoning.', b'"response"')
THOUGHT = (b"reasoning", b"thinking")  # words without which an answer or an event has none
OF_RESPONSE = "response.reasoning"
DELTA, OVER = ".delta", ".done"
NUMBERS = ("output_index", "content_index", "summary_index")


class Seals(Protocol):
    """Binds handles to whom they are given; see `handles.py`."""

    binds: bool  # all of them; else those alone beside which a text was altered

    def seal(self, handle: str, texts: list[str] | None = None) -> str:
        """Return what the client gets for a handle; with `texts` that were altered beside it."""

    def seal_id(self, handle: str) -> str:
        """Return what the client gets for the id of a response."""


class Unsealed:
    """Leaves every handle as it is."""

    binds = False

    def seal(self, handle: str, texts: list[str] | None = None) -> str:
        """Return the handle."""
        del texts
        return handle

    def seal_id(self, handle: str) -> str:
        """Return the id."""
        return handle


def as_it_is(text: str, /) -> str:
    """Rewrite nothing."""
    return text


class Rewriting:
    """One answer's reasoning written anew by `rewrite`; without one, its handles alone are sealed."""

    def __init__(self, rewrite: Rewriter | None, seals: Seals) -> None:
        self.marks: tuple[bytes, ...] = HANDLED if rewrite is None else (*HANDLED, *THOUGHT)
        self._rewrite, self._seals = rewrite or as_it_is, seals
        self._rewrites = rewrite is not None
        self._written: dict[str, str] = {}  # a text stands in an answer more than once: always alike
        self._chat = ChatThoughts(self._alter)
        self._blocks: dict[int, list[str]] = {}  # texts of a message's blocks of thinking, piece by piece
        self._runs: dict[tuple[Any, ...], tuple[Any, list[str]]] = {}  # of a response's: last event, pieces

    @property
    def holding(self) -> bool:
        """Whether reasoning is held back."""
        return bool(self._runs or self._chat.holding or any(self._blocks.values()))

    def whole(self, answer: Any) -> Any:
        """Return an answer with its reasoning written anew, in place."""
        self._alter(answer)
        return answer

    def event(self, event: Any) -> Iterator[Any]:
        """Yield an event as it may pass, after what it ends; nothing while reasoning is held back."""
        kind = get(event, "type")
        kind = str(getattr(kind, "value", kind))
        if get(event, "choices") is not None:
            yield from self._chat.event(event) if self._rewrites else self._passed(event)
        elif kind.startswith("content_block_"):
            yield from self._of_message(event, kind)
        elif self._rewrites and kind.startswith(OF_RESPONSE) and kind.endswith((DELTA, OVER)):
            yield from self._of_response(event, kind)
        else:
            if kind == "response.output_item.done":
                yield from self._flushed(get(event, "output_index"))
            yield from self._passed(event)

    def end(self) -> Iterator[Any]:
        """Yield what a chat's stream held back."""
        return self._chat.end()

    def _passed(self, event: Any) -> Iterator[Any]:
        self._alter(event)
        yield event

    def _of_message(self, event: Any, kind: str) -> Iterator[Any]:
        """An event of one of Anthropic's blocks."""
        at, delta = get(event, "index"), get(event, "delta")
        block = get(event, "content_block")
        if is_block(block) and get(block, "type") == "thinking":
            said = get(block, "thinking")
            self._blocks[at] = []
            for name in handles_of(block):
                put(block, name, self._seals.seal(get(block, name)))
            if self._rewrites and said:  # an API may begin with words
                self._blocks[at].append(said)
                put(block, "thinking", "")
        elif block is not None:
            self._alter(block)
        if get(delta, "type") == "thinking_delta" and self._rewrites and at in self._blocks:
            self._blocks[at].append(str(get(delta, "thinking") or ""))
            return
        if get(delta, "type") == "signature_delta" or kind == "content_block_stop":
            yield from self._told_block(event, at, delta)
        yield event
        if kind == "content_block_stop":
            self._blocks.pop(at, None)

    def _told_block(self, event: Any, at: Any, delta: Any) -> Iterator[Any]:
        text = "".join(self._blocks.get(at, ()))
        if text:
            self._blocks[at] = []
            told = copy.copy(event)
            put(told, "type", "content_block_delta")
            put(told, "delta", {"type": "thinking_delta", "thinking": self._written_anew(text)})
            yield told
        handle = get(delta, "signature")
        if isinstance(handle, str) and handle:
            put(delta, "signature", self._sealed(handle, [text]))

    def _of_response(self, event: Any, kind: str) -> Iterator[Any]:
        """A piece of a response's reasoning, or its end."""
        key = (kind.rpartition(".")[0], *(get(event, name) for name in NUMBERS))
        if kind.endswith(DELTA) and isinstance(get(event, "delta"), str):
            said = self._runs.pop(key, (None, []))[1]
            self._runs[key] = (event, [*said, get(event, "delta")])
            return
        yield from self._flushed_run(key)
        if isinstance(get(event, "text"), str):
            put(event, "text", self._written_anew(get(event, "text")))
        yield from self._passed(event)

    def _flushed(self, output_index: Any) -> Iterator[Any]:
        for key in [each for each in self._runs if each[1] == output_index]:
            yield from self._flushed_run(key)

    def _flushed_run(self, key: tuple[Any, ...]) -> Iterator[Any]:
        if key in self._runs:
            event, pieces = self._runs.pop(key)
            put(event, "delta", self._written_anew("".join(pieces)))
            yield event

    def _alter(self, held: Any) -> None:
        """Alter everything within an answer, an event or a block, in place."""
        for each in parts_within(held):
            if is_block(each):
                self._alter_block(each)
                continue
            for place, name in spoken_in(each):
                put(place, name, self._written_anew(get(place, name)))
            if get(each, "object") == "response":
                self._alter_ids(each)
            elif self._rewrites:
                _hide_tokens(each)

    def _alter_block(self, block: Any) -> None:
        slots = slots_of(block)
        texts = [get(held, name) for held, name in slots]
        for (held, name), text in zip(slots, texts, strict=True):
            put(held, name, self._written_anew(text))
        for name in handles_of(block):
            put(block, name, self._sealed(get(block, name), texts))

    def _alter_ids(self, response: Any) -> None:
        for name in ("id", "previous_response_id"):
            if isinstance(get(response, name), str):
                put(response, name, self._seals.seal_id(get(response, name)))

    def _sealed(self, handle: str, texts: list[str]) -> str:
        altered = any(self._written_anew(each) != each for each in texts)
        return self._seals.seal(handle, texts if altered else None)

    def _written_anew(self, text: str) -> str:
        if text not in self._written:
            made = self._rewrite(text) if text.strip() else text
            self._written[text] = self._written.setdefault(made, made)  # what was written is not written again
        return self._written[text]


def _hide_tokens(choice: Any) -> None:
    """Take away a choice's log probabilities where they spell out more than its answer, as some servers' do."""
    message, told = get(choice, "message"), get(choice, "logprobs")
    listed = get(told, "content")
    if message is None or not isinstance(listed, list):
        return
    spelt = "".join(str(get(each, "token") or "") for each in listed)
    if any(get(message, name) for name in ("reasoning_content", "reasoning", "thinking_blocks", "reasoning_details")):
        said = get(message, "content")
        if not isinstance(said, str) or len(spelt) > len(said):
            put(choice, "logprobs", None)
