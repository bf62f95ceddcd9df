"""What a demonstration stands on: an upstream and `stillwatch gateway`, each started as its users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.actions.policy_file import SHIPPED
from stillwatch.apps.gateway.live.publishing import read_published
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.settings import load_config
from stillwatch.lab.gateway.running import await_port, free_port
from stillwatch.lab.gateway.wording import ASN, COUNTRY, TLS
from stillwatch.store.database import open_store
from stillwatch.store.keys import KeyRequest, issue_key

SECRETS = {
    "LAB_SECRET": "a secret of the demonstration",
    "LAB_PROVIDER": "sk-lab",
    "LAB_ADMIN": "a token for the lab",
    "LAB_CONTROL": "a token for whoever runs the model",
}
OPERATOR = "operator-on-duty"
CONFIG = """
listen = "127.0.0.1:{port}"
data = "data"
secret = {{ env = "LAB_SECRET" }}
policy = "{policy}"
accounts = "accounts.parquet"
licences = "{licences}"
{more}
[[upstreams]]
name = "upstream"
url = "http://127.0.0.1:{upstream}"
apis = ["openai", "anthropic"]
key = {{ env = "LAB_PROVIDER" }}
[authentication]
trusted_proxies = ["127.0.0.1/32"]
tls_header = "{tls}"
asn_header = "{asn}"
country_header = "{country}"
[admin]
listen = "127.0.0.1:{admin}"
tokens = [{{ name = "{operator}", token = {{ env = "LAB_ADMIN" }} }}]
[live]
window = 10
[recording]
rotate_seconds = 1
slow_seconds = 30
[timeouts]
drain = 10
"""
MOCK = (
    "-c",
    "import uvicorn; from stillwatch.lab.mock_upstream import MockUpstream as M; uvicorn.run(M(False), port={port})",
)


@dataclass(frozen=True, slots=True)
class Setting:
    """What differs between demonstrations: the upstream's program, the policy, and more lines of the configuration."""

    upstream: tuple[str, ...] = MOCK  # words for python; `{port}` stands for where it is to listen
    policy: Path = SHIPPED / "enforcing.yaml"
    more: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is."""

    folder: Path
    upstream: int
    port: int
    admin: int
    program: tuple[str, ...] = MOCK

    @property
    def url(self) -> str:
        """Of the gateway."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def places(self) -> Places:
        """Where the gateway keeps what."""
        os.environ |= SECRETS
        return Places.of(load_config(self.folder / "gateway.toml"))

    def issue_keys(self, accounts: Sequence[str]) -> dict[str, str]:
        """Give each account a key of the gateway."""
        places, now = self.places, time.time_ns() // 1_000
        with open_store(places.database, places.secret) as store:
            return {name: issue_key(store, KeyRequest(name), now, OPERATOR)[0] for name in accounts}

    def ask_admin(self, method: str, path: str) -> dict[str, Any]:
        """Ask the admin API."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.admin}{path}",
            data=b"{}" if method == "POST" else None,
            method=method,
            headers={"authorization": f"Bearer {SECRETS['LAB_ADMIN']}"},
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            told: dict[str, Any] = json.loads(answer.read())
            return told

    def campaigns(self) -> list[dict[str, Any]]:
        """Return the campaigns that the watcher calls distillation."""
        found = self.ask_admin("GET", "/v1/verdicts")["verdicts"]
        return [each for each in found if each["verdict"] == "distillation"]

    def approve_suspensions(self) -> int:
        """Approve what the policy proposes for campaigns, as a person would; return how much that was."""
        waiting = self.ask_admin("GET", "/v1/actions?status=proposed")["actions"]
        for each in waiting:
            self.ask_admin("POST", f"/v1/actions/{each['action_id']}/approve")
        return len(waiting)

    def delay(self) -> float | None:
        """Return the seconds from the end of the last window to its verdicts in force."""
        published = read_published(self.places.index)
        return None if published is None else float(published["delay_seconds"])

    def verify_ledger(self) -> tuple[bool, str]:
        """Run `stillwatch ledger verify`."""
        words = [*stillwatch(), "ledger", "verify", "--database", self.places.database]
        done = subprocess.run(words, capture_output=True, text=True, env=os.environ | SECRETS, check=False)
        return done.returncode == 0, (done.stdout + done.stderr).strip()


def prepare(folder: Path, licences: Path, setting: Setting | None = None) -> Stage:
    """Write the configuration."""
    setting = setting or Setting()
    stage = Stage(folder, free_port(), free_port(), free_port(), setting.upstream)
    told = {"policy": setting.policy.resolve(), "licences": licences.resolve(), "operator": OPERATOR}
    told["more"] = setting.more
    ports = {"port": stage.port, "upstream": stage.upstream, "admin": stage.admin}
    (folder / "gateway.toml").write_text(CONFIG.format(tls=TLS, asn=ASN, country=COUNTRY, **told, **ports), "utf-8")
    return stage


@contextmanager
def running(stage: Stage) -> Iterator[None]:
    """Run the upstream and the gateway; at the end the gateway drains."""
    with (
        open(stage.folder / "gateway.log", "wb") as log,
        _process([sys.executable, *(each.replace("{port}", str(stage.upstream)) for each in stage.program)], log),
        _process([*stillwatch(), "gateway", str(stage.folder / "gateway.toml")], log),
    ):
        for port in (stage.upstream, stage.port, stage.admin):
            await_port(port)
        yield


def stillwatch() -> list[str]:
    """Return how to call the command."""
    return [str(Path(sys.executable).with_name("stillwatch"))]


@contextmanager
def _process(words: Sequence[str], log: Any) -> Iterator[None]:
    process = subprocess.Popen(words, stdout=log, stderr=log, env=os.environ | SECRETS)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
