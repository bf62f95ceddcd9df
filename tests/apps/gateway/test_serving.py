"""The gateway's processes: drained without a broken answer, renewed without a refused connection, replaced."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import psutil

from stillwatch.lab.mock_upstream import MockUpstream
from tests.apps.gateway.running import ALICE, PATIENCE, served, wait_until, write_config
from tests.apps.gateway.test_relay import ASKED, CHAT, HEADERS

ROOT = Path(__file__).parents[3]


@dataclass
class Running:
    url: str
    process: subprocess.Popen[bytes]
    folder: Path
    mock: MockUpstream

    def ask(self, key: str = ALICE, **more: Any) -> tuple[int, bytes]:
        connection = HTTPConnection(self.url, timeout=PATIENCE)
        try:
            headers = HEADERS | {"authorization": f"Bearer {key}"} | more.pop("headers", {})
            connection.request("POST", CHAT, json.dumps(ASKED | more), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def ready(self) -> bool:
        connection = HTTPConnection(self.url, timeout=5)
        try:
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            return bool(answer.read()) and answer.status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def workers(self) -> set[int]:
        """Processes that serve, by what they leave behind at their start."""
        started = {int(path.name.split("-")[1]) for path in (self.folder / "data").glob("worker-*")}
        return {pid for pid in started if _alive(pid)}

    def beside(self) -> int:
        path = self.folder / "data" / "beside.pid"
        return int(path.read_text() or 0) if path.exists() else 0

    def said(self) -> str:
        return (self.folder / "log").read_text()


@contextmanager
def gateway(folder: Path, more: str = "workers = 2\n", timeouts: str = "", broken: bool = False) -> Iterator[Running]:
    mock = MockUpstream()
    (folder / "data").mkdir()
    if broken:
        (folder / "data" / "broken").touch()
    (folder / "data" / "keys.json").write_text(json.dumps({ALICE: "alice"}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with served(mock) as upstream:
        path = write_config(folder, upstream, f'listen = "{address}"\n{more}\n[timeouts]\ndrain = 20\n{timeouts}')
        environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        command = [sys.executable, "-W", "ignore", str(ROOT / "tests/apps/gateway/child.py"), str(path)]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        made = Running(address, process, folder, mock)
        try:
            # one that dies before all have started ends the gateway, so no test may kill before
            wait_until(lambda: ("gateway started" in made.said() and made.ready()) or process.poll() is not None)
            yield made
        finally:
            for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()
            process.wait()


def test_a_drain_ends_no_answer_and_then_everything(tmp_path: Path) -> None:
    with gateway(tmp_path, timeouts="unready = 0.5") as running:
        got: list[tuple[int, bytes]] = []
        behaviour = {"mock": "events=40,delay=0.1"}
        asking = threading.Thread(target=lambda: got.append(running.ask(stream=True, headers=behaviour)))
        asking.start()
        wait_until(lambda: running.mock.seen.streams == 1)
        wait_until(lambda: running.beside() > 0)
        running.process.terminate()
        wait_until(lambda: not running.ready())
        assert running.process.poll() is None
        asking.join()
        assert running.process.wait(PATIENCE) == 0
        assert (got[0][0], got[0][1].endswith(b"data: [DONE]\n\n")) == (200, True)
        assert (running.mock.seen.finished, running.mock.seen.abandoned) == (1, 0)
        assert (tmp_path / "data" / "beside.ended").exists()


def test_what_dies_is_replaced(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        wait_until(lambda: running.beside() > 0 and len(running.workers()) == 2)
        before, beside = running.workers(), running.beside()
        os.kill(min(before), signal.SIGKILL)
        os.kill(beside, signal.SIGKILL)
        wait_until(lambda: len(running.workers()) == 2 and min(before) not in running.workers())
        wait_until(lambda: running.beside() not in (0, beside))
        assert running.ask()[0] == 200
        assert "died" in running.said()


def test_keys_are_read_again_by_every_worker_when_they_change(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        assert running.ask("sk-new")[0] == 401
        (tmp_path / "data" / "keys.json").write_text(json.dumps({"sk-new": "carol"}))
        wait_until(lambda: all(running.ask("sk-new")[0] == 200 for _ in range(10)))
        wait_until(lambda: all(running.ask(ALICE)[0] == 401 for _ in range(10)))  # by the other worker too


def test_a_reload_renews_the_workers_and_refuses_nobody(tmp_path: Path) -> None:
    with gateway(tmp_path, "workers = 1\n") as running:
        before, over, refused = running.workers(), threading.Event(), []

        def keep_asking() -> None:
            while not over.is_set():
                try:
                    status = running.ask()[0]
                except (OSError, HTTPException) as error:
                    status = repr(error)  # type: ignore[assignment]
                if status != 200:
                    refused.append(status)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        path = tmp_path / "gateway.toml"
        text = path.read_text()
        path.write_text(text.replace("workers = 1", "workers = 0"))
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "reload-failed" in running.said())
        assert running.workers() == before
        path.write_text(text.replace("workers = 1", "workers = 2"))
        running.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(running.workers()) == 2 and not running.workers() & before)
        over.set()
        asking.join()
        assert refused == []


def test_a_gateway_that_cannot_start_says_so_and_ends(tmp_path: Path) -> None:
    with gateway(tmp_path, broken=True) as running:
        assert running.process.wait(PATIENCE) == 70
        assert "not-started" in running.said()


def test_workers_and_what_runs_beside_them_end_when_the_supervisor_was_killed(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        wait_until(lambda: len(running.workers()) == 2)
        wait_until((tmp_path / "data" / "beside.pid").exists)
        workers = running.workers()
        running.process.kill()
        running.process.wait()
        wait_until(lambda: not any(psutil.pid_exists(pid) and _alive(pid) for pid in workers))
        wait_until((tmp_path / "data" / "beside.ended").exists)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
