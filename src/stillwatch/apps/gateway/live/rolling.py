"""What accounts did in the last hour and day, and campaigns since the last publication; one worker's view, bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MINUTE = 60_000_000  # µs
MOST_ACCOUNTS = 20_000  # that are remembered, the latest: about a kilobyte each
HOUR_PARTS, DAY_PARTS = 12, 24  # of five minutes, of an hour: what falls out of the window falls out part by part


class Ring:
    """A count over the last `parts` stretches of `width` µs. Time that goes back counts to the present stretch."""

    __slots__ = ("at", "counts", "total", "width")

    def __init__(self, parts: int, width: int) -> None:
        self.width = width
        self.counts = [0] * parts
        self.at = 0  # number of the present stretch
        self.total = 0

    def add(self, moment: int, count: int) -> None:
        """Count something that happened at a moment."""
        self._turn(moment)
        self.counts[self.at % len(self.counts)] += count
        self.total += count

    def sum(self, moment: int) -> int:
        """The count over the window that ends at a moment."""
        self._turn(moment)
        return self.total

    def _turn(self, moment: int) -> None:
        at, parts = moment // self.width, len(self.counts)
        if at <= self.at:
            return
        for stretch in range(max(self.at + 1, at - parts + 1), at + 1):
            self.total -= self.counts[stretch % parts]
            self.counts[stretch % parts] = 0
        self.at = at


@dataclass(frozen=True, slots=True)
class Volumes:
    """What an account did until a moment."""

    exchanges_hour: int = 0
    exchanges_day: int = 0
    output_tokens_day: int = 0


class _Account:
    __slots__ = ("day", "hour", "tokens")

    def __init__(self) -> None:
        self.hour = Ring(HOUR_PARTS, 5 * MINUTE)
        self.day = Ring(DAY_PARTS, 60 * MINUTE)
        self.tokens = Ring(DAY_PARTS, 60 * MINUTE)


class Rolling:
    """The rolling sketches of a worker's accounts; the account that was idle longest is forgotten first."""

    def __init__(self, most: int = MOST_ACCOUNTS) -> None:
        self._most = most
        self._accounts: OrderedDict[str, _Account] = OrderedDict()

    def __len__(self) -> int:
        return len(self._accounts)

    def volumes(self, account: str, moment: int) -> Volumes:
        """What an account did until a moment."""
        held = self._accounts.get(account)
        if held is None:
            return Volumes()
        return Volumes(held.hour.sum(moment), held.day.sum(moment), held.tokens.sum(moment))

    def add(self, account: str, moment: int, output_tokens: int) -> None:
        """Count an exchange."""
        held = self._accounts.get(account)
        if held is None:
            if len(self._accounts) >= self._most:
                self._accounts.popitem(last=False)
            held = self._accounts[account] = _Account()
        self._accounts.move_to_end(account)
        held.hour.add(moment, 1)
        held.day.add(moment, 1)
        held.tokens.add(moment, output_tokens)


class SincePublished:
    """Exchanges of campaigns that this worker saw after the window that the index ends with."""

    def __init__(self) -> None:
        self._minutes: dict[str, dict[int, int]] = {}

    def add(self, campaign: str, moment: int) -> None:
        """Count an exchange."""
        minutes = self._minutes.setdefault(campaign, {})
        minutes[moment // MINUTE] = minutes.get(moment // MINUTE, 0) + 1

    def count(self, campaign: str, until: int) -> int:
        """Exchanges of a campaign from a moment on; full minutes."""
        minutes = self._minutes.get(campaign, {})
        return sum(count for minute, count in minutes.items() if minute * MINUTE >= until)

    def forget(self, until: int) -> None:
        """Drop what a new index holds."""
        for campaign, minutes in list(self._minutes.items()):
            left = {minute: count for minute, count in minutes.items() if minute * MINUTE >= until}
            if left:
                self._minutes[campaign] = left
            else:
                del self._minutes[campaign]
