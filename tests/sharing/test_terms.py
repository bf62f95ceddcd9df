"""The file of terms: what it says is what is done, and what it says wrongly is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from stillwatch.model import InputRefused, StillwatchError, UsageError
from stillwatch.sharing.leaving import FIELDS
from stillwatch.sharing.terms import read_terms
from stillwatch.sharing.tlp import Tlp

NAMES = frozenset(FIELDS)
GOOD = """
[producer]
name = "Provider A"
[models]
"opal-4-internal" = "Opal 4"
[[partner]]
name = "provider-b"
tlp = "amber+strict"
include = ["accounts"]
withhold = ["mail-domain"]
key_id = "b-2026-11"
key_file = "b.key"
"""


def write(folder: Path, text: str, key: str = "0" * 64) -> Path:
    (folder / "b.key").write_text(key + "\n", encoding="utf-8")
    path = folder / "sharing.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_partner_gets_its_level_fields_and_key(tmp_path: Path) -> None:
    told = read_terms(write(tmp_path, GOOD), "provider-b", NAMES)
    assert (told.tlp, told.include, told.withhold) == (Tlp.AMBER_STRICT, {"accounts"}, {"mail-domain"})
    assert told.shared_key is not None
    assert told.shared_key.secret == b"0" * 64
    assert "000" not in repr(told)


def test_nobody_in_particular_gets_a_publication_at_clear(tmp_path: Path) -> None:
    told = read_terms(write(tmp_path, GOOD), None, NAMES)
    assert (told.tlp, told.shared_key, told.include) == (Tlp.CLEAR, None, frozenset())


@pytest.mark.parametrize(
    ("text", "partner", "words"),
    [
        (GOOD, "provider-c", "no partner 'provider-c'; it has: provider-b"),
        (GOOD.replace("accounts", "prompts"), "provider-b", "'prompts' is no field"),
        (GOOD.replace("amber+strict", "orange"), "provider-b", "say one of clear"),
        (GOOD.replace('key_file = "b.key"', ""), "provider-b", "both key_id and key_file"),
        (GOOD.replace("b.key", "c.key"), "provider-b", "c.key"),
        (GOOD.replace("[producer]", "[sender]"), "provider-b", "producer"),
        (GOOD.replace("name = \"Provider A\"", "name = 7"), "provider-b", "producer.name"),
        ("[[", "provider-b", "is not TOML"),
    ],
)  # fmt: skip
def test_terms_that_say_something_wrong_are_refused_with_its_place(
    tmp_path: Path, text: str, partner: str, words: str
) -> None:
    with pytest.raises((InputRefused, UsageError)) as caught:
        read_terms(write(tmp_path, text), partner, NAMES)
    assert words in str(caught.value)


def test_a_short_shared_key_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(StillwatchError) as caught:
        read_terms(write(tmp_path, GOOD, key="hunter2"), "provider-b", NAMES)
    assert "7 bytes" in str(caught.value)
    assert "hunter2" not in str(caught.value)
