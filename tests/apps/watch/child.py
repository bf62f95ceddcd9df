"""Watchers in processes of their own, for tests that kill them. Started by a fork server that has everything loaded."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stillwatch.apps.cli as cli
from stillwatch.apps import output
from stillwatch.apps.watch import closing, command, disk, reading, watcher
from tests.apps.watch.small import Desk

LOADED = (command, closing, reading)


def die_before(number: int, log: Path) -> Callable[..., Any]:
    """What ends this process before the n-th thing that is done to the disk, as SIGKILL does: nothing is cleaned up."""
    done = 0

    def step(act: Callable[..., Any], name: str) -> Callable[..., Any]:
        def wrapped(*given: Any, **more: Any) -> Any:
            nonlocal done
            done += 1
            with log.open("a") as stream:
                stream.write(f"{name}\n")
            if done == number:
                os._exit(9)
            return act(*given, **more)

        return wrapped

    return step


def sweep_and_die(folder: Path, minutes: float, number: int) -> None:
    """One sweep that ends before its n-th step on the disk (0: never)."""
    step = die_before(number, folder / "steps-done")
    for module in (reading, closing):
        module.fsync = step(disk.fsync, f"settle of {module.__name__}")  # type: ignore[attr-defined]
    disk.os.replace = step(os.replace, "state")  # type: ignore[attr-defined]
    Path.rename = step(Path.rename, "rename")  # type: ignore[method-assign]
    watcher.write_run = step(output.write_run, "write_run")  # type: ignore[attr-defined]
    watcher.copy_run = step(output.copy_run, "copy_run")  # type: ignore[attr-defined]
    Desk(folder).sweep(minutes)


def run_command(words: list[str], out: Path) -> None:
    """The command itself, its output in a file."""
    with out.open("a") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    sys.argv = ["stillwatch", *words]
    cli.main()


def write_log(folder: Path, pieces: list[tuple[str, bytes]], pause: float) -> None:
    """Another process that adds to a log, bytes by bytes: lines are cut anywhere."""
    for name, data in pieces:
        with (folder / name).open("ab") as stream:
            stream.write(data)
        time.sleep(pause)
