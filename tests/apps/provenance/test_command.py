from __future__ import annotations

import dataclasses
import datetime as dt
import json
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps import cli
from stillwatch.provenance.watermark.marks import KeyedHash
from stillwatch.store.audit import audit
from stillwatch.store.commitments import read_commitments
from stillwatch.store.database import open_store

Run = Callable[..., tuple[int, str, str]]
SERVED = "\n".join(
    json.dumps({"id": f"exch-{at}", "text": f"They w{at} often go. We v{at} usually stay, and do not sing."})
    for at in range(300)
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILLWATCH_DATABASE", raising=False)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stillwatch", "provenance", *words])
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def ring(run: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keyring, always the same: of a hundred chance ones, one looks badly calibrated."""
    monkeypatch.setattr("stillwatch.provenance.keyring.new_secret", lambda: bytes(range(32)))
    path = Path("ring.json")
    assert run("new-key", str(path))[0] == 0
    status, out, _ = run("rotate", str(path), "--scope", "campaign:c-1")
    assert status == 0
    Path("commitment.json").write_text(out)
    return path


NOT_A_NUMBER = '{"unit": "a", "rule": "b", "first_loglik": NaN, "second_loglik": 1}'
OF_TWINS = ("--keyring", "ring.json", "--scope", "campaign:c-1")


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_keyring_is_private_to_its_owner_and_never_printed(run: Run, ring: Path) -> None:
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    secret = json.loads(ring.read_text())["secret"]
    printed = run("commitments", str(ring))[1] + Path("commitment.json").read_text()
    assert secret not in printed
    assert rows(run("commitments", str(ring))[1]) == [json.loads(Path("commitment.json").read_text())]
    assert run("new-key", str(ring))[0] == 2
    ring.chmod(0o644)
    status, _, said = run("commitments", str(ring))
    assert (status, "chmod 600" in said) == (2, True)


def test_served_twins_are_found_in_the_likelihoods_and_the_text_of_who_learned_them(run: Run, ring: Path) -> None:
    Path("texts.ndjson").write_text(SERVED)
    served = run("render", "texts.ndjson", *OF_TWINS)[1]
    Path("served.ndjson").write_text(served)
    pairs = rows(run("pairs", "served.ndjson")[1])
    assert len(pairs) == 900
    assert not {"served", "put", "coin"} & set(pairs[0])
    text = {row["id"]: row["text"] for row in rows(served)}
    scored = []
    for pair in pairs:
        was_second = pair["second"] in text[pair["pair_id"].split("#")[0]]
        scored.append({**pair, "first_loglik": -20.0, "second_loglik": -19.0 if was_second else -21.0})
    Path("scores.ndjson").write_text("\n".join(map(json.dumps, scored)))
    for words in (("test-twins", "scores.ndjson"), ("test-text", "served.ndjson")):
        status, out, _ = run(*words, *OF_TWINS, "--commitment", "commitment.json")
        report = json.loads(out)
        assert (status, report["finding"]) == (1, "learned from marked text")
        assert report["p"] < 1e-6
        assert report["calibration"]["keys"] == 40
        assert report["commitment"] == json.loads(Path("commitment.json").read_text())["commitment"]
    status, out, _ = run("test-text", "texts.ndjson", *OF_TWINS)
    assert (status, json.loads(out)["finding"]) == (0, "not shown")


def test_a_key_that_is_not_the_published_one_is_refused(run: Run, ring: Path) -> None:
    told = json.loads(Path("commitment.json").read_text())
    Path("other.json").write_text(json.dumps(told | {"method": {"plan": "twins 0"}}))
    run("rotate", str(ring), "--scope", "campaign:c-1")
    Path("texts.ndjson").write_text(SERVED)
    status, _, said = run("test-text", "texts.ndjson", *OF_TWINS, "--commitment", "other.json", "--epoch", "1")
    assert (status, "by another method" in said) == (3, True)
    status, _, said = run("test-text", "texts.ndjson", *OF_TWINS, "--commitment", "commitment.json")
    assert (status, "not the commitment of epoch 2" in said) == (3, True)
    assert run("test-text", "texts.ndjson", *OF_TWINS, "--commitment", "commitment.json", "--epoch", "1")[0] == 0


@pytest.fixture
def ledger() -> str:
    open_store("control.sqlite").close()
    return "control.sqlite"


def test_a_term_begins_with_its_commitment_in_the_ledger_which_every_test_then_names(
    run: Run, ring: Path, ledger: str
) -> None:
    status, out, said = run("rotate", "ring.json", "--scope", "campaign:c-1", "--ledger", ledger, "--by", "ann")
    assert (status, "entry 0 of the ledger" in said) == (0, True)
    with open_store(ledger) as store:
        (only,) = read_commitments(store)
        assert dataclasses.asdict(only.told) == json.loads(out)
        assert (only.by, audit(store).faults) == ("ann", ())
    Path("served.ndjson").write_text(SERVED)
    report = json.loads(run("test-text", "served.ndjson", *OF_TWINS, "--ledger", ledger)[1])
    assert (report["ledger"]["entry"], report["ledger"]["by"], report["ledger"]["others"]) == (0, "ann", 0)
    assert dt.datetime.fromisoformat(report["ledger"]["since"]) <= dt.datetime.now(dt.UTC)
    status, _, said = run("test-text", "served.ndjson", *OF_TWINS, "--epoch", "1", "--ledger", ledger)
    assert (status, "no commitment of epoch 1 of campaign:c-1" in said) == (3, True)
    assert "ledger" not in json.loads(run("test-text", "served.ndjson", *OF_TWINS)[1])


def test_what_the_ledger_lacks_is_entered_once_and_keeps_its_first_moment(run: Run, ring: Path, ledger: str) -> None:
    run("rotate", "ring.json", "--scope", "class:new", "--purpose", "watermark", "--ledger", ledger)
    listed = rows(run("commitments", "ring.json", "--ledger", ledger)[1])
    assert [(each["entry"], each["since"] is None) for each in listed] == [(None, True), (0, False)]
    first = rows(run("commitments", "ring.json", "--enter", "--ledger", ledger)[1])
    assert [each["entry"] for each in first] == [1, 0]
    assert rows(run("commitments", "ring.json", "--enter", "--ledger", ledger)[1]) == first
    run("rotate", "ring.json", "--scope", "campaign:c-1", "--ledger", ledger)
    Path("served.ndjson").write_text(SERVED)
    report = json.loads(run("test-text", "served.ndjson", *OF_TWINS, "--ledger", ledger)[1])
    assert (report["ledger"]["entry"], report["ledger"]["others"]) == (2, 1)  # the watermark's is no key of twins


def test_without_its_ledger_no_term_begins_and_nothing_is_entered(run: Run, ring: Path) -> None:
    before = ring.read_text()
    status, _, said = run("rotate", "ring.json", "--scope", "campaign:c-1", "--ledger", "absent.sqlite")
    assert (status, "absent.sqlite: no such database" in said) == (2, True)
    assert ring.read_text() == before
    status, _, said = run("commitments", "ring.json", "--enter")
    assert (status, "--enter needs a ledger" in said) == (2, True)


def test_marked_tokens_are_found_closed_and_open(run: Run, ring: Path) -> None:
    from stillwatch.apps.provenance.suspects import Asked

    run("rotate", str(ring), "--scope", "class:new", "--purpose", "watermark")
    lists = KeyedHash(Asked(ring, "class:new").key("watermark").secret).lists(np.arange(100)[:, None], 100)
    rng = np.random.default_rng(1)
    text = [0]
    while len(text) < 400:
        text.append(int(rng.choice(np.flatnonzero(lists[text[-1]]))))
    Path("closed.ndjson").write_text(json.dumps({"tokens": text}))
    plain = rng.integers(0, 100, 400).tolist()
    likeliest = [int(np.flatnonzero(lists[token])[0]) for token in plain]
    Path("open.ndjson").write_text(json.dumps({"tokens": plain, "likeliest": likeliest}))
    Path("plain.ndjson").write_text(json.dumps({"tokens": plain}))
    Path("reference.ndjson").write_text(json.dumps({"tokens": rng.integers(0, 100, 2_000).tolist()}))
    about = ("--keyring", "ring.json", "--scope", "class:new", "--vocabulary", "100")
    found = {name: run("test-marks", f"{name}.ndjson", *about) for name in ("closed", "open", "plain")}
    assert [(name, status, json.loads(out)["reach"]) for name, (status, out, _) in found.items()] == [
        ("closed", 1, "closed"), ("open", 1, "open"), ("plain", 0, "closed"),
    ]  # fmt: skip
    compared = [
        run("test-marks", f"{name}.ndjson", *about, "--reference", "reference.ndjson") for name in ("closed", "plain")
    ]
    assert [(status, json.loads(out)["reach"]) for status, out, _ in compared] == [(1, "compared"), (0, "compared")]
    status, _, said = run("test-marks", "plain.ndjson", *about[:-1], "50")
    assert (status, "vocabulary of 50" in said) == (3, True)


def test_lineage_is_suggestive_at_most_and_needs_controls(run: Run) -> None:
    rng = np.random.default_rng(2)

    def row(name: str, role: str, share: float) -> str:
        agrees = (rng.random(3000) < share).astype(int).tolist()
        return json.dumps({"model": name, "role": role, "ability": float(rng.normal(0, 0.1)), "agrees": agrees})

    controls = [row(f"base-{at}", "control", 0.4 + rng.normal(0, 0.004)) for at in range(12)]
    Path("models.ndjson").write_text("\n".join([row("s", "suspect", 0.6), *controls]))
    assert json.loads(run("test-lineage", "models.ndjson")[1])["lean"] == "suggestive"
    Path("few.ndjson").write_text("\n".join([row("s", "suspect", 0.6), *controls[:3]]))
    status, out, _ = run("test-lineage", "few.ndjson")
    assert (status, json.loads(out)["lean"]) == (0, "not evaluated")


def test_the_detectors_flagged_exchanges_are_the_treated_set(run: Run) -> None:
    names = [f"exch-{at}" for at in range(400)]
    pq.write_table(
        pa.table({"exchange_id": names[:200], "campaign_id": ["c-1"] * 150 + ["c-2"] * 50}), "flagged.parquet"
    )
    rng = np.random.default_rng(3)
    told = [
        {"exchange_id": name, "model": model, "role": "suspect" if model == "s" else "control",
         "score": float(rng.normal(0.8 if model == "s" and at < 150 else 0.0))}
        for model in ("s", *(f"base-{at}" for at in range(8)))
        for at, name in enumerate(names)
    ]  # fmt: skip
    Path("scores.ndjson").write_text("\n".join(map(json.dumps, told)))
    report = json.loads(run("test-harvest", "scores.ndjson", "--flagged", "flagged.parquet", "--campaign", "c-1")[1])
    assert (report["lean"], report["treated"], report["held_out"]) == ("suggestive", 150, 250)
    assert "convicts" in report["note"]


@pytest.mark.parametrize(
    ("words", "file", "said"),
    [
        (("test-text", "bad.ndjson", *OF_TWINS), '{"id": 1, "text": "secret text"}', "bad.ndjson:1: expected"),
        (("test-twins", "bad.ndjson", *OF_TWINS), "nonsense", "bad.ndjson:1: expected an object such as"),
        (("test-twins", "bad.ndjson", *OF_TWINS), NOT_A_NUMBER, "bad.ndjson:1: expected an object such as"),
        (("test-lineage", "bad.ndjson"), "", "0 suspects"),
        (("test-text", "bad.ndjson", *OF_TWINS), '{"id": "1", "text": "Nothing here."}', "nothing to test"),
        (("test-text", "absent.ndjson", *OF_TWINS), "", "absent.ndjson"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_its_line_and_without_its_text(
    run: Run, ring: Path, words: tuple[str, ...], file: str, said: str
) -> None:
    Path("bad.ndjson").write_text(file)
    status, _, told = run(*words)
    assert status == 3
    assert said in told
    assert "secret text" not in told
