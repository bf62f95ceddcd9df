"""`serve-twin` through `stillwatch gateway` as it is run: several processes, policy, index, keyring and ledger."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.testing import CliRunner

from stillwatch.apps.cli import app
from stillwatch.apps.gateway.live.publishing import publish
from stillwatch.apps.provenance.files import load_keyring
from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.client import load_keys
from stillwatch.integrity.signing.keys import new_ring, write_ring
from stillwatch.integrity.signing.received import receive
from stillwatch.provenance.twins.coins import serve
from stillwatch.sketch.one import write_counts
from stillwatch.sketch.templates import TemplateCounts
from stillwatch.store.audit import audit
from stillwatch.store.database import open_store
from stillwatch.store.keys import KeyRequest, issue_key
from tests.apps.gateway.live.small import KEY, NOW, index
from tests.apps.gateway.plugs.serving import free_port
from tests.apps.gateway.running import served, wait_until
from tests.apps.gateway.test_metrics import scraped
from tests.apps.gateway.worded import CHAT, MESSAGES, TEXT, answered, text_of, upstream

pytestmark = pytest.mark.slow

SECRET = "tests of live"  # that `small` names accounts by
ACCOUNTS = ("harvester", "licensed", "verified", "stranger")  # but for the last, all are of one campaign
PLAIN = ACCOUNTS[1:]
ASKED: dict[str, Any] = {"model": "mock", "max_tokens": 99, "messages": [{"role": "user", "content": "Why?"}]}
WELL_KNOWN = "/.well-known/stillwatch/answer-keys.json"
CONFIG = """
listen = "127.0.0.1:{port}"
workers = {workers}
data = "data"
secret = {{ file = "secret" }}
policy = "policy.yaml"
accounts = "accounts.csv"
licences = "licences.csv"
twins = "ring.json"
[live]
window = 86400
[logs]
sample = 1.0
[timeouts]
drain = 5
[[upstreams]]
name = "main"
url = "{upstream}"
apis = ["openai", "anthropic"]
key = {{ file = "provider" }}
"""
POLICY = """
version: 1
mode: enforce
rules:
  - {name: twins, when: campaign != "", do: serve-twin, reason: wording}
