"""The commands: what they print, when they fail, and with which status."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import stillwatch as sw
from stillwatch.apps.cli import app
from stillwatch.apps.corroborate.index import build_index
from stillwatch.apps.corroborate.index_file import read_index, write_index
from stillwatch.model import UsageError, VerdictKind
from stillwatch.sharing.consensus.contributions import public_of
from stillwatch.store.database import open_store, reading
from stillwatch.store.ledger.entries import Record
from stillwatch.store.log import lines
from tests.apps.corroborate.partners import TOKEN, running, shown, write_config, write_partners
from tests.apps.small_runs import make_run
from tests.sharing.consensus.test_hub import says

CARDS = [f"pm_{number:012d}" for number in range(9)]
ADDRESSES = [f"198.51.100.{number}" for number in range(1, 9)]
SHOWN = [*shown("C-000001", "payment", CARDS), *shown("C-000001", "address", ADDRESSES)]


def invoke(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(words))
    if isinstance(done.exception, UsageError):
        return 2, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def suspect(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one suspect campaign, and its index beside it."""
    folder = tmp_path_factory.mktemp("us")
    sw.write_run(make_run(verdict=VerdictKind.SUSPECT), folder / "run")
    write_index(SHOWN, folder / "run.indicators.parquet")
    return folder


def test_a_campaign_that_a_partner_sees_too_is_raised_one_step_and_the_arithmetic_printed(suspect: Path) -> None:
    with running(write_config(suspect / "north", SHOWN, padding=1_024)) as url:
        partners = str(write_partners(suspect, {"north": url}))
        ledger = str(suspect / "control.sqlite")
        open_store(ledger).close()
        asked = ("corroborate", str(suspect / "run"), "C-000001", "--partners", partners, "--with", url)
        asked = (*asked, "--ledger", ledger)
        status, table = invoke(*asked)
        assert status == 1
        assert "suspect → distillation" in table
        assert "not calibrated" in table
        assert "9" in table
        status, text = invoke(*asked, "--reveal", "--json")
        told = json.loads(text)
        assert (status, told["after"], told["calibrated"]) == (1, "distillation", False)
        assert [len(one["revealed"]) for one in told["comparisons"]] == [8, 9]
        assert min(sum(term["bits"] for term in told["terms"]), 6.0) == pytest.approx(told["reported_bits"])
        assert acts_of(ledger) == [json.loads(one)["kind"] for one in book_of(suspect / "run.asked")]
    session = json.loads(book_of(suspect / "north" / "state")[-1])["subject"]
    allow = ("partner", "allow", str(suspect / "north" / "serve.toml"), session, "--by", "R. Okafor")
    assert invoke(*allow, "--ledger", ledger)[0] == 0
    assert acts_of(ledger)[-1] == "psi-allowed"


def acts_of(ledger: str) -> list[str]:
    with open_store(ledger) as store, reading(store) as connection:
        entries = [each.entry for each in lines(connection)]
    return [entry.content.act for entry in entries if isinstance(entry.content, Record)]


def book_of(folder: Path) -> list[str]:
    return (folder / "asked.ndjson").read_text(encoding="utf-8").splitlines()


def test_a_partner_that_sees_nothing_raises_nothing(suspect: Path) -> None:
    with running(write_config(suspect / "south", [], padding=1_024)) as url:
        partners = str(write_partners(suspect / "asks", {"south": url}))
        status, table = invoke("corroborate", str(suspect / "run"), "C-000001", "--partners", partners)
    assert status == 0
    assert "nothing in common, which says nothing" in table


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("C-9",), "C-9: no campaign of this run; it has C-000001"),
        (("C-000001", "--with", "https://unknown"), "it has north"),
        (("C-000001",), "north: cannot be reached"),
    ],
)
def test_what_cannot_be_asked_is_misuse(suspect: Path, tmp_path: Path, words: tuple[str, ...], reason: str) -> None:
    partners = str(write_partners(tmp_path, {"north": "http://127.0.0.1:9"}))
    status, told = invoke("corroborate", str(suspect / "run"), *words, "--partners", partners)
    assert status == 2
    assert reason in told


def test_a_token_is_printed_with_its_hash() -> None:
    status, text = invoke("partner", "token")
    assert (status, set(json.loads(text))) == (0, {"token", "token_sha256"})


def test_a_session_that_was_never_counted_cannot_be_allowed(tmp_path: Path) -> None:
    status, told = invoke("partner", "allow", str(write_config(tmp_path, [])), "nonsense", "--by", "ann")
    assert status == 2
    assert "no session was counted" in told


def test_an_index_reads_back_as_it_was_and_is_private_to_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "index.parquet"
    write_index(SHOWN, path)
    assert list(read_index(path)) == SHOWN
    assert path.stat().st_mode & 0o077 == 0


def test_an_index_has_what_members_show_and_hardly_anybody_else(tmp_path: Path) -> None:
    run = make_run()
    rows = [(one, f"198.51.100.{at}") for at, one in enumerate(["acct-a", "acct-b", "acct-c"])]
    rows += [(f"other-{at}", "203.0.113.9") for at in range(300)] + [("acct-a", "203.0.113.9"), ("acct-b", "10.0.0.1")]
    log = pa.table(
        {
            "exchange_id": [f"x{at}" for at in range(len(rows))],
            "ts": pa.array([1_772_000_000_000_000] * len(rows), pa.timestamp("us", "UTC")),
            "account_id": [account for account, _ in rows],
            "model": ["opal-4"] * len(rows),
            "prompt": ["words"] * len(rows),
            "ip": [address for _, address in rows],
        }
    )
    many = pa.concat_tables([run.verdicts, *[run.verdicts] * 80])
    found = build_index(
        sw.Run(**{name: getattr(run, name) for name in run.__dataclass_fields__} | {"verdicts": many}), log
    )
    assert [(one.indicator.value, one.inside, one.outside) for one in found] == [
        ("198.51.100.0", 1, 0),
        ("198.51.100.1", 1, 0),
        ("198.51.100.2", 1, 0),
    ]


def test_members_of_a_hub_hand_in_what_they_signed_and_read_on(tmp_path: Path) -> None:
    config = write_config(tmp_path, [], hub=True, public_key=public_of(bytes([1]) * 32), member="north")
    line, forged = says_now("north"), says_now("south")
    with running(config) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)

        def call(method: str, path: str, body: str = "") -> tuple[int, dict[str, object]]:
            connection.request(method, f"/v1/contributions{path}", body, {"authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

        assert call("POST", "", line)[0] == 201
        assert call("POST", "", line)[0] == 200
        status, told = call("POST", "", forged)
        assert (status, "handed in by whoever made it" in str(told)) == (422, True)
        _, page = call("GET", "?after=0")
        assert (page["contributions"], page["next"], page["more"]) == ([json.loads(line)], 1, False)
        assert call("GET", "?after=1")[1]["contributions"] == []
        assert call("GET", "?after=x")[0] == 400
        connection.close()


def says_now(who: str) -> str:
    import datetime as dt

    return says(who, made=dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)).to_line()
