"""From a request as a plug meets it to an `Arrival`. Whatever the plug, the same request gives the same arrival."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from stillwatch.apps.gateway.apis.fields import read_own
from stillwatch.apps.gateway.plugs.paths import place_of
from stillwatch.apps.gateway.seams import Arrival
from stillwatch.ingest.adapters.base import name_key

ANONYMOUS = "anonymous"
KEYS = ("x-api-key", "api-key")
LARGEST = 2**53  # a number beyond it is a mistake or an attempt


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. Header names are in lower case; `path` may also be the name of an endpoint."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    api: str = ""  # empty: what the path says
    account_id: str | None = None  # None: the hash of the client's key
    ip: str | None = None
    exchange_id: str = ""  # empty: a new one
    tls_fingerprint: str | None = None
    channel: str | None = None


class BodyReader(Protocol):
    """Reads what an `Arrival` needs out of a request's body; gives nothing for a body that it cannot read."""

    def __call__(self, api: str, endpoint: str, body: bytes) -> Mapping[str, Any]:
        """Return fields of an `Arrival` by name."""


def read_body(api: str, endpoint: str, body: bytes) -> Mapping[str, Any]:
    """Read a body by the rules by which logs of such bodies are read."""
    del api
    return fields_of(as_object(body), endpoint)


def fields_of(held: Mapping[str, Any], endpoint: str) -> Mapping[str, Any]:
    """Return fields of an `Arrival` out of a parsed body. Only what the endpoint reads counts: a decoy does not."""
    row = read_own(held, endpoint)
    return {name: value for name, value in ((name, TAKES[name](row.get(name))) for name in TAKES) if value is not None}


def as_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty one for anything else."""
    try:
        held = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def arrival_of(asked: Asked, read: BodyReader = read_body) -> Arrival:
    """Return the arrival of a request."""
    api, endpoint = place_of(asked.path, asked.headers)
    key = key_of(asked.headers)
    return Arrival(
        exchange_id=asked.exchange_id or new_id(),
        ts=now(),
        account_id=asked.account_id or key or ANONYMOUS,
        api=asked.api or api,
        endpoint=endpoint,
        ip=asked.ip,
        user_agent=asked.headers.get("user-agent"),
        tls_fingerprint=asked.tls_fingerprint,
        api_key_id=key,
        channel=asked.channel,
        **read(asked.api or api, endpoint, asked.body),
    )


def now() -> int:
    """Return the time in µs since 1970."""
    return time.time_ns() // 1000


def new_id() -> str:
    """Return an id that no client can choose or guess."""
    return secrets.token_hex(16)


def key_of(headers: Mapping[str, str]) -> str | None:
    """Return the hash that stands for the client's key; None where it sent none. The key itself is never kept."""
    bearer = headers.get("authorization", "")
    sent = bearer[7:] if bearer[:7].lower() == "bearer " else next((headers[n] for n in KEYS if headers.get(n)), None)
    return name_key(sent.strip()) if sent else None


def _text(value: Any) -> str | None:
    """Return a text that is whole: half a surrogate pair, which JSON allows, would stop whoever reads it next."""
    if not isinstance(value, str):
        return None
    return value if value.isascii() else value.encode("utf-8", "replace").decode()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST else None


def _number(value: Any) -> float | None:
    given = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
    return float(value) if given else None


def _words(value: Any) -> tuple[str, ...] | None:
    return tuple(text for each in value if (text := _text(each))) if isinstance(value, list) else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


TAKES: dict[str, Callable[[Any], Any]] = {
    "model": _text, "prompt": _text, "system_prompt": _text, "tools": _words, "turns": _whole, "max_tokens": _whole,
    "temperature": _number, "n": _whole, "stream": _flag, "artefacts_in": _words,
}  # fmt: skip
