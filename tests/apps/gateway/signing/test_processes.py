"""`stillwatch gateway` as its users start it: each of its workers signs, and the ledger proves every receipt."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import psutil
import pytest

from stillwatch.integrity import wrap
from stillwatch.integrity.signing.canonical import digest
from stillwatch.integrity.signing.checking import Check
from stillwatch.integrity.signing.keys import WELL_KNOWN
from stillwatch.lab.gateway import stage as stages
from stillwatch.lab.gateway.stage import Stage, stillwatch
from stillwatch.store.database import Store, open_store, reading
from stillwatch.store.ledger.files import check_file
from stillwatch.store.ledger.notes import make_key
from stillwatch.store.log import lines
from stillwatch.store.proving import checkpoint, prove_entry
from tests.apps.gateway.running import PATIENCE, wait_until

pytestmark = pytest.mark.slow
ASKED: dict[str, Any] = {"model": "mock", "messages": [{"role": "user", "content": "Why?"}]}
WORKERS = 2
LEDGER_KEY = make_key("example.com/log", bytes(32))


def run(*words: object) -> str:
    done = subprocess.run([*stillwatch(), *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """A gateway that signs, in two workers, and a key of one account."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    made = stages.prepare(folder, folder)
    path = folder / "gateway.toml"
    told = [line for line in path.read_text().splitlines() if not line.startswith(("accounts", "licences"))]
    path.write_text("\n".join([f"workers = {WORKERS}", *told, "[signing]", 'keys = "answer-keys.json"\n']))
    run("answer-keys", "new", folder / "answer-keys.json", "--issuer", "api.example.com")
    key = made.issue_keys(["alice"])["alice"]
    with stages.running(made):
        yield made, key


def signing_now(folder: Path) -> set[int]:
    """The processes that write receipts at this moment."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            files = [Path(each.path) for each in child.open_files()]
        except psutil.Error:
            continue
        found |= {child.pid for each in files if each.parent == folder}
    return found


def ask_all(url: str, key: str, checks: list[Check], how: str) -> int:
    """Ask in each way that the SDKs know; return how many answers came."""
    keys = url + WELL_KNOWN
    more: Any = {"extra_headers": {"mock": how}}
    with openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0) as client:
        wrap(client, keys=keys, on_check=checks.append)
        assert client.chat.completions.create(**ASKED, **more).choices
        assert list(client.chat.completions.create(**ASKED, stream=True, **more))
        assert client.responses.create(model="mock", input="Why?", **more).output
        assert list(client.responses.create(model="mock", input="Why?", stream=True, **more))
    with anthropic.Anthropic(base_url=url, api_key=key, max_retries=0) as other:
        wrap(other, keys=keys, on_check=checks.append)
        assert other.messages.create(**ASKED, max_tokens=9, **more).content
        with other.messages.stream(**ASKED, max_tokens=9, **more) as stream:
            assert stream.get_final_message().content
    return 6


def leaves(store: Store) -> list[tuple[str, int]]:
    """The digest of each receipt that has a leaf, and the leaf's index."""
    with reading(store) as connection:
        return [(json.loads(each.text)["content"]["digest"], each.index) for each in lines(connection, kind="answer")]


def test_each_worker_signs_what_the_sdks_believe_and_each_receipt_is_proven_in_the_ledger(
    stage: tuple[Stage, str],
) -> None:
    made, key = stage
    checks, signers, asked = list[Check](), set[int](), 0
    until = time.monotonic() + PATIENCE
    while len(signers) < WORKERS and time.monotonic() < until:
        asked += ask_all(made.url, key, checks, ("events=9", "tool", "thinking")[asked // 6 % 3])
        signers |= signing_now(made.places.receipts)
    assert len(signers) == WORKERS
    assert (len(checks), {each.result for each in checks}) == (asked, {"genuine"})
    receipts = [each.receipt for each in checks if each.receipt is not None]
    assert {each.record["endpoint"] for each in receipts} == {"chat.completions", "responses", "messages"}
    wanted = {digest(each.text()) for each in receipts}
    assert len(wanted) == asked
    with open_store(made.places.database, made.places.secret) as store:
        wait_until(lambda: wanted <= {each for each, _ in leaves(store)})
        note = checkpoint(store, LEDGER_KEY)
        indices = [index for each, index in leaves(store) if each in wanted]
        assert len(indices) == asked
        proofs = [json.dumps(prove_entry(store, index, note)) for index in indices]
        assert all(check_file(each, LEDGER_KEY.public).holds for each in proofs)
    assert made.verify_ledger()[0]


def test_what_came_over_the_wire_is_verified_by_the_command_with_its_proof(
    stage: tuple[Stage, str], tmp_path: Path
) -> None:
    made, key = stage
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    (tmp_path / "request").write_text(json.dumps(ASKED | {"stream": True}))
    asked = urllib.request.Request(f"{made.url}/v1/chat/completions", (tmp_path / "request").read_bytes(), headers)
    with urllib.request.urlopen(asked) as answer:
        (tmp_path / "answer").write_bytes(answer.read())
    keys = made.url + WELL_KNOWN
    told = json.loads(
        run("verify-answer", tmp_path / "answer", "--keys", keys, "--request", tmp_path / "request", "--json")
    )[0]
    assert told["genuine"]
    with open_store(made.places.database, made.places.secret) as store:
        nonce = told["record"]["nonce"]
        wait_until(lambda: nonce in {each.entry.subject_id for each in _entries(store)})
        index = next(each.index for each in _entries(store) if each.entry.subject_id == nonce)
        (tmp_path / "note").write_text(checkpoint(store, LEDGER_KEY))
    shown = json.loads(run("ledger", "show", "--database", made.places.database, "--subject", nonce, "--json"))
    assert (shown["index"], shown["entry"]["kind"]) == (index, "answer")
    proof = run("ledger", "prove", index, "--database", made.places.database, "--checkpoint", tmp_path / "note")
    (tmp_path / "proof").write_text(proof)
    told = json.loads(
        run("verify-answer", tmp_path / "answer", "--keys", keys, "--proof", tmp_path / "proof",
            "--public-key", LEDGER_KEY.public, "--json")
    )[0]  # fmt: skip
    assert "its receipt is in the ledger" in told["notes"]


def _entries(store: Store) -> list[Any]:
    with reading(store) as connection:
        return list(lines(connection, kind="answer"))
