"""Things that are timed run in a process of their own, one after the other, so that none leaves memory to the next."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Timed:
    """What a process took: wall and CPU seconds, and the most memory it held, GiB."""

    seconds: float
    cpu: float
    gib: float
    printed: str


def timed(line: Sequence[str]) -> Timed:
    """Run a program to its end, whatever it answers."""
    begin = time.perf_counter()
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Timed(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20, printed)


def timed_detect(exchanges: Path, traffic: Path, out: Path, *more: str) -> Timed:
    """Run `stillwatch detect` on a log with the accounts and licences that lie in the folder `traffic`."""
    tables = ["--accounts", str(traffic / "accounts.parquet"), "--licences", str(traffic / "licences.csv")]
    detect = [sys.executable, "-m", "stillwatch.apps.cli", "detect", str(exchanges), *tables]
    return timed([*detect, "--out", str(out), *more, "--quiet"])
