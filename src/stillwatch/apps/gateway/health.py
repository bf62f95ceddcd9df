"""Whether the process is alive, and whether it is ready to serve."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from stillwatch.apps.gateway.apis.errors import JSON, encode

if TYPE_CHECKING:
    from stillwatch.apps.gateway.app import Gateway

ALIVE, READY = "/healthz", "/readyz"
PATHS = frozenset((ALIVE, READY))


def readiness(gateway: Gateway) -> dict[str, str]:
    """Return each check, and what is wrong with it; "" where all is well."""
    found = {"serving": "draining" if gateway.draining else ""}
    for name, check in gateway.parts.checks.items():
        try:
            found[name] = check()
        except Exception as error:  # a check that fails is a check that says no
            found[name] = f"cannot be checked ({type(error).__name__})"
    return found


async def answer(gateway: Gateway, scope: dict[str, Any], send: Any) -> None:
    """Answer a probe. It names no key, account or address."""
    told: dict[str, object]
    if scope["method"] not in ("GET", "HEAD"):
        status, told = 405, {"error": "ask by GET"}
    elif scope["path"] == ALIVE:
        status, told = 200, {"status": "alive", "pid": os.getpid()}
    else:
        checks = readiness(gateway)
        status = 503 if any(checks.values()) else 200
        told = {"status": "ready" if status == 200 else "not ready", "checks": checks, "pid": os.getpid()}
    body = encode(told)
    headers = [JSON, (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
