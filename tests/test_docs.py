"""The documentation says what the code does: every command, option, signal, column, setting and link."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.main import get_command

import stillwatch as sw
from stillwatch.apps import cli, schemas
from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS, Column
from stillwatch.lab import cli as lab_cli
from stillwatch.signals.roster import ROSTER

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
KINDS = {"string": "string", "timestamp": "timestamp", "int64": "int", "float64": "float", "boolean": "bool",
         "array<string>": "list of strings"}  # fmt: skip
MADE_BY = re.compile(r"make (demo|bench)|stillwatch-lab |benchmarks/\w+\.py|python -m stillwatch\.lab\.\w+")
FIGURE = re.compile(
    r"\d[\d.,]* ?(s|ms|µs|seconds|GiB|GB)\b|(precision|recall)\D{0,12}[01]\.\d|[01]\.\d+ (precision|recall)"
)
NEAR = 20  # lines between a figure and the command that makes it


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, title: str) -> str:
    """The part of a page under a heading, up to the next one of its level or above."""
    level, rest = re.search(rf"^(#+) {re.escape(title)}\n(.*)", text, re.M | re.S).groups()  # type: ignore[union-attr]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.M)[0]


def first_cells(text: str) -> list[str]:
    """Names in code in the first column of the tables of a text."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return [name for cell in rows for name in re.findall(r"`([^` ]+)[^`]*`", cell)]


def commands() -> dict[str, set[str]]:
    """Each command, and its long options."""
    found = {}
    for program, app in (("stillwatch", cli.app), ("stillwatch-lab", lab_cli.app)):
        for name, command in leaves(program, get_command(app)):
            options = (opt for each in command.params for opt in (*each.opts, *each.secondary_opts))
            found[name] = {opt for opt in options if opt.startswith("--")}
    return found


def leaves(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """The commands of a program, those in groups too."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, each in command.commands.items():
        yield from leaves(f"{name} {word}", each)


def test_every_command_is_documented_and_no_other() -> None:
    documented = re.findall(r"^## `(stillwatch[\w-]*(?: [\w-]+)+)`$", read("reference/cli.md"), re.M)
    assert sorted(documented) == sorted(commands())


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_option_is_documented_and_no_other(command: str) -> None:
    documented = first_cells(section(read("reference/cli.md"), f"`{command}`"))
    assert sorted(documented) == sorted(commands()[command])


def test_every_signal_has_an_entry() -> None:
    text = read("reference/signals.md")
    assert [each.name for each in ROSTER if f"`{each.name}`" not in text and f"# {each.name}" not in text] == []


@pytest.mark.parametrize(
    ("title", "columns"),
    [("Exchanges", EXCHANGE_COLUMNS), ("Accounts", ACCOUNT_COLUMNS), ("Licences", LICENCE_COLUMNS)],
    ids=["exchanges", "accounts", "licences"],
)
def test_every_input_column_is_documented_as_it_is(title: str, columns: Iterable[Column]) -> None:
    rows = [line for line in section(read("reference/tables.md"), title).splitlines() if line.startswith("| `")]
    assert rows == [f"| `{c.name}` | {KINDS[c.kind]} | {'yes' if c.required else ''} | {c.meaning} |" for c in columns]


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("verdicts.parquet", schemas.VERDICTS),
        ("campaigns.parquet", schemas.CAMPAIGNS),
        ("evidence.parquet", schemas.EVIDENCE),
        ("flagged.parquet", schemas.FLAGGED),
        ("rejected.ndjson", schemas.REJECTED),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_every_output_column_is_documented_in_its_order(title: str, schema: pa.Schema) -> None:
    assert first_cells(section(read("reference/tables.md"), title)) == schema.names


def test_every_output_file_is_documented() -> None:
    from stillwatch.apps.output import FILES

    rows = first_cells(section(read("reference/tables.md"), "The output folder").split("###")[0])
    assert sorted(rows) == sorted(FILES)


@pytest.mark.parametrize(("title", "record"), [("Of the library", sw.Settings), ("Policy", None)])
def test_every_setting_is_documented_and_no_other(title: str, record: type | None) -> None:
    records = (record,) if record else (sw.Policy, sw.Bars, sw.Calibration)
    fields = [field.name for each in records for field in dataclasses.fields(each)]
    assert first_cells(section(read("reference/settings.md"), title)) == fields


def test_every_environment_variable_is_documented_and_no_other() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    documented = first_cells(section(read("reference/settings.md"), "Environment variables"))
    assert set(documented) == set(re.findall(r"\bSTILLWATCH_[A-Z_]+\b", source))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for link in (each for each in links if not each.startswith(("https://", "#"))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve()
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, link


@pytest.mark.parametrize("folder", ["why", "howto", "reference"])
def test_every_page_can_be_reached_from_the_index(folder: str) -> None:
    index = read("index.md")
    assert [page.name for page in sorted((DOCS / folder).glob("*.md")) if f"({folder}/{page.name})" not in index] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_figure_stands_near_the_command_that_makes_it(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    made = [number for number, line in enumerate(lines) if MADE_BY.search(line)]
    for number, line in enumerate(lines):
        assert not FIGURE.search(line) or any(abs(number - at) <= NEAR for at in made), f"{number + 1}: {line}"


def test_the_public_names_that_the_documentation_uses_exist() -> None:
    for page in PAGES:
        for name in re.findall(r"\bsw\.(\w+)", page.read_text(encoding="utf-8")):
            assert name in sw.__all__, f"{page.name}: sw.{name}"


def test_every_kind_of_trait_and_every_field_of_an_actor_is_documented_as_it_is() -> None:
    from stillwatch.attribution.actors import KINDS, ActorRow, TraitRow

    page = read("reference/actors.md")
    rows = [line for line in section(page, "Kinds").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {' or '.join(kind.roles)} | {kind.family} | {kind.cap:g} | {kind.expected} |"
        for name, kind in KINDS.items()
    ]
    for title, record in (("An actor", ActorRow), ("A trait", TraitRow)):
        rows = [line.split("|") for line in section(page, title).splitlines() if line.startswith("| `")]
        required = {row[1].strip(" `"): row[2].strip() == "yes" for row in rows}
        assert required == {name: field.is_required() for name, field in record.model_fields.items()}


def test_every_family_of_traits_is_documented_with_its_ceiling() -> None:
    from stillwatch.attribution.hypotheses import CEILING

    told = re.search(r"\(([^()]+ bits; [^()]+)\)", " ".join(section(read("reference/actors.md"), "Kinds").split()))
    assert told is not None
    parts = [part.replace(" bits", "").rsplit(" ", 1) for part in told[1].split("; ")]
    assert {name: float(bits) for names, bits in parts for name in names.split(", ")} == CEILING


def test_every_status_of_a_campaign_is_documented() -> None:
    from stillwatch.campaigns.identity import Status

    lines = section(read("reference/tables.md"), "lineage.json").splitlines()
    told = {name for line in lines if line.startswith("| `") for name in re.findall(r"`([^`]+)`", line.split("|")[1])}
    assert {status.value for status in Status} <= told