"""
LICENCES = "licence_id,account_id,valid_from,valid_until\nL-1,licensed,2020-01-01T00:00:00Z,2099-01-01T00:00:00Z\n"
VERIFIED = "account_id,verification\nharvester,email\nlicensed,email\nverified,business\nstranger,email\n"


@dataclass
class Running:
    """A gateway that runs, and how to ask it."""

    folder: Path
    port: int
    keys: dict[str, str]

    def ask(self, account: str, path: str = CHAT, streamed: bool = False) -> tuple[str | None, bytes]:
        """Return the header that discloses an alteration, and the body."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"authorization": f"Bearer {self.keys[account]}", "content-type": "application/json"}
            headers |= {"anthropic-version": "2023-06-01"} if path == MESSAGES else {}
            connection.request("POST", path, json.dumps(asked(streamed)), headers)
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            return answer.headers["x-stillwatch-altered"], body
        finally:
            connection.close()

    def ready(self) -> bool:
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def said(self) -> list[dict[str, Any]]:
        """The lines of its logs."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines() if line.startswith("{")]

    def decisions(self, account: str) -> set[str]:
        return {each["decision"] for each in self.said() if each.get("account_id") == account}

    def uncommitted(self) -> float:
        """The gauge, as it is scraped."""
        return scraped(self.folder / "data" / "metrics").get(("twins_uncommitted", ()), -1.0)


def asked(streamed: bool) -> dict[str, Any]:
    return ASKED | {"stream": streamed}


def provenance(folder: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["provenance", *words[:1], str(folder / "ring.json"), *words[1:]])
    assert done.exit_code == 0, done.output
    return done.stdout


def prepare(folder: Path, config: str) -> dict[str, str]:
    """Write all that the gateway reads; return the accounts' keys."""
    files = {"gateway.toml": config, "policy.yaml": POLICY, "secret": SECRET,
             "provider": "sk-provider", "accounts.csv": VERIFIED, "licences.csv": LICENCES}  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "data").mkdir(mode=0o700)
    made = folder / "made"
    made.mkdir()
    index(members=[(each, 0, 3) for each in ACCOUNTS[:3]]).write(made, KEY)
    write_counts(TemplateCounts(KEY, 10), TemplateCounts(KEY, 10), made)
    publish(made, folder / "data" / "index", NOW)
    with open_store(str(folder / "data" / "control.sqlite"), SECRET.encode()) as store:
        return {each: issue_key(store, KeyRequest(each), time.time_ns() // 1_000, "ann")[0] for each in ACCOUNTS}


@contextmanager
def gateway(folder: Path, workers: int, more: str = "") -> Iterator[Running]:
    with served(upstream) as behind:
        port = free_port()
        config = CONFIG.format(port=port, workers=workers, upstream=behind) + more
        running = Running(folder, port, prepare(folder, config))
        provenance(folder, "new-key")
        provenance(folder, "rotate", "--scope", "campaign:C-one")
        command = [sys.executable, "-W", "ignore", "-m", "stillwatch.apps.cli", "gateway", str(folder / "gateway.toml")]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(command, env=dict(os.environ), stdout=log, stderr=log, cwd=folder)
        try:
            wait_until(lambda: running.ready() or process.poll() is not None, 240)
            assert process.poll() is None, (folder / "log").read_text()
            yield running
        finally:
            for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()
            process.wait()


EVERY = [(path, streamed) for path in (CHAT, MESSAGES) for streamed in (False, True)]


def enter(folder: Path) -> dict[str, Any]:
    out = provenance(folder, "commitments", "--enter", "--ledger", str(folder / "data" / "control.sqlite"))
    told: dict[str, Any] = json.loads(out)
    return told


def test_only_the_campaigns_account_gets_twins_and_only_once_the_key_is_committed(tmp_path: Path) -> None:
    with gateway(tmp_path, 2) as running:
        for account in ACCOUNTS:  # the key began, but nobody is bound to it
            for path, streamed in EVERY:
                assert running.ask(account, path, streamed) == (None, answered(path, streamed)), account
        warned = [each for each in running.said() if each["event"] == "twins-not-served"]
        assert {each["what"] for each in warned} == {"campaign:C-one epoch 1"}
        wait_until(lambda: running.uncommitted() == 1.0)
        assert running.decisions("harvester") == {"observe"}
        assert enter(tmp_path)["entry"] is not None
        wait_until(lambda: all(running.ask("harvester")[0] for _ in range(16)))  # by both workers
        key = load_keyring(tmp_path / "ring.json").key("campaign:C-one", "twins")
        twin, sites = serve(TEXT, key.secret)
        assert any(site.stands != site.put for site in sites)
        for path, streamed in EVERY:
            altered, body = running.ask("harvester", path, streamed)
            assert (altered, text_of(path, streamed, body)) == ("wording=twin", twin)
            for account in PLAIN:
                assert running.ask(account, path, streamed) == (None, answered(path, streamed)), account
        assert "serve-twin" in running.decisions("harvester")
        assert all("serve-twin" not in running.decisions(account) for account in PLAIN)
        wait_until(lambda: running.uncommitted() == 0.0)
        provenance(tmp_path, "rotate", "--scope", "campaign:C-one")  # and not an older key in place of the new one
        wait_until(lambda: not any(running.ask("harvester")[0] for _ in range(16)))
        assert running.ask("harvester") == (None, answered(CHAT, False))
    with open_store(str(tmp_path / "data" / "control.sqlite"), SECRET.encode()) as store:
        assert audit(store).faults == ()


def test_what_is_signed_is_the_twin(tmp_path: Path) -> None:
    write_ring(new_ring("api.example.com", int(time.time()) - 60), tmp_path / "keys.json", new=True)
    with gateway(tmp_path, 1, '[signing]\nkeys = "keys.json"\n') as running:
        enter(tmp_path)
        wait_until(lambda: all(running.ask("harvester")[0] for _ in range(16)))
        twin, _ = serve(TEXT, load_keyring(tmp_path / "ring.json").key("campaign:C-one", "twins").secret)
        checker = Checker(load_keys(f"http://127.0.0.1:{running.port}{WELL_KNOWN}"))
        for path, streamed in EVERY:
            for account, text in (("harvester", twin), ("licensed", TEXT), ("stranger", TEXT)):
                _, body = running.ask(account, path, streamed)
                assert text_of(path, streamed, body) == text
                assert checker.check(receive(body), Expected(asked(streamed))).genuine, (account, path, streamed)
