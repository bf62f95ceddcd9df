from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from stillwatch.apps.gateway import scrape
from stillwatch.apps.gateway.metrics import GAUGE, METRICS, PREFIX, Metrics
from stillwatch.apps.gateway.scrape import MANY, exposition, fold_gone, read_all


def scraped(folder: Path, now: float | None = None) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the page, by name and labels, as Prometheus itself reads it."""
    page, kind = exposition(folder, now)
    assert kind.startswith("text/plain")
    families = text_string_to_metric_families(page.decode())
    samples = (sample for family in families for sample in family.samples)
    return {(s.name.removeprefix(PREFIX), tuple(sorted(s.labels.items()))): s.value for s in samples}


def in_a_process(folder: Path, count: int) -> None:
    """Another worker that counts and ends without a word, as when it is killed."""
    child = os.fork()
    if not child:
        try:
            worker(folder, count).flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def worker(folder: Path, count: int) -> Metrics:
    metrics = Metrics(folder)
    for _ in range(count):
        metrics.request("messages", 200, "allow", 0.0003, 0.00002)
    metrics.in_flight = count
    metrics.gauge("index_version", 10 - count)
    metrics.count("upstream_errors_total", label="timeout")
    return metrics


def test_what_is_counted_is_scraped(tmp_path: Path) -> None:
    metrics = worker(tmp_path, 3)
    metrics.request("responses", 403, "deny", 0.7, 0.02)
    metrics.source(lambda: {"recorded_total": 7, "recording_ok": 1, "lost_total": {"full": 2}})
    metrics.flush()
    found = scraped(tmp_path)
    assert found["requests_total", (("decision", "allow"), ("endpoint", "messages"), ("status", "200"))] == 3
    assert found["requests_total", (("decision", "deny"), ("endpoint", "responses"), ("status", "403"))] == 1
    assert found["added_seconds_bucket", (("le", "0.0005"),)] == 3
    assert found["added_seconds_bucket", (("le", "0.25"),)] == 3
    assert found["added_seconds_bucket", (("le", "+Inf"),)] == found["added_seconds_count", ()] == 4
    assert round(found["added_seconds_sum", ()], 6) == 0.7009
    assert found["decision_seconds_bucket", (("le", "2.5e-05"),)] == 3
    assert (found["recorded_total", ()], found["lost_total", (("kind", "full"),)]) == (7, 2)
    assert (found["in_flight", ()], found["index_version", ()], found["processes", ()]) == (3, 7, 1)
    assert found["policy_errors_total", ()] == 0
    assert ("watcher_delay_seconds", ()) not in found  # nobody knows is not zero


def test_several_processes_are_one_page_and_those_that_are_gone_still_count(tmp_path: Path) -> None:
    allowed = (("decision", "allow"), ("endpoint", "messages"), ("status", "200"))
    here = worker(tmp_path, 2)
    here.flush()
    in_a_process(tmp_path, 4)
    found = scraped(tmp_path)
    assert found["requests_total", allowed] == 6
    assert (found["in_flight", ()], found["index_version", ()], found["processes", ()]) == (6, 6, 2)
    assert found["upstream_errors_total", (("kind", "timeout"),)] == 2
    later = scraped(tmp_path, time.time() + 60)
    assert later["requests_total", allowed] == 6
    assert ("in_flight", ()) not in later
    assert later["processes", ()] == 0


def test_a_process_that_ended_well_no_longer_says_how_things_stand(tmp_path: Path) -> None:
    worker(tmp_path, 2).start().close()
    found = scraped(tmp_path)
    assert found["requests_total", (("decision", "allow"), ("endpoint", "messages"), ("status", "200"))] == 2
    assert ("in_flight", ()) not in found


def test_a_fork_counts_from_nothing(tmp_path: Path) -> None:
    metrics = worker(tmp_path, 5)
    metrics.flush()
    child = os.fork()
    if not child:
        try:
            metrics.flush()
            metrics.request("messages", 200, "allow", 0.0, 0.0)
            metrics.flush()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert scraped(tmp_path)["added_seconds_count", ()] == 6


def test_files_of_processes_that_are_gone_become_one_and_a_kill_in_between_doubles_nothing(
    tmp_path: Path, monkeypatch
) -> None:
    for _ in range(MANY + 1):
        in_a_process(tmp_path, 1)
    before = scraped(tmp_path)["added_seconds_count", ()]
    assert before == MANY + 1
    assert [path.name for path in tmp_path.glob("*.json")] == ["gone.json"]
    for _ in range(3):
        in_a_process(tmp_path, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with suppress(KeyboardInterrupt):
            fold_gone(tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 4
    for _ in range(2):
        assert scraped(tmp_path)["added_seconds_count", ()] == MANY + 4
        fold_gone(tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_half_a_file_and_a_stranger_are_passed_over(tmp_path: Path) -> None:
    worker(tmp_path, 1).flush()
    (tmp_path / "1-1.json").write_text('{"pid": 1, "whe')
    assert len(read_all(tmp_path)) == 1


def test_words_of_clients_are_no_labels(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    metrics.request("/v1/whatever?key=sk-secret", 404, "allow", 0.0, 0.0)
    metrics.flush()
    page, _ = exposition(tmp_path)
    assert b"sk-secret" not in page
    assert b'endpoint="other"' in page


def test_no_metric_has_a_label_that_names_an_account() -> None:
    assert {label for metric in METRICS for label in metric.labels} == {"endpoint", "status", "decision", "kind"}


def test_a_part_that_fails_to_say_its_numbers_takes_no_other_with_it(tmp_path: Path) -> None:
    metrics = worker(tmp_path, 1)
    metrics.source(lambda: {"recorded_total": 1 / 0})
    metrics.source(lambda: {"recorded_total": 3})
    metrics.flush()
    assert scraped(tmp_path)["recorded_total", ()] == 3


def test_every_metric_has_a_name_and_a_kind_that_prometheus_takes(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path)
    for metric in METRICS:
        if metric.kind == GAUGE:
            metrics.gauge(metric.name, 1.0)
    metrics.flush()
    page, _ = exposition(tmp_path)
    named = {line.split()[2].removeprefix(PREFIX) for line in page.decode().splitlines() if line.startswith("# TYPE")}
    assert named == {metric.name for metric in METRICS}
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["gauges"]["spool_bytes"] == 1.0
    assert scrape.SEVERAL.keys() >= {metric.several for metric in METRICS}
