"""A run's folder is whole or absent, is never somebody else's, and reads back as the run it was."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps import output
from stillwatch.apps.output import FILES, TABLES, check_out, read_run, write_run
from stillwatch.apps.report import render_report
from stillwatch.apps.run import Run
from stillwatch.model import InputRefused, UsageError
from tests.apps.small_runs import make_run

TABLE_NAMES = (*TABLES, "rejected")
KILLED = """
import os, signal, sys
from pathlib import Path
from stillwatch.apps.output import write_run
from tests.apps.small_runs import make_run

def die_at(step):
    left = [step]
    def hook(event, _):
        if event in {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "shutil.rmtree"}:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)

out, runs = Path(sys.argv[1]), {number: make_run(number) for number in (1, 2)}
write_run(runs[1], out)  # what it loads on first use is no step of writing
for step in range(1000):
    child = os.fork()
    if not child:
        die_at(step)
        write_run(runs[2], out)
        os._exit(0)
    survived = os.waitpid(child, 0)[1] == 0
    print(step, flush=True)
    if sys.stdin.readline().strip() == "stop" or survived:
        break
    write_run(runs[1], out)
"""


def same_tables(one: Run, other: Run) -> bool:
    return all(getattr(one, name).equals(getattr(other, name)) for name in TABLE_NAMES)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_run_reads_back_as_it_was(tmp_path: Path) -> None:
    run = make_run()
    back = read_run(write_run(run, tmp_path / "out"))
    assert same_tables(back, run)
    assert back.stories == run.stories
    assert back.manifest == run.manifest
    assert render_report(back) == (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_the_folder_holds_the_files_of_the_contract_and_nothing_else(tmp_path: Path) -> None:
    out = write_run(make_run(), tmp_path / "out")
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    for name, schema in TABLES.items():
        assert pq.read_schema(out / f"{name}.parquet").equals(schema)
    assert hidden(tmp_path) == []


def test_campaigns_json_tells_what_campaigns_parquet_tells_and_more(tmp_path: Path) -> None:
    out = write_run(make_run(), tmp_path / "out")
    (told,) = json.loads((out / "campaigns.json").read_text())
    (row,) = pq.read_table(out / "campaigns.parquet").to_pylist()
    assert told["campaign_id"] == row["campaign_id"]
    assert set(row) < set(told)
    assert told["members"] == ["acct-a", "acct-b", "acct-c"]


def test_the_same_run_gives_the_same_bytes_however_its_tables_are_cut(tmp_path: Path) -> None:
    run = make_run()
    cut = {name: pa.concat_tables([getattr(run, name).slice(0, 1), getattr(run, name).slice(1)]) for name in TABLES}
    slower = run.manifest | {"timings": {"ingest": 9.9}}
    one = write_run(run, tmp_path / "one")
    other = write_run(dataclasses.replace(run, manifest=slower, **cut), tmp_path / "other")
    for name in FILES:
        if name != "manifest.json":
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (one, other)]
    assert manifests[0].pop("timings") != manifests[1].pop("timings")
    assert manifests[0] == manifests[1]


def test_an_earlier_run_and_an_empty_folder_are_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for number in (1, 2):
        write_run(make_run(number), out)
        assert read_run(out).manifest["number"] == number
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json"])
def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"name": "a web app"}')
    with pytest.raises(UsageError, match=f"holds '{name}' and no run; give --out"):
        write_run(make_run(), out)
    assert [path.name for path in out.iterdir()] == [name]


def test_a_file_put_beside_an_earlier_run_is_not_lost(tmp_path: Path) -> None:
    out = write_run(make_run(), tmp_path / "out")
    (out / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'notes\.txt' beside an earlier run"):
        write_run(make_run(2), out)
    assert (out / "notes.txt").read_text() == "mine"
    assert read_run(out).manifest["number"] == 1


def test_a_file_a_link_and_a_mount_point_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for place, reason in (("file", "is not a folder"), ("link", "is not a folder"), ("/", "is a mount point")):
        with pytest.raises(UsageError, match=reason):
            check_out(tmp_path / place)


def test_a_place_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be written \(.*\); mend that or give another --out"):
        write_run(make_run(), tmp_path / "file" / "out")


def test_a_failure_while_writing_leaves_the_earlier_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_run(make_run(), tmp_path / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "write_rejections", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_run(make_run(2), out)
    assert read_run(out).manifest["number"] == 1
    assert hidden(tmp_path) == []


def test_a_name_with_pattern_letters_clears_only_its_own_leftovers(tmp_path: Path) -> None:
    other = tmp_path / ".abc.partial-1"
    other.mkdir()
    left = tmp_path / ".a[b]*.partial-1"
    left.mkdir()
    write_run(make_run(), tmp_path / "a[b]*")
    assert other.exists()
    assert not left.exists()


def test_only_a_run_is_read_as_one(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="is no output folder"):
        read_run(tmp_path)
    out = write_run(make_run(), tmp_path / "out")
    (out / "verdicts.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputRefused, match="is damaged"):
        read_run(out)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_step_the_folder_is_one_run_or_the_other(tmp_path: Path) -> None:
    """Dies by SIGKILL before each file operation of a write in turn, until one survives them all."""
    out, steps, survivors = tmp_path / "out", 0, []
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", KILLED, str(out)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True, cwd=root, env=os.environ | {"PYTHONPATH": str(root)},
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        while process.stdout.readline():
            steps += 1
            if out.exists():
                whole = read_run(out)
                number = whole.manifest["number"]
                assert same_tables(whole, make_run(number))
                assert f"C-{number:06d}" in (out / "report.html").read_text(encoding="utf-8")
                survivors.append(number)
            else:  # between the two renamings: the next run brings the earlier one back
                assert any(".replaced-" in name for name in hidden(tmp_path))
            process.stdin.write("next\n")
            process.stdin.flush()
    assert process.returncode == 0
    assert steps > 20
    assert set(survivors) == {1, 2}
    write_run(make_run(2), out)
    assert hidden(tmp_path) == []
