"""Keys: made once, rotated with an overlap, revoked for good; and no secret is published."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from stillwatch.integrity.signing.keys import new_ring, read_public, read_ring, revoke, rotate, write_ring
from stillwatch.model import InputRefused, UsageError

NOON = 1_700_000_000


def test_a_file_of_keys_comes_back_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    ring, path = new_ring("api.example.com", NOON), tmp_path / "keys.json"
    write_ring(ring, path, new=True)
    assert read_ring(path) == ring
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(UsageError, match="never replaced"):
        write_ring(ring, path, new=True)


def test_a_new_key_signs_only_once_clients_could_fetch_it() -> None:
    ring = rotate(new_ring("api.example.com", NOON), NOON + 100, begins_in=60, overlap=30)
    old, new = ring.keys
    assert [ring.signer(NOON + 100 + at) for at in (0, 59, 60, 10_000)] == [old, old, new, new]
    assert (old.public.not_after, new.public.not_after) == (NOON + 190, None)


def test_a_rotation_never_lengthens_the_life_of_a_key() -> None:
    ring = rotate(new_ring("api.example.com", NOON), NOON, begins_in=0, overlap=10)
    assert rotate(ring, NOON, begins_in=0, overlap=1_000).keys[0].public.not_after == NOON + 10


def test_a_revoked_key_signs_no_more() -> None:
    ring = new_ring("api.example.com", NOON)
    gone = revoke(ring, ring.keys[0].public.kid, NOON + 1, "stolen")
    with pytest.raises(UsageError, match="no key may sign"):
        gone.signer(NOON + 2)
    assert gone.public().keys[ring.keys[0].public.kid].revoked_because == "stolen"
    with pytest.raises(UsageError, match="no key 'other'"):
        revoke(ring, "other", NOON, "stolen")


def test_what_is_published_comes_back_without_the_secret() -> None:
    ring = rotate(new_ring("api.example.com", NOON), NOON, 0, 9)
    text = json.dumps(ring.public().jwks())
    assert read_public(text, "keys") == ring.public()
    assert '"d"' not in text
    assert "seed" not in repr(ring)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"keys": [1]}', '{"keys": [{"crv": "Ed25519", "kid": "a", "x": "!"}]}']
)
def test_what_holds_no_keys_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        read_public(text, "keys.json")
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(InputRefused):
        read_ring(tmp_path / "keys.json")


def test_a_name_that_no_client_could_know_is_refused() -> None:
    with pytest.raises(UsageError, match="no name of an issuer"):
        new_ring("two words", NOON)


def test_no_key_id_begins_with_a_dash_which_a_command_would_take_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda size: b"\xfb" * size)  # "-" at its beginning, as base64
    assert new_ring("api.example.com", NOON).keys[0].public.kid[0].isalpha()
