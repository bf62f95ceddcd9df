"""The gateway as an ASGI application: who calls, what is asked, what is decided; then the relay.

It is written against ASGI itself. A framework on this path would cost as much again as all that happens on it
(docs/why/034-a-relay-without-a-framework.md).
"""

from __future__ import annotations

import asyncio
import traceback
from contextlib import suppress
from typing import Any, NamedTuple

import aiohttp

from stillwatch.apps.gateway import health
from stillwatch.apps.gateway.apis.endpoints import STORED_RESPONSE, Endpoint, api_of, find_endpoint
from stillwatch.apps.gateway.apis.errors import NOT_KEPT, Answer, Refused, answer_to
from stillwatch.apps.gateway.apis.handles import NONE, Opened, Who, may_be_sealed
from stillwatch.apps.gateway.apis.naming import Namer
from stillwatch.apps.gateway.apis.parsing import parse_request
from stillwatch.apps.gateway.apis.reading import fields_of, read_asked
from stillwatch.apps.gateway.callers import Authenticator, Caller, ClientKeys, GatewayKeys
from stillwatch.apps.gateway.carrying import handles_of, put_back, refused_for
from stillwatch.apps.gateway.exchange import Exchange, Receive, Send, logger
from stillwatch.apps.gateway.headers import as_mapping
from stillwatch.apps.gateway.origin import Origins
from stillwatch.apps.gateway.parts import Parts, Passage, Watched, without_twin
from stillwatch.apps.gateway.relay import Asked, Relay, Sent
from stillwatch.apps.gateway.seams import Arrival, RecordingFailed
from stillwatch.apps.gateway.settings import Config
from stillwatch.apps.gateway.upstreams import Routes, open_session

DISCARD = 4  # times the longest body is read and thrown away, so that the client reads why it was refused
DEFECT = Refused(500, "gateway_defect", "The gateway failed at this request.", close=True)
Scope = dict[str, Any]


