"""From a request as a plug meets it to an `Arrival`. Whatever the plug, the same request gives the same arrival."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from stillwatch.apps.gateway.apis.naming import Naming, digest, key_in
from stillwatch.apps.gateway.apis.reading import as_object, fields_of, read_asked
from stillwatch.apps.gateway.plugs.paths import place_of
from stillwatch.apps.gateway.seams import Arrival

ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request. Header names are in lower case; `path` may also be the name of an endpoint."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    api: str = ""  # empty: what the path says
    account_id: str | None = None  # None: what the client's key stands for
    ip: str | None = None
    exchange_id: str = ""  # empty: a new one
    tls_fingerprint: str | None = None
    channel: str | None = None


def arrival_of(asked: Asked, names: Naming) -> Arrival:
    """Return the arrival of a request."""
    api, endpoint = place_of(asked.path, asked.headers)
    ts, key = now(), key_of(asked.headers)
    account, key_id = names.owner(digest(key), ts) if key else (ANONYMOUS, None)
    return Arrival(
        exchange_id=asked.exchange_id or new_id(),
        ts=ts,
        account_id=asked.account_id or account,
        api=asked.api or api,
        endpoint=endpoint,
        ip=asked.ip,
        user_agent=asked.headers.get("user-agent"),
        tls_fingerprint=asked.tls_fingerprint,
        api_key_id=key_id,
        channel=asked.channel,
        **fields_of(read_asked(as_object(asked.body), endpoint, names.handle)),
    )


def now() -> int:
    """Return the time in µs since 1970."""
    return time.time_ns() // 1000


def new_id() -> str:
    """Return an id that no client can choose or guess."""
    return secrets.token_hex(16)


def key_of(headers: Mapping[str, str]) -> str | None:
    """Return the key that the client sent, where each API's clients put it; it is never kept."""
    return key_in(lambda name: headers.get(name, "")) or None
