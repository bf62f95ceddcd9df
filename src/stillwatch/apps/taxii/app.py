"""The ASGI application: paths, errors, and work handed to threads."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stillwatch.apps.taxii.body import read_body, refuse_early
from stillwatch.apps.taxii.worker import Worker
from stillwatch.model import StillwatchError
from stillwatch.sharing.taxii.catalogue import Collection
from stillwatch.sharing.taxii.media import is_acceptable, is_taxii
from stillwatch.sharing.taxii.partners import Partner
from stillwatch.sharing.taxii.service import Taxii
from stillwatch.sharing.taxii.words import TAXII, Answer, Refusal, error_answer

log = logging.getLogger("stillwatch.taxii")
T = TypeVar("T")
Act = Callable[[Partner, Request], Answer]
_HEADERS = {"Content-Type": TAXII, "Cache-Control": "no-store"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="TAXII", charset="UTF-8", Bearer realm="TAXII"'}
_THREADS = 12  # requests at work at once; fewer than the database has connections


def make_app(taxii: Taxii) -> Starlette:
    """The application over a server that is open already. Who opened its database closes it."""
    endpoints = _Endpoints(taxii)
    collection = "/{root}/collections/{name}/"
    app = Starlette(
        routes=[
            Route("/taxii2/", endpoints.get(lambda who, _: taxii.discovery(who))),
            Route("/{root}/", endpoints.get(lambda who, ask: taxii.api_root(who, ask.path_params["root"]))),
            Route("/{root}/status/{status}/", endpoints.get(lambda who, ask: taxii.status(who, *_path(ask, "status")))),
            Route(
                "/{root}/collections/", endpoints.get(lambda who, ask: taxii.collections(who, ask.path_params["root"]))
            ),
            Route(collection, endpoints.get(lambda who, ask: taxii.collection(who, *_path(ask)))),
            Route(
                collection + "manifest/", endpoints.get(lambda who, ask: taxii.manifest(who, *_path(ask), _pairs(ask)))
            ),
            Route(collection + "objects/", endpoints.objects, methods=["GET", "POST"]),
            Route(collection + "objects/{object}/", endpoints.an_object, methods=["GET", "DELETE"]),
            Route(
                collection + "objects/{object}/versions/",
                endpoints.get(lambda who, ask: taxii.versions(who, *_path(ask), _object(ask))),
            ),
        ],
        exception_handlers={HTTPException: _no_such_path},
        lifespan=endpoints.lifespan,
    )
    app.router.redirect_slashes = False
    return app


class _Endpoints:
    """Handlers that share threads, a bound on bodies in memory, and the worker."""

    def __init__(self, taxii: Taxii) -> None:
        self._taxii = taxii
        self._threads = anyio.CapacityLimiter(_THREADS)
        self._bodies = asyncio.Semaphore(taxii.settings.limits.bodies)
        self._worker = Worker(taxii.work_off)

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Work off what was put aside for as long as the server runs."""
        async with self._worker.running():
            yield

    def get(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        """A handler of what only reads."""

        async def handle(request: Request) -> Response:
            return await _told(self._run(lambda: act(self._admit(request), request)))

        return handle

    async def objects(self, request: Request) -> Response:
        """GET a page, or POST an envelope."""
        if request.method == "POST":
            return await _told(self._post(request))
        taxii = self._taxii
        return await self.get(lambda who, ask: taxii.objects(who, *_path(ask), _pairs(ask)))(request)

    async def an_object(self, request: Request) -> Response:
        """GET versions of an object, or DELETE them."""
        taxii = self._taxii
        act = taxii.delete if request.method == "DELETE" else taxii.an_object
        return await self.get(lambda who, ask: act(who, *_path(ask), _object(ask)))(request)

    async def _post(self, request: Request) -> Answer:
        """Nothing of the body is read before it is known that its sender may send it."""
        limits = self._taxii.settings.limits

        def admitted() -> tuple[Partner, Collection]:
            partner = self._admit(request)
            return partner, self._taxii.writable(partner, *_path(request))

        partner, collection = await self._run(admitted)
        if not is_taxii(request.headers.get("content-type")):
            raise Refusal(415, "Media type", f"send {TAXII}")
        refuse_early(request, limits.content_length)
        async with self._bodies:
            body = await read_body(request, limits.content_length, limits.body_seconds)
            answer = await self._run(lambda: self._taxii.post(partner, collection, body))
        self._worker.wake()
        return answer

    def _admit(self, request: Request) -> Partner:
        partner = self._taxii.who(request.headers.get("authorization"))
        if not is_acceptable(request.headers.get("accept")):
            raise Refusal(406, "Media type", f"this server speaks {TAXII}")
        return partner

    async def _run(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(work, limiter=self._threads)


def _path(request: Request, last: str = "name") -> tuple[str, str]:
    return request.path_params["root"], request.path_params[last]


def _pairs(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _object(request: Request) -> tuple[str, list[tuple[str, str]]]:
    return request.path_params["object"], _pairs(request)


async def _told(work: Awaitable[Answer]) -> Response:
    """The answer, or what went wrong as the standard's error object. No content of a request is logged."""
    try:
        answer = await work
    except Refusal as refusal:
        headers = (
            _CHALLENGE if refusal.status == 401 else {"Connection": "close"} if refusal.status in (408, 413) else {}
        )
        answer = error_answer(refusal, headers)
    except (DBAPIError, PoolTimeout) as error:
        log.warning("the database did not answer (%s)", type(error).__name__)
        answer = error_answer(Refusal(503, "Try again", "the database is busy or away"), {"Retry-After": "5"})
    except StillwatchError as error:  # the ledger is away: nothing goes without its record
        log.warning("an act could not be recorded (%s)", type(error).__name__)
        answer = error_answer(Refusal(503, "Try again", "the server cannot record now"), {"Retry-After": "5"})
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("a defect of stillwatch: %s at %s:%s", type(error).__name__, place.filename, place.lineno)
        answer = error_answer(Refusal(500, "Defect", "the server failed; its operator finds the place in the log"))
    return Response(answer.body, answer.status, {**_HEADERS, **answer.headers})


async def _no_such_path(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    headers = dict(getattr(error, "headers", None) or {})
    titles = {404: ("Not found", "paths are those of TAXII 2.1 and end in a slash"), 405: ("Method", "see Allow")}
    answer = error_answer(Refusal(status, *titles.get(status, ("Refused", ""))), headers)
    return Response(answer.body, answer.status, {**_HEADERS, **answer.headers})