class Gateway:
    """One worker's application. `opened` and `shut` frame its life, in the event loop that serves it."""

    def __init__(self, config: Config, parts: Parts) -> None:
        self.config, self.parts = config, parts
        self._name = Namer(config.secret.read("secret of the deployment").encode())
        self._auth, self._watched = _authenticator(config, parts, self._name)
        self._handles = handles_of(config)
        self._origins = Origins(config.authentication)
        self._routes = Routes(config, self._auth.consumes | self._origins.consumed)
        self._relay: Relay | None = None
        self._session: aiohttp.ClientSession | None = None
        self._in_flight = 0
        self.draining = False

    @property
    def watched(self) -> tuple[Watched, ...]:
        """What is loaded again when it changes."""
        return (*self.parts.watched, *self._watched)

    @property
    def in_flight(self) -> int:
        """Requests that are being answered now."""
        return self._in_flight

    def open(self) -> None:
        """Make the client for upstreams."""
        config = self.config
        self._session = open_session(config.timeouts)
        keep = config.recording.text == "keep"
        self._relay = Relay(self._session, self._name, config.limits.answer_bytes, config.timeouts.idle, keep)

    async def shut(self) -> None:
        """Close every connection to upstreams, and the parts."""
        if self._session is not None:
            await self._session.close()
        self.parts.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the life of the worker."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["path"] in health.PATHS:
            await health.answer(self, scope, send)
        elif self.parts.signing is not None and scope["path"] == self.parts.signing.published_at:
            await _tell(send, self.parts.signing.published())
        else:
            await self._serve(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.shut()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw, api, self._in_flight = scope["headers"], None, self._in_flight + 1
        try:
            headers = as_mapping(raw)
            api = api_of(headers, scope["path"])
            await self._admit(scope, headers, receive, send)
        except Refused as refused:
            await _tell(send, answer_to(api or api_of(dict(raw), scope["path"]), refused))
        except _ClientLeft:
            pass
        except Exception as error:
            logger.error(
                "defect", extra={"kind": type(error).__name__, "where": traceback.format_tb(error.__traceback__)}
            )
            with suppress(RuntimeError):  # the answer had begun: the server breaks it off
                await _tell(send, answer_to(api or "openai", DEFECT))
        finally:
            self._in_flight -= 1

    async def _admit(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        endpoint = self._endpoint(scope, headers)
        now = self.parts.now()
        caller = self._auth.caller(headers, now)
        body = await self._body(headers, receive)
        began = self.parts.clock()
        asked = parse_request(body) if endpoint.body else {}
        path, who = scope["raw_path"].decode("ascii"), self._who(caller, now)
        sent = Sent(asked, body or None, path)
        path, opened = self._opened(endpoint, asked, body, (path, who))
        asked = {**asked, **opened.changes}
        row = read_asked(asked, endpoint.name, self._name) if endpoint.body else {}
        route = self._routes.find(endpoint.api, row.get("model", ""))
        if endpoint.own and route.holds_key:
            raise Refused(404, "not_relayed", "Stored responses are not relayed: all accounts share the gateway's key.")
        if endpoint.exchange and self.parts.unkept():
            raise NOT_KEPT.with_traceback(None)  # or its frames would add up
        row["handle"] = opened.status or None
        arrival = self._arrival(endpoint, caller, _Seen(scope, headers, now), row, route.told.channel)
        exchange = Exchange(self.parts, endpoint, arrival, send, Passage(began, upstream=route.told.name))
        settled = self.parts.settled if endpoint.exchange or endpoint is STORED_RESPONSE else without_twin
        exchange.decision = exchange.announced = settled(exchange.decision, asked)
        exchange.sealing = self._handles.sealing(opened, asked, endpoint.name, who)
        if opened.fails and self._handles.rules.failed == "refuse" and not exchange.decision.effect.refused:
            exchange.decision = refused_for(opened, exchange.decision)
        if exchange.decision.effect.refused:
            await self._refuse(exchange)
            return
        stripping = opened.fails and self._handles.rules.failed == "strip"
        asked, body = put_back(asked, body, opened.stripped if stripping else opened.changes)
        onward = self._routes.headers(route, endpoint.api, scope["headers"], headers)
        if route.told.forward_client and arrival.ip:
            onward["x-forwarded-for"] = arrival.ip
        url = self._routes.url(route, path, scope["query_string"])
        exchange.watch(scope, receive)
        assert self._relay is not None, "open() comes first"
        await self._relay.carry(exchange, Asked(scope["method"], url, onward, body or None, asked, route, sent))

    def _who(self, caller: Caller, now: int) -> Who:
        claimed = (caller.claims or {}).get("org_id")
        return Who(caller.account_id, claimed or self.parts.organisation(caller.account_id), now)

    def _opened(
        self, endpoint: Endpoint, asked: dict[str, Any], body: bytes, at: tuple[str, Who]
    ) -> tuple[str, Opened]:
        """Return the path as the upstream knows it, and what the request's handles come to."""
        path, who = at
        if endpoint is STORED_RESPONSE:
            return self._handles.open_path(path, who)
        if self._handles.rules.binds or may_be_sealed(body):
            return path, self._handles.open(asked, endpoint.name, who)
        return path, NONE

    def _endpoint(self, scope: Scope, headers: dict[bytes, bytes]) -> Endpoint:
        if self._in_flight > self.config.limits.in_flight:
            raise Refused(503, "overloaded", "Too many requests are under way. Try again.", retry_after=1)
        found = find_endpoint(scope["method"], scope["path"], headers)
        if isinstance(found, int):
            why = "This gateway does not relay that." if found == 404 else "That cannot be asked by this method."
            raise Refused(found, "not_relayed" if found == 404 else "method_not_allowed", why)
        return found

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the body; a Refused where it is encoded or too long."""
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "encoded_body", "Send the body without content-encoding.", close=True)
        most = self.config.limits.request_bytes
        length = headers.get(b"content-length")
        if length is not None and int(length) > most * DISCARD:
            raise _too_long(most)
        message = await _received(receive)
        body: bytes = message["body"]
        if message["more_body"]:
            body = await _rest_of_body(body, receive, most)
        elif len(body) > most:
            raise _too_long(most)
        return body

    def _arrival(self, endpoint: Endpoint, caller: Caller, seen: _Seen, row: dict[str, Any], channel: str) -> Arrival:
        headers, now = seen.headers, seen.now
        origin = self._origins.of(seen.scope["client"], headers, seen.scope["headers"])
        agent = headers.get(b"user-agent")
        return Arrival(
            exchange_id=self.parts.new_id(),
            ts=now,
            account_id=caller.account_id,
            api=endpoint.api,
            endpoint=endpoint.name,
            ip=origin.ip,
            asn=origin.asn,
            country=origin.country,
            user_agent=agent.decode("utf-8", "replace") if agent else None,
            tls_fingerprint=origin.tls_fingerprint,
            api_key_id=caller.api_key_id,
            channel=channel or None,
            claims=caller.claims,
            **fields_of(row),
        )

    async def _refuse(self, exchange: Exchange) -> None:
        try:
            await exchange.answer(
                self.parts.refuse(exchange.decision, exchange.arrival.api, exchange.arrival.exchange_id)
            )
        except RecordingFailed:
            await exchange.answer(answer_to(exchange.arrival.api, NOT_KEPT))

    async def watch(self, every: float = 1.0) -> None:
        """Look at what may change, for ever; what cannot be loaded is told, and the old one stays in force."""
        seen = {each.name: _version(each) for each in self.watched}
        while True:
            await asyncio.sleep(every)
            for each in self.watched:
                found = _version(each)
                if found is not None and found != seen[each.name]:
                    seen[each.name] = found
                    load(each)


class _Seen(NamedTuple):
    """What the connection shows of a request."""

    scope: Scope
    headers: dict[bytes, bytes]
    now: int


class _ClientLeft(Exception):
    """The client hung up before its request was whole."""


def load(watched: Watched) -> str:
    """Load something again; return what is wrong with it, which is logged too."""
    try:
        watched.load()
    except Exception as error:  # whatever it is, requests go on under the old one
        why = str(error) or type(error).__name__
        logger.error("reload-failed", extra={"what": watched.name, "why": why})
        return why
    logger.info("reloaded", extra={"what": watched.name})
    return ""


def _version(watched: Watched) -> object:
    try:
        return watched.version()
    except Exception as error:
        logger.warning("not-readable", extra={"what": watched.name, "why": type(error).__name__})
        return None


async def _tell(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    await send({"type": "http.response.body", "body": answer.body})


async def _received(receive: Receive) -> dict[str, Any]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise _ClientLeft
    return message


async def _rest_of_body(first: bytes, receive: Receive, most: int) -> bytes:
    pieces, size, more = [first], len(first), True
    while more and size <= most * DISCARD:
        message = await _received(receive)
        size, more = size + len(message["body"]), message["more_body"]
        if size <= most:
            pieces.append(message["body"])
        else:
            pieces.clear()
    if size > most:
        raise _too_long(most)
    return b"".join(pieces)


def _too_long(most: int) -> Refused:
    return Refused(413, "request_too_large", f"The body is longer than {most} bytes.", close=True)


def _authenticator(config: Config, parts: Parts, name: Namer) -> tuple[Authenticator, tuple[Watched, ...]]:
    told = config.authentication
    if told.kind == "signed-header" and told.signed_header is not None:
        from stillwatch.apps.gateway.signed_header import SignedHeaders  # here: others need no joserfc

        signed = SignedHeaders(told.signed_header)
        return signed, (Watched("keys of the signed header", signed.version, signed.load),)
    if told.kind == "pass-through":
        return ClientKeys(name), ()
    return GatewayKeys(parts.find_key), ()
