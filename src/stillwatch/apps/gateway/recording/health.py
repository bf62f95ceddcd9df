"""Whether exchanges can be kept now. A disk that failed or was too slow is left alone until a probe of it went well."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

logger = logging.getLogger("stillwatch.gateway.recording")
SAY_EVERY = 10.0  # seconds between two words about exchanges that are being lost


@dataclass(slots=True)
class Health:
    """What is wrong, and what it cost so far. `tripped` is read for every exchange, so it is a plain attribute."""

    tripped: str = ""  # writing is not even tried
    low: str = ""  # there is a reason to take no new exchange, but what is under way is still written
    lost: int = 0
    losses: dict[str, int] = field(default_factory=dict)  # by kind of trouble
    _kind: str = ""
    _said: int = 0  # lost when it was last told
    _when: float = float("-inf")

    @property
    def trouble(self) -> str:
        """What is wrong now, in words; empty when nothing is."""
        return self.tripped or self.low

    def trip(self, kind: str, words: str) -> None:
        """Stop writing until a probe goes well. `kind` is full, broken or slow."""
        if not self.tripped:
            logger.error("recording-stopped", extra={"kind": kind, "detail": words})
        self._kind, self.tripped = kind, words

    def end(self) -> None:
        """Nothing is written any more, on purpose."""
        self._kind, self.tripped = "closed", "the recorder is closed"

    def mend(self) -> None:
        """A probe went well."""
        if self.tripped:
            logger.warning("recording-resumed", extra={"lost": self.lost})
        self.tripped, self._kind = "", ""

    def space(self, free: int, least: int) -> None:
        """Take note of the free space."""
        words = f"disk nearly full: {free >> 20} MiB free, fewer than the {least >> 20} MiB of free_bytes"
        now = words if free < least else ""
        if bool(now) != bool(self.low):
            logger.log(logging.ERROR if now else logging.WARNING, "recording-space", extra={"free_bytes": free})
        self.low = now

    def lose(self, kind: str = "") -> None:
        """Count an exchange that was answered and is not kept."""
        self.lost += 1
        kind = kind or self._kind
        self.losses[kind] = self.losses.get(kind, 0) + 1

    def say(self, now: float) -> None:
        """Tell how many were lost since that was last told."""
        if self.lost > self._said and now - self._when >= SAY_EVERY:
            logger.error("exchanges-lost", extra={"lost": self.lost - self._said, "lost_total": self.lost})
            self._said, self._when = self.lost, now
