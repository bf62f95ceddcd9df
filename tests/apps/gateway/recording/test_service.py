from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from stillwatch.apps.gateway.recording import service
from stillwatch.apps.gateway.recording.compactor import Compactor
from stillwatch.apps.gateway.recording.service import Round, compactor_process, keep_compacting
from stillwatch.apps.gateway.recording.spool import Spool
from tests.apps.gateway.recording.small import fill, ids, keep, numbered, settings


def test_it_compacts_until_it_is_stopped_and_a_last_time_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "ROUND", 0.01)
    fill(tmp_path, range(3))
    spool = Spool(settings(tmp_path))
    keep(spool, range(3, 5))
    stop, told = threading.Event(), list[Round]()

    def tell(each: Round) -> None:
        told.append(each)
        if len(told) == 2:
            spool.close()
            stop.set()

    keep_compacting(settings(tmp_path), b"s", stop, tell)
    assert [each.swept.exchanges for each in told][:2] == [3, 0]
    assert ids(tmp_path) == numbered(range(5))


def test_an_error_ends_a_round_and_not_the_compactor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "ROUND", 0.01)
    fill(tmp_path, range(3))
    stop, sweep, tries = threading.Event(), Compactor.sweep, []

    def failing(self: Compactor):
        tries.append(1)
        if len(tries) < 3:
            raise OSError(28, "No space left on device")
        stop.set()
        return sweep(self)

    monkeypatch.setattr(Compactor, "sweep", failing)
    with caplog.at_level(logging.ERROR):
        keep_compacting(settings(tmp_path), b"s", stop)
    assert [record.message for record in caplog.records] == ["compaction-failed"] * 2
    assert ids(tmp_path) == numbered(range(3))


def test_a_process_of_it_ends_on_sigterm_with_everything_compacted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=compactor_process, args=(settings(tmp_path), b"s"))
    process.start()
    while not (tmp_path / ".compactor").exists():
        process.join(0.01)
        assert process.is_alive()
    fill(tmp_path, range(4))
    while ids(tmp_path) != numbered(range(4)):
        process.join(0.01)
    os.kill(process.pid or 0, signal.SIGTERM)
    process.join(120)
    assert process.exitcode == 0
