"""Remembers the nonces of answers, so that an old answer is not taken for a new one."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

MOST = 100_000


class Seen:
    """The nonces of the last answers. Older ones are forgotten: those are refused by their age."""

    def __init__(self, most: int = MOST) -> None:
        self._most, self._held, self._lock = most, OrderedDict[tuple[str, str], None](), Lock()

    def first(self, issuer: str, nonce: str) -> bool:
        """Say whether a nonce comes for the first time, and remember it."""
        with self._lock:
            if (issuer, nonce) in self._held:
                return False
            self._held[issuer, nonce] = None
            if len(self._held) > self._most:
                self._held.popitem(last=False)
            return True
