"""What the gateway keeps is an exchange log: `detect` and `validate` read it, with text and without."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.layout import Layout, files
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.recording.small import compact, settings

PASSED = [field.name for field in dataclasses.fields(Arrival)]
OUTCOME = [field.name for field in dataclasses.fields(Outcome)]
SECRET = b"of this deployment"
KEY = SketchKey.from_secret(SECRET)
CONTENT_ALONE = {"prompt", "template_key", "fill_hash"}


def exchange_of(row: dict[str, object]) -> tuple[Arrival, Outcome]:
    known = {
        name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if value is not None
    }
    known |= {"ts": int(row["ts"].timestamp() * 1e6), "api": "openai"}  # type: ignore[attr-defined]
    arrived = {name: known[name] for name in PASSED if name in known} | {"endpoint": known.get("endpoint", "messages")}
    return Arrival(**arrived), Outcome(**{name: known[name] for name in OUTCOME if name in known})


@pytest.fixture(scope="module")
def recorded(small_traffic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of planted traffic, recorded in four files, in four segments that wait."""
    folder = tmp_path_factory.mktemp("recorded")
    rows = pq.read_table(small_traffic / "exchanges.parquet").sort_by("ts").slice(0, 6_000).to_pylist()
    for start in range(0, len(rows), 1_500):
        spool = Spool(settings(folder))
        for row in rows[start : start + 1_500]:
            arrival, outcome = exchange_of(row)
            spool.record(arrival, ALLOWED, outcome)
        spool.close()
        compact(folder)
    return folder


def sketches(log: Path | list[Path], tmp_path: Path) -> pa.Table:
    """The sketches that the watcher makes of a log."""
    from stillwatch.ingest.engine import Engine
    from stillwatch.ingest.read import read_exchanges
    from stillwatch.sketch.exchanges import sketch_exchanges

    with Engine(tmp_path, threads=1) as engine:
        made, _ = sketch_exchanges(engine, read_exchanges(log, engine), KEY)
        wanted = made.table.select("exchange_id", "template_key", "fill_hash").order_by("exchange_id")
        return engine.arrow(wanted)


def test_validate_reads_it_and_rejects_nothing(recorded: Path) -> None:
    support = sw.validate(recorded)
    assert (support.rows_read, support.rows_rejected, support.rows_kept) == (6_000, 0, 6_000)


@pytest.mark.slow
def test_dropping_text_changes_no_verdict_that_rests_on_templates(
    recorded: Path, small_traffic: Path, tmp_path: Path
) -> None:
    """With all text, with none, and with the later half: one template is one template in all three."""
    made = sketches(recorded, tmp_path)
    assert len(set(made["template_key"].to_pylist())) > 10
    texts = Texts(settings(recorded), KEY)
    given = (small_traffic / "accounts.parquet", small_traffic / "licences.csv", sw.Settings(secret=SECRET))
    with_text = sw.detect(recorded, *given)
    waiting = files(Layout(recorded).waiting, ".parquet")
    assert len(waiting) == 4
    for path in waiting[:2]:
        texts.after_fold(path, made)
    half = sketches(recorded, tmp_path)
    dropped = set(pq.read_table(recorded / "segments", columns=["exchange_id"])["exchange_id"].to_pylist())
    assert len(dropped) == 3_000
    keys = [
        dict(zip(each["exchange_id"].to_pylist(), each["template_key"].to_pylist(), strict=True))
        for each in (made, half)
    ]
    assert {name: keys[1][name] for name in dropped} == {name: keys[0][name] for name in dropped}
    assert set(keys[1].values()) & set(keys[0].values()) - {0}
    for path in waiting[2:]:
        texts.after_fold(path, made)
    assert sketches(recorded, tmp_path).equals(made)
    without = sw.detect(recorded, *given)
    assert without.manifest["rows"] == with_text.manifest["rows"]
    accused = [
        {row["account_id"] for row in run.verdicts.to_pylist() if row["verdict"] in ("suspect", "distillation")}
        for run in (with_text, without)
    ]
    assert accused[0]
    assert accused[1] <= accused[0]  # what a log without text cannot show is missed, never made up
