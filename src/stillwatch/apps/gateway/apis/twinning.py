"""Answers as coin-flip twins, whole or streamed: text alone, and only text that nothing else points into.

Tool calls, reasoning and refusals are passed on as they are. So is text with citations, whose places are counted in
characters, and text with log probabilities, which are of the upstream's own words.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.apps.gateway.apis.stripping import get, put
from stillwatch.provenance.twins.coins import chooser, serve
from stillwatch.provenance.twins.scan import Scanner

POINTING = ("annotations", "citations", "logprobs")  # what a text may have beside it that speaks of its letters
PARTS = ("choices", "message", "content", "output", "response", "item", "part")
Key = tuple[Any, ...]  # which text of an answer: a choice, a block, a part of an item


def may_be_rendered(asked: Mapping[str, Any]) -> bool:
    """Say whether an answer may be a twin: not where its form, log probabilities or citations were asked for."""
    form = asked.get("response_format") or _of(asked.get("text"), "format")
    if _of(form, "type") not in (None, "text"):
        return False
    return not (asked.get("logprobs") or asked.get("top_logprobs") or asked.get("output_config") or _cites(asked))


@dataclass(slots=True)
class _Text:
    """One text of a stream: its scanner, and the last event that brought a piece of it."""

    scanner: Scanner
    pattern: Any


class Twinning:
    """One answer with its texts rendered under a key: parsed JSON, or the objects of a library.

    Of a stream, text is held back until it is decided: as many characters as the longest phrase needs. What is held
    when a text ends goes out in an event of its own before the one that ends it.
    """

    marks: tuple[bytes, ...] = (b'"text"', b'"content"', b'"delta"', b'"finish_reason"', b"content_block_stop")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._texts: dict[Key, _Text] = {}

    def whole(self, answer: Any) -> Any:
        """Return an answer in one piece with its texts rendered, in place."""
        _render(answer, self._secret)
        return answer

    def event(self, event: Any) -> Iterable[Any]:
        """Return what is sent in place of an event: the event, and before it what was held of a text that ends."""
        kind = _word(get(event, "type"))
        made: list[Any] = []
        if kind == "content_block_delta" and get(get(event, "delta"), "type") == "text_delta":
            self._piece((get(event, "index"),), event, (get(event, "delta"), "text"))
        elif kind == "response.output_text.delta" and not get(event, "logprobs"):
            self._piece(_place(event), event, (event, "delta"))
        elif kind == "content_block_stop":
            made += self._end((get(event, "index"),))
        elif kind.startswith("response.") and not kind.endswith(".delta"):
            if kind == "response.output_text.done":
                made += self._end(_place(event))
                _put(event, "text", self._secret)
            _render(event, self._secret)
        for choice in get(event, "choices") or ():
            key = ("choice", get(choice, "index"))
            if isinstance(get(get(choice, "delta"), "content"), str) and not get(choice, "logprobs"):
                self._piece(key, event, (get(choice, "delta"), "content"))
            if get(choice, "finish_reason"):
                made += self._end(key)
        return [*made, event]

    def end(self) -> Iterator[Any]:
        """Return what was held of texts that nothing ended."""
        for key in list(self._texts):
            yield from self._end(key)

    @property
    def holding(self) -> bool:
        """Whether a text has begun and not ended, of which something may be held."""
        return bool(self._texts)

    def _piece(self, key: Key, event: Any, where: tuple[Any, str]) -> None:
        """Put what is decided in place of a piece of text."""
        holder, name = where
        if key not in self._texts:
            self._texts[key] = _Text(Scanner(chooser(self._secret)), event)
        text = self._texts[key]
        put(holder, name, text.scanner.feed(get(holder, name)))
        text.pattern = copy.deepcopy(event)

    def _end(self, key: Key) -> Iterator[Any]:
        text = self._texts.pop(key, None)
        rest = text.scanner.close() if text else ""
        if text is None or not rest:
            return
        event = text.pattern
        if get(event, "choices"):
            choices = [each for each in get(event, "choices") if ("choice", get(each, "index")) == key]
            put(event, "choices", choices)
            put(get(choices[0], "delta"), "content", rest)
            put(choices[0], "finish_reason", None)
        elif isinstance(get(event, "delta"), str):
            put(event, "delta", rest)
        else:
            put(get(event, "delta"), "text", rest)
        yield event


def _render(held: Any, secret: bytes) -> None:
    """Render the texts of an answer, or of a part of one, in place."""
    if held is None or isinstance(held, str | bytes | int | float):
        return
    if isinstance(held, list):
        for each in held:
            _render(each, secret)
        return
    if get(held, "message") is not None and not get(held, "logprobs"):
        _put(get(held, "message"), "content", secret)
    if get(held, "type") in ("text", "output_text"):
        _put(held, "text", secret)
    for name in PARTS:
        _render(get(held, name), secret)


def _put(held: Any, name: str, secret: bytes) -> None:
    text = get(held, name)
    if isinstance(text, str) and not any(get(held, each) for each in POINTING):
        put(held, name, serve(text, secret)[0])


def _place(event: Any) -> Key:
    return get(event, "output_index"), get(event, "content_index")


def _word(kind: Any) -> str:
    return str(getattr(kind, "value", kind))


def _cites(asked: Mapping[str, Any]) -> bool:
    """Whether citations were asked for: a stream tells of them only behind the text that they point into."""
    tools = asked.get("tools")
    searches = any("search" in str(_of(tool, "type")) for tool in (tools if isinstance(tools, list) else ()))
    return searches or '"citations"' in json.dumps(asked.get("messages"))


def _of(held: Any, name: str) -> Any:
    return held.get(name) if isinstance(held, dict) else None
