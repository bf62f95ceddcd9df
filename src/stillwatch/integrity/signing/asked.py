"""What a request asks, in digests, so that an answer is bound to its question and not to the bytes that carried it.

Relays write JSON anew, add settings and rename models; so each part has a digest of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stillwatch.integrity.signing.canonical import Digest, digest_of, text_of
from stillwatch.integrity.signing.reading import CHAT, MESSAGES, RESPONSES, objects

CONVERSATION = {
    CHAT: ("messages",),
    MESSAGES: ("system", "messages"),
    RESPONSES: ("instructions", "input", "previous_response_id", "conversation", "prompt"),
}
TOOLS = ("tools", "functions")
UNSIGNED = ("model", "stream", "stream_options", "metadata", "user", "store", "background")  # of transport or billing


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in digests."""

    model: str
    conversation: Digest
    tools: Digest
    settings: Digest

    def told(self) -> dict[str, str]:
        """Return it as it stands in a record."""
        return {"model": self.model, "conversation": self.conversation, "tools": self.tools, "settings": self.settings}


def read_asked(endpoint: str, request: Mapping[str, Any]) -> Asked:
    """Return the digests of a request's JSON object."""
    talk = CONVERSATION[endpoint]
    left = {*talk, *TOOLS, *UNSIGNED}
    model = request.get("model")
    return Asked(
        model="" if model is None else text_of(model),
        conversation=digest_of({name: _spoken(name, request[name]) for name in talk if request.get(name)}),
        tools=digest_of({name: _present(request[name]) for name in TOOLS if request.get(name)}),
        settings=digest_of(_present({name: value for name, value in request.items() if name not in left})),
    )


def _spoken(name: str, told: Any) -> Any:
    """A text, and a list with that one text, ask the same; so do a text as input and a message with it."""
    if name == "input" and isinstance(told, str):
        return [{"role": "user", "content": told}]
    if name == "system":
        return _content(told)
    if name in ("messages", "input") and isinstance(told, list):
        return [_message(each) for each in told]
    return _present(told)


def _message(told: Any) -> Any:
    if not isinstance(told, dict):
        return told
    kept = {name: _present(value) for name, value in told.items() if name != "content" and value is not None}
    if told.get("content") is not None:
        kept["content"] = _content(told["content"])
    return kept


def _content(told: Any) -> Any:
    parts = objects(told)
    if len(parts) == 1 and set(parts[0]) == {"type", "text"} and isinstance(parts[0]["text"], str):
        return parts[0]["text"]
    return told if isinstance(told, str) else _present(told)


def _present(told: Any) -> Any:
    """A value without members that are null: to leave one out says the same."""
    if isinstance(told, dict):
        return {name: _present(value) for name, value in told.items() if value is not None}
    return [_present(each) for each in told] if isinstance(told, list) else told
