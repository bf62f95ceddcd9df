"""The answering side over HTTP: a token for each partner, bounded bodies, and the desk behind it."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from stillwatch.apps.corroborate.book import Book
from stillwatch.apps.corroborate.config import ServeConfig
from stillwatch.apps.corroborate.index_file import read_index
from stillwatch.model import MissingDependency, StillwatchError, VerdictKind
from stillwatch.sharing.consensus.contributions import LONGEST
from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.private.allowed import AllowList, read_allow_list
from stillwatch.sharing.private.desk import AskedTooOften, Desk, NotConsented, OutOfOrder, Terms
from stillwatch.sharing.private.group import POINT, ExchangeRefused
from stillwatch.sharing.private.known import elements, fresh
from stillwatch.sharing.private.messages import HELLO_BYTES
from stillwatch.sharing.private.own_set import padded

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
except ModuleNotFoundError as error:
    raise MissingDependency(
        "answering partners needs starlette and uvicorn: pip install 'stillwatch[sharing]'"
    ) from error

logger = logging.getLogger(__name__)

BYTES = "application/octet-stream"
STATUS: dict[type[ExchangeRefused], int] = {AskedTooOften: 429, OutOfOrder: 409, NotConsented: 403}


class TooLarge(ExchangeRefused):
    """A body is longer than any that this step has."""


STATUS[TooLarge] = 413


def make_desk(config: ServeConfig, book: Book, append: Append | None = None) -> Desk:
    """Return the desk that answers with the index and within the limits of the settings.

    `append` is where acts are recorded beside the folder's own book, such as the control plane's ledger.
    """
    allow = AllowList() if config.allow is None else read_allow_list(config.allow)
    grave = list(VerdictKind)[list(VerdictKind).index(VerdictKind(config.at_least)) :]

    def offer(family: str) -> tuple[bytes, ...]:
        shown = [one for one in read_index(config.index) if one.verdict in grave and not allow.covers(one.indicator)]
        return elements(fresh(shown), family, config.largest_set)

    def consent(partner: str, session: str) -> bool | None:
        mode = config.partners[partner].reveal
        return None if mode == "approved" and not book.consented(session) else mode != "never"

    record = book.recorder(append)
    terms = Terms(config.largest_set, config.padding, config.session_minutes * 60, config.sessions)
    return Desk(offer, config.rates(), record, consent, book.secret(), terms, book.asked())


def make_app(config: ServeConfig, desk: Desk, book: Book, clock: Callable[[], float] = time.time) -> Starlette:
    """Return the ASGI application; what a session reveals to this side is kept in the book's folder."""
    largest = padded(config.largest_set, config.padding) * POINT

    async def begin(request: Request, partner: str) -> Response:
        body = await _body(request, HELLO_BYTES)
        reply = await asyncio.to_thread(desk.open, partner, body, clock())
        return Response(reply, 201, media_type="application/json")

    async def masked(request: Request, partner: str) -> Response:
        body = await _body(request, largest)
        reply = await asyncio.to_thread(desk.answer, partner, request.path_params["session"], body, clock())
        return Response(reply, media_type=BYTES)

    async def doubled(request: Request, partner: str) -> Response:
        body = await _body(request, largest)
        count = await asyncio.to_thread(desk.tally, partner, request.path_params["session"], body, clock())
        tells = config.partners[partner].reveal != "never"
        return JSONResponse({"count": count, "organisation": config.organisation, "reveals": tells})

    async def consent(request: Request, partner: str) -> Response:
        agreed = await asyncio.to_thread(desk.agrees, partner, request.path_params["session"], clock())
        return JSONResponse({"consents": agreed}, 200 if agreed else 202)

    async def reveal(request: Request, partner: str) -> Response:
        body = await _body(request, largest)
        told = await asyncio.to_thread(desk.reveal, partner, request.path_params["session"], body, clock())
        if told is None:
            return JSONResponse({"state": "waits for consent"}, 202)
        message, common = told
        await asyncio.to_thread(book.keep, request.path_params["session"], common)
        return Response(message, media_type=BYTES)

    steps = {"": begin, "/{session}/masked": masked, "/{session}/doubled": doubled}
    steps |= {"/{session}/consent": consent, "/{session}/reveal": reveal}
    routes = [Route(f"/v1/sessions{path}", _guarded(config, step), methods=["POST"]) for path, step in steps.items()]
    return Starlette(routes=[*routes, *(_hub_routes(config, clock) if config.hub else ())])


def _hub_routes(config: ServeConfig, clock: Callable[[], float]) -> list[Route]:
    from stillwatch.apps.corroborate.hub_server import HubDesk  # here: after starlette is known to be there

    hub = HubDesk(config, clock)

    async def contribute(request: Request, partner: str) -> Response:
        return await hub.contribute(await _body(request, LONGEST), partner)

    steps: dict[str, Step] = {"POST": contribute, "GET": hub.page}
    return [Route("/v1/contributions", _guarded(config, step), methods=[method]) for method, step in steps.items()]


def serve(config: ServeConfig, told: Callable[[str], None], append: Append | None = None) -> None:
    """Answer partners until told to stop."""
    with listening(config) as (line, url):
        server = make_server(config, append)
        told(f"answering partners on {url}")
        server.run(sockets=[line])


@contextmanager
def listening(config: ServeConfig) -> Iterator[tuple[socket.socket, str]]:
    """Yield the socket, which takes connections from now on, and its URL: whoever is told of it may come at once."""
    host, port = config.address
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.bind((host, port))
        line.listen(128)
        scheme = "http" if config.certificate is None else "https"
        yield line, f"{scheme}://{host}:{line.getsockname()[1]}"


def make_server(config: ServeConfig, append: Append | None = None) -> uvicorn.Server:
    """Return the server that is to answer on a socket that listens already."""
    book = Book(config.state)
    settings = uvicorn.Config(
        make_app(config, make_desk(config, book, append), book),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=64,
        timeout_keep_alive=75,
        ssl_certfile=None if config.certificate is None else str(config.certificate),
        ssl_keyfile=None if config.private_key is None else str(config.private_key),
    )
    return uvicorn.Server(settings)


Step = Callable[[Request, str], Awaitable[Response]]


def _guarded(config: ServeConfig, step: Step) -> Callable[[Request], Awaitable[Response]]:
    """Let in whoever has a token; every refusal is a reason in JSON, and no error quotes a body."""

    async def answer(request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        partner = config.partner_of(token.strip()) if scheme.lower() == "bearer" else None
        if partner is None:
            return _refused(
                401, "say which partner you are: Authorization: Bearer TOKEN", {"www-authenticate": "Bearer"}
            )
        try:
            return await step(request, partner)
        except ExchangeRefused as error:
            return _refused(STATUS.get(type(error), 400), str(error))
        except (
            StillwatchError
        ) as error:  # the index or a list cannot be read: for us to mend, not for a partner to know
            logger.error("%s: %s", type(error).__name__, error)
            return _refused(503, "this side cannot answer now")
        except ClientDisconnect:
            return _refused(400, "the body ended early")

    return answer


def _refused(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": reason}, status, {"connection": "close", **(headers or {})})


async def _body(request: Request, most: int) -> bytes:
    """Return the body, and stop reading as soon as it is longer than it may be."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(f"a body of more than {most:,} bytes")
        parts.append(part)
    return b"".join(parts)
