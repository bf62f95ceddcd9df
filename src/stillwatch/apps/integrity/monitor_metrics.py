"""The monitor's state as Prometheus metrics: a text file for the node exporter, or a port."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.apps.integrity.monitor_state import MonitorState, Round
from stillwatch.model import MissingDependency


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of one endpoint."""

    latest: Round
    asked: int  # over all time
    alerts: tuple[str, ...]  # kinds in force
    refused: dict[str, int]


def figures(state: MonitorState, names: Sequence[str]) -> list[Figures]:
    """Gather the figures of endpoints that were asked at least once."""
    alerts = state.alerts()
    made = []
    for name in names:
        rounds = state.rounds(name)
        if rounds:
            kinds = tuple(sorted({each["kind"] for each in alerts if each["endpoint"] == name}))
            made.append(Figures(rounds[-1], sum(each.asked for each in rounds), kinds, state.refusals(name)))
    return made


class Collector:
    """Hands the latest figures to prometheus_client."""

    def __init__(self) -> None:
        self.told: list[Figures] = []

    def collect(self) -> Iterator[Any]:
        """Yield every metric."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        log10_e = GaugeMetricFamily(
            "stillwatch_endpoint_log10_e", "log10 of the e-value that it differs", labels=["endpoint", "channel"]
        )
        alert = GaugeMetricFamily("stillwatch_endpoint_alert", "1 while in force", labels=["endpoint", "kind"])
        asked = CounterMetricFamily("stillwatch_endpoint_questions", "Probes asked", labels=["endpoint"])
        heard = CounterMetricFamily("stillwatch_endpoint_answers", "Probes answered", labels=["endpoint"])
        last = GaugeMetricFamily(
            "stillwatch_endpoint_last_round_timestamp_seconds", "When it was last asked", labels=["endpoint"]
        )
        refused = CounterMetricFamily(
            "stillwatch_endpoint_tool_calls_refused", "Findings of the tool policy", labels=["endpoint", "attack"]
        )
        for each in self.told:
            name = each.latest.endpoint
            for channel, value in (("all", each.latest.log10_e), *each.latest.channels.items()):
                log10_e.add_metric([name, channel], value)
            for kind in ("differs", "latency", "tool-call"):
                alert.add_metric([name, kind], float(kind in each.alerts))
            asked.add_metric([name], each.asked)
            heard.add_metric([name], each.latest.heard)
            last.add_metric([name], dt.datetime.fromisoformat(each.latest.at).timestamp())
            for attack, count in each.refused.items():
                refused.add_metric([name, attack], count)
        yield from (log10_e, alert, asked, heard, last, refused)


def write_metrics(path: Path, told: Iterable[Figures]) -> None:
    """Replace the text file of the metrics. Raises MissingDependency where prometheus-client is not installed."""
    registry, collector = open_registry()
    collector.told = list(told)
    from prometheus_client import write_to_textfile

    write_to_textfile(str(path), registry)


def open_registry() -> tuple[Any, Collector]:
    """Return a registry with nothing but our metrics, and what feeds it."""
    try:
        from prometheus_client import CollectorRegistry
    except ImportError:
        raise MissingDependency("metrics need prometheus-client; pip install 'stillwatch[integrity]'") from None
    registry, collector = CollectorRegistry(), Collector()
    registry.register(collector)
    return registry, collector
