"""Checkpoints are what other implementations of C2SP's notes write and read, and nobody else can make ours."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.model import InputRefused, UsageError
from stillwatch.store.ledger.notes import (
    Checkpoint,
    NotVouched,
    make_key,
    read_checkpoint,
    read_public_key,
    read_signing_key,
    sign_checkpoint,
)

PUBLISHED_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
KEY = make_key("example.com/stillwatch", b"\7" * 32)
ROOT = bytes(range(32))
NOTE = sign_checkpoint(20_852_163, ROOT, KEY)


def test_a_published_key_is_read_and_written_as_it_is() -> None:
    assert str(read_public_key(PUBLISHED_KEY)) == PUBLISHED_KEY
    assert read_public_key(PUBLISHED_KEY).id.hex() == "530d903a"


def test_a_checkpoint_is_three_lines_an_empty_one_and_a_signature() -> None:
    lines = NOTE.split("\n")
    assert lines[:2] == ["example.com/stillwatch", "20852163"]
    assert base64.b64decode(lines[2]) == ROOT
    assert lines[3] == ""
    assert lines[4].startswith("— example.com/stillwatch ")
    assert lines[5:] == [""]


def test_what_was_signed_is_read() -> None:
    assert read_checkpoint(NOTE, KEY.public) == Checkpoint("example.com/stillwatch", 20_852_163, ROOT)


def test_a_witness_may_add_its_signature_and_the_log_may_add_lines() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    witness = make_key("witness.example.org", b"\3" * 32)
    signature = base64.b64encode(witness.public.id + b"\0" * 64).decode()
    assert read_checkpoint(f"{NOTE}— witness.example.org {signature}\n", KEY.public).size == 20_852_163
    text = f"{Checkpoint('example.com/stillwatch', 3, ROOT)}an extension\n"
    signed = Ed25519PrivateKey.from_private_bytes(KEY.seed).sign(text.encode())
    note = f"{text}\n— example.com/stillwatch {base64.b64encode(KEY.public.id + signed).decode()}\n"
    assert read_checkpoint(note, KEY.public).size == 3


@pytest.mark.parametrize("place", range(0, len(NOTE), 3))
def test_a_checkpoint_with_one_character_changed_is_refused(place: int) -> None:
    other = "B" if NOTE[place] != "B" else "C"
    with pytest.raises(InputRefused):
        read_checkpoint(NOTE[:place] + other + NOTE[place + 1 :], KEY.public)


def test_the_signature_of_another_key_does_not_count() -> None:
    forger = make_key("example.com/stillwatch", b"\1" * 32)
    with pytest.raises(NotVouched, match=r"no signature of example.com/stillwatch by that key"):
        read_checkpoint(sign_checkpoint(1, ROOT, forger), KEY.public)


def test_a_key_vouches_for_its_own_log_alone() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    text = str(Checkpoint("example.org/other", 1, ROOT))
    signed = Ed25519PrivateKey.from_private_bytes(KEY.seed).sign(text.encode())
    note = f"{text}\n— example.com/stillwatch {base64.b64encode(KEY.public.id + signed).decode()}\n"
    with pytest.raises(NotVouched, match=r"of the log example.org/other"):
        read_checkpoint(note, KEY.public)


@given(st.text(max_size=80) | st.text("ab\n— +=0159", max_size=80))
def test_what_is_no_checkpoint_is_refused_in_words(note: str) -> None:
    with pytest.raises(InputRefused):
        read_checkpoint(note, KEY.public)


@given(st.text(max_size=60) | st.text("a+=0159", max_size=60))
def test_what_is_no_key_is_refused_in_words(text: str) -> None:
    with pytest.raises(UsageError):
        read_public_key(text)
    with pytest.raises(UsageError):
        read_signing_key(text)
    with pytest.raises(UsageError):
        read_signing_key(f"PRIVATE+KEY+{text}")


def test_a_signing_key_is_read_as_it_was_written_and_is_never_shown() -> None:
    assert read_signing_key(KEY.written() + "\n") == KEY
    assert "\\x07" not in repr(KEY)
    damaged = KEY.written().replace("Bwc", "Bwd", 1)
    with pytest.raises(UsageError, match="does not fit its id") as told:
        read_signing_key(damaged)
    assert damaged.split("+")[-1] not in str(told.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_would_frame_another_note_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a log"):
        make_key(name, b"\7" * 32)
