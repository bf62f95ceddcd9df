"""`stillwatch gateway`: serve, or check what would be served."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from stillwatch.model import MissingDependency

INSTALL = "pip install 'stillwatch[gateway]'"


def gateway(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The gateway.toml.")],
    check: Annotated[
        bool, typer.Option("--check", help="Say what is wrong with the configuration; serve nothing.")
    ] = False,
) -> None:
    """Stand before a model API: decide on every request, relay it, and keep every exchange."""
    try:
        from stillwatch.apps.gateway import wiring
        from stillwatch.apps.gateway.serving.supervisor import Supervisor
    except ImportError as error:
        raise MissingDependency(f"the gateway needs {error.name}: {INSTALL}") from error
    from stillwatch.apps.gateway.settings import load_config

    told = load_config(config)
    wiring.check(told)
    if check:
        print(f"{config}: sound", file=sys.stderr)
        return
    raise typer.Exit(Supervisor(config, told, wiring.program(told)).run())
