"""A gateway in processes of its own, as `stillwatch gateway` runs it, with parts for tests."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from stillwatch.apps.gateway.bare import AllowAll, KeepNothing, bare_parts
from stillwatch.apps.gateway.callers import Caller
from stillwatch.apps.gateway.parts import Parts, Watched
from stillwatch.apps.gateway.serving.supervisor import Background, Program, Supervisor
from stillwatch.apps.gateway.settings import Config, load_config

KEYS = "keys.json"


def build(config: Config) -> Parts:
    """Keys from a file that may change; a file `broken` keeps a worker from starting."""
    if (config.data / "broken").exists():
        raise SystemExit("cannot start")
    (config.data / f"worker-{os.getpid()}").touch()
    keys: dict[str, str] = {}

    def load() -> None:
        found = json.loads((config.data / KEYS).read_text())
        keys.clear()
        keys.update(found)

    load()
    parts = bare_parts(AllowAll(), KeepNothing(), lambda key, now: Caller(keys[key]) if key in keys else None)
    return replace(parts, watched=(Watched("keys", lambda: (config.data / KEYS).stat().st_mtime_ns, load),))


def beside(config: Config) -> None:
    """Writes its process id, and waits for SIGTERM."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    (config.data / "beside.pid").write_text(str(os.getpid()))
    over.wait()
    (config.data / "beside.ended").touch()


def logs(config: Config) -> None:
    del config
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s %(processName)s")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    told = load_config(path)
    logs(told)
    sys.exit(Supervisor(path, told, Program(build, (Background("beside", beside),), logs)).run())
