"""What is wrong with a file of settings is said with its field, before anything listens or asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.apps.corroborate.book import Book
from stillwatch.apps.corroborate.config import (
    AskedRow,
    PartnerRow,
    ServeConfig,
    hash_token,
    new_token,
    read_partners,
    read_serve_config,
    read_token,
)
from stillwatch.apps.corroborate.index_file import read_index
from stillwatch.model import InputRefused, UsageError
from tests.test_docs import first_cells, read, section

HASH = hash_token("token")
SERVE = 'organisation = "us"\nindex = "i"\nstate = "s"\n'
PARTNER = f'[partners.north]\ntoken_sha256 = "{HASH}"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("organisation =", "is not TOML"),
        (SERVE + PARTNER + 'colour = "red"\n', "partners.north.colour: Extra inputs"),
        ('state = "s"\n' + PARTNER, "organisation: Field required"),
        (SERVE + '[partners.north]\ntoken_sha256 = "token"\n', "partners.north.token_sha256"),
        (SERVE + "partners = {}\n", "partners is empty"),
        (SERVE + 'listen = "here"\n' + PARTNER, "expected HOST:PORT"),
        (SERVE + 'listen = "0.0.0.0:8480"\n' + PARTNER, "would send tokens in the clear"),
        (SERVE + 'certificate = "c"\n' + PARTNER, "belong together"),
        (SERVE + PARTNER + f'[partners.south]\ntoken_sha256 = "{HASH}"\n', "two partners have one token"),
        (SERVE + 'at_least = "clear"\n' + PARTNER, "at_least"),
        (SERVE + "largest_set = 99999999\n" + PARTNER, "largest_set"),
    ],
)
def test_settings_that_cannot_be_served_are_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "serve.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_serve_config(path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[north]\nurl = "https://n"\n', "north.token_file: Field required"),
        ('[north]\nurl = "ftp://n"\ntoken_file = "t"\n', "expected https://HOST:PORT"),
        ('[north]\nurl = "http://n.example"\ntoken_file = "t"\n', "is not encrypted"),
        ('[north]\nurl = "https://n"\ntoken_file = "t"\nreliability = "Z"\n', "north.reliability"),
        ('north = "https://n"\n', "north.url: Field required"),
    ],
)
def test_partners_that_cannot_be_asked_are_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "partners.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason):
        read_partners(path)


def test_files_are_found_beside_the_settings_that_name_them(tmp_path: Path) -> None:
    (tmp_path / "serve.toml").write_text(SERVE + PARTNER)
    assert read_serve_config(tmp_path / "serve.toml").index == tmp_path / "i"
    (tmp_path / "partners.toml").write_text('[north]\nurl = "https://n"\ntoken_file = "t"\n')
    assert read_partners(tmp_path / "partners.toml")["north"].token_file == tmp_path / "t"


def test_a_token_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    token = new_token()
    (tmp_path / "serve.toml").write_text(SERVE + f'[partners.north]\ntoken_sha256 = "{hash_token(token)}"\n')
    config = read_serve_config(tmp_path / "serve.toml")
    assert config.partner_of(token) == "north"
    assert config.partner_of(token[:-1]) is None
    assert token not in repr(config)


def test_an_empty_or_missing_token_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no token there"):
        read_token(tmp_path / "t")
    (tmp_path / "t").write_text("\n")
    with pytest.raises(UsageError, match="is empty"):
        read_token(tmp_path / "t")


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no index"):
        read_index(tmp_path / "i.parquet")


def test_a_book_cuts_off_what_a_kill_left_and_counts_on(tmp_path: Path) -> None:
    book = Book(tmp_path)
    assert book.append("psi-asked", "s", {"at": 1.0, "partner": "north", "size": 64}) == 0
    with book.path.open("ab") as file:
        file.write(b'{"kind": "psi-as')
    again = Book(tmp_path)
    assert again.append("psi-counted", "s", {"count": 1}) == 1
    assert [(one.partner, one.size) for one in again.asked()] == [("north", 64)]
    assert again.knows("s")
    assert book.path.stat().st_mode & 0o077 == 0
    assert again.secret() == book.secret() != Book(tmp_path / "other").secret()


@pytest.mark.parametrize(
    ("title", "record"),
    [
        ("Settings of the server", ServeConfig),
        ("A partner that may ask", PartnerRow),
        ("A partner that is asked", AskedRow),
    ],
)
def test_every_setting_is_documented_and_no_other(title: str, record: type[ServeConfig]) -> None:
    assert first_cells(section(read("reference/corroboration.md"), title)) == list(record.model_fields)


def test_kinds_and_rules_are_documented_as_they_are() -> None:
    from stillwatch.sharing.consensus.rules import Rules
    from stillwatch.sharing.private.indicators import KINDS

    page = read("reference/corroboration.md")
    rows = [line for line in section(page, "Indicators").splitlines() if line.startswith("| `")]
    assert rows == [f"| `{name}` | {kind.family} | {kind.column} | {kind.spelling} |" for name, kind in KINDS.items()]
    rules = Rules()
    rows = [line for line in section(page, "The arithmetic").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {one.most:g} | {one.half:g} | {one.least} | {one.half_life:g} | {one.expires:g} |"
        for name, one in rules.families.items()
    ]
    weights = ", ".join(f"{letter} {weight:g}" for letter, weight in rules.reliability.items())
    assert weights in " ".join(page.split())
