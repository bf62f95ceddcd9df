"""A TAXII server on a port of this machine, in a thread, and a client that says exactly what it is told to."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn

from stillwatch.apps.taxii.serve import configure
from stillwatch.sharing.taxii.service import Note, Taxii
from stillwatch.sharing.taxii.words import TAXII
from tests.sharing.taxii.made import service

CAMPAIGNS = "/hub/collections/campaigns/"
INBOX = "/hub/collections/inbox/"


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The resource in it."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True)
class Client:
    """One partner. Every request has a connection of its own."""

    port: int
    name: str
    token: str
    tls: ssl.SSLContext | None = None

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str | None] | None = None, **filters: Any
    ) -> Reply:
        """Send a request with the standard's headers, others than which may be given, or None to leave one out."""
        given: dict[str, str | None] = {"Accept": TAXII, "Authorization": self.basic()}
        if body is not None:
            given["Content-Type"] = TAXII
        given |= headers or {}
        sent = {name: value for name, value in given.items() if value is not None}
        plain = ("limit", "next", "added_after")
        query = {name if name in plain else f"match[{name}]": value for name, value in filters.items()}
        line = self._connection()
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before the body was sent whole
                line.request(method, path + ("?" + urlencode(query) if query else ""), body, sent)
            found = line.getresponse()
            return Reply(found.status, {name.lower(): value for name, value in found.getheaders()}, found.read())
        finally:
            line.close()

    def get(self, path: str, **filters: Any) -> Reply:
        """GET with filters."""
        return self.ask("GET", path, **filters)

    def post(self, path: str, *objects: Any) -> Reply:
        """POST an envelope."""
        return self.ask("POST", path + "objects/", json.dumps({"objects": list(objects)}))

    def ids(self, path: str, **filters: Any) -> list[str]:
        """Ids on one page of objects."""
        return [each["id"] for each in self.get(path + "objects/", **filters).json().get("objects", [])]

    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.name}:{self.token}".encode()).decode()

    def _connection(self) -> http.client.HTTPConnection:
        if self.tls is not None:
            return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)


@dataclass(frozen=True)
class Running:
    """A server, and a client for each partner."""

    taxii: Taxii
    port: int
    clients: dict[str, Client]

    def __getitem__(self, name: str) -> Client:
        return self.clients[name]


@contextmanager
def running(folder: Path, note: Note | None = None, **values: object) -> Iterator[Running]:
    """Serve the settings of `made.settings_file`, changed by `values`, on a free port unless they say which.

    `note` is told what `Taxii` tells it.
    """
    with service(folder, **{"port": free_port(), **values}) as (taxii, tokens):
        port = taxii.settings.port
        taxii = taxii if note is None else replace(taxii, note=note)
        server = uvicorn.Server(configure(taxii))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.01)
            yield Running(taxii, port, {name: Client(port, name, token) for name, token in tokens.items()})
        finally:
            server.should_exit = True
            thread.join(30)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
