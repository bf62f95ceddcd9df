"""Work dealt to a few threads and taken back in order, so that how many there are never shows in what is made.

Kernels, numpy and Arrow let go of the interpreter while they work; so threads are enough, and share the plan.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
MOST = 8  # the writer of the log is one thread; more makers than it can take from would only hold memory


def default_threads() -> int:
    """As many as there are cores for this process, within reason."""
    return min(MOST, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def in_order(acts: Iterable[Callable[[], T]], helpers: int) -> Iterator[T]:
    """The results of the acts in their order; helpers are a step ahead of what is taken, none does each in turn."""
    if helpers < 1:
        for act in acts:
            yield act()
        return
    with ThreadPoolExecutor(helpers) as pool:
        ahead: deque[Future[T]] = deque()
        try:
            for act in acts:
                ahead.append(pool.submit(copy_context().run, act))
                if len(ahead) > helpers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
