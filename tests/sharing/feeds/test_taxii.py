"""Pulling from a real TAXII server: the same bytes out as in, only what is new, and nothing lost by a kill."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.sharing.feeds import client
from stillwatch.sharing.feeds.client import Collection, Unreachable
from stillwatch.sharing.feeds.exporting import bundle_of
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.stix import bundle as write_bundle
from tests.apps.taxii.running import CAMPAIGNS, Running, running
from tests.sharing.cases import SECRET, case, terms
from tests.sharing.feeds.made import Feeds, bundle, feeds, indicator

COLLECTION = "11111111-1111-4111-8111-111111111111"
KILLED = """
import os, signal, sys
from pathlib import Path
from stillwatch.sharing.feeds import pull as pulling
from stillwatch.sharing.feeds.settings import read_settings
from stillwatch.sharing.feeds.store import Store
move = pulling.move
def die(connection, source, cursor):
    move(connection, source, cursor)
    if Path("once").exists():
        os.kill(os.getpid(), signal.SIGKILL)  # in the middle of the second page's transaction
    Path("once").touch()
pulling.move = die
settings = read_settings(Path("feeds.toml"))
pulling.pull(settings, Store(Path(settings.folder)), pulling.Clock(1_770_000_000_000_000))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("taxii")) as started:
        yield started


def settings(folder: Path, server: Running, more: str = "") -> str:
    (folder / "token").write_text(server["north"].token)
    return (
        f'{more}\n[[partner]]\nname = "hub"\nreliability = "B"\n[[partner.source]]\ntype = "taxii"\n'
        f'url = "http://127.0.0.1:{server.port}/hub/"\ncollection = "{COLLECTION}"\nuser = "north"\n'
        'token_file = "token"\n'
    )


def exported(one: Feeds) -> dict[str, Any]:
    return {each["id"]: each for each in json.loads(bundle_of(one.store, "hub"))["objects"]}


def test_a_bundle_posted_pulled_and_exported_is_the_same_json(server: Running, tmp_path: Path) -> None:
    sent = write_bundle(decide(case(), terms(), SECRET))["objects"]
    assert server["north"].post(CAMPAIGNS, *sent).json()["failure_count"] == 0
    with feeds(tmp_path, settings(tmp_path, server, "[limits]\npage = 7")) as one:
        assert one.pull()[0].trouble == ""
        assert {each["id"]: each for each in sent}.items() <= exported(one).items()
        assert one.refusals() == []
        assert one.pull()[0].new == 0
        assert one.refusals() == []
        server["north"].post(CAMPAIGNS, indicator(number=77))
        assert one.pull()[0].new == 1
        gone = indicator(number=77, revoked=True, modified="2026-01-31T10:00:00.000Z")
        server["north"].post(CAMPAIGNS, gone)
        one.pull()
        assert [each.claim.revoked for each in one.store.told() if each.object_id == gone["id"]] == [True]


def test_a_kill_in_the_middle_loses_nothing_and_doubles_nothing(server: Running, tmp_path: Path) -> None:
    server["north"].post(CAMPAIGNS, *(indicator(number=number) for number in range(100, 140)))
    with feeds(tmp_path, settings(tmp_path, server, "[limits]\npage = 10")) as one:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path, env=environment, check=False)
        assert done.returncode == -signal.SIGKILL
        assert len(exported(one)) == 10
        name = f"hub {one.settings.partner[0].source[0].name()}"
        assert one.store.cursor(name).next
        one.pull()
        everything = exported(one)
        assert {indicator(number=number)["id"] for number in range(100, 140)} <= everything.keys()
        assert one.pull()[0].new == 0


def test_a_wrong_token_is_told_and_not_tried_again(server: Running, tmp_path: Path) -> None:
    with feeds(tmp_path, settings(tmp_path, server)) as one:
        (tmp_path / "token").write_text("wrong")
        assert "HTTP 401" in one.pull()[0].trouble


class Line:
    """A connection that answers what it was told to."""

    def __init__(self, answers: list[tuple[int, dict[str, str], bytes]]) -> None:
        self.answers = answers

    def request(self, *_: Any, **__: Any) -> None:
        if not self.answers:
            raise ConnectionRefusedError

    def getresponse(self) -> Line:
        self.status, self.headers, self.body = self.answers.pop(0)
        return self

    def getheaders(self) -> list[tuple[str, str]]:
        return list(self.headers.items())

    def read(self, most: int) -> bytes:
        return self.body[:most]

    def close(self) -> None:
        pass


def ask(monkeypatch: pytest.MonkeyPatch, answers: list[tuple[int, dict[str, str], bytes]]) -> tuple[Any, list[float]]:
    waits: list[float] = []
    monkeypatch.setattr(http.client, "HTTPConnection", lambda *_, **__: Line(answers))
    collection = Collection("http://localhost/hub/", "c", longest=10, pause=waits.append)
    try:
        return collection.page(10, "", ""), waits
    except Unreachable as error:
        return str(error), waits


def test_a_server_in_trouble_is_asked_again_as_late_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    page, waits = ask(monkeypatch, [(503, {"Retry-After": "9"}, b""), (500, {}, b""), (200, {}, b"{}")])
    assert (page.body, waits) == (b"{}", [9.0, 4.0])


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told, waits = ask(monkeypatch, [])
    assert "ConnectionRefusedError" in told
    assert waits == [2.0, 4.0, 8.0, 16.0]
    assert len(waits) == client.TRIES - 1


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [({}, b"x" * 11, "longer than 10 bytes"), ({"Content-Encoding": "gzip"}, b"", "compressed")],
)
def test_what_is_too_long_or_compressed_is_not_read(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], body: bytes, why: str
) -> None:
    assert why in ask(monkeypatch, [(200, headers, body)])[0]


def test_a_malformed_page_moves_no_cursor_and_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sound = bundle(indicator()).replace(b'"type": "bundle"', b'"more": false')
    dated = {"X-TAXII-Date-Added-Last": "2026-01-31T00:00:00.000000Z"}
    cut, nested = b'{"objects": [1, {"a": }]}', b'{"objects": ' + b"[" * 600_000
    answers = [(200, dated, cut), (200, dated, nested), (200, dated, sound), (200, dated, b"{}")]
    monkeypatch.setattr(http.client, "HTTPConnection", lambda *_, **__: Line(answers))
    hub = '[[partner]]\nname = "hub"\n[[partner.source]]\ntype = "taxii"\nurl = "http://localhost/h/"\n'
    with feeds(tmp_path, hub + f'collection = "{COLLECTION}"\n') as one:
        assert ["page" in one.pull()[0].trouble for _ in range(2)] == [True, True]
        assert (one.pull()[0].new, one.pull()[0].trouble) == (1, "")
