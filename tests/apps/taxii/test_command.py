"""`stillwatch taxii` at the command line, in processes as an operator starts them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillwatch.apps import cli
from tests.sharing.taxii.made import Seat, envelope, service, settings_file, stix


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs `stillwatch taxii` in this process."""

    def call(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["stillwatch", "taxii", *map(str, words)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return Done(status, said.out, said.err)

    return call


def test_an_operator_adds_a_collection(tmp_path: Path, run: Callable[..., Done]) -> None:
    file = settings_file(tmp_path)
    made = run("collection", "add", file, "hub/more", "--title", "More", "--unmarked", "clear")
    listed = json.loads(run("collection", "list", file, "--json").out)
    assert {"name": "hub/more", "id": made.out.strip(), "title": "More", "unmarked": "clear"} in listed


def test_an_operator_adds_a_partner_and_revokes_their_token(tmp_path: Path, run: Callable[..., Done]) -> None:
    file = settings_file(tmp_path)
    rights = ["--clearance", "clear", "--read", "hub/campaigns", "--read", "hub/inbox", "--write", "hub/inbox"]
    token = run("partner", "add", file, "west", *rights).out.strip()
    assert re.fullmatch(r"stw_[\w-]{43}", token)
    partners = {each["name"]: each for each in json.loads(run("partner", "list", file, "--json").out)}
    assert partners["west"] == {
        "name": "west",
        "clearance": "clear",
        "active": True,
        "read": ["hub/campaigns", "hub/inbox"],
        "write": ["hub/inbox"],
        "tokens": [token[4:10]],
    }
    assert run("partner", "revoke", file, "west", "--token", token[4:10]).status == 0
    assert "west  clear  True" in run("partner", "list", file).out
    assert run("partner", "revoke", file, "west").status == 2


def test_an_operator_pushes_a_bundle(tmp_path: Path, run: Callable[..., Done]) -> None:
    file, bundle = settings_file(tmp_path), tmp_path / "bundle.json"
    bundle.write_bytes(envelope(stix(), {"broken": True}))
    pushed = run("push", file, bundle, "--collection", "hub/inbox", "--json")
    told = json.loads(pushed.out)
    assert (pushed.status, told["stored"], told["refused"]) == (3, 1, 1)
    again = run("push", file, bundle, "--collection", "hub/inbox")
    assert again.out == "1 stored, 1 refused\n"
    assert "'id' is missing" in again.err
    with service(tmp_path) as (taxii, tokens):
        assert len(Seat(taxii, tokens["north"]).objects()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["partner", "add", "FILE", "west", "--read", "hub/inbox"], "need --clearance"),
        (["partner", "add", "FILE", "west", "--clearance", "top"], "say one of clear, green"),
        (["partner", "add", "FILE", "nobody"], "not known"),
        (["collection", "add", "FILE", "more", "--title", "More"], "say ROOT/ALIAS"),
        (["collection", "add", "FILE", "hub/more", "--title", "More", "--unmarked", "white"], "say one of"),
        (["push", "FILE", "none.json", "--collection", "hub/inbox"], "cannot be read"),
        (["serve", "none.toml"], "cannot be read"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    tmp_path: Path, run: Callable[..., Done], words: list[str], told: str
) -> None:
    file = settings_file(tmp_path)
    done = run(*(file if word == "FILE" else word for word in words))
    assert done.status in (2, 3)
    assert done.err.startswith("error: ")
    assert told in done.err
    assert done.err.count("\n") == 1


def test_the_core_does_not_import_what_only_the_server_needs() -> None:
    wanted = "[name for name in ('sqlalchemy', 'starlette', 'uvicorn') if name in sys.modules]"
    code = f"import sys, stillwatch.apps.cli; print({wanted})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from stillwatch.apps import cli\n"
        f"sys.argv = ['stillwatch', 'taxii', 'partner', 'list', {str(settings_file(tmp_path))!r}]\n"
        "cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'stillwatch[sharing]'" in done.stderr
