"""`stillwatch taxii` at the command line, in processes as an operator starts them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sharing.taxii.made import Seat, envelope, service, settings_file, stix


def run(*words: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "stillwatch.apps.cli", "taxii", *map(str, words)]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=120)


def test_an_operator_adds_a_collection_and_a_partner_pushes_a_bundle_and_revokes(tmp_path: Path) -> None:
    file = settings_file(tmp_path)
    made = run("collection", "add", file, "hub/more", "--title", "More", "--unmarked", "clear")
    assert made.returncode == 0, made.stderr
    listed = json.loads(run("collection", "list", file, "--json").stdout)
    assert {"name": "hub/more", "id": made.stdout.strip(), "title": "More", "unmarked": "clear"} in listed

    rights = ["--clearance", "clear", "--read", "hub/more", "--read", "hub/inbox", "--write", "hub/inbox"]
    given = run("partner", "add", file, "west", *rights)
    token = given.stdout.strip()
    assert re.fullmatch(r"stw_[\w-]{43}", token)
    partners = {each["name"]: each for each in json.loads(run("partner", "list", file, "--json").stdout)}
    assert partners["west"] == {
        "name": "west",
        "clearance": "clear",
        "active": True,
        "read": ["hub/inbox", "hub/more"],
        "write": ["hub/inbox"],
        "tokens": [token[4:10]],
    }

    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(envelope(stix(), {"broken": True}))
    pushed = run("push", file, bundle, "--collection", "hub/more", "--json")
    assert pushed.returncode == 3
    told = json.loads(pushed.stdout)
    assert (told["stored"], told["refused"]) == (1, 1)
    with service(tmp_path) as (taxii, _):
        assert len(Seat(taxii, token, "more").objects()) == 1

    gone = run("partner", "revoke", file, "west", "--token", token[4:10])
    assert gone.returncode == 0
    assert "west" in run("partner", "list", file).stdout
    assert run("partner", "revoke", file, "west").returncode == 2


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
def test_a_mistake_is_one_line_that_says_what_to_do(tmp_path: Path, words: list[str], told: str) -> None:
    file = settings_file(tmp_path)
    done = run(*(file if word == "FILE" else word for word in words))
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


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
