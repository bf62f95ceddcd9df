"""What every part of the server speaks of: media types, an answer, and a refusal that becomes an error object."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from stillwatch.model import StillwatchError

TAXII = "application/taxii+json;version=2.1"
STIX = "application/stix+json;version={}"
ALL_OF_STIX = [STIX.format("2.0"), STIX.format("2.1")]


class Refusal(StillwatchError):
    """A request that is not served: its HTTP status, and what the client may do about it."""

    def __init__(self, status: int, title: str, description: str = "") -> None:
        super().__init__(f"{title}: {description}" if description else title)
        self.status = status
        self.title = title
        self.description = description


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: a status, a body of JSON, and headers beside the media type."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def answer(resource: dict[str, Any], status: int = 200) -> Answer:
    """Wrap a resource. The standard knows no empty lists, so keys that hold one are left out."""
    kept = {key: value for key, value in resource.items() if value is not None and value != []}
    return Answer(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode(), status)


def error_answer(refusal: Refusal, headers: dict[str, str] | None = None) -> Answer:
    """The standard's error object; `http_status` is a string there."""
    resource = {
        "title": refusal.title,
        "description": refusal.description or None,
        "http_status": str(refusal.status),
    }
    told = answer(resource, refusal.status)
    return Answer(told.body, told.status, headers or {})


def not_found(what: str) -> Refusal:
    """The same words for what does not exist and for what may not be seen."""
    return Refusal(404, "Not found", f"there is no such {what}, or you may not see it")
