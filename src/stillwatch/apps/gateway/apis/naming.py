"""What stands for opaque handles and keys: a hash under the deployment's secret, the same wherever a request enters.

A process without the secret sends the SHA-256 instead, marked `sha256:`; the decide API makes the same name of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any, Protocol

MARK = "sha256:"
DIGEST = re.compile(r"[0-9a-f]{64}")
Name = Callable[[str], str]
Owner = tuple[str, str | None]  # id of the account, id of the key
Find = Callable[[str, int], Owner | None]  # SHA-256 of a key, µs since 1970 → whose it is


def digest(handle: Any) -> str:
    """Return the SHA-256 of a handle or a key, in hexadecimal. The handle itself is never kept."""
    return hashlib.sha256(str(handle).encode("utf-8", "replace")).hexdigest()


def key_in(header: Callable[[str], str]) -> str:
    """Return the key that a request shows, where each API's clients put it; "" where it shows none."""
    told = header("authorization")
    key = told[7:] if told[:7].lower() == "bearer " else header("x-api-key") or header("api-key")
    return key.strip()


class Namer:
    """Names handles by a keyed hash. Who has no secret can neither make such a name nor find a key by it."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"stillwatch-hand").digest()

    def __call__(self, handle: Any) -> str:
        """Return the name of a handle or a key."""
        return self.of_digest(digest(handle))

    def of_digest(self, told: str) -> str:
        """Return the same from the SHA-256 of a handle, in hexadecimal."""
        return hashlib.blake2b(told.encode(), key=self._key, digest_size=16).hexdigest()


class Naming(Protocol):
    """Names handles, and says whose a key is."""

    def handle(self, handle: Any) -> str:
        """Return what stands for an opaque handle."""

    def owner(self, told: str, now: int) -> Owner:
        """Return whose the key with a SHA-256 is."""


def nobody(told: str, now: int) -> None:
    """Find no key, for a deployment that gives out none."""
    del told, now


class Names:
    """Of a process that has the secret. `find` knows the keys that the gateway gave out; others name themselves."""

    def __init__(self, name: Namer, find: Find = nobody) -> None:
        self.handle = name
        self._find = find

    def owner(self, told: str, now: int) -> Owner:
        """Return whose key it is: an account of the gateway, or the one that the key itself stands for."""
        found = self._find(told, now)
        if found is not None:
            return found
        name = self.handle.of_digest(told)
        return f"key-{name}", name

    def known(self, told: str) -> str:
        """Return the name of a handle that another process told by its SHA-256; any other name as it is."""
        return self.handle.of_digest(told[len(MARK) :]) if is_marked(told) else told


class Digests:
    """Of a process without the secret: it tells the SHA-256, which the decide API then names."""

    def handle(self, handle: Any) -> str:
        """Return the marked SHA-256 of a handle."""
        return MARK + digest(handle)

    def owner(self, told: str, now: int) -> Owner:
        """Return the marked SHA-256, for the account and for the key."""
        del now
        return MARK + told, MARK + told


DIGESTS = Digests()


def is_marked(told: str) -> bool:
    """Say whether a name is the marked SHA-256 of a handle or a key."""
    return told.startswith(MARK) and DIGEST.fullmatch(told, len(MARK)) is not None


def names_of(secret: bytes, find: Find = nobody) -> Names:
    """Return the names of a deployment."""
    return Names(Namer(secret), find)
