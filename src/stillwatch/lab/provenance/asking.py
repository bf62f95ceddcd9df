"""Accounts that ask through a gateway, many at a time: what each got back, to the byte."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from stillwatch.lab.gateway.clients import Answered

ALTERED, REASON = "x-stillwatch-altered", "x-stillwatch-reason"
PATIENCE = aiohttp.ClientTimeout(total=300)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request: of which party and account, by which key, and from where."""

    party: str
    account_id: str
    key: str
    body: Mapping[str, Any]
    origin: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Got:
    """What came of it, to the byte."""

    told: Answered
    altered: str  # what the answer says was done to it
    raw: bytes

    @property
    def content(self) -> str:
        """Return the text of the answer."""
        return content_of(self.raw)

    @property
    def name(self) -> str:
        """Return the answer's id."""
        return str(json.loads(self.raw)["id"])


def content_of(raw: bytes | str) -> str:
    """Return the text of a chat completion."""
    told: str = json.loads(raw)["choices"][0]["message"]["content"]
    return told


class Asker:
    """Asks over a few connections that are kept. Use within `async with`."""

    def __init__(self, url: str, told: Callable[[Answered], None]) -> None:
        self._url, self._told = f"{url}/v1/chat/completions", told

    async def __aenter__(self) -> Asker:
        self._session = aiohttp.ClientSession(timeout=PATIENCE, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def ask(self, asked: Ask) -> Got:
        """Send one request; a connection that breaks counts as status 0."""
        headers = {"authorization": f"Bearer {asked.key}", **asked.origin}
        try:
            async with self._session.post(self._url, json=asked.body, headers=headers) as answer:
                raw, named = await answer.read(), answer.headers
                reason, altered, status = named.get(REASON, ""), named.get(ALTERED, ""), answer.status
        except aiohttp.ClientError:
            raw, reason, altered, status = b"", "", "", 0
        told = Answered(asked.party, asked.account_id, status, reason, "openai", False, time.monotonic())
        self._told(told)
        return Got(told, altered, raw)

    async def ask_all(self, asks: Iterable[Ask], at_a_time: int) -> list[Got]:
        """Send all, so many at a time; return what came of them, in their order."""
        left, found = iter(enumerate(asks)), {}

        async def some() -> None:
            for number, each in left:
                found[number] = await self.ask(each)

        await asyncio.gather(*(some() for _ in range(at_a_time)))
        return [found[number] for number in sorted(found)]

    async def ask_beside(
        self, asks: Iterable[Ask], rate: float, work: Awaitable[list[Got]]
    ) -> tuple[list[Got], list[Got]]:
        """Send at a steady rate (a second) until other work is done; return what came of that work, and of these."""
        doing, beside = asyncio.ensure_future(work), []
        for each in asks:
            beside.append(asyncio.create_task(self.ask(each)))
            await asyncio.wait({doing}, timeout=1 / rate)
            if doing.done():
                break
        return await doing, list(await asyncio.gather(*beside))
