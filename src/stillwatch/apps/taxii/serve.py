"""The server's sockets: HTTP or TLS 1.2 and later, by uvicorn."""

from __future__ import annotations

import signal
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from stillwatch.apps.taxii.app import make_app
from stillwatch.model import UsageError
from stillwatch.sharing.taxii.operating import open_server
from stillwatch.sharing.taxii.service import Note, Taxii
from stillwatch.sharing.taxii.settings import Settings

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # for TLS 1.2: forward secret and authenticated; 1.3 has no others


def serve(settings: Settings, note: Note | None = None) -> None:
    """Serve until told to stop. `note` is told what was posted, deleted and served, for a ledger."""
    database, key = open_server(settings)
    try:
        taxii = Taxii(database, settings, key, note) if note is not None else Taxii(database, settings, key)
        server = uvicorn.Server(configure(taxii))
        with _ending_well():
            server.run()
    finally:
        database.close()


@contextmanager
def _ending_well() -> Iterator[None]:
    """Uvicorn raises the signal that stopped it once more when it is done; that must not kill us before we are."""
    before = {each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def configure(taxii: Taxii) -> uvicorn.Config:
    """How uvicorn is to run."""
    settings = taxii.settings
    tls = settings.tls
    config = uvicorn.Config(
        make_app(taxii),
        host=settings.host,
        port=settings.port,
        ssl_certfile=str(settings.path(tls.certificate)) if tls.certificate else None,
        ssl_keyfile=str(settings.path(tls.key)) if tls.key else None,
        ssl_ciphers=CIPHERS,
        limit_concurrency=settings.limits.connections,
        proxy_headers=False,
        server_header=False,
        access_log=False,  # who asked for what is the ledger's, and query strings are not for a log
        log_level="warning",
        lifespan="on",
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"tls: certificate or key cannot be used ({error}); give files in PEM") from None
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config
