"""What the gateway keeps is an exchange log: `detect` and `validate` read it, with text and without."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pytest

import stillwatch as sw
from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.recording.layout import Layout, files
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from stillwatch.sketch.exchanges import Learned, sketch_exchanges
from stillwatch.sketch.text import SketchKey
from tests.apps.gateway.recording.small import OK, SHADOW, arrival, compact, ids, numbered, settings

SECRET = b"of this deployment"
KEY = SketchKey.from_secret(SECRET)
FRAMES = (
    "Solve this puzzle, show every step that you take and then give the final answer in one line: {}",
    "You are an editor of long novels; rewrite the passage below in plain words. {} Keep all names as they are.",
    "{} is a word of a language that you know well. Give its origin, its relatives and three sentences that use it.",
)
WORDS = ("amber", "basin", "cedar", "delta", "ember", "fjord", "grove", "heron", "inlet", "jetty", "knoll", "larch")


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """240 prompts of three templates among 80 that people wrote, in two segments that wait."""
    chance = random.Random(5)
    for start in (0, 160):
        spool = Spool(settings(tmp_path / "log"))
        for number in range(start, start + 160):
            words = " ".join(chance.choices(WORDS, k=12)) + f" {number}"
            prompt = words if number % 4 == 3 else FRAMES[number % 4].format(words)
            spool.record(arrival(number, prompt=prompt), SHADOW if number % 5 else ALLOWED, OK)
        spool.close()
        compact(tmp_path / "log")
    return tmp_path / "log"


def sketches(log: Path, scratch: Path) -> pa.Table:
    """What the watcher makes of a log."""
    with Engine(scratch, threads=1) as engine:
        read = read_exchanges(log, engine)
        made, _ = sketch_exchanges(engine, read, KEY, Learned.nothing(KEY, 1_000))
        wanted = made.table.select("exchange_id", "template_key", "fill_hash").order_by("exchange_id")
        return engine.arrow(wanted)


def by_template(made: pa.Table) -> dict[str, int]:
    return dict(zip(made["exchange_id"].to_pylist(), made["template_key"].to_pylist(), strict=True))


def test_one_template_is_one_template_with_text_without_and_half_and_half(recorded: Path, tmp_path: Path) -> None:
    made = sketches(recorded, tmp_path)
    keys = by_template(made)
    assert len({keys[name] for name in numbered(range(0, 320, 4))}) == 1
    assert len(set(keys.values()) - {0}) >= 3
    texts, (first, second) = Texts(settings(recorded), KEY), files(Layout(recorded).waiting, ".parquet")
    texts.after_fold(first, made)
    half = by_template(sketches(recorded, tmp_path))
    dropped = ids(recorded, "segments")
    assert len(dropped) == 160
    assert [half[name] for name in dropped] == [keys[name] for name in dropped]
    assert half["e00160"] == half["e00000"] == keys["e00000"]
    texts.after_fold(second, made)
    assert sketches(recorded, tmp_path).equals(made)


def test_detect_and_validate_take_it_and_pass_over_what_was_decided(recorded: Path, tmp_path: Path) -> None:
    whole = sw.validate(recorded)
    assert (whole.rows_read, whole.rows_rejected, whole.rows_kept) == (320, 0, 320)
    texts = Texts(settings(recorded), KEY)
    made = sketches(recorded, tmp_path)
    for path in files(Layout(recorded).waiting, ".parquet"):
        texts.after_fold(path, made)
    states = {each.ability: each.state for each in sw.validate(recorded).abilities}
    assert (states["template reuse"], states["question-pool partition"]) == ("supported", "supported")
    assert states["reasoning elicitation"] == "not"  # said in docs/howto/keep-every-exchange.md
    run = sw.detect(recorded, settings=sw.Settings(secret=SECRET))
    assert run.manifest["rows"] == {"read": 320, "kept": 320, "rejected": 0}
    assert run.verdicts.num_rows == 5
