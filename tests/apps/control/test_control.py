"""The control plane's commands: what they print, how they end, and that they show no secret."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stillwatch.actions.decision import ActionKind
from stillwatch.apps.cli import app
from stillwatch.apps.control.common import now, printable
from stillwatch.model import StillwatchError, UsageError
from stillwatch.store.acts import propose_action
from stillwatch.store.acts_read import Proposal, Scope
from stillwatch.store.database import open_store

HOUR = 3_600_000_000
CHANGES = ["keys issue acct-1", "keys revoke key-0", "actions approve act-0", "actions reverse act-0"]
Run = Any


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STILLWATCH_SECRET", "secret of the deployment")
    for name in ("STILLWATCH_DATABASE", "STILLWATCH_LEDGER_KEY"):
        monkeypatch.delenv(name, raising=False)

    def command(*words: str) -> Result:
        result = CliRunner().invoke(app, list(words))
        if isinstance(result.exception, StillwatchError):
            raise result.exception
        return result

    return command


@pytest.fixture
def acted() -> Run:
    """A function that fills the default database with an action that waits, and returns its id."""

    def fill(needs_approval: bool = True) -> str:
        at = now()
        asked = Proposal(
            Scope.CAMPAIGN, "cmp-1", ActionKind.SUSPEND, "distillation", at + HOUR, needs_approval=needs_approval
        )
        with open_store("stillwatch.sqlite") as store:
            return propose_action(store, asked, at, "policy").action_id

    return fill


def keep(path: str, result: Result) -> str:
    assert result.exit_code == 0, result.output
    Path(path).write_text(result.stdout)
    return path


def test_a_key_is_printed_once_and_listed_without_itself(run: Run) -> None:
    issued = run("keys", "issue", "acct-1", "--by", "ann", "--label", "ci", "--days", "30")
    key = issued.stdout.strip()
    assert key.startswith("sk-sw-")
    listed = run("keys", "list")
    assert "acct-1" in listed.stdout
    assert key not in listed.output
    (row,) = json.loads(run("keys", "list", "--json").stdout)
    assert (row["account_id"], row["label"], row["state"]) == ("acct-1", "ci", "good")
    assert row["expires_at"] - row["created_at"] == 30 * 24 * HOUR
    assert run("keys", "revoke", row["key_id"], "--by", "bob").exit_code == 0
    assert json.loads(run("keys", "list", "--account", "acct-1", "--json").stdout)[0]["state"] == "revoked"
    assert key.encode() not in Path("stillwatch.sqlite").read_bytes()


def test_a_database_is_made_by_issuing_a_key_and_by_nothing_else(run: Run) -> None:
    for words in (("ledger", "verify"), ("ledger", "show"), ("keys", "list"), ("actions", "list")):
        with pytest.raises(UsageError, match="no such database"):
            run(*words)
    assert run("keys", "issue", "acct-1", "--by", "ann", "--database", "control.sqlite").exit_code == 0
    assert run("ledger", "verify", "--database", "sqlite:///control.sqlite").exit_code == 0


def test_the_environment_names_the_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STILLWATCH_DATABASE", "named.sqlite")
    assert run("keys", "issue", "acct-1", "--by", "ann").exit_code == 0
    assert Path("named.sqlite").exists()


@pytest.mark.parametrize("words", CHANGES)
def test_what_changes_something_needs_a_name(run: Run, words: str) -> None:
    assert run(*words.split()).exit_code == 2


def test_an_action_is_approved_and_reversed_by_name(run: Run, acted: Run) -> None:
    action = acted()
    assert "proposed" in run("actions", "list", "--status", "proposed").stdout
    approved = run("actions", "approve", action, "--by", "ann").stdout
    assert f"{action} (suspend on campaign cmp-1) is approved" in approved
    told = json.loads(run("actions", "reverse", action, "--by", "bob", "--because", "a licence", "--json").stdout)
    assert (told["status"], told["approved_by"], told["reversed_by"]) == ("reversed", "ann", "bob")
    assert json.loads(run("actions", "list", "--subject", "cmp-1", "--json").stdout) == [told]
    assert json.loads(run("actions", "list", "--subject", "cmp-2", "--json").stdout) == []
    with pytest.raises(UsageError, match="is reversed"):
        run("actions", "approve", action, "--by", "ann")
    with pytest.raises(UsageError, match="expected one of proposed"):
        run("actions", "list", "--status", "done")


def test_the_ledger_shows_who_did_what(run: Run, acted: Run) -> None:
    run("actions", "approve", acted(), "--by", "ann")
    lines = [json.loads(line) for line in run("ledger", "show", "--json").stdout.splitlines()]
    assert [(each["index"], each["entry"]["kind"], each["entry"]["by"]) for each in lines] == [
        (0, "action", "policy"),
        (1, "approval", "ann"),
    ]
    assert "approval" in run("ledger", "show", "--kind", "approval", "--subject", "cmp-1").stdout
    assert run("ledger", "show", "--json", "--from", "2").stdout == ""
    with pytest.raises(UsageError, match="expected one of verdict"):
        run("ledger", "show", "--kind", "gossip")


def test_verify_holds_and_then_names_the_entry_that_was_altered(run: Run, acted: Run) -> None:
    run("actions", "approve", acted(), "--by", "ann")
    held = run("ledger", "verify")
    assert (held.exit_code, "2 entries hold" in held.stdout) == (0, True)
    with sqlite3.connect("stillwatch.sqlite") as database:
        database.execute("UPDATE ledger_entries SET text = replace(text, 'ann', 'eve') WHERE leaf = 1")
    database.close()
    found = run("ledger", "verify")
    assert found.exit_code == 1
    assert "entry 1: the entry does not have the hash" in found.stdout
    told = json.loads(run("ledger", "verify", "--json").stdout)
    assert told["holds"] is False
    assert {each["index"] for each in told["faults"]} == {1}


def test_an_outsider_verifies_an_entry_and_the_growth_of_the_log_without_the_database(run: Run, acted: Run) -> None:
    action = acted()
    public = run("ledger", "key", "--name", "example.com/stillwatch", "--out", "ledger.key").stdout.strip()
    old = keep("old.note", run("ledger", "checkpoint", "--key", "ledger.key"))
    run("actions", "approve", action, "--by", "ann")
    new = keep("new.note", run("ledger", "checkpoint", "--key", "ledger.key"))
    assert run("ledger", "verify", "--checkpoint", old, "--public-key", public).exit_code == 0
    proof = keep("proof.json", run("ledger", "prove", "1", "--checkpoint", new))
    growth = keep("growth.json", run("ledger", "prove", "--since", old, "--checkpoint", new))
    bare = keep("bare.json", run("ledger", "prove", "1", "--json"))
    Path("key.pub").write_text(public + "\n")
    Path("stillwatch.sqlite").unlink()
    for words in (
        ("--proof", proof, "--public-key", public),
        ("--proof", growth, "--public-key", "key.pub"),
        ("--proof", bare, "--checkpoint", new, "--public-key", public),
    ):
        held = run("ledger", "verify", *words)
        assert (held.exit_code, "holds" in held.stdout) == (0, True), held.output
    assert json.loads(run("ledger", "verify", "--proof", proof, "--public-key", public, "--json").stdout)["index"] == 1
    Path(proof).write_text(Path(proof).read_text().replace("ann", "eve"))
    assert run("ledger", "verify", "--proof", proof, "--public-key", public).exit_code == 1
    with pytest.raises(UsageError, match="give the log's key"):
        run("ledger", "verify", "--proof", growth)


def test_a_forged_checkpoint_does_not_hold(run: Run, acted: Run) -> None:
    acted()
    ours = run("ledger", "key", "--name", "example.com/stillwatch", "--out", "ours.key").stdout.strip()
    run("ledger", "key", "--name", "example.com/stillwatch", "--out", "theirs.key")
    forged = keep("forged.note", run("ledger", "checkpoint", "--key", "theirs.key"))
    proof = keep("proof.json", run("ledger", "prove", "0", "--checkpoint", forged))
    for words in (("--checkpoint", forged), ("--proof", proof)):
        told = run("ledger", "verify", *words, "--public-key", ours)
        assert (told.exit_code, "no signature" in told.stdout) == (1, True)
        assert json.loads(run("ledger", "verify", *words, "--public-key", ours, "--json").stdout)["holds"] is False


def test_a_signing_key_is_for_its_owner_alone_never_printed_and_never_replaced(run: Run, acted: Run) -> None:
    acted()
    made = run("ledger", "key", "--name", "example.com/stillwatch", "--out", "ledger.key", "--json")
    assert stat.S_IMODE(Path("ledger.key").stat().st_mode) == 0o600
    assert "PRIVATE" not in made.output
    with pytest.raises(UsageError, match="never replaced"):
        run("ledger", "key", "--name", "example.com/other", "--out", "ledger.key")
    with pytest.raises(UsageError, match="needs a key"):
        run("ledger", "checkpoint")


def test_the_environment_names_the_signing_key(run: Run, acted: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    acted()
    run("ledger", "key", "--name", "example.com/stillwatch", "--out", "ledger.key")
    monkeypatch.setenv("STILLWATCH_LEDGER_KEY", "ledger.key")
    told = json.loads(run("ledger", "checkpoint", "--json").stdout)
    assert (told["origin"], told["size"]) == ("example.com/stillwatch", 1)


def test_a_proof_is_of_one_thing(run: Run, acted: Run) -> None:
    acted()
    with pytest.raises(UsageError, match="say which entry"):
        run("ledger", "prove")
    with pytest.raises(UsageError, match="no entry 7 in a log of 1"):
        run("ledger", "prove", "7")
    with pytest.raises(UsageError, match="--checkpoint nowhere: No such file"):
        run("ledger", "prove", "0", "--checkpoint", "nowhere")


def test_a_text_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\u202ec") == "a\ufffd[2Jb\ufffdc"


def without(packages: set[str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as if packages were not installed."""
    line = f"import sys; sys.modules |= dict.fromkeys({packages!r}); from stillwatch.apps.cli import main; main()"
    return subprocess.run([sys.executable, "-c", line, *words], capture_output=True, text=True, check=False)


def test_the_command_line_loads_nothing_of_the_control_plane_until_it_is_asked_for() -> None:
    heavy = "{'sqlalchemy', 'alembic', 'cryptography', 'pg8000'}"
    line = f"import sys, stillwatch.apps.cli; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", line], check=True)


def test_what_is_missing_is_named_and_what_needs_it_not_goes_on(run: Run, acted: Run) -> None:
    told = without({"sqlalchemy"}, "keys", "list")
    assert told.returncode == 2
    assert told.stderr == "error: the control plane needs sqlalchemy: pip install 'stillwatch[gateway]'\n"
    acted()
    public = run("ledger", "key", "--name", "example.com/stillwatch", "--out", "ledger.key").stdout.strip()
    note = keep("now.note", run("ledger", "checkpoint", "--key", "ledger.key"))
    proof = keep("proof.json", run("ledger", "prove", "0", "--checkpoint", note))
    verify = ("ledger", "verify", "--proof", proof, "--public-key", public)
    assert without({"sqlalchemy"}, *verify).returncode == 0  # an outsider needs no database
    told = without({"cryptography"}, *verify)
    assert told.stderr == "error: checkpoints need cryptography: pip install 'stillwatch[gateway]'\n"
