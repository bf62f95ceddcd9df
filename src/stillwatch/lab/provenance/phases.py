"""The phases of a harvest: the same questions, asked while the teacher or the gateway does something else each time."""

from __future__ import annotations

import asyncio
import json
import os
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from stillwatch.lab.gateway.history import Past
from stillwatch.lab.gateway.wording import CHAT, body_of, origin_of
from stillwatch.lab.provenance.asking import Ask, Asker, Got
from stillwatch.lab.provenance.upstream import CONTROL, TOKEN
from stillwatch.model import StillwatchError

PLAIN, MARKED, TWINS = KINDS = ("plain", "marked", "twins")
POOL, INNOCENT = "the pool", "innocents"
MODEL = "teacher"
AT_A_TIME = 128  # requests of the pool under way, which the teacher answers together
BESIDE = 8.0  # requests of innocents a second
PATIENCE = 300.0  # seconds for a policy to be in force
AGAIN = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one phase: answers in the order of the questions, those of innocents, and what the teacher said."""

    pool: Sequence[Got]
    innocent: Sequence[Got]
    said: Mapping[str, str]  # id → body, as the teacher sent it
    seconds: float


@dataclass(frozen=True, slots=True)
class Teacher:
    """The control of the upstream, which is for whoever runs it."""

    port: int

    def begin(self, marked: bool) -> None:
        """Begin a phase: it forgets what it said and was asked, and samples under its mark or not."""
        self._tell({"marked": marked})

    def said(self) -> dict[str, str]:
        """Return what it said in this phase: id → body."""
        found: dict[str, str] = self._tell({})["said"]
        return found

    def _tell(self, told: Mapping[str, Any]) -> dict[str, Any]:
        head = {"authorization": f"Bearer {os.environ[TOKEN]}"}
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{CONTROL}", json.dumps(told).encode(), head)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found


class Crowd:
    """Who asks: the accounts of the pool, in turn; and innocents, each with a request that it made in the log."""

    def __init__(self, past: Past, keys: Mapping[str, str], innocents: int) -> None:
        self._pool = {row["account_id"]: row for row in past.first}
        self._innocent, self._keys = past.innocent[:innocents], keys

    @property
    def pool(self) -> list[str]:
        """The accounts of the pool."""
        return sorted(self._pool)

    def harvest(self, questions: Iterable[str]) -> Iterator[Ask]:
        """Yield the pool's requests: one of each account in turn."""
        for text, account in zip(questions, cycle(self.pool)):
            body = {"model": MODEL, "messages": [{"role": "user", "content": text}]}
            yield Ask(POOL, account, self._keys[account], body, origin_of(self._pool[account]))

    def work(self) -> Iterator[Ask]:
        """Yield what innocents ask, again and again."""
        for row in cycle(self._innocent):
            body = body_of({**row, "endpoint": CHAT, "stream": None}) | {"model": MODEL}
            yield Ask(INNOCENT, row["account_id"], self._keys[row["account_id"]], body, origin_of(row))


async def run_phase(asker: Asker, crowd: Crowd, teacher: Teacher, questions: Sequence[str], kind: str) -> Came:
    """Let the pool ask every question, and innocents beside it."""
    await asyncio.to_thread(teacher.begin, kind == MARKED)
    began = time.monotonic()
    harvest = asker.ask_all(crowd.harvest(questions), AT_A_TIME)
    pool, innocent = await asker.ask_beside(crowd.work(), BESIDE, harvest)
    seconds = time.monotonic() - began
    return Came(pool, innocent, await asyncio.to_thread(teacher.said), seconds)


async def await_twins(asker: Asker, crowd: Crowd, question: str) -> None:
    """Ask until some account of the pool gets a twin: then the policy is in force. Raises StillwatchError."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = await asker.ask_all(crowd.harvest([question] * len(crowd.pool)), 8)
        if any(each.altered for each in found):
            return
        await asyncio.sleep(AGAIN)
    raise StillwatchError(f"waited {PATIENCE:.0f} s for the first twin; it did not come")
