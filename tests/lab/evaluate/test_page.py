"""The page of results tells what was stored, and nothing else."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import stored
from typer.main import get_command
from typer.testing import CliRunner

from stillwatch.lab.cli import app
from stillwatch.lab.evaluate.page import FOLDER, render, write
from stillwatch.lab.evaluate.plan import SEEDS, Plan, quick_plan
from stillwatch.lab.evaluate.record import stored as read_back
from stillwatch.lab.evaluate.results import chosen, command, measure
from stillwatch.lab.evaluate.roster import PARTS
from stillwatch.model import InputRefused, UsageError

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stored.write_all(tmp_path / FOLDER)
    return tmp_path / FOLDER


def test_every_part_is_a_section_with_its_command_seeds_and_size(folder: Path) -> None:
    page = render(folder)["results.md"]
    for part in PARTS:
        section = page.split(f"\n## {part.title}\n")[1].split("\n## ")[0]
        assert f"`{command(part, Plan())}`" in section
        assert f"seed {SEEDS[0]}" in section
        assert part.size(Plan()) in section
        assert "measured 2026-11-23 in 61 s" in section
    assert "Not measured yet" not in page


def test_pictures_that_the_page_shows_are_drawn_and_no_other(folder: Path) -> None:
    pages = render(folder)
    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", pages.pop("results.md"))
    assert sorted(shown) == sorted(pages)
    for picture in pages.values():
        ET.fromstring(picture)


def test_bars_say_what_was_met_and_what_was_not(folder: Path) -> None:
    page = render(folder)["results.md"]
    bars = dict(re.findall(r"^\| ([^|]+) \| [^|]+ \| (\S[^|]*) \| `\w+` \|$", page.split("\n## ")[1], re.M))
    missed = "**not met**"
    assert bars["account recall ≥ 0.8 on the careful ring"] == "met"
    assert bars["account recall ≥ 0.7 on the mixed ring"] == missed
    assert bars["found though 95 % of the accounts' traffic is harmless"] == missed
    assert bars["three owners of one pool found and not merged"] == "met"
    assert bars["each look-alike class ≤ 0.1 % suspect or worse"] == missed
    assert bars["ahead of every rival on PR-AUC in every scenario"] == missed
    assert bars["hour by hour, median leak ≤ 5 % in the log `default`"] == missed
    assert bars["hour by hour, median leak ≤ 5 % in the log `february`"] == "met"
    assert bars["failover leaks ≤ 1 % of the second pool's exchanges"] == "met"
    assert bars["no innocent's request is refused by the enforcing policy"] == missed


def test_failures_are_said_in_words(folder: Path) -> None:
    page = render(folder)["results.md"]
    assert "Missed: K-diluted in 1 of 1." in page
    assert "A-one: volume is ahead by 0.050 (0.950 against 0.900)" in page
    assert "B-two: volume is level" in page
    assert "absent was not run: no package" in page
    assert "leaked whole: E." in page


def test_what_was_not_measured_is_said_too(tmp_path: Path) -> None:
    page = render(tmp_path)["results.md"]
    assert all(f"`{part.name}`" in page for part in PARTS)


def test_the_page_of_the_documentation_is_what_its_measurements_say() -> None:
    pages = render(DOCS / FOLDER)
    assert (DOCS / "results.md").read_text(encoding="utf-8") == pages.pop("results.md")
    for name, picture in pages.items():
        assert (DOCS / name).read_text(encoding="utf-8") == picture, name


@pytest.mark.parametrize("plan", [Plan(), Plan((401, 402), 50_000, scale=0.5), quick_plan((301,), "today")])
def test_every_command_on_the_page_is_one(plan: Plan) -> None:
    known = get_command(app).commands["results"]  # type: ignore[attr-defined]
    for part in PARTS:
        program, name, *arguments = shlex.split(command(part, plan))
        assert (program, name) == ("stillwatch-lab", "results")
        options = known.make_context("results", arguments).params
        assert options["part"] == [part.name]
        assert tuple(options["seed"] or (301,) if plan.quick else options["seed"] or SEEDS) == plan.seeds
        assert (options["quick"], plan.quick or options["exchanges"]) == (plan.quick, plan.quick or plan.exchanges)


def test_the_command_writes_the_page_again(folder: Path) -> None:
    out = folder.parent / "results.md"
    done = CliRunner().invoke(app, ["results", "--render", "--out", str(out)])
    assert done.exit_code == 0
    assert out.read_text(encoding="utf-8") == render(folder)["results.md"]
    assert write(out) == [Path(line) for line in done.stdout.split()]


def test_a_part_is_measured_alone_and_the_rest_stays(folder: Path) -> None:
    part = next(part for part in PARTS if part.name == "noise")
    fake = type(part)("noise", part.title, lambda *_: stored.data()["noise"], part.tell, part.size)
    before = (folder / "time.json").read_bytes()
    measure(Plan(date="later"), (fake,), folder.parent / "results.md")
    held = read_back("noise", folder)
    assert held is not None
    assert (held.date, held.split, held.seeds) == ("later", "report", SEEDS)
    assert held.versions["numpy"]
    assert set(held.machine) == {"cpus", "memory_gib", "system"}
    assert (folder / "time.json").read_bytes() == before


def test_a_part_that_fails_keeps_no_other_from_being_measured(tmp_path: Path) -> None:
    part = PARTS[0]

    def fail(*_: object) -> dict[str, object]:
        raise UsageError("no traffic today")

    parts = [
        type(part)("time", "Broken", fail, part.tell, part.size),
        type(part)("noise", "Whole", lambda *_: stored.data()["noise"], part.tell, part.size),
    ]
    said: list[str] = []
    with pytest.raises(UsageError, match="no traffic today"):
        measure(Plan(), parts, tmp_path / "results.md", said.append)
    assert said == ["time: failed, UsageError: no traffic today", "noise: 0 s"]
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == ["noise.json"]


def test_misuse_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="no part 'weather'"):
        chosen(["weather"])
    with pytest.raises(UsageError, match="for tuning"):
        Plan(seeds=(7,))
    with pytest.raises(UsageError, match="for tuning"):
        Plan(seeds=())
    (folder / "time.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputRefused, match="results --part time"):
        render(folder)
