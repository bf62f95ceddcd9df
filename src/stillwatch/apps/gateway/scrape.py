"""The numbers of all processes of a gateway as one page that Prometheus reads."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from stillwatch.apps.gateway.metrics import COUNTER, ENDPOINTS, FRESH, GAUGE, METRICS, Metric
from stillwatch.apps.gateway.recording.layout import alone, write_whole
from stillwatch.model import MissingDependency, UsageError

GONE = "gone.json"
MANY = 16  # files of processes that are gone, from which they are added up into one
SEVERAL: Mapping[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}
Snapshot = Mapping[str, Any]


def exposition(folder: Path, now: float | None = None) -> tuple[bytes, str]:
    """Return the page and its content type. Raises MissingDependency without prometheus-client."""
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    except ImportError:
        raise MissingDependency("metrics need prometheus-client: pip install 'stillwatch[gateway]'") from None
    snapshots = read_all(folder)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Page(snapshots, time.time() if now is None else now))
    if sum(not _runs(each) for each in snapshots) > MANY:
        fold_gone(folder)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def read_all(folder: Path) -> list[Snapshot]:
    """Return what each process wrote last, and what those that are gone had counted."""
    gone = _read(folder / GONE) or {}
    counted = set(gone.get("folded", ()))
    paths = [path for path in sorted(folder.glob("*.json")) if path.name not in counted and path.name != GONE]
    found: list[Snapshot] = [each for each in (_read(path) for path in paths) if each is not None]
    return [gone, *found] if gone else found


def fold_gone(folder: Path) -> None:
    """Add up the files of processes that are gone into one. A kill in between neither loses nor doubles a number."""
    try:
        with alone(folder, "fold", wait=False):
            old = _read(folder / GONE) or {"folded": [], "counters": [], "requests": [], "added": [], "deciding": []}
            counted = [name for name in old["folded"] if (folder / name).exists()]
            for name in counted:
                (folder / name).unlink()
            paths = [path for path in sorted(folder.glob("*.json")) if path.name != GONE]
            ended = [(path, each) for path in paths if (each := _read(path)) is not None and not _runs(each)]
            total = _add([old, *(each for _, each in ended)])
            write_whole(folder / GONE, json.dumps(total | {"folded": [path.name for path, _ in ended]}).encode())
            for path, _ in ended:
                path.unlink()
    except UsageError:  # somebody else does
        return


class _Page:
    def __init__(self, snapshots: Sequence[Snapshot], now: float) -> None:
        self._all, self._now = snapshots, now

    def collect(self) -> Iterator[Any]:
        total = _add(self._all)
        fresh = [each for each in self._all if self._now - each.get("when", 0) < FRESH]
        for metric in METRICS:
            if metric.kind == COUNTER:
                yield _counter(metric, total)
            elif metric.kind == GAUGE:
                yield from _gauge(metric, fresh)
            else:
                yield _histogram(metric, total["added" if metric.name == "added_seconds" else "deciding"])


def _counter(metric: Metric, total: Snapshot) -> Any:
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(metric.full_name, metric.meaning, labels=metric.labels)
    if metric.name == "requests_total":
        for endpoint, status, decision, value in total["requests"]:
            family.add_metric([endpoint, str(status), decision], value)
        return family
    found = {label: value for name, label, value in total["counters"] if name == metric.name}
    for label, value in sorted(found.items() if metric.labels else {"": found.get("", 0)}.items()):
        family.add_metric([label] if metric.labels else [], value)
    return family


def _gauge(metric: Metric, fresh: Sequence[Snapshot]) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily

    values = [each["gauges"][metric.name] for each in fresh if metric.name in each["gauges"]]
    if metric.name == "processes":
        values = [len(fresh)]
    if values:  # nobody knows is not zero
        yield GaugeMetricFamily(metric.full_name, metric.meaning, value=SEVERAL[metric.several](values))


def _histogram(metric: Metric, numbers: Sequence[float]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    counts = list(accumulate(numbers[1:])) or [0] * (len(metric.bounds) + 1)
    buckets = [(str(bound), count) for bound, count in zip((*metric.bounds, "+Inf"), counts, strict=True)]
    return HistogramMetricFamily(metric.full_name, metric.meaning, buckets, sum_value=numbers[0] if numbers else 0)


def _add(snapshots: Iterable[Snapshot]) -> dict[str, Any]:
    requests: dict[tuple[str, int, str], int] = {}
    counters: dict[tuple[str, str], float] = {}
    sums: dict[str, list[float]] = {"added": [], "deciding": []}
    for each in snapshots:
        for endpoint, status, decision, value in each["requests"]:
            key = (endpoint if endpoint in ENDPOINTS else "other", status, decision)
            requests[key] = requests.get(key, 0) + value
        for name, label, value in each["counters"]:
            counters[name, label] = counters.get((name, label), 0) + value
        for name, held in sums.items():
            more = each[name]
            sums[name] = [a + b for a, b in zip(held, more, strict=True)] if held and more else held or list(more)
    return {
        "requests": [[*key, value] for key, value in sorted(requests.items())],
        "counters": [[*key, value] for key, value in sorted(counters.items())],
        **sums,
    }


def _runs(each: Snapshot) -> bool:
    """Whether a process still reports. One that had a number of its own again is another: its file is not fresh."""
    if not each.get("when") or "pid" not in each:
        return False
    try:
        os.kill(each["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError):
        return None
