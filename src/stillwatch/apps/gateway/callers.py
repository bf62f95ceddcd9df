"""Who calls: the account that a request's credentials stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.apis.naming import Namer, Names, digest, key_in

Headers = Mapping[bytes, bytes]
KEY_HEADERS = frozenset((b"authorization", b"x-api-key", b"api-key"))
ASK_FOR_KEY = "Send your key as `Authorization: Bearer KEY` or `x-api-key: KEY`."


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated account."""

    account_id: str
    api_key_id: str | None = None
    claims: Mapping[str, str] | None = None  # columns of the accounts table, as a signed header tells them


FindKey = Callable[[str, int], Caller | None]  # key, µs since 1970 → whose it is; the key is not kept


class KnownKey(Protocol):
    """A key of the gateway, without the key."""

    @property
    def key_id(self) -> str:
        """How it is called."""

    @property
    def account_id(self) -> str:
        """Whose it is."""

    @property
    def expires_at(self) -> int | None:
        """Until when, in µs since 1970."""


class KeyRing:
    """The keys that are good now, by their hash: read as a whole, and swapped when they change."""

    def __init__(self, read: Callable[[], Mapping[str, KnownKey]], hash_key: Callable[[str], str]) -> None:
        self._read, self._hash = read, hash_key
        self.load()

    def load(self) -> None:
        """Read the keys again."""
        self._known = {
            hashed: (Caller(key.account_id, key.key_id), key.expires_at) for hashed, key in self._read().items()
        }

    def find(self, key: str, now: int) -> Caller | None:
        """Return whose key it is, unless it has expired or is none."""
        caller, until = self._known.get(self._hash(key), (None, None))
        return caller if until is None or now < until else None


class Authenticator(Protocol):
    """Finds who calls; `consumes` names the headers that are not passed on."""

    consumes: frozenset[bytes]

    def caller(self, headers: Headers, now: int) -> Caller:
        """Return who calls, or raise Refused with 401. `now` counts µs since 1970."""


def key_of(headers: Headers) -> str:
    """Return the key that a request shows, where each API's clients put it; a Refused when it shows none."""
    key = key_in(lambda name: headers.get(name.encode(), b"").decode("latin-1"))
    if not key:
        raise Refused(401, "missing_api_key", f"No key was sent. {ASK_FOR_KEY}")
    return key


class GatewayKeys:
    """Keys that the gateway itself gave out. Only their hashes are kept, and none is passed on."""

    consumes = KEY_HEADERS

    def __init__(self, find: FindKey) -> None:
        self._find = find

    def caller(self, headers: Headers, now: int) -> Caller:
        """Return whose key it is."""
        found = self._find(key_of(headers), now)
        if found is None:
            raise Refused(401, "invalid_api_key", "The key is not valid here: it is unknown, revoked or expired.")
        return found


class ClientKeys:
    """The client's own provider key: it is passed on, and its keyed hash is the account."""

    consumes: frozenset[bytes] = frozenset()

    def __init__(self, name: Namer) -> None:
        self._names = Names(name)

    def caller(self, headers: Headers, now: int) -> Caller:
        """Return the account that the key stands for."""
        return Caller(*self._names.owner(digest(key_of(headers)), now))  # the upstream judges the key
