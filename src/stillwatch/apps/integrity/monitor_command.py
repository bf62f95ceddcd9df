"""`stillwatch monitor-endpoint`: has an endpoint drifted?

Exit status of --once: 0 no alert is in force, 1 one is, 2 misuse, 3 a file that cannot be read. Without --once it runs
until SIGTERM or SIGINT, then 0.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stillwatch.model import InputRefused, MissingDependency, StillwatchError, UsageError

if TYPE_CHECKING:
    from stillwatch.apps.integrity.monitor_config import MonitorConfig
    from stillwatch.apps.integrity.monitor_state import MonitorState, Round

ALERT = 1


def monitor_endpoint(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A TOML file: endpoints, channels, schedule.")],
    once: Annotated[bool, typer.Option("--once", help="One round, then exit: for cron.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Say what is wrong with CONFIG; ask nobody.")] = False,
    forget: Annotated[
        str | None, typer.Option("--forget", help="Drop an endpoint's evidence and alerts; begin anew.", metavar="NAME")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each round.")] = False,
) -> None:
    """Probe endpoints on a schedule, and say when one no longer answers as its reference does."""
    from stillwatch.apps.integrity.monitor_config import read_config
    from stillwatch.apps.integrity.monitor_state import MonitorState
    from stillwatch.apps.watch.disk import alone_in

    told = read_config(config)
    _check(told)
    if check:
        _say(f"{config}: {len(told.endpoints)} endpoints, {told.probes} prompts each every {told.every} seconds")
        return
    told.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone_in(told.state), MonitorState(told.state / "monitor.sqlite") as state:
        if forget is not None:
            _forget(told, state, forget)
            return
        asyncio.run(_run(told, state, once, _print if as_json else lambda _: None))
        if once and state.alerts():
            raise typer.Exit(ALERT)


def _check(config: MonitorConfig) -> None:
    """Find what is wrong before anybody is asked."""
    from stillwatch.apps.integrity.alerting import webhook_key
    from stillwatch.apps.integrity.endpoints import Endpoint
    from stillwatch.apps.integrity.prompts import read_prompts
    from stillwatch.apps.integrity.reference_file import read_reference
    from stillwatch.apps.integrity.tool_policy import read_tool_policy

    for part in config.endpoints:
        Endpoint(part.url, part.model, part.shape, part.key_env).headers()
        if part.reference is not None:
            read_reference(part.reference)
    read_prompts(config.prompts)
    if config.policy is not None:
        read_tool_policy(config.policy)
    if config.webhook is not None:
        webhook_key(config.webhook)


def _forget(config: MonitorConfig, state: MonitorState, name: str) -> None:
    from stillwatch.apps.integrity.monitoring import reference_path

    part = next((each for each in config.endpoints if each.name == name), None)
    if part is None:
        raise UsageError(f"--forget {name}: CONFIG has no such endpoint")
    with state.together():
        state.forget(name)
    if part.reference is None:
        reference_path(config, part).unlink(missing_ok=True)
    _say(f"{name}: forgotten; the next round begins anew")


async def _run(config: MonitorConfig, state: MonitorState, once: bool, told: Callable[[dict[str, Any]], None]) -> None:
    from stillwatch.apps.integrity.monitor_metrics import open_registry

    ended = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    registry, collector = open_registry()
    served = _serve(config.prometheus.listen, registry) if not once else None
    try:
        while not ended.is_set():
            await one_round(config, state, collector, told)
            if once:
                return
            left = config.every - time.time() % config.every
            try:
                await asyncio.wait_for(ended.wait(), left)
            except TimeoutError:
                continue
    finally:
        if served is not None:
            server, thread = served
            server.shutdown()
            server.server_close()
            thread.join()


async def one_round(
    config: MonitorConfig, state: MonitorState, collector: Any, told: Callable[[dict[str, Any]], None]
) -> None:
    """Ask every endpoint, conclude, and tell all who listen."""
    from stillwatch.apps.integrity.alerting import deliver
    from stillwatch.apps.integrity.monitor_metrics import figures, write_metrics
    from stillwatch.apps.integrity.monitor_page import render_page
    from stillwatch.apps.integrity.monitoring import conclude
    from stillwatch.apps.watch.disk import replace_whole

    at = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    latest = await _ask_everyone(config, state, at)
    for line in conclude(config, state, latest, at):
        _say(f"alert: {line}")
    if config.webhook is not None and (waiting := state.alerts(waiting=True)):
        taken = await deliver(config.webhook, waiting)
        with state.together():
            state.delivered(taken)
        if len(taken) < len(waiting):
            _say(f"{len(waiting) - len(taken)} alerts did not reach the webhook; the next round tries again")
    collector.told = figures(state, [each.name for each in config.endpoints])
    if config.prometheus.file is not None:
        write_metrics(config.prometheus.file, collector.told)
    if config.page is not None:
        histories = [(each, state.rounds(each.latest.endpoint)) for each in collector.told]
        replace_whole(config.page, render_page(histories, state.alerts(), config.level).encode())
    for each in latest.values():
        kinds = [alert["kind"] for alert in state.alerts() if alert["endpoint"] == each.endpoint]
        told({**dataclasses.asdict(each), "alerts": kinds})


async def _ask_everyone(config: MonitorConfig, state: MonitorState, at: str) -> dict[str, Round]:
    """Ask all endpoints; one that cannot be asked keeps its last round, and does not stop the others."""
    from stillwatch.apps.integrity.monitoring import ask_round, prepare
    from stillwatch.apps.integrity.tool_policy import read_tool_policy
    from stillwatch.integrity.toolcalls.records import ToolPolicy

    policy = read_tool_policy(config.policy) if config.policy is not None else ToolPolicy()
    latest: dict[str, Round] = {}
    for part in config.endpoints:
        try:
            watched = await prepare(config, part, state, _say)
            latest[part.name] = await ask_round(watched, config, state, at, policy)
        except MissingDependency:
            raise
        except StillwatchError as error:
            _say(f"{part.name}: {error}")
            if known := state.rounds(part.name):
                latest[part.name] = known[-1]
    if not latest:
        raise InputRefused("no endpoint could be asked")
    return latest


def _serve(listen: str, registry: Any) -> Any:
    if not listen:
        return None
    from prometheus_client import start_http_server

    host, _, port = listen.rpartition(":")
    return start_http_server(int(port), host or "127.0.0.1", registry)


def _print(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
