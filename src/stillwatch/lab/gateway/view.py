"""What is seen of a demonstration while it runs: a table that lives on a terminal, plain lines anywhere else."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from stillwatch.lab.gateway.clients import Answered

LAST, LINE_EVERY = 8, 5.0  # events shown; seconds between two lines


@dataclass
class Scene:
    """All that happened so far. Clients' threads add to it."""

    began: float = field(default_factory=time.monotonic)
    answers: list[Answered] = field(default_factory=list)
    events: deque[str] = field(default_factory=lambda: deque(maxlen=LAST))
    campaigns: dict[str, dict[str, Any]] = field(default_factory=dict)
    delay: float | None = None
    say: Callable[[str], None] = lambda _: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def now(self) -> float:
        """Seconds since the clients began."""
        return time.monotonic() - self.began

    def heard(self, answer: Answered) -> None:
        """Take note of an answer."""
        with self._lock:
            self.answers.append(answer)

    def event(self, text: str) -> None:
        """Take note of something that happened."""
        self.events.append(f"{self.now:5.1f} s  {text}")
        self.say(self.events[-1])

    def found(self, campaigns: list[dict[str, Any]], planted: Callable[[str], str]) -> None:
        """Take note of the campaigns that the watcher calls distillation."""
        for each in campaigns:
            if each["campaign_id"] not in self.campaigns:
                name = planted(each["campaign_id"])
                self.campaigns[each["campaign_id"]] = each | {"at": self.now, "planted": name}
                told = f"{each['members']} accounts, p {each['p']:.3f}"
                self.event(f"found {each['campaign_id']} ({name}): {told}")

    def line(self) -> str:
        """Return how things stand, in a line."""
        parts = []
        for party, count in self.by_party().items():
            refused = sum(number for reason, number in count.items() if reason)
            parts.append(f"{party} {count['']} served, {refused} refused")
        late = "" if self.delay is None else f", verdicts {self.delay:.1f} s after their window"
        return f"{self.now:5.1f} s  {'; '.join(parts)}; {len(self.campaigns)} campaigns{late}"

    def by_party(self) -> dict[str, Counter[str]]:
        """Return how often each party was served (empty reason) or refused, by reason."""
        found: dict[str, Counter[str]] = {}
        with self._lock:
            for each in self.answers:
                found.setdefault(each.party, Counter())[each.reason if each.refused else ""] += 1
        return found

    def __rich__(self) -> Group:
        """Return everything as it stands."""
        requests = Table(title=f"stillwatch gateway, {self.now:.0f} s", title_justify="left")
        for name in ("clients", "served", "refused", "why"):
            requests.add_column(name, justify="left" if name in ("clients", "why") else "right")
        for party, count in self.by_party().items():
            reasons = {reason: number for reason, number in count.items() if reason}
            why = ", ".join(f"{reason} × {number}" for reason, number in reasons.items())
            requests.add_row(party, str(count[""]), str(sum(reasons.values())), why)
        late = "–" if self.delay is None else f"{self.delay:.1f} s"
        state = f"campaigns: {len(self.campaigns)} · verdicts of the last window after {late}"
        return Group(requests, state, *self.events)


def watching(scene: Scene, console: Console) -> AbstractContextManager[object]:
    """Show a scene while the block runs."""
    if console.is_terminal:
        return Live(get_renderable=lambda: scene.__rich__(), console=console, refresh_per_second=4)
    scene.say = lambda text: console.print(text, soft_wrap=True, highlight=False)
    return nullcontext()
