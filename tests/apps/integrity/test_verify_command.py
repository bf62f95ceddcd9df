"""`stillwatch verify-answer` and `stillwatch answer-keys`, as a person runs them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stillwatch.apps.cli import app
from stillwatch.integrity.signing.keys import read_ring
from stillwatch.integrity.signing.signer import Signer
from stillwatch.lab.signed.samples import make_sample, make_signer

SIGNER = make_signer()
SAMPLE = make_sample(random.Random(4), SIGNER)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(each) for each in words])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "answer").write_bytes(SAMPLE.answer)
    (tmp_path / "request.json").write_text(json.dumps(SAMPLE.request))
    (tmp_path / "keys.json").write_text(json.dumps(SIGNER.ring.public().jwks()))
    return tmp_path


def verify(files: Path, *more: str | Path) -> Result:
    return run("verify-answer", files / "answer", "--keys", files / "keys.json", *more)


def test_a_genuine_answer_is_told_with_its_signer(files: Path) -> None:
    found = verify(files, "--request", files / "request.json")
    assert found.exit_code == 0
    assert "genuine, signed by api.example.com at " in found.stdout


def test_an_altered_answer_is_named_and_sets_the_exit_status(files: Path) -> None:
    (files / "answer").write_bytes(SAMPLE.answer.replace(b'"model": "model-', b'"model": "modal-'))
    found = verify(files, "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)[0]["result"] == "model-substituted"


def test_an_answer_that_comes_twice_is_a_replay(files: Path) -> None:
    assert verify(files, "--seen", files / "seen").exit_code == 0
    again = verify(files, "--seen", files / "seen")
    assert again.exit_code == 1
    assert "replayed" in again.stdout


def test_an_old_answer_is_stale_where_age_matters(files: Path) -> None:
    assert "stale" in verify(files, "--max-age", "60").stdout


def test_names_of_resellers_are_told(files: Path) -> None:
    model = SAMPLE.request["model"]
    (files / "answer").write_bytes(SAMPLE.answer.replace(f'"model": "{model}"'.encode(), b'"model": "fast"'))
    assert verify(files).exit_code == 1
    assert verify(files, "--alias", f"fast={model}").exit_code == 0
    assert verify(files, "--alias", "fast").exit_code != 0


def test_keys_are_made_rotated_revoked_and_shown_without_their_secret(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    assert run("answer-keys", "new", keys, "--issuer", "api.example.com").exit_code == 0
    assert run("answer-keys", "rotate", keys, "--begins-in", "60", "--overlap", "60").exit_code == 0
    ring = read_ring(keys)
    kid = ring.keys[1].public.kid
    assert run("answer-keys", "revoke", keys, kid, "--because", "a test").exit_code == 0
    shown = run("answer-keys", "show", keys, "--json")
    told = json.loads(shown.stdout)
    assert [each["kid"] for each in told["keys"]] == [each.public.kid for each in ring.keys]
    assert told["keys"][1]["revoked_because"] == "a test"
    assert '"d"' not in shown.stdout
    assert Signer(read_ring(keys)).key()[0].public.kid == ring.keys[0].public.kid
