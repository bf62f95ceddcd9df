"""The command: what it prints where, how it ends, and how it says what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.apps import cli
from stillwatch.apps.output import FILES, TABLES, write_run
from stillwatch.model import VerdictKind
from tests.apps.small_runs import make_run

FIELDS = ("exchange_id", "ts", "account_id", "model")


def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[Any, ...]:
    """Run the command in this process; return its status, stdout and stderr."""
    monkeypatch.setattr(sys, "argv", ["stillwatch", *map(str, arguments)])
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    status = 0
    try:
        cli.main()
    except SystemExit as end:
        status = end.code  # type: ignore[assignment]
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    return lambda *arguments: call(capsys, monkeypatch, *arguments)


@pytest.fixture
def finished(tmp_path: Path) -> Path:
    return write_run(make_run(), tmp_path / "run")


def command(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "stillwatch.apps.cli", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=cwd, check=False, timeout=300)


@pytest.fixture(scope="module")
def detected(small_traffic: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """Two runs of the real command over the same log: as JSON, and as a table."""
    folder = tmp_path_factory.mktemp("cli")
    given = (small_traffic / "exchanges.parquet", "--accounts", small_traffic / "accounts.parquet")
    given += ("--licences", small_traffic / "licences.csv")
    first = command("detect", *given, "--out", folder / "one", "--json", "--quiet", cwd=folder)
    second = command("detect", *given, "--out", folder / "two", cwd=folder)
    return folder, first, second


@pytest.mark.slow
def test_detect_says_by_its_status_that_campaigns_were_found(detected: tuple[Path, Any, Any]) -> None:
    folder, first, second = detected
    assert (first.returncode, second.returncode) == (1, 1), first.stderr + second.stderr
    grave = {campaign["verdict"] for campaign in json.loads(first.stdout)["campaigns"]}
    assert grave & {"distillation", "suspect"}
    assert sorted(path.name for path in (folder / "one").iterdir()) == sorted(FILES)


@pytest.mark.slow
def test_data_goes_to_stdout_and_talk_to_stderr(detected: tuple[Path, Any, Any]) -> None:
    folder, first, second = detected
    assert first.stderr == ""
    names = pq.read_table(folder / "one" / "campaigns.parquet")["campaign_id"].to_pylist()
    assert [campaign["campaign_id"] for campaign in json.loads(first.stdout)["campaigns"]] == names
    assert all(name in second.stdout for name in names)
    assert second.stderr == f"report: {folder / 'two' / 'report.html'}\n"
    assert "\x1b" not in second.stdout + second.stderr


@pytest.mark.slow
def test_the_same_input_gives_the_same_bytes_but_for_timings(detected: tuple[Path, Any, Any]) -> None:
    folder, *_ = detected
    for name in FILES:
        if name != "manifest.json":
            assert (folder / "one" / name).read_bytes() == (folder / "two" / name).read_bytes(), name
    one, two = (json.loads((folder / name / "manifest.json").read_text()) for name in ("one", "two"))
    del one["timings"], two["timings"]
    assert one == two


@pytest.mark.slow
def test_a_run_of_the_command_reads_back_and_every_campaign_of_it_explains(detected: tuple[Path, Any, Any]) -> None:
    read = sw.read_run(detected[0] / "one")
    assert read.stories
    for story in read.stories:
        told = sw.explain(read, story.campaign.campaign_id)
        (cause,) = told.causes
        assert 0 < cause.trust <= 1
        for axis in (sw.Axis.EXTRACTION, sw.Axis.DECEPTION):
            total = sum(part.counts for part in cause.sums if part.axis is axis)
            assert total == pytest.approx(getattr(story.campaign, f"{axis}_bits"), abs=0.02)


@pytest.mark.slow
def test_a_log_without_campaigns_ends_with_status_zero(run: Any, small_traffic: Path, tmp_path: Path) -> None:
    few = pq.read_table(small_traffic / "exchanges.parquet").slice(0, 40)
    pq.write_table(few, tmp_path / "few.parquet")
    status, out, err = run("detect", tmp_path / "few.parquet", "--out", tmp_path / "out")
    assert (status, "No campaign was found." in out) == (0, True), err


@pytest.mark.parametrize(
    ("verdict", "status"), [("distillation", 1), ("suspect", 1), ("watch", 0)], ids=lambda each: str(each)
)
def test_watch_alone_is_not_found(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, status: int
) -> None:
    monkeypatch.setattr(sw, "detect", lambda *_, **__: make_run(verdict=VerdictKind(verdict)))
    ended, out, _ = run("detect", "log.csv", "--out", tmp_path / "out")
    assert ended == status
    assert "C-000001" in out
    assert "coding 75%, reasoning 25%" in out


def test_options_reach_the_settings(run: Any, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    monkeypatch.setattr(sw, "detect", lambda *given, **named: seen.update(named, given=given) or make_run())
    options = ("--accounts", "a.csv", "--licences", "l.csv", "--templates", "t.txt", "--previous", finished,
               "--intel", "feeds", "--intel", "b.json")  # fmt: skip
    run("detect", "x.csv", "y.csv", *options, "--field", "user=account_id", "--field", "a=b=model",
        "--out", tmp_path / "out")  # fmt: skip
    assert seen["given"] == (["x.csv", "y.csv"],)
    assert (seen["accounts"], seen["licences"]) == ("a.csv", "l.csv")
    settings = seen["settings"]
    assert settings.fields == {"user": "account_id", "a=b": "model"}
    assert (settings.templates, settings.previous) == (Path("t.txt"), finished)
    assert settings.intel == (Path("feeds"), Path("b.json"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--engine", "polars"), "--engine polars: say duckdb or spark"),
        (("--spark-conf", "cores=4"), "--spark-conf cores=4: expected KEY=VALUE, such as spark.executor.memory=8g"),
        (("--field", "user"), "--field user: expected THEIRS=OURS, such as --field user=account_id"),
        (("--previous", "nowhere"), "--previous nowhere: holds no run; give the output folder of an earlier one"),
    ],
    ids=["engine", "spark-conf", "field", "previous"],
)
def test_misuse_ends_with_status_two_and_one_line_with_the_mend(
    run: Any, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    status, out, err = run("detect", "log.csv", *options, "--out", tmp_path / "out")
    assert (status, out, err) == (2, "", f"error: {said}\n")


def test_a_folder_that_is_no_run_is_refused_before_any_work(run: Any, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    status, _, err = run("detect", "log.csv", "--out", tmp_path)
    assert status == 2
    assert (
        err == f"error: {tmp_path}: holds 'notes.txt' and no run; give --out a new folder or that of an earlier run\n"
    )


def test_an_input_that_cannot_be_read_ends_with_status_three(run: Any, tmp_path: Path) -> None:
    status, out, err = run("detect", tmp_path / "none.parquet", "--out", tmp_path / "out")
    assert (status, out) == (3, "")
    assert re.fullmatch(r"error: .*none\.parquet: no file matched; give .*\n", err)
    assert not (tmp_path / "out").exists()


def test_a_missing_argument_is_misuse(run: Any) -> None:
    assert run("detect")[0] == 2
    assert run("nothing-of-ours")[0] == 2


def test_a_defect_is_told_without_the_text_that_it_stumbled_on(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = " ".join(("my", "secret", "prompt"))

    def stumble(*_: object, **__: object) -> None:
        raise RuntimeError(f"cannot parse '{prompt}'")

    monkeypatch.setattr(sw, "detect", stumble)
    monkeypatch.delenv("STILLWATCH_DEBUG", raising=False)
    status, out, err = run("detect", "log.csv", "--out", tmp_path / "out")
    assert (status, out) == (70, "")
    assert "error: a defect of stillwatch (RuntimeError)" in err
    assert prompt not in err
    monkeypatch.setenv("STILLWATCH_DEBUG", "1")
    assert prompt in run("detect", "log.csv", "--out", tmp_path / "out")[2]


def test_a_reader_that_leaves_does_not_look_like_a_finding(tmp_path: Path) -> None:
    line = [sys.executable, "-m", "stillwatch.apps.cli", "signals", "--json"]
    read, write = os.pipe()
    os.close(read)
    status = subprocess.run(line, stdout=write, stderr=subprocess.DEVNULL, cwd=tmp_path, check=False).returncode
    os.close(write)
    assert status < 0  # ended by SIGPIPE, as other commands are


def test_explain_prints_every_term_sums_ties_and_what_nobody_looked_at(run: Any, finished: Path) -> None:
    status, out, _ = run("explain", "C-000001", "--run", finished)
    assert status == 0
    words = " ".join(out.split())
    against, _, innocent = words.partition("For innocence")
    assert "shared-payment +4.0 3 of 3 members share payment instruments x-0, x-1 and 3 more" in against
    assert "declared-organisation" not in against
    assert "declared-organisation -1.5 2 members declare one organisation" in innocent
    assert "coordination +6.5 bits" in words
    assert "identity +3.5 of +4.5 in 3 terms, ceiling 7" in words  # 4.0 + half of 2.0 - 1.5
    assert "payment pm_1: 2 members, 7.5 bits of rarity" in words
    assert "artefact-replay: the input has no artefacts_in" in words
    assert "a licence exists" in words


def test_explain_tells_an_account_its_row_and_its_campaign(run: Any, finished: Path) -> None:
    told = json.loads(run("explain", "acct-b", "--run", finished, "--json")[1])
    assert (told["subject_type"], told["row"]["campaign_id"]) == ("account", "C-000001")
    (cause,) = told["causes"]
    assert [term["signal"] for term in cause["innocence"]] == ["declared-organisation"]
    assert [tie["account_id"] for tie in cause["ties"]] == ["acct-b"]
    assert "2026-03-01T04:30:00" in told["row"]["first_seen"]
    assert "it is tied to campaign C-000001" in run("explain", "acct-b", "--run", finished)[1]


def test_explain_says_why_an_account_is_clear(run: Any, finished: Path) -> None:
    status, out, _ = run("explain", "acct-z", "--run", finished)
    assert status == 0
    assert "account acct-z: clear" in out
    assert "its 30 exchanges are in no campaign" in out


@pytest.mark.parametrize(
    ("subject", "near"),
    [("C-00001", "C-000001"), ("acct-q", "acct-a, acct-b, acct-c, acct-z"), ("CCT-A", "acct-a")],
)
def test_an_unknown_id_is_misuse_and_names_those_near_it(run: Any, finished: Path, subject: str, near: str) -> None:
    status, out, err = run("explain", subject, "--run", finished)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: no account or campaign of this run is '{subject}'; near it are ")
    assert set(near.split(", ")) <= set(re.split(r"[ ,\n]+", err))


def test_what_a_log_holds_is_never_read_as_markup(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = make_run()
    manifest = hostile.manifest | {"signals_not_evaluated": [{"signal": "x", "reason": "[red]no[/red] [/]"}]}
    folder = write_run(sw.Run(**{name: getattr(hostile, name) for name in (*TABLES, "rejected", "stories")},
                              manifest=manifest), tmp_path / "run")  # fmt: skip
    assert "[red]no[/red] [/]" in run("explain", "C-000001", "--run", folder)[1]
    status, _, err = run("explain", "[/nope]", "--run", folder)
    assert (status, "'[/nope]'" in err) == (2, True)


@pytest.mark.slow
def test_validate_says_what_a_log_supports(run: Any, small_traffic: Path) -> None:
    log = small_traffic / "exchanges.parquet"
    told = json.loads(run("validate", log, "--accounts", small_traffic / "accounts.parquet", "--json")[1])
    states = {each["ability"]: each["state"] for each in told["abilities"]}
    assert told["rows_kept"] == pq.read_metadata(log).num_rows
    assert "supported" in states.values()
    status, out, _ = run("validate", log)
    assert status == 0
    assert all(name in out for name in (*FIELDS, *states))


def test_signals_lists_the_roster(run: Any) -> None:
    listed = json.loads(run("signals", "--json")[1])
    assert [each["name"] for each in listed] == [each.name for each in sw.Settings().roster]
    assert all(each["why"] and each["runbook"] and each["axis"] and each["family"] for each in listed)
    out = run("signals")[1]
    assert all(each["name"] in out for each in listed)


def test_version_is_the_package_s(run: Any) -> None:
    assert run("version") == (0, f"{sw.__version__}\n", "")


def test_a_file_of_actors_that_names_origins_is_refused_before_the_log_is_read(run: Any, tmp_path: Path) -> None:
    actors = tmp_path / "actors.toml"
    actors.write_text('[[actor]]\nid = "x"\nrole = "pool-operator"\nlanguage = "xx"\n', encoding="utf-8")
    status, out, err = run("detect", tmp_path / "none.parquet", "--actors", actors, "--out", tmp_path / "out")
    assert (status, out) == (cli.REFUSED, "")
    assert err.startswith(f"error: {actors}: actor 'x': language: where people are from")
    assert not (tmp_path / "out").exists()


def test_exchanges_may_be_named_as_a_table_alone(run: Any, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "log.duckdb")) as con:
        con.execute("CREATE TABLE log AS SELECT 'e' || i AS id, TIMESTAMP '2026-01-05' + INTERVAL (i) MINUTE AS ts, "
                    "'a' AS account_id, 'm' AS model FROM range(9) t(i)")  # fmt: skip
    url = f"duckdb://{tmp_path}/log.duckdb::log"
    status, out, err = run("validate", "--table", url, "--field", "id=exchange_id", "--json")
    assert (status, json.loads(out)["rows_kept"]) == (0, 9), err
    status, _, err = run("validate", "--table", url)
    assert (status, "has no column 'exchange_id'" in err, "--field id=exchange_id" in err) == (3, True, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "no exchanges were named; give EXCHANGES, or --table URL"),
        (("--table", "log.duckdb"), "expected a URL such as duckdb:///"),
        (("--table", "mysql://u:secret@db/log"), "unknown kind of table; one of duckdb://"),
    ],
    ids=["nothing", "no url", "another database"],
)
def test_a_table_that_is_none_is_misuse(run: Any, tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    status, _, err = run("detect", *arguments, "--out", tmp_path / "out")
    assert (status, says in err) == (2, True), err
    assert "secret" not in err


def test_a_reference_file_of_no_known_kind_is_refused_before_the_log_is_read(run: Any, tmp_path: Path) -> None:
    odd = tmp_path / "odd.txt"
    odd.write_text("this is prose\n")
    status, _, err = run("detect", tmp_path / "none.parquet", "--enrich", odd, "--out", tmp_path / "out")
    assert (status, f"{odd}: its first entry" in err) == (3, True), err
