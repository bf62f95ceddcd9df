"""What the two sides say before the first masked element: who asks what, how large, under which commitment."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from stillwatch.sharing.private.group import DOMAIN, ExchangeRefused

VERSION = 1
NONCE = 32  # bytes
FAMILIES = ("infrastructure", "funding")
HELLO_BYTES = 1_024  # a longer greeting is refused unread


@dataclass(frozen=True, slots=True)
class Hello:
    """The asker's greeting. `size` is the padded size, `commitment` the root over its set; both hex where hex."""

    version: int
    family: str
    nonce: str
    size: int
    commitment: str

    def to_bytes(self) -> bytes:
        """Return the greeting as it travels; both sides hash these bytes."""
        return _canonical(asdict(self))


@dataclass(frozen=True, slots=True)
class Welcome:
    """The answerer's reply: the name of the session, its own padded size and commitment."""

    version: int
    session: str
    nonce: str
    size: int
    commitment: str

    def to_bytes(self) -> bytes:
        """Return the reply as it travels."""
        return _canonical(asdict(self))


def read_hello(data: bytes, cap: int, step: int) -> Hello:
    """Return a greeting. Raises ExchangeRefused for one that is none, asks for another version, or is too large."""
    row = _row(data, Hello)
    hello = Hello(**row)
    _check(hello.version, hello.nonce, hello.commitment)
    if hello.family not in FAMILIES:
        raise ExchangeRefused(f"family is {str(hello.family)[:40]!r}; this version compares {' and '.join(FAMILIES)}")
    _check_size(hello.size, cap, step)
    return hello


def read_welcome(data: bytes, cap: int, step: int) -> Welcome:
    """Return a reply. Raises ExchangeRefused as for a greeting."""
    welcome = Welcome(**_row(data, Welcome))
    _check(welcome.version, welcome.nonce, welcome.commitment)
    _check_hex(welcome.session, 16, "session")
    _check_size(welcome.size, cap, step)
    return welcome


def context_of(hello: Hello, welcome: Welcome) -> bytes:
    """Return what ties every hash of a run to it: a message of another run fits nothing in this one."""
    first, second = (hashlib.sha256(part.to_bytes()).digest() for part in (hello, welcome))
    return hashlib.sha256(DOMAIN + b"|context|" + first + second).digest()


def _row(data: bytes, kind: type[Hello] | type[Welcome]) -> dict[str, Any]:
    if len(data) > HELLO_BYTES:
        raise ExchangeRefused(f"a greeting of {len(data):,} bytes; {HELLO_BYTES:,} are allowed")
    try:
        row = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ExchangeRefused("the greeting is no JSON") from error
    wanted = kind.__dataclass_fields__
    if not isinstance(row, dict) or set(row) != set(wanted):
        raise ExchangeRefused(f"a greeting has exactly the fields {', '.join(wanted)}")
    for name, value in row.items():
        number = name in ("version", "size")
        if isinstance(value, bool) or not isinstance(value, int if number else str):
            raise ExchangeRefused(f"{name} is no {'whole number' if number else 'text'}")
    return row


def _check(version: int, nonce: str, commitment: str) -> None:
    if version != VERSION:
        raise ExchangeRefused(f"version {version} of the protocol; this side speaks {VERSION}")
    _check_hex(nonce, NONCE, "nonce")
    _check_hex(commitment, 32, "commitment")


def _check_hex(text: str, size: int, name: str) -> None:
    if len(text) != 2 * size or set(text) - set("0123456789abcdef"):
        raise ExchangeRefused(f"{name} is not {size} bytes in lower-case hex")


def _check_size(size: int, cap: int, step: int) -> None:
    if size < 1 or size > -(-cap // step) * step:
        raise ExchangeRefused(f"a set of {size:,} elements; at most {-(-cap // step) * step:,} are compared")


def _canonical(row: dict[str, object]) -> bytes:
    return json.dumps(row, sort_keys=True, separators=(",", ":")).encode()
