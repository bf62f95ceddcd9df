"""What the gateway relays: an explicit list. What is not on it is not relayed, for it would not be decided upon."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

OPENAI, ANTHROPIC = "openai", "anthropic"
MODEL_ID = re.compile(r"/v1/models/(?!\.)[\w.:@+-]+(/(?!\.)[\w.:@+-]+)*")
RESPONSE_ID = re.compile(r"/v1/responses/[\w-]+(/cancel|/input_items)?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that an API does."""

    api: str
    name: str
    body: bool = True  # a JSON body says what is asked
    exchange: bool = True  # asks a model for an answer: kept in the exchange log
    own: bool = False  # reads what an account stored upstream: only with that account's own provider key


CHAT = Endpoint(OPENAI, "chat.completions")
RESPONSES = Endpoint(OPENAI, "responses")
STORED_RESPONSE = Endpoint(OPENAI, "responses", body=False, exchange=False, own=True)
EMBEDDINGS = Endpoint(OPENAI, "embeddings", exchange=False)
OPENAI_MODELS = Endpoint(OPENAI, "models", body=False, exchange=False)
MESSAGES = Endpoint(ANTHROPIC, "messages")
COUNT_TOKENS = Endpoint(ANTHROPIC, "count_tokens", exchange=False)
ANTHROPIC_MODELS = Endpoint(ANTHROPIC, "models", body=False, exchange=False)

POSTED = {
    "/v1/chat/completions": CHAT,
    "/v1/responses": RESPONSES,
    "/v1/embeddings": EMBEDDINGS,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": COUNT_TOKENS,
}


NAMED = {each.name: each for each in (*POSTED.values(), OPENAI_MODELS)}


def is_kept(endpoint: str) -> bool:
    """Whether a request to an endpoint is an exchange with a model; what the gateway does not know may be one."""
    return endpoint not in NAMED or NAMED[endpoint].exchange


def find_endpoint(method: str, path: str, headers: Mapping[bytes, bytes]) -> Endpoint | int:
    """Return what a request asks for, or the status of the refusal: 404 no such thing, 405 not by this method."""
    if method == "POST":
        found = POSTED.get(path)
        if found is not None:
            return found
    if path == "/v1/models" or MODEL_ID.fullmatch(path):
        anthropic = b"anthropic-version" in headers  # which every client of Anthropic's API must send
        return (ANTHROPIC_MODELS if anthropic else OPENAI_MODELS) if method == "GET" else 405
    stored = RESPONSE_ID.fullmatch(path)
    if stored:
        allowed = ("POST",) if stored[1] == "/cancel" else ("GET",) if stored[1] else ("GET", "DELETE")
        return STORED_RESPONSE if method in allowed else 405
    return 405 if path in POSTED else 404


def api_of(headers: Mapping[bytes, bytes], path: str) -> str:
    """Return in whose manner an error is told where the endpoint is unknown."""
    return ANTHROPIC if b"anthropic-version" in headers or path.startswith("/v1/messages") else OPENAI
