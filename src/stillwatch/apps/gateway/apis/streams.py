"""What a stream of events says of itself, found in its bytes: only the few events that tell something are parsed.

An event is looked at when it holds a word that matters: usage, a signature, encrypted reasoning. Others are counted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint
from stillwatch.apps.gateway.apis.naming import Name
from stillwatch.apps.gateway.apis.parsing import BROKEN
from stillwatch.apps.gateway.apis.reading import tokens
from stillwatch.ingest.adapters.conversation import handles_in, tokens_of

SCAN_BYTES = 64 << 10  # events are gathered up to here before they are looked at
LONGEST_EVENT = 16 << 20  # a longer one is passed on and not read
LAST_OF_RESPONSE = (b"event: response.completed", b"event: response.incomplete", b"event: response.failed")
TELLS = {
    CHAT: (b'"usage":{', b'"usage": {', b'"encrypted_content"', b'"signature"'),
    RESPONSES: (*LAST_OF_RESPONSE, b'"encrypted_content"'),
    MESSAGES: (b'"usage":{', b'"usage": {', b'"signature"', b'"redacted_thinking"'),
}  # fmt: skip
ENDS = {
    CHAT: (b"data: [DONE]", b"data:[DONE]"),
    RESPONSES: (*LAST_OF_RESPONSE, b"event: error"),
    MESSAGES: (b"event: message_stop", b"event: error"),
}  # fmt: skip
COUNTED = {CHAT: b'"delta"', MESSAGES: b'"content_block_delta"', RESPONSES: b'_text.delta"'}
decode = msgspec.json.Decoder().decode


class Listener:
    """Follows one stream: its tokens, the handles minted in it, its end; and its words, when they are kept."""

    def __init__(self, endpoint: Endpoint, name: Name, keep_text: bool = False) -> None:
        self._tells, self._ends, self._name = TELLS[endpoint], ENDS[endpoint], name
        self._counted = COUNTED[endpoint]
        self._unspoken = 2 if endpoint is CHAT else 0  # its first piece names the role, its last why it ends
        self._held: list[bytes] = []
        self._size = 0
        self._usage: dict[str, Any] = {}
        self._handles: dict[str, None] = {}
        self._deltas = 0
        self._words: list[str] | None = [] if keep_text else None
        self.ended = False  # its last event came

    def feed(self, chunk: bytes) -> bool:
        """Take a piece; say whether the stream's last event is in it."""
        self._held.append(chunk)
        self._size += len(chunk)
        if self._size > SCAN_BYTES:
            self._scan(whole=False)
        for end in self._ends:
            at = chunk.find(end)
            if at == 0 or (at > 0 and chunk[at - 1] in b"\r\n"):
                self.ended = True
                return True
        return False

    @property
    def artefacts(self) -> tuple[str, ...]:
        """Keyed hashes of the handles that were minted."""
        self._scan(whole=True)
        return tuple(self._name(each) for each in self._handles if each)

    def tokens(self) -> tuple[int | None, int | None]:
        """Tokens in and out. Where the stream names no tokens out, each piece of the answer counts as one."""
        self._scan(whole=True)
        told_in, told_out = tokens_of(self._usage)
        out = tokens(told_out)
        estimate = max(self._deltas - self._unspoken, 0) or None
        return tokens(told_in), out if out is not None else estimate

    def words(self) -> str | None:
        """What was said, when words are kept."""
        self._scan(whole=True)
        return "".join(self._words) if self._words else None

    def _scan(self, whole: bool) -> None:
        if not self._held:
            return
        text = b"".join(self._held)
        upto = len(text) if whole else max(text.rfind(b"\n\n"), text.rfind(b"\r\n\r\n")) + 1
        rest = text[upto:] if len(text) - upto < LONGEST_EVENT else b""
        self._held, self._size = [rest] if rest else [], len(rest)
        text = text[:upto]
        self._deltas += text.count(self._counted)
        for line in text.splitlines() if self._words is not None else _lines_that_tell(text, self._tells):
            if line.startswith(b"data:"):
                self._take(line[5:])

    def _take(self, told: bytes) -> None:
        try:
            event = decode(told)
        except BROKEN:
            return
        if not isinstance(event, dict):
            return
        inner = event.get("response") or event.get("message")
        inner = inner if isinstance(inner, dict) else {}
        for usage in (inner.get("usage"), event.get("usage")):
            if isinstance(usage, dict):
                self._usage |= {key: value for key, value in usage.items() if value is not None}
        delta = event.get("delta")
        if (
            isinstance(delta, dict)
            and delta.get("type") == "signature_delta"
            and isinstance(delta.get("signature"), str)
        ):
            self._handles[delta["signature"]] = None
        self._handles |= dict.fromkeys(handles_in([event.get("content_block"), event.get("item"), inner.get("output")]))
        if inner.get("object") == "response" and isinstance(inner.get("id"), str):
            self._handles[inner["id"]] = None
        if self._words is not None:
            self._words.append(_said(event))


def _lines_that_tell(text: bytes, marks: tuple[bytes, ...]) -> list[bytes]:
    """The data lines that hold a mark, or follow a line that does, in their order."""
    found: dict[int, bytes] = {}
    for mark in marks:
        at = text.find(mark)
        while at >= 0:
            start = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at)
            end = len(text) if end < 0 else end
            if not text.startswith(b"data:", start):  # `event: …`, whose data stand in the next line
                start, end = end + 1, text.find(b"\n", end + 1)
                end = len(text) if end < 0 else end
            found[start] = text[start:end]
            at = text.find(mark, end)
    return [found[start] for start in sorted(found)]


def _said(event: dict[str, Any]) -> str:
    """The words of one event: of a chat's first choice, a message's text, a response's text."""
    delta, choices = event.get("delta"), event.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        said = choices[0].get("delta")
        text = said.get("content") if isinstance(said, dict) and not choices[0].get("index") else None
    elif event.get("type") == "content_block_delta" and isinstance(delta, dict):
        text = delta.get("text")
    else:
        text = delta if event.get("type") == "response.output_text.delta" else None
    return text if isinstance(text, str) else ""
