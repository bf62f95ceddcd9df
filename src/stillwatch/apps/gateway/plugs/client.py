"""Asks `/v1/decide` from another process. Unreachable, it does what was configured, and says so: it is never silent."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import threading
from typing import Any
from urllib.parse import urlsplit

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.plugs.contract import exchange_json
from stillwatch.apps.gateway.plugs.service import BROKEN, Asking, Service, outcome_json, said_of
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import MissingDependency


class Client(Asking):
    """Asks from threads, by `http.client`, with one connection for each."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._mine = threading.local()

    def decide(self, arrival: Arrival) -> Decision:
        """Return the decision, or what is configured for when it cannot be had."""
        try:
            return self.read(*self._post("/v1/decide", json.dumps(exchange_json(arrival)).encode()))
        except BROKEN as error:
            return self.failed(error)

    def tell(self, arrival: Arrival, decision: Decision, outcome: Outcome, unguarded: bool = False) -> bool:
        """Tell how an exchange ended; False, and a line in the log, where that failed."""
        try:
            status, text = self._post("/v1/outcome", outcome_json(arrival, decision, outcome, unguarded))
        except BROKEN as error:
            return self.untold(arrival.exchange_id, said_of(error))
        return self.told(arrival.exchange_id, status, text)

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._mine, "connection", None)
        if connection is not None:
            connection.close()

    def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        prefix = urlsplit(self.service.url).path.rstrip("/")
        for again in (True, False):
            connection = self._connection()
            try:
                connection.request("POST", prefix + path, body, self.service.headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, http.client.RemoteDisconnected):  # a kept connection may have ended: once more
                connection.close()
                if not again:
                    raise
            except BaseException:
                connection.close()
                raise
        raise AssertionError

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._mine, "connection"):
            at = urlsplit(self.service.url)
            kind = http.client.HTTPSConnection if at.scheme == "https" else http.client.HTTPConnection
            self._mine.connection = kind(at.hostname or "", at.port, timeout=self.service.timeout)
        connection: http.client.HTTPConnection = self._mine.connection
        return connection


class AsyncClient(Asking):
    """Asks from an event loop, by aiohttp."""

    def __init__(self, service: Service) -> None:
        try:
            import aiohttp
        except ImportError as error:
            raise MissingDependency("the client needs aiohttp: pip install 'stillwatch[gateway]'") from error
        super().__init__(service)
        self._aiohttp = aiohttp
        self._sessions: dict[Any, Any] = {}  # one for each event loop

    async def decide(self, arrival: Arrival) -> Decision:
        """Return the decision, or what is configured for when it cannot be had."""
        try:
            return self.read(*await self._post("/v1/decide", json.dumps(exchange_json(arrival)).encode()))
        except (*BROKEN, self._aiohttp.ClientError) as error:
            return self.failed(error)

    async def tell(self, arrival: Arrival, decision: Decision, outcome: Outcome, unguarded: bool = False) -> bool:
        """Tell how an exchange ended; False, and a line in the log, where that failed."""
        try:
            status, text = await self._post("/v1/outcome", outcome_json(arrival, decision, outcome, unguarded))
        except (*BROKEN, self._aiohttp.ClientError) as error:
            return self.untold(arrival.exchange_id, said_of(error))
        return self.told(arrival.exchange_id, status, text)

    async def close(self) -> None:
        """Close the connections of this event loop."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    async def _post(self, path: str, body: bytes) -> tuple[int, bytes]:
        session = self._sessions.get(asyncio.get_running_loop())
        if session is None:
            whole = self._aiohttp.ClientTimeout(total=self.service.timeout)
            session = self._aiohttp.ClientSession(timeout=whole, headers=self.service.headers)
            self._sessions[asyncio.get_running_loop()] = session
        address = self.service.url.rstrip("/") + path
        try:
            return await _send(session, address, body)
        except self._aiohttp.ClientConnectorError:
            raise
        except (self._aiohttp.ServerDisconnectedError, self._aiohttp.ClientOSError):
            return await _send(session, address, body)  # a kept connection may have ended: once more


async def _send(session: Any, address: str, body: bytes) -> tuple[int, bytes]:
    async with session.post(address, data=io.BytesIO(body)) as answer:
        return answer.status, await answer.read()
