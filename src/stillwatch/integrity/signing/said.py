"""What an answer says, taken in pieces: digests that do not depend on where a relay cuts it, and a hash chain.

A piece is text in a channel, such as `text/0` (the words of the first choice) or `tools/0/1/arguments`. Pieces of one
channel that follow each other are one run. link(i) = SHA-256(link(i-1) ‖ SHA-256(channel ‖ 0 ‖ text of the run)), and
link(0) = SHA-256 of `CHAIN`. So two pieces may become one or three, but none may move, change or go.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.integrity.signing.canonical import Digest, bytes_of, digest, digest_of, encode

KINDS = ("text", "tools", "reasoning", "other")
CHAIN = b"stillwatch answer chain 1"
ENOUGH = 1 << 16  # characters that are gathered before they are hashed


@dataclass(frozen=True, slots=True)
class Summary:
    """What is signed of an answer's content."""

    kinds: dict[str, Digest]  # of each kind: a digest over its channels
    characters: int
    link: Digest  # the last of the chain
    runs: int
    letters: Digest  # over how often each byte occurs: tells reordered from altered, and proves nothing


class Said:
    """Gathers the pieces of one answer, and what it tells of itself."""

    def __init__(self, counts: bool = True) -> None:
        """`counts`: letters are counted, which only a stream needs."""
        self.models: set[str] = set()
        self.finish: dict[int, str] = {}  # choice: why it ended
        self.usage: list[int | None] = [None, None]  # tokens in, tokens out
        self.ended = False  # the last event of a stream came
        self._channels: dict[str, Any] = {}
        self._run, self._held, self._size = "", list[str](), 0
        self._hashed: Any = None  # of the run so far
        self._link, self._runs, self._characters = hashlib.sha256(CHAIN).digest(), 0, 0
        self._letters = np.zeros(256, np.int64) if counts else None

    def add(self, channel: str, text: str) -> None:
        """Take a piece. An empty one is none."""
        if not text:
            return
        if channel != self._run:
            self._end_run()
            self._run = channel
        self._held.append(text)
        self._size += len(text)
        if self._size > ENOUGH:
            self._hash()

    def summary(self) -> Summary:
        """Return what is signed of the pieces so far; none may be added after it."""
        self._end_run()
        told: dict[str, list[list[str]]] = {kind: [] for kind in KINDS}
        for channel in sorted(self._channels):
            told[channel.partition("/")[0]].append([channel, encode(self._channels[channel].digest())])
        kinds = {kind: digest_of(channels) for kind, channels in told.items() if channels}
        letters = "" if self._letters is None else digest(self._letters.astype("<i8").tobytes())
        return Summary(kinds, self._characters, encode(self._link), self._runs, letters)

    def _hash(self) -> None:
        raw = bytes_of("".join(self._held))
        channel = self._channels.get(self._run)
        if channel is None:
            channel = self._channels[self._run] = hashlib.sha256()
        channel.update(raw)
        if self._hashed is None:
            self._hashed = hashlib.sha256(self._run.encode() + b"\0")
        self._hashed.update(raw)
        if self._letters is not None:
            self._letters += np.bincount(np.frombuffer(raw, np.uint8), minlength=256)
        self._characters += self._size
        self._held.clear()
        self._size = 0

    def _end_run(self) -> None:
        if self._held:
            self._hash()
        if self._hashed is not None:
            self._link = hashlib.sha256(self._link + self._hashed.digest()).digest()
            self._runs, self._hashed = self._runs + 1, None
