"""The worker: stores what was put aside, one envelope after the other, beside the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

log = logging.getLogger("stillwatch.taxii")
REST = 2.0  # seconds between looks, for what other processes put aside
RETRY = 10.0  # after a failure


class Worker:
    """Calls `work` in a thread until it says that nothing waits; then rests until woken."""

    def __init__(self, work: Callable[[], bool]) -> None:
        self._work = work
        self._woken = asyncio.Event()
        self._stopped = False

    def wake(self) -> None:
        """There may be something to do."""
        self._woken.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run beside the block; what is under way when the block ends is finished."""
        self._stopped = False
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._stopped = True
            self.wake()
            await task

    async def _run(self) -> None:
        while not self._stopped:
            self._woken.clear()
            rest = REST
            try:
                if await asyncio.to_thread(self._work):
                    continue
            except Exception as error:  # whatever it is, the server goes on, and the envelope stays where it is
                log.error("an envelope could not be worked off (%s); trying again", type(error).__name__)
                rest = RETRY
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), rest)
