"""Receipts become leaves of the ledger, each once, in the background; and a proof shows it to an outsider."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from stillwatch.apps.cli import app
from stillwatch.apps.gateway import wiring
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.settings import load_config
from stillwatch.apps.gateway.signing.receipts import LEFT_BEHIND, Receipts, enter_waiting
from stillwatch.integrity.signing.keys import new_ring, write_ring
from stillwatch.integrity.signing.received import receive
from stillwatch.integrity.signing.record import Receipt
from stillwatch.lab.signed.samples import Sample, make_sample, make_signer
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, open_store, reading
from stillwatch.store.ledger.notes import make_key
from stillwatch.store.log import lines
from stillwatch.store.proving import checkpoint, prove_entry
from tests.apps.gateway.running import write_config

SIGNER = make_signer()
CHANCE = random.Random(5)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(str(tmp_path / "control.sqlite")) as made:
        yield made


def sample() -> tuple[Sample, Receipt]:
    made = make_sample(CHANCE, SIGNER)
    receipt = receive(made.answer).receipt
    assert receipt is not None
    return made, receipt


def kept(folder: Path, count: int) -> list[Receipt]:
    receipts = Receipts(folder)
    made = [sample()[1] for _ in range(count)]
    for each in made:
        receipts.keep(each)
    receipts.close()
    return made


def subjects(store: Store) -> list[str]:
    with reading(store) as connection:
        return [each.entry.subject_id for each in lines(connection, kind="answer")]


def test_each_receipt_is_one_leaf_and_the_log_holds(store: Store, tmp_path: Path) -> None:
    made = kept(tmp_path / "receipts", 9) + kept(tmp_path / "receipts", 4)
    assert enter_waiting(store, tmp_path / "receipts") == 13
    assert subjects(store) == [each.record["nonce"] for each in made]
    assert not list((tmp_path / "receipts").iterdir())
    assert not audit(store, None).faults


def test_a_file_that_is_read_again_after_a_crash_makes_no_second_leaf(store: Store, tmp_path: Path) -> None:
    kept(tmp_path / "receipts", 3)
    path = next((tmp_path / "receipts").iterdir())
    text = path.read_bytes()
    enter_waiting(store, tmp_path / "receipts")
    path.write_bytes(text + text + b'{"cut off')
    assert enter_waiting(store, tmp_path / "receipts") == 0
    assert len(subjects(store)) == 3


def test_what_a_worker_left_behind_is_entered_and_what_one_writes_is_not(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "receipts"
    receipts = Receipts(folder)
    receipts.keep(sample()[1])
    path = next(folder.glob("*.open"))
    assert enter_waiting(store, folder) == 0
    os.utime(path, (time.time() - LEFT_BEHIND - 1,) * 2)
    assert enter_waiting(store, folder) == 1
    os.close(receipts._handle)
    receipts._handle = -1  # its file is gone, as for a worker that was killed
    receipts.close()


def test_a_batch_tells_no_worker_to_read_anything_anew(store: Store, tmp_path: Path) -> None:
    from stillwatch.store.database import version

    before = version(store)
    kept(tmp_path / "receipts", 2)
    enter_waiting(store, tmp_path / "receipts")
    assert version(store) == before


def test_an_outsider_verifies_the_answer_and_that_its_receipt_is_in_the_ledger(store: Store, tmp_path: Path) -> None:
    made, receipt = sample()
    receipts = Receipts(tmp_path / "receipts")
    for each in (sample()[1], receipt, sample()[1]):
        receipts.keep(each)
    receipts.close()
    enter_waiting(store, tmp_path / "receipts")
    key = make_key("example.com/log", bytes(32))
    note = checkpoint(store, key)
    for index, name in ((1, "proof"), (2, "other")):
        (tmp_path / name).write_text(json.dumps(prove_entry(store, index, note)))
    (tmp_path / "answer").write_bytes(made.answer)
    (tmp_path / "keys.json").write_text(json.dumps(SIGNER.ring.public().jwks()))
    told = ["verify-answer", str(tmp_path / "answer"), "--keys", str(tmp_path / "keys.json"), "--json",
            "--public-key", str(key.public), "--proof"]  # fmt: skip
    good = CliRunner().invoke(app, [*told, str(tmp_path / "proof")])
    assert good.exit_code == 0
    assert "its receipt is in the ledger" in json.loads(good.stdout)[0]["notes"]
    bad = CliRunner().invoke(app, [*told, str(tmp_path / "other")])
    assert bad.exit_code == 1
    assert json.loads(bad.stdout)[0]["result"] == "not-in-ledger"


def test_the_gateway_is_wired_to_sign_only_where_it_is_told_to(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ring(new_ring("api.example.com", int(time.time()) - 60), tmp_path / "keys.json", new=True)
    plain = load_config(write_config(tmp_path, "http://127.0.0.1:9"))
    told = load_config(write_config(tmp_path, "http://127.0.0.1:9", '[signing]\nkeys = "keys.json"'))
    assert "receipts" not in [each.name for each in wiring.program(plain).background]
    assert "receipts" in [each.name for each in wiring.program(told).background]
    monkeypatch.setattr(wiring, "watched_metrics", MagicMock())
    for config, signs in ((plain, False), (told, True)):
        with ExitStack() as stack:
            deciding = MagicMock(places=Places.of(config), store=store, stack=stack)
            monkeypatch.setattr(wiring, "build_deciding", lambda config, clock, made=deciding: made)
            parts = wiring.build_parts(config)
            assert (parts.signing is not None) == signs
            assert ("answer keys" in parts.checks) == signs
            assert ("answer keys" in [each.name for each in parts.watched]) == signs
            assert not signs or parts.checks["answer keys"]() == ""
