"""Partners' servers, in a thread or in a process of their own, and the files of settings of both sides."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.apps.corroborate.config import hash_token, read_serve_config
from stillwatch.apps.corroborate.index_file import write_index
from stillwatch.apps.corroborate.server import listening, make_server
from stillwatch.sharing.private.indicators import Indicator
from stillwatch.sharing.private.known import Shown

TOKEN = "north's token for us"
STEP = 64
PER_PARTNER = ("reveal", "sessions_per_hour", "elements_per_day", "public_key")


def shown(campaign: str, kind: str, values: Sequence[str], verdict: str = "suspect") -> list[Shown]:
    return [Shown(campaign, verdict, Indicator(kind, value), 3, 0, 1e9) for value in values]


def write_config(folder: Path, index: Sequence[Shown], **settings: Any) -> Path:
    """Everything that one instance needs, in one folder; returns its settings."""
    folder.mkdir(parents=True, exist_ok=True)
    write_index(index, folder / "indicators.parquet")
    partner = {"token_sha256": hash_token(TOKEN), "reveal": "agreed"}
    partner |= {name: settings.pop(name) for name in tuple(settings) if name in PER_PARTNER}
    rows = {"organisation": "north", "listen": "127.0.0.1:0", "index": "indicators.parquet", "state": "state"}
    rows |= {"padding": STEP, **settings}
    member = rows.pop("member", "us")
    lines = [*(f"{key} = {_toml(value)}" for key, value in rows.items()), f"[partners.{member}]"]
    lines += [f"{key} = {_toml(value)}" for key, value in partner.items()]
    path = folder / "serve.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def _toml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@contextmanager
def running(config: Path) -> Iterator[str]:
    """A server at work in a thread; yields its URL."""
    settings = read_serve_config(config)
    with listening(settings) as (line, url):
        server = make_server(settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [line]})
        thread.start()
        try:
            yield url
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def running_alone(config: Path) -> Iterator[str]:
    """A server in a process of its own, as `stillwatch partner serve` starts it; yields its URL."""
    command = [sys.executable, "-m", "stillwatch.apps.cli", "partner", "serve", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline().decode()
            url = re.search(r"https?://\S+", line)
            assert url is not None, line + process.stderr.read().decode()
            yield url[0]
        finally:
            process.terminate()
            process.wait()


def write_partners(folder: Path, urls: dict[str, str], **settings: Any) -> Path:
    """The file of whom we ask."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token").write_text(TOKEN + "\n")
    rows = {"token_file": "token", "reliability": "B", **settings}
    lines = []
    for name, url in urls.items():
        lines += [f"[{name}]", f"url = {url!r}", *(f"{key} = {_toml(value)}" for key, value in rows.items())]
    path = folder / "partners.toml"
    path.write_text("\n".join(lines) + "\n")
    return path
