from __future__ import annotations

from pathlib import Path

from stillwatch.apps.gateway.metrics import Metrics
from stillwatch.apps.gateway.recording.compactor import Swept
from stillwatch.apps.gateway.recording.counted import count_rounds, numbers_of
from stillwatch.apps.gateway.recording.service import Round
from stillwatch.apps.gateway.recording.spool import Spool
from tests.apps.gateway.recording.small import keep, settings
from tests.apps.gateway.test_metrics import scraped


def test_what_is_kept_lost_and_compacted_is_scraped(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics")
    spool = Spool(settings(tmp_path / "log", on_failure="open"))
    keep(spool, range(3))
    spool.health.trip("slow", "disk too slow: a write took 2.000 s")
    keep(spool, range(3, 5))
    metrics.source(numbers_of(spool))
    tell = count_rounds(metrics)
    tell(Round(Swept(exchanges=7, segments=2, damaged=1, torn=1, waiting=3, oldest=40.0), sent=5, unsent=1))
    tell(Round(Swept(exchanges=1, segments=1, dropped_unsketched=4, waiting=2), sent=9))
    metrics.flush()
    spool.close()
    found = scraped(tmp_path / "metrics")
    assert (found["recorded_total", ()], found["lost_total", (("kind", "slow"),)], found["recording_ok", ()]) == (
        3,
        2,
        0,
    )
    assert found["spool_bytes", ()] > 0
    assert (found["compacted_total", ()], found["segments_total", ()], found["kafka_sent_total", ()]) == (8, 3, 9)
    assert (found["damaged_total", ()], found["torn_total", ()], found["unsketched_total", ()]) == (1, 1, 4)
    assert (found["segments_waiting", ()], found["oldest_waiting_seconds", ()], found["kafka_waiting", ()]) == (2, 0, 0)
