"""ASGI middleware before any application that serves a model API: decides, refuses, lowers, drops, and records."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.altering import Steps
from stillwatch.apps.gateway.apis.endpoints import NAMED
from stillwatch.apps.gateway.apis.lowering import lowered, unlowered
from stillwatch.apps.gateway.apis.naming import DIGESTS, Names, Naming
from stillwatch.apps.gateway.apis.parsing import parse_object, rewrite
from stillwatch.apps.gateway.apis.refusals import refuse
from stillwatch.apps.gateway.exchange import CLIENT_LEFT
from stillwatch.apps.gateway.parts import without_twin
from stillwatch.apps.gateway.plugs.answering import Alters, Relayed, by_its_effect
from stillwatch.apps.gateway.plugs.client import AsyncClient
from stillwatch.apps.gateway.plugs.decide import read_all, replay
from stillwatch.apps.gateway.plugs.paths import asks
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.plugs.undecided import CUT
from stillwatch.apps.gateway.plugs.underway import Underway
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome, Recorder, RecordingFailed
from stillwatch.model import UsageError

if TYPE_CHECKING:
    from stillwatch.apps.gateway.twins import Twins

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

MOST = 64 << 20  # bytes of a request
HIDDEN = (b"accept-encoding",)  # a compressed answer could be neither read nor altered: compress outside of this


def own_account(scope: Message) -> str | None:
    """Return no account, so that the client's key stands for it."""
    del scope
    return None


class Here:
    """Decides and records in this process."""

    def __init__(self, decider: Decider, recorder: Recorder, twins: Twins | None = None) -> None:
        self.underway, self._twins = Underway(decider, recorder), twins

    async def decide(self, arrival: Arrival, body: bytes = b"") -> Decision:
        """Return the decision; without its twin where there is no key, or `body` does not say what is asked for."""
        return self.underway.decide(arrival, lambda decision: self._settled(decision, arrival, body))

    def steps(self, decision: Decision) -> Steps:
        """Return what alters an answer."""
        return (*by_its_effect(decision), *(self._twins.steps(decision) if self._twins is not None else ()))

    def _settled(self, decision: Decision, arrival: Arrival, body: bytes) -> Decision:
        known = NAMED.get(arrival.endpoint)
        asked = parse_object(body) if decision.effect.twin and known is not None and known.exchange else {}
        return without_twin(decision) if self._twins is None or not asked else self._twins.settled(decision, asked)

    async def tell(self, arrival: Arrival, decision: Decision, outcome: Outcome) -> bool:
        """Record how an exchange ended. Raises RecordingFailed."""
        if not self.underway.end(arrival.exchange_id, outcome):
            self.underway.keep(arrival, decision, outcome)
        return True


class StillwatchMiddleware:
    """Give it a `decider`, a `recorder` and `names` to decide in this process, or a `client` to ask `/v1/decide`.

    `account` gets the ASGI scope and returns the account's id, as an authentication before this one left it there.
    `twins` are served where it decides in this process; the decide API asks for none.
    """

    def __init__(  # noqa: PLR0913  (a middleware's options are its parameters)
        self,
        app: App,
        *,
        decider: Decider | None = None,
        recorder: Recorder | None = None,
        client: AsyncClient | None = None,
        account: Callable[[Message], str | None] = own_account,
        names: Names | None = None,
        twins: Twins | None = None,
    ) -> None:
        self._app, self._account, self._names = app, account, _naming(names, client)
        if client is not None:
            self._decides: Here | AsyncClient = client
        elif decider is not None and recorder is not None and names is not None:
            self._decides = Here(decider, recorder, twins)
        else:
            raise UsageError("StillwatchMiddleware needs decider=, recorder= and names=, or client=")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        elif scope["type"] == "http" and asks(scope["method"], scope["path"]):
            await self._serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await read_all(receive, MOST)
        arrival = self._arrival(scope, body or b"")
        if body is None:
            with contextlib.suppress(RecordingFailed):  # logged; it is refused in any case
                await self._decides.tell(arrival, CUT, Outcome(CUT.effect.status))
            await _refuse(send, CUT, arrival)
            return
        decision, alters = await self._decided(arrival, body)
        if decision.effect.refused:
            await _refuse(send, decision, arrival)
            return
        asked, announced = _lowered(body, arrival, decision)

        async def tell(outcome: Outcome) -> None:
            await self._decides.tell(arrival, decision, outcome)

        relayed = Relayed(send, announced, tell, (arrival.api, arrival.endpoint, self._names.handle), alters)
        try:
            await self._app(_with_length(scope, asked), replay(asked, receive), relayed.send)
        finally:
            if not relayed.ended:  # it failed, or its client left
                with contextlib.suppress(Exception):  # what broke it is raised anyway
                    await tell(relayed.outcome(CLIENT_LEFT))

    async def _decided(self, arrival: Arrival, body: bytes) -> tuple[Decision, Alters]:
        if isinstance(self._decides, Here):
            return await self._decides.decide(arrival, body), self._decides.steps
        return await self._decides.decide(arrival), by_its_effect

    async def _connect(self, scope: Message, receive: Receive, send: Send) -> None:
        """Decide about a WebSocket when it opens. What is asked through it is not read."""
        arrival = self._arrival(scope, b"")
        decision = await self._decides.decide(arrival)
        if decision.effect.refused:
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": decision.reason})
            return
        try:
            await self._app(scope, receive, send)
        finally:
            await self._decides.tell(arrival, decision, Outcome(101))

    def _arrival(self, scope: Message, body: bytes) -> Arrival:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        client = scope.get("client")
        account = self._account(scope)
        asked = Asked(scope["path"], headers, body, account_id=account, ip=client[0] if client else None)
        return arrival_of(asked, self._names)


def _naming(names: Names | None, client: AsyncClient | None) -> Naming:
    return DIGESTS if names is None or client is not None else names


def _lowered(body: bytes, arrival: Arrival, decision: Decision) -> tuple[bytes, Decision]:
    """Return the body as the application gets it, and the decision as the client is told it."""
    most = decision.effect.max_output_tokens
    if most is None:
        return body, decision
    asked = parse_object(body)
    changes = lowered(asked, arrival.endpoint, most) if asked else {}
    return (rewrite(body, asked, changes), decision) if changes else (body, unlowered(decision))


async def _refuse(send: Send, decision: Decision, arrival: Arrival) -> None:
    said = refuse(decision, arrival.api, arrival.exchange_id)
    await send({"type": "http.response.start", "status": said.status, "headers": list(said.headers)})
    await send({"type": "http.response.body", "body": said.body})


def _with_length(scope: Message, body: bytes) -> Message:
    kept = [(name, value) for name, value in scope["headers"] if name not in (b"content-length", *HIDDEN)]
    if b"transfer-encoding" not in dict(kept):
        kept.append((b"content-length", str(len(body)).encode()))
    return {**scope, "headers": kept, "extensions": {}}
