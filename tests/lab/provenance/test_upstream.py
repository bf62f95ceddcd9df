"""A model that is served: requests that wait are answered together, and only its keeper hears what it said."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="needs stillwatch[gateway]")

from stillwatch.lab.provenance.upstream import CHAT, CONTROL, Question, Upstream

TOKEN = "a token of the keeper"


class Model:
    """Says what it was asked, how often before, and whether it was to mark; waits until it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.sizes: list[int] = []
        self.fails = False

    def write(self, questions: Sequence[Question], marked: bool) -> list[str]:
        self.go.wait(30)
        self.sizes.append(len(questions))
        if self.fails:
            raise ValueError("out of memory")
        return [f"{each.text} {each.before} {marked}" for each in questions]


async def call(app: Upstream, path: str, body: Any, token: str = "") -> tuple[int, dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
    await app({"type": "http", "path": path, "method": "POST", "headers": headers}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


async def ask(app: Upstream, text: str) -> str:
    status, told = await call(app, CHAT, {"model": "m", "messages": [{"role": "user", "content": text}]})
    assert status == 200
    return str(told["choices"][0]["message"]["content"])


def test_requests_that_come_while_it_writes_are_answered_together() -> None:
    model = Model()

    async def play() -> list[str]:
        app = Upstream(model.write, TOKEN)
        model.go.clear()
        first = asyncio.create_task(ask(app, "first"))
        while not app.batches:  # until it writes
            await asyncio.sleep(0.005)
        others = [asyncio.create_task(ask(app, f"q{number}")) for number in range(300)]
        await asyncio.sleep(0)
        model.go.set()
        return [await each for each in (first, *others)]

    assert asyncio.run(play()) == ["first 0 False", *(f"q{number} 0 False" for number in range(300))]
    assert model.sizes == [1, 256, 44]


def test_an_answer_hangs_on_how_often_its_question_was_asked_and_a_phase_begins_anew() -> None:
    async def play() -> list[str]:
        app = Upstream(Model().write, TOKEN)
        before = [await ask(app, "why?"), await ask(app, "why?")]
        await call(app, CONTROL, {"marked": True}, TOKEN)
        return [*before, await ask(app, "why?")]

    assert asyncio.run(play()) == ["why? 0 False", "why? 1 False", "why? 0 True"]


def test_only_its_keeper_may_tell_it_to_mark_or_hear_what_it_said() -> None:
    async def play() -> tuple[int, bool, int, dict[str, Any]]:
        app = Upstream(Model().write, TOKEN)
        await ask(app, "why?")
        refused, nothing = await call(app, CONTROL, {"marked": True}, "sk-of-a-client")
        assert nothing == {}
        status, told = await call(app, CONTROL, {}, TOKEN)
        return refused, app.marked, status, told

    refused, marked, status, told = asyncio.run(play())
    assert (refused, marked, status) == (401, False, 200)
    (body,) = told["said"].values()
    assert json.loads(body)["choices"][0]["message"]["content"] == "why? 0 False"


def test_a_model_that_fails_fails_those_who_wait_and_answers_the_next() -> None:
    model = Model()

    async def play() -> str:
        app = Upstream(model.write, TOKEN)
        model.fails = True
        with pytest.raises(ValueError, match="out of memory"):
            await ask(app, "why?")
        model.fails = False
        return await ask(app, "why?")

    assert asyncio.run(play()) == "why? 1 False"
