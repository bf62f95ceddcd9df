"""The way upstream and back. An answer is passed on byte for byte, unless the decision says to alter it."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from stillwatch.actions.decision import NOTHING
from stillwatch.apps.gateway.apis.altering import AlteredStream, Steps, alter_answer
from stillwatch.apps.gateway.apis.endpoints import STORED_RESPONSE
from stillwatch.apps.gateway.apis.errors import NOT_ALTERED, NOT_KEPT, Refused, answer_to
from stillwatch.apps.gateway.apis.lowering import lowered, unlowered
from stillwatch.apps.gateway.apis.naming import Name
from stillwatch.apps.gateway.apis.parsing import has_handles, parse_object, rewrite, usage_in
from stillwatch.apps.gateway.apis.reading import outcome_of
from stillwatch.apps.gateway.apis.streams import Listener
from stillwatch.apps.gateway.exchange import CLIENT_LEFT, Exchange, logger
from stillwatch.apps.gateway.headers import back
from stillwatch.apps.gateway.seams import Outcome, RecordingFailed
from stillwatch.apps.gateway.upstreams import Route

if TYPE_CHECKING:
    from stillwatch.apps.gateway.signing.answers import SignedAnswer, SignedStream

LENGTH, ENCODING, TYPE = b"content-length", b"content-encoding", b"content-type"
REFRAMED = frozenset((LENGTH,))
REWRITTEN = frozenset((LENGTH, ENCODING, b"etag", b"content-md5", b"digest", b"content-digest"))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as the client sent it: what a signature binds the answer to."""

    fields: dict[str, Any]  # of the body
    body: bytes | None
    path: str  # without the query


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is ready to go upstream."""

    method: str
    url: Any
    headers: Any
    body: bytes | None
    fields: dict[str, Any]  # of the body
    route: Route
    sent: Sent


class Relay:
    """Carries requests to an upstream, and answers back."""

    def __init__(
        self, session: aiohttp.ClientSession, name: Name, answer_bytes: int, idle: float, keep_text: bool
    ) -> None:
        self._session, self._name, self._most = session, name, answer_bytes
        self._idle, self._keep_text = idle, keep_text

    async def carry(self, exchange: Exchange, asked: Asked) -> None:
        """Ask the upstream, and pass its answer on; whatever happens, both ends and the record are closed after it."""
        response: aiohttp.ClientResponse | None = None
        try:
            response = await self._ask(exchange, asked)
            await self._pass_on(exchange, asked, response)
            response.release()
            response = None
        except Refused as refused:
            exchange.passage.broken = refused.code
            await self._give_up(exchange, refused)
        except RecordingFailed:
            await self._give_up(exchange, NOT_KEPT)
        except asyncio.CancelledError:
            if not exchange.passage.left:
                exchange.passage.broken = "drain"
            self._close_cut_off(exchange)
        finally:
            if response is not None:
                response.close()  # or the upstream would go on, and be paid, for nobody
            exchange.unwatch()

    async def _ask(self, exchange: Exchange, asked: Asked) -> aiohttp.ClientResponse:
        body, most = asked.body, exchange.decision.effect.max_output_tokens
        if most is not None and body is not None:
            changes = lowered(asked.fields, exchange.endpoint.name, most)
            body = rewrite(body, asked.fields, changes)
            if not changes:
                exchange.announced = unlowered(exchange.decision)
        exchange.passage.asked = exchange.parts.clock()
        try:
            response = await self._session.request(
                asked.method, asked.url, data=body, headers=asked.headers, ssl=asked.route.tls, allow_redirects=False
            )
        except TimeoutError:
            raise Refused(504, "upstream_timeout", "The upstream did not answer in time.") from None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            logger.warning("upstream-failed", extra={"upstream": asked.route.told.name, "kind": type(error).__name__})
            raise Refused(502, "upstream_unreachable", "The upstream could not be reached, or broke off.") from None
        except ValueError:
            raise Refused(400, "invalid_header", "A header of the request cannot be passed on.") from None
        exchange.passage.first_byte = exchange.parts.clock()
        if response.connection is not None and response.connection.protocol is not None:
            response.connection.protocol.read_timeout = self._idle  # until here it was the time to the first byte
        return response

    async def _pass_on(self, exchange: Exchange, asked: Asked, response: aiohttp.ClientResponse) -> None:
        if not 200 <= response.status <= 599:
            raise Refused(502, "upstream_invalid", "The upstream gave an answer that is none.")
        if response.status == 401 and asked.route.holds_key:
            logger.error("upstream-refused-key", extra={"upstream": asked.route.told.name})
            raise Refused(502, "upstream_refused_gateway", "The upstream refused the gateway's own credentials.")
        if exchange.endpoint.exchange and response.content_type == "text/event-stream":
            await self._pass_on_events(exchange, asked, response)
        elif (exchange.endpoint.exchange or exchange.endpoint is STORED_RESPONSE) and (
            response.content_length is None or response.content_length <= self._most
        ):
            await self._pass_on_whole(exchange, asked, response)
        elif exchange.decision.effect.alters_answer and response.status < 300:
            raise Refused(502, "answer_too_long", "The answer is too long to be altered as the policy asks.")
        else:
            await self._pass_on_pieces(exchange, response)

    async def _pass_on_whole(self, exchange: Exchange, asked: Asked, response: aiohttp.ClientResponse) -> None:
        """A JSON answer: read, recorded, and only then sent."""
        body = await self._read(response)
        exchange.passage.answered = exchange.parts.clock()
        dropped = REFRAMED
        plain = _decoded(body, response.headers.get("content-encoding", ""), self._most)
        outcome = self._told(response.status, plain)
        steps = exchange.steps() if response.status < 300 else ()
        if steps:
            told = _altered(_readable(plain, response), steps, response.content_type)
            if told is not body:
                body, dropped = told, REWRITTEN
        signed = _signed(exchange, asked, response, body if dropped is REWRITTEN else plain)
        if signed is not None:
            body, dropped = signed.body, REWRITTEN
        head = self._head(exchange, response, dropped) + (signed.head if signed is not None else [])
        if response.status not in (204, 304):
            head.append((LENGTH, b"%d" % len(body)))
        exchange.close(outcome)
        exchange.unwatch()
        await exchange.start(response.status, head)
        await exchange.send({"type": "http.response.body", "body": body})

    async def _pass_on_events(self, exchange: Exchange, asked: Asked, response: aiohttp.ClientResponse) -> None:
        """A stream: each piece at once, but its end only when the exchange is recorded."""
        listener = Listener(exchange.endpoint, self._name, self._keep_text)
        dropped = REFRAMED
        steps = exchange.steps() if response.status < 300 else ()
        rewriting: AlteredStream | None = None
        if response.headers.get("content-encoding", "identity") != "identity":
            listener = _Deaf(exchange.endpoint, self._name)
        if steps:
            if isinstance(listener, _Deaf):
                raise Refused(502, "answer_encoded", "The answer is encoded, and cannot be altered as the policy asks.")
            rewriting, dropped = AlteredStream(steps), REWRITTEN
        exchange.listener = listener
        signing = None if isinstance(listener, _Deaf) else _signing(exchange, asked, response)
        if signing is not None:
            dropped = REWRITTEN
        head = self._head(exchange, response, dropped) + (signing.head if signing is not None else [])
        await exchange.start(response.status, head)
        send, read = exchange.send, response.content.readany
        while piece := await self._piece(read):
            if listener.feed(piece):
                exchange.close(self._heard(exchange, listener))
            if rewriting is not None:
                piece = _rewritten(rewriting, piece)
            if signing is not None:
                piece = signing.events.feed(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        exchange.passage.answered = exchange.parts.clock()
        if not listener.ended and _until_closed(response):
            raise Refused(502, "upstream_broken", "The upstream broke off.")  # nothing else tells it from an end
        if not exchange.closed:
            exchange.close(self._heard(exchange, listener))
        exchange.unwatch()
        rest = b"" if rewriting is None else rewriting.rest()
        if signing is not None:
            rest = signing.events.feed(rest) + signing.events.rest()
        await send({"type": "http.response.body", "body": rest})

    async def _pass_on_pieces(self, exchange: Exchange, response: aiohttp.ClientResponse) -> None:
        """What is not read here: lists of models, embeddings, very long answers."""
        await exchange.start(response.status, self._head(exchange, response, frozenset()))
        while piece := await self._piece(response.content.readany):
            await exchange.send({"type": "http.response.body", "body": piece, "more_body": True})
        exchange.close(Outcome(response.status))
        exchange.unwatch()
        await exchange.send({"type": "http.response.body", "body": b""})

    def _head(
        self, exchange: Exchange, response: aiohttp.ClientResponse, dropped: frozenset[bytes]
    ) -> list[tuple[bytes, bytes]]:
        head = back(response.raw_headers, dropped)
        if exchange.announced.effect != NOTHING:
            head += exchange.parts.announce(exchange.announced)
        return head

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        pieces, size = [], 0
        while piece := await self._piece(response.content.readany):
            pieces.append(piece)
            size += len(piece)
            if size > self._most:
                raise Refused(502, "answer_too_long", "The answer is longer than this gateway passes on.")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def _piece(self, read: Any) -> bytes:
        try:
            piece: bytes = await read()
        except TimeoutError:
            raise Refused(504, "upstream_timeout", "The upstream fell silent in the middle of its answer.") from None
        except (aiohttp.ClientError, HttpProcessingError, OSError):
            raise Refused(502, "upstream_broken", "The upstream broke off in the middle of its answer.") from None
        return piece

    def _told(self, status: int, body: bytes) -> Outcome:
        """How an exchange ended, by its JSON answer. Most answers are read for their usage alone, which is cheap."""
        if status < 300 and not self._keep_text and not has_handles(body):
            return Outcome(status, *usage_in(body))
        return outcome_of(status, parse_object(body) if status < 300 else {}, self._name, self._keep_text)

    def _heard(self, exchange: Exchange, listener: Listener) -> Outcome:
        words = listener.words() if self._keep_text else None
        return Outcome(exchange.status, *listener.tokens(), listener.artefacts, words)

    async def _give_up(self, exchange: Exchange, refused: Refused) -> None:
        """Say why there is no answer; where it had begun, break the connection off, so that it cannot look whole."""
        if exchange.status:
            self._close_cut_off(exchange)
            return
        try:
            await exchange.answer(answer_to(exchange.endpoint.api, refused))
        except RecordingFailed:
            await exchange.answer(answer_to(exchange.endpoint.api, NOT_KEPT))

    def _close_cut_off(self, exchange: Exchange) -> None:
        heard = exchange.listener
        with suppress(RecordingFailed):  # the client has no answer that looks whole
            exchange.close(Outcome(exchange.status or CLIENT_LEFT) if heard is None else self._heard(exchange, heard))


class _Deaf(Listener):
    """For a stream that the upstream encoded although it was asked not to: passed on unread."""

    def feed(self, chunk: bytes) -> bool:
        del chunk
        return False


def _signed(exchange: Exchange, asked: Asked, response: aiohttp.ClientResponse, body: bytes) -> SignedAnswer | None:
    """The answer with its receipt; of a stored response the head alone is signed. None where nothing is."""
    signing, kind = exchange.parts.signing, response.headers.get("content-type", "")
    if signing is None or response.status != 200:
        return None
    if exchange.endpoint is STORED_RESPONSE:
        signed = signing.stored(body, asked.method, asked.sent.path, kind)
    else:
        question = signing.question(exchange.endpoint.name, asked.sent.fields, asked.headers, asked.sent.body)
        signed = signing.whole(body, question, kind)
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    return None if signed is None or (encoded and signed.body == body) else signed  # it may not be decoded


def _signing(exchange: Exchange, asked: Asked, response: aiohttp.ClientResponse) -> SignedStream | None:
    """What signs a stream; None where none is signed."""
    signing = exchange.parts.signing
    if signing is None or response.status != 200:
        return None
    question = signing.question(exchange.endpoint.name, asked.sent.fields, asked.headers, asked.sent.body)
    return signing.stream(question, response.headers.get("content-type", ""))


def _until_closed(response: aiohttp.ClientResponse) -> bool:
    """Whether only the end of the connection ends the answer, so that a broken one looks like a whole one."""
    return LENGTH.decode() not in response.headers and "transfer-encoding" not in response.headers


def _decoded(body: bytes, encoding: str, most: int) -> bytes:
    """The body without gzip or deflate, for an upstream that compresses although it was asked not to."""
    if encoding.lower() not in ("gzip", "deflate"):
        return body
    try:
        return zlib.decompressobj(wbits=47 if encoding.lower() == "gzip" else 15).decompress(body, most)
    except zlib.error:
        return b""


def _readable(plain: bytes, response: aiohttp.ClientResponse) -> bytes:
    """The body, or a Refused where it is in an encoding that is not read here: nothing unread may pass as altered."""
    encoding = response.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip", "deflate") or (encoding != "identity" and not plain):
        raise Refused(502, "answer_encoded", "The answer is encoded, and cannot be altered as the policy asks.")
    return plain


def _altered(plain: bytes, steps: Steps, kind: str) -> bytes:
    try:
        if kind == "text/event-stream":  # of a stored response, told once more
            stream = AlteredStream(steps)
            return stream.feed(plain) + stream.rest()
        return alter_answer(plain, steps)
    except (ValueError, RecursionError):
        raise NOT_ALTERED.with_traceback(None) from None


def _rewritten(stream: AlteredStream, piece: bytes) -> bytes:
    try:
        return stream.feed(piece)
    except (ValueError, RecursionError):
        raise NOT_ALTERED.with_traceback(None) from None
