"""Which interface and endpoint a path belongs to, however it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from stillwatch.apps.gateway.apis.endpoints import ANTHROPIC, NAMED, OPENAI, POSTED

ENDPOINTS = {path.removeprefix("/v1/"): (each.api, each.name) for path, each in POSTED.items()}
ENDPOINTS["models"] = (OPENAI, "models")
LONGEST = 200  # characters of a path that is no known endpoint


def place_of(path: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """Return the interface and the endpoint of a path; an endpoint that is not known keeps its path as its name.

    A doubled slash, one at the end, an encoded letter or capitals lead to the same endpoint: upstreams are lenient, so
    a spelling must not be a way around the decision.
    """
    spoken = ANTHROPIC if "anthropic-version" in headers else OPENAI
    if path in NAMED:
        return (spoken if path == "models" else NAMED[path].api), path
    plain = re.sub(r"/+", "/", unquote(path.partition("?")[0])).strip("/").lower()
    words = plain.split("/")
    for size in (2, 1):
        found = ENDPOINTS.get("/".join(words[-size:]))
        if found is not None:
            return (spoken if found[1] == "models" else found[0]), found[1]
    if len(words) > 1 and words[-2] == "models":  # one model's page
        return spoken, "models"
    return spoken, plain[:LONGEST]


def is_known(endpoint: str) -> bool:
    """Whether an endpoint is one of those that the gateway relays."""
    return endpoint in NAMED


def asks(method: str, path: str) -> bool:
    """Whether a request asks a model for something: every POST, and what is read of the known endpoints."""
    return method == "POST" or (method == "GET" and is_known(place_of(path, {})[1]))
