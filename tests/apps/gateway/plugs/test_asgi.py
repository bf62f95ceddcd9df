"""The middleware in FastAPI: it refuses, lowers, drops and records, in JSON and in streams."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.apps.gateway.plugs import asgi
from stillwatch.apps.gateway.plugs.asgi import StillwatchMiddleware
from stillwatch.apps.gateway.plugs.client import AsyncClient
from stillwatch.apps.gateway.plugs.decide import decide_api
from stillwatch.apps.gateway.plugs.service import Service
from stillwatch.apps.gateway.seams import RecordingFailed
from stillwatch.model import UsageError
from tests.apps.gateway.plugs.drivers import TOKEN, Plug, headers_of, middleware
from tests.apps.gateway.plugs.serving import THOUGHT, Upstream, ask, serving, wait_for
from tests.apps.gateway.plugs.table import CHAT, MESSAGES, NAMES, RESPONSES, Kept, Row, Rules, chat, messages, response

BODIES = {CHAT: chat, MESSAGES: messages, RESPONSES: response}


@pytest.fixture
def plug() -> Iterator[Plug]:
    with middleware() as made:
        yield made


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("path", BODIES)
def test_an_answered_exchange_is_recorded_with_what_it_cost(plug: Plug, path: str, stream: bool) -> None:
    reply = plug.ask(Row("", path, BODIES[path](stream=stream)))
    assert b"bay." in reply.body
    assert THOUGHT.encode() in reply.body
    ((arrival, decision, outcome),) = plug.kept.rows
    assert (arrival.stream, decision.action) == (stream, "allow")
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens) == (200, 9, 4)
    assert plug.rules.settled == plug.kept.rows


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("path", BODIES)
def test_reasoning_is_dropped_and_the_client_is_told(plug: Plug, path: str, stream: bool) -> None:
    reply = plug.ask(Row("", path, BODIES[path](stream=stream), "thinker", "thinker"))
    assert THOUGHT.encode() not in reply.body
    assert b"bay." in reply.body
    assert reply.headers["x-stillwatch-altered"] == "dropped=reasoning"


def test_less_output_is_asked_of_the_application_and_the_client_is_told(plug: Plug) -> None:
    reply = plug.ask(Row("", CHAT, chat(max_tokens=500), "ramping", "ramping"))
    assert plug.upstream.asked[0][2]["max_tokens"] == 50
    assert reply.headers["x-stillwatch-altered"] == "max-output-tokens=50"


def test_a_refusal_is_recorded_and_the_application_never_asked(plug: Plug) -> None:
    reply = plug.ask(Row("", CHAT, chat(), "busy", "busy"))
    assert (reply.status, reply.headers["content-type"]) == (429, "application/json")
    assert reply.json["error"]["appeal"] == "https://example.test/appeal"
    assert [(row[1].rule, row[2].status) for row in plug.kept.rows] == [("rule-too-many", 429)]


def test_other_pages_pass_unread(plug: Plug) -> None:
    assert ask(plug.port, "/docs", None, {}, "GET").status == 200
    assert plug.rules.arrivals == []


def test_an_answer_in_json_that_cannot_be_kept_is_not_given(plug: Plug) -> None:
    plug.kept.failing = RecordingFailed("disk full")
    reply = plug.ask(Row("", CHAT, chat()))
    assert reply.status == 503
    assert b"A bay." not in reply.body


def test_a_stream_that_cannot_be_kept_breaks_off(plug: Plug) -> None:
    plug.kept.failing = RecordingFailed("disk full")
    with pytest.raises(http.client.IncompleteRead):
        plug.ask(Row("", CHAT, chat(stream=True)))


def test_a_body_past_the_limit_is_refused_and_recorded(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "MOST", 100)
    reply = plug.ask(Row("", CHAT, chat("a" * 200)))
    assert (reply.status, reply.json["error"]["reason"]) == (413, "too-large")
    assert [row[2].status for row in plug.kept.rows] == [413]


def test_an_application_that_fails_is_recorded_as_unanswered() -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise ZeroDivisionError

    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        call(StillwatchMiddleware(fails, decider=Rules(), recorder=kept, names=NAMES))
    assert [row[2].status for row in kept.rows] == [499]


def test_a_client_that_leaves_is_recorded_with_what_it_got() -> None:
    async def streams(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        kind = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": kind})
        await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    kept = Kept()
    call(StillwatchMiddleware(streams, decider=Rules(), recorder=kept, names=NAMES))
    assert [row[2].status for row in kept.rows] == [200]


@pytest.mark.parametrize(("account", "sent"), [("suspended", "websocket.close"), ("plain", "websocket.accept")])
def test_a_websocket_is_decided_when_it_opens(account: str, sent: str) -> None:
    async def accepts(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})

    kept = Kept()
    guarded = StillwatchMiddleware(accepts, decider=Rules(), recorder=kept, names=NAMES, account=lambda _: account)
    assert [each["type"] for each in call(guarded, "websocket")] == [sent]
    assert len(kept.rows) == 1


def test_the_account_is_what_the_application_says() -> None:
    rules = Rules()
    guarded = StillwatchMiddleware(
        Upstream(), decider=rules, recorder=Kept(), names=NAMES, account=lambda scope: scope["user"]
    )
    call(guarded, user="acme")
    assert rules.arrivals[0].account_id == "acme"


def test_it_may_ask_the_decide_api_instead() -> None:
    rules, kept = Rules(), Kept()
    with serving(decide_api(rules, kept, token=TOKEN, names=NAMES)) as decides:
        client = AsyncClient(Service(f"http://127.0.0.1:{decides}", TOKEN, timeout=10))
        with serving(closing(StillwatchMiddleware(Upstream(), client=client), client)) as port:
            row = Row("", CHAT, chat(stream=True))
            assert ask(port, row.path, row.text, headers_of(row)).status == 200
            wait_for(lambda: kept.rows)
            refused = Row("", CHAT, chat(), "busy", "busy")
            assert ask(port, refused.path, refused.text, headers_of(refused)).status == 429
    assert [(row[2].status, row[2].output_tokens) for row in kept.rows] == [(200, 4), (429, None)]


def closing(app: Any, client: AsyncClient) -> Any:
    """The application, closing a client when it ends."""

    async def lives(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)
        if scope["type"] == "lifespan":
            await client.close()

    return lives


def test_it_needs_something_to_decide_with() -> None:
    with pytest.raises(UsageError, match="decider=, recorder= and names=, or client="):
        StillwatchMiddleware(Upstream(), decider=Rules())


def call(app: Any, kind: str = "http", **scope: Any) -> list[Any]:
    """Call an application once, its client leaving after the request; return what it sent."""
    first = {"type": "websocket.connect"} if kind == "websocket" else {"type": "http.request", "body": b"{}"}
    waiting, sent = [first], []

    async def receive() -> Any:
        return waiting.pop() if waiting else {"type": f"{kind}.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    held = {"type": kind, "method": "POST", "path": CHAT, "headers": [], "client": ("192.0.2.1", 1), **scope}
    asyncio.run(app(held, receive, send))
    return sent
