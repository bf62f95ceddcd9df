"""What recording tells Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from stillwatch.apps.gateway.metrics import Metrics
from stillwatch.apps.gateway.recording.service import Round
from stillwatch.apps.gateway.recording.spool import Spool, spool_bytes


def numbers_of(spool: Spool) -> Callable[[], Mapping[str, float | Mapping[str, float]]]:
    """Return what a worker's metrics ask for at each flush: `metrics.source(numbers_of(spool))`."""

    def ask() -> Mapping[str, float | Mapping[str, float]]:
        return {
            "recorded_total": spool.recorded,
            "lost_total": dict(spool.health.losses),
            "recording_ok": float(not spool.ready()),
            "spool_bytes": spool_bytes(spool.settings.folder),
        }

    return ask


def count_rounds(metrics: Metrics) -> Callable[[Round], None]:
    """Return what the compactor tells its rounds to."""
    sent = 0

    def tell(each: Round) -> None:
        nonlocal sent
        swept = each.swept
        metrics.count("compacted_total", swept.exchanges)
        metrics.count("segments_total", swept.segments)
        metrics.count("damaged_total", swept.damaged)
        metrics.count("torn_total", swept.torn)
        metrics.count("unsketched_total", swept.dropped_unsketched)
        metrics.count("kafka_sent_total", each.sent - sent)
        sent = each.sent
        metrics.gauge("segments_waiting", swept.waiting)
        metrics.gauge("oldest_waiting_seconds", swept.oldest)
        metrics.gauge("kafka_waiting", each.unsent)

    return tell
