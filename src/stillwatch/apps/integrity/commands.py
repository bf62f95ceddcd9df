"""Where the commands for those who consume a model join the command line."""

from __future__ import annotations

import typer

from stillwatch.apps.integrity.audit_command import audit_endpoint
from stillwatch.apps.integrity.monitor_command import monitor_endpoint


def add_commands(app: typer.Typer) -> None:
    """Add audit-endpoint and monitor-endpoint."""
    app.command("audit-endpoint")(audit_endpoint)
    app.command("monitor-endpoint")(monitor_endpoint)
