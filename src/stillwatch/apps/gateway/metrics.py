"""What the gateway counts, for Prometheus: plain numbers in each process, added up when somebody asks.

The request path touches a dictionary and two lists of whole numbers. Once a second each process writes its numbers to a
small file of its own; whoever is scraped reads the files of all of them. So a scrape is a second old at most, and a
process that is killed takes at most its last second of counting with it; what it counted before stays counted.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
PREFIX = "stillwatch_gateway_"
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)  # upper bounds
DECIDING = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.1)
ENDPOINTS = frozenset(
    {"chat.completions", "responses", "embeddings", "models", "messages", "count_tokens", "decide", "other"}
)
FRESH = 15.0  # seconds after which the numbers of a silent process no longer say how things stand
FLUSH = 1.0
logger = logging.getLogger("stillwatch.gateway.metrics")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A gauge says how the numbers of several processes become one: sum, max or min."""

    name: str
    kind: str
    meaning: str
    labels: tuple[str, ...] = ()
    several: str = "sum"
    bounds: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """As it is scraped."""
        return PREFIX + self.name


METRICS: tuple[Metric, ...] = (
    Metric("requests_total", COUNTER, "requests answered", ("endpoint", "status", "decision")),
    Metric("added_seconds", HISTOGRAM, "time a request spent in the gateway itself", bounds=SECONDS),
    Metric("decision_seconds", HISTOGRAM, "time the decision took", bounds=DECIDING),
    Metric("in_flight", GAUGE, "requests being answered now"),
    Metric("upstream_errors_total", COUNTER, "requests that the upstream failed", ("kind",)),
    Metric("policy_errors_total", COUNTER, "rules that could not be evaluated"),
    Metric("recorded_total", COUNTER, "exchanges kept"),
    Metric("lost_total", COUNTER, "exchanges answered and not kept", ("kind",)),
    Metric("recording_ok", GAUGE, "1 when exchanges can be kept, 0 when not", several="min"),
    Metric("spool_bytes", GAUGE, "bytes that wait for the compactor", several="max"),
    Metric("compacted_total", COUNTER, "exchanges written to segments"),
    Metric("segments_total", COUNTER, "segments written"),
    Metric("segments_waiting", GAUGE, "segments that the watcher has not folded", several="max"),
    Metric("oldest_waiting_seconds", GAUGE, "age of the oldest of them", several="max"),
    Metric("damaged_total", COUNTER, "stretches of the spool set aside"),
    Metric("torn_total", COUNTER, "records that a kill left unfinished, never acknowledged"),
    Metric("unsketched_total", COUNTER, "exchanges whose text was dropped for its age, unsketched"),
    Metric("kafka_sent_total", COUNTER, "exchanges that the brokers acknowledged"),
    Metric("kafka_waiting", GAUGE, "segments not sent yet", several="max"),
    Metric(
        "index_version", GAUGE, "version of the index of known campaigns, of the process furthest behind", several="min"
    ),
    Metric("index_timestamp_seconds", GAUGE, "when the oldest index in use was made, since 1970", several="min"),
    Metric(
        "twins_uncommitted",
        GAUGE,
        "keys of twins that the ledger lacks: none is served",
        several="max",
    ),
    Metric("watcher_delay_seconds", GAUGE, "from the end of the last window to its verdicts", several="max"),
    Metric("processes", GAUGE, "processes that report"),
)
_BY_NAME = {metric.name: metric for metric in METRICS}


class Metrics:
    """The numbers of one process. Nothing here waits, and nothing here raises."""

    def __init__(self, folder: Path) -> None:
        """Write to a file in `folder`, which all processes of a gateway share."""
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._requests: dict[tuple[str, int, str], int] = {}
        self._added = [0] * (len(SECONDS) + 1)
        self._deciding = [0] * (len(DECIDING) + 1)
        self._added_sum = self._deciding_sum = 0.0
        self.in_flight = 0  # add and take away where requests begin and end
        self._counters: dict[tuple[str, str], float] = {}
        self._gauges: dict[str, float] = {}
        self._sources: list[Callable[[], Mapping[str, float | Mapping[str, float]]]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._name()

    def request(self, endpoint: str, status: int, decision: str, added: float, deciding: float) -> None:
        """Count a request that was answered; times in seconds, `endpoint` one of ENDPOINTS, never a client's word."""
        key = (endpoint, status, decision)
        requests = self._requests
        requests[key] = requests.get(key, 0) + 1
        self._added[bisect_left(SECONDS, added)] += 1
        self._added_sum += added
        self._deciding[bisect_left(DECIDING, deciding)] += 1
        self._deciding_sum += deciding

    def count(self, name: str, by: float = 1, label: str = "") -> None:
        """Add to a counter; `label` is the value of its one label, from a small fixed set."""
        key = (name, label)
        self._counters[key] = self._counters.get(key, 0) + by

    def gauge(self, name: str, value: float) -> None:
        """Say how something stands."""
        self._gauges[name] = value

    def source(self, ask: Callable[[], Mapping[str, float | Mapping[str, float]]]) -> None:
        """Ask for numbers at each flush: a counter's total (or {label: total}), a gauge's value."""
        self._sources.append(ask)

    def flush(self) -> None:
        """Write the numbers down, for whoever is scraped."""
        if self._pid != os.getpid():  # forked: the parent's numbers are the parent's
            self._clear()
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(json.dumps(self._snapshot()).encode())
        os.replace(fresh, self._path)

    def start(self) -> Metrics:
        """Flush every second in a thread of its own."""
        self._thread = threading.Thread(target=self._keep_flushing, name="stillwatch-metrics", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Flush a last time; what was counted stays counted, how things stood does not."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._ended = True
        self.flush()

    def _name(self) -> None:
        self._pid, self._ended = os.getpid(), False
        self._path = self.folder / f"{self._pid}-{time.time_ns()}.json"

    def _clear(self) -> None:
        self._requests, self._counters, self._gauges = {}, {}, {}
        self._added, self._deciding = [0] * len(self._added), [0] * len(self._deciding)
        self._added_sum = self._deciding_sum = 0.0
        self.in_flight = 0
        self._name()

    def _asked(self) -> dict[str, float | Mapping[str, float]]:
        found: dict[str, float | Mapping[str, float]] = {}
        for ask in self._sources:
            try:
                found.update(ask())
            except Exception as error:  # a part that fails must not take the other numbers with it
                logger.error("metrics-source-failed", extra={"kind": type(error).__name__})
        return found

    def _snapshot(self) -> dict[str, Any]:
        counters = [(name, label, value) for (name, label), value in self._counters.copy().items()]
        gauges = self._gauges.copy() | {"in_flight": self.in_flight}
        for name, value in self._asked().items():
            if _BY_NAME[name].kind == GAUGE:
                gauges[name] = float(value)  # type: ignore[arg-type]
            elif isinstance(value, Mapping):
                counters += [(name, label, each) for label, each in value.items()]
            else:
                counters.append((name, "", value))
        return {
            "pid": self._pid, "when": 0 if self._ended else time.time(), "counters": counters, "gauges": gauges,
            "requests": [(*key, value) for key, value in self._requests.copy().items()],
            "added": [self._added_sum, *self._added], "deciding": [self._deciding_sum, *self._deciding],
        }  # fmt: skip

    def _keep_flushing(self) -> None:
        while not self._stop.wait(FLUSH):
            try:
                self.flush()
            except OSError as error:  # a full disk: numbers go on, and are written when there is room
                logger.error("metrics-not-written", extra={"kind": type(error).__name__})
