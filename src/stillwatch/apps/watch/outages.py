"""Sources that do not answer: said once, tried again ever more rarely, and said when they are back."""

from __future__ import annotations

from dataclasses import dataclass, field

from stillwatch.apps.watch.sources import SourceLost, Tell

LONGEST = 60_000_000  # µs between two tries


@dataclass
class Outages:
    """What is lost at present. Times are µs; `first` is the wait after the first failure."""

    first: int
    tell: Tell = lambda _: None
    _failures: dict[str, int] = field(default_factory=dict)
    _rests: dict[str, tuple[int, int]] = field(default_factory=dict)
    _said: dict[str, str] = field(default_factory=dict)

    def resting(self, name: str, now: int) -> bool:
        """Whether a source is left alone for now; not when the clock was set back before the failure."""
        since, until = self._rests.get(name, (now, now))
        return since <= now < until

    def lost(self, name: str, error: SourceLost, now: int, /) -> None:
        """Note a failure."""
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._rests[name] = (now, now + min(self.first << min(failures - 1, 20), LONGEST))
        if self._said.get(name) != str(error):
            self._said[name] = str(error)
            self.tell(f"{error}; tried again until it answers")

    def answered(self, name: str) -> None:
        """Note that a source was read."""
        if self._failures.pop(name, 0):
            self._rests.pop(name)
            self._said.pop(name)
            self.tell(f"{name}: answers again")
