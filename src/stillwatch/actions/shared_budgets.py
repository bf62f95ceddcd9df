"""Budgets that several gateways share through Redis or Valkey, decided in memory.

A request never waits for the network: each node decides by what it knows, and `exchange` tells the store what the node
took and learns what the others took. Between two exchanges a node may let through what others have used up meanwhile.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from stillwatch.actions.budgets import LocalBudgets, Shortage
from stillwatch.actions.decision import Budget
from stillwatch.model import MissingDependency, UsageError

log = logging.getLogger("stillwatch.budgets")
PREFIX = "stillwatch"
REPEATED = 100  # failed exchanges between two complaints
SCHEMES = ("redis://", "rediss://", "redis+unix://")


class Counters(Protocol):
    """What is needed of a store: counters that are raised by an amount, and forgotten after a time."""

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Raise a counter and return what it is now."""


@dataclass(slots=True)
class Heard:
    """What the store last said of a budget, in one window of the clock."""

    window: int
    total: int


def connect(url: str, timeout: float = 0.5) -> Counters:
    """Return the store at a URL of Redis or Valkey, which need not be up yet."""
    address = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url  # one protocol, one client
    if not address.startswith(SCHEMES):
        raise UsageError(f"{url.partition('://')[0]}: no store of budgets; give redis://, rediss:// or valkey://")
    try:
        from limits.storage import storage_from_string
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise MissingDependency("shared budgets need limits and redis; pip install 'stillwatch[gateway]'") from None
    # one more try, for a connection that the server had closed; the next exchange is soon enough for the rest
    waits: Any = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 1)}
    return storage_from_string(address, wrap_exceptions=True, key_prefix=PREFIX, **waits)  # type: ignore[return-value]


class SharedBudgets:
    """Budgets of one node among several. Safe to call from several threads.

    When the store is lost, `lost` decides: `local`, each node grants whole budgets by itself; `divided`, each grants
    its part of `nodes`. Either is said in the log, and `reachable` is false until the store answers again.
    """

    def __init__(self, store: Counters, lost: Literal["local", "divided"] = "local", nodes: int = 1) -> None:
        if lost not in ("local", "divided") or nodes < 1:
            raise UsageError(
                f"budgets: lost is {lost!r} and nodes is {nodes}; expected local or divided, and 1 or more"
            )
        self.reachable = True
        self.failures = 0
        self._store, self._lost, self._nodes = store, lost, nodes
        self._local = LocalBudgets()
        self._taken: dict[str, tuple[Budget, int]] = {}  # since the last exchange
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()

    def take(self, requests: Sequence[Budget], tokens: Sequence[Budget], now: float) -> Shortage | None:
        """Take one request from each, or from none; see Budgets."""
        if not self.reachable and self._lost == "divided":
            requests, tokens = [self._part(each) for each in requests], [self._part(each) for each in tokens]
        short = self._local.take(requests, tokens, now)
        self._remember(requests, 0 if short else 1)
        self._remember(tokens, 0)  # asked about: the next exchange learns what others took of it
        return short

    def charge(self, budgets: Sequence[Budget], amount: int, now: float) -> None:
        """Take an amount from each, room or not; see Budgets."""
        self._local.charge(budgets, amount, now)
        if amount > 0:
            self._remember(budgets, amount)

    def exchange(self, now: float) -> bool:
        """Tell the store what was taken here and learn what was taken elsewhere. Returns whether it answered.

        Waits for the network: call it from a thread of its own, a few times a second.
        """
        with self._lock:
            taken, self._taken = self._taken, {}
        told: set[str] = set()
        try:
            for key, (budget, mine) in taken.items():
                self._tell(budget, mine, now)
                told.add(key)
        except Exception as error:  # the store's library has errors of its own for each way to be away
            self._keep({key: each for key, each in taken.items() if key not in told})
            self._complain(error)
            return False
        self._forget()
        if not self.reachable:
            log.warning("budgets: the shared store answers again; budgets are shared again")
        self.reachable = True
        return True

    def close(self) -> None:
        """Close the connection to the store."""
        client = getattr(self._store, "storage", None)
        if client is not None:
            client.close()

    def _tell(self, budget: Budget, mine: int, now: float) -> None:
        window = int(now // budget.window)
        total = self._store.incr(f"{budget.key}|{window}", math.ceil(2 * budget.window), mine)
        heard = self._heard.get(budget.key)
        before = heard.total if heard is not None and heard.window == window else 0
        self._heard[budget.key] = Heard(window, total)
        self._local.charge([budget], total - before - mine, now)

    def _remember(self, budgets: Sequence[Budget], amount: int) -> None:
        with self._lock:
            for budget in budgets:
                before = self._taken.get(budget.key)
                self._taken[budget.key] = (budget, amount + (before[1] if before else 0))

    def _keep(self, taken: dict[str, tuple[Budget, int]]) -> None:
        with self._lock:
            for key, (budget, amount) in taken.items():
                later = self._taken.get(key)
                self._taken[key] = (budget, amount + (later[1] if later else 0))

    def _forget(self) -> None:
        if len(self._heard) > 2 * len(self._local) + 1024:
            kept = {key: heard for key, heard in self._heard.items() if self._local.knows(key)}
            self._heard = kept

    def _complain(self, error: Exception) -> None:
        if self.reachable or self.failures % REPEATED == 0:
            how = f"its part of {self._nodes}" if self._lost == "divided" else "whole budgets by itself"
            log.error(
                "budgets: the shared store cannot be reached (%s); this node grants %s", type(error).__name__, how
            )
        self.reachable = False
        self.failures += 1

    def _part(self, budget: Budget) -> Budget:
        return replace(budget, amount=max(budget.amount // self._nodes, 1))
