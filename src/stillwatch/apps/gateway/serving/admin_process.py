"""The admin API in a process of its own, so that nothing it does delays an answer."""

from __future__ import annotations

import logging

import uvicorn

from stillwatch.apps.gateway.admin import admin_app
from stillwatch.apps.gateway.control import Control
from stillwatch.apps.gateway.serving.supervisor import bind
from stillwatch.apps.gateway.settings import Admin

DRAIN = 5  # seconds


def serve_admin(told: Admin, control: Control) -> None:
    """Serve the admin API until SIGTERM."""
    tokens = {each.name: each.token.read(f"admin token of {each.name}") for each in told.tokens}
    config = uvicorn.Config(
        admin_app(control, tokens),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN,
    )
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    uvicorn.Server(config).run(sockets=[bind(told.listen)])
