"""The admin API: keys, actions, verdicts, the policy in force, metrics, reload. Its own address, its own tokens."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stillwatch.apps.gateway.control import Control
from stillwatch.model import StillwatchError

LONGEST_BODY = 1 << 20
Handler = Callable[[Request, str], Awaitable[Response]]


class Admin:
    """The handlers; each runs in a name, which the ledger remembers."""

    def __init__(self, control: Control, tokens: Mapping[str, str]) -> None:
        self._control = control
        self._tokens = {name: token.encode() for name, token in tokens.items()}

    def routes(self) -> list[Route]:
        """Return what the API offers."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/v1/keys", self._keys),
            ("POST", "/v1/keys", self._issue_key),
            ("DELETE", "/v1/keys/{key_id}", self._revoke_key),
            ("GET", "/v1/actions", self._actions),
            ("POST", "/v1/actions", self._propose),
            ("POST", "/v1/actions/{action_id}/approve", self._approve),
            ("POST", "/v1/actions/{action_id}/reverse", self._reverse),
            ("GET", "/v1/verdicts", self._verdicts),
            ("GET", "/v1/policy", self._policy),
            ("POST", "/v1/reload", self._reload),
            ("GET", "/metrics", self._metrics),
        )
        guarded = [Route(path, self._guarded(handler), methods=[method]) for method, path, handler in table]
        return [*guarded, Route("/healthz", _alive), Route("/readyz", self._ready)]

    def _guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            by = self._who(request)
            if by is None:
                return _error(401, "unauthorised", "send an admin token as `Authorization: Bearer TOKEN`")
            try:
                return await handler(request, by)
            except StillwatchError as error:
                return _error(409 if request.method != "GET" else 400, "refused", str(error))
            except ValueError as error:
                return _error(400, "invalid", str(error))

        return guarded

    def _who(self, request: Request) -> str | None:
        told = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
        found = [name for name, token in self._tokens.items() if hmac.compare_digest(token, told)]
        return found[0] if found else None

    async def _keys(self, request: Request, by: str) -> Response:
        del by
        return _json({"keys": await run_in_threadpool(self._control.keys, request.query_params.get("account_id"))})

    async def _issue_key(self, request: Request, by: str) -> Response:
        return _json(await run_in_threadpool(self._control.issue_key, await _body(request), by), 201)

    async def _revoke_key(self, request: Request, by: str) -> Response:
        return _json(await run_in_threadpool(self._control.revoke_key, request.path_params["key_id"], by))

    async def _actions(self, request: Request, by: str) -> Response:
        del by
        return _json({"actions": await run_in_threadpool(self._control.actions, dict(request.query_params))})

    async def _propose(self, request: Request, by: str) -> Response:
        return _json(await run_in_threadpool(self._control.propose_action, await _body(request), by), 201)

    async def _approve(self, request: Request, by: str) -> Response:
        return _json(await run_in_threadpool(self._control.approve_action, request.path_params["action_id"], by))

    async def _reverse(self, request: Request, by: str) -> Response:
        because = str((await _body(request)).get("because", ""))
        return _json(
            await run_in_threadpool(self._control.reverse_action, request.path_params["action_id"], because, by)
        )

    async def _verdicts(self, request: Request, by: str) -> Response:
        del by
        return _json({"verdicts": await run_in_threadpool(self._control.verdicts, dict(request.query_params))})

    async def _policy(self, request: Request, by: str) -> Response:
        del request, by
        return _json(await run_in_threadpool(self._control.policy))

    async def _reload(self, request: Request, by: str) -> Response:
        del request
        await run_in_threadpool(self._control.reload, by)
        return _json({"reloading": True}, 202)

    async def _metrics(self, request: Request, by: str) -> Response:
        del request, by
        media_type, text = await run_in_threadpool(self._control.metrics)
        return Response(text, media_type=media_type)

    async def _ready(self, request: Request) -> Response:
        del request
        checks = await run_in_threadpool(self._control.problems)
        bad = any(checks.values())
        return _json({"status": "not ready" if bad else "ready", "checks": dict(checks)}, 503 if bad else 200)


def admin_app(control: Control, tokens: Mapping[str, str]) -> Starlette:
    """Return the admin API as an ASGI application. `tokens` gives each name's token."""
    return Starlette(routes=Admin(control, tokens).routes())


async def _alive(request: Request) -> Response:
    del request
    return _json({"status": "alive"})


async def _body(request: Request) -> dict[str, Any]:
    pieces, size = [], 0
    async for piece in request.stream():
        pieces.append(piece)
        size += len(piece)
        if size > LONGEST_BODY:
            raise ValueError("the body is too long")
    try:
        held = json.loads(b"".join(pieces) or b"{}")
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(held, dict):
        raise ValueError("the body must be a JSON object")
    return held


def _json(told: Any, status: int = 200) -> Response:
    return JSONResponse(told, status)


def _error(status: int, code: str, message: str) -> Response:
    headers = {"www-authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)
