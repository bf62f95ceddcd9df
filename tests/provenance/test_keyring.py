from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.model import InputRefused, UsageError
from stillwatch.provenance.keyring import (
    Keyring,
    commit,
    commitment_of,
    new_secret,
    opens,
    read_keyring,
    write_keyring,
)

SECRET = bytes(range(32))
RING = Keyring(SECRET).rotated("campaign:c-1", "twins", 5).rotated("class:new", "watermark", 6)


def test_keys_of_scopes_purposes_epochs_and_secrets_differ() -> None:
    ring = RING.rotated("campaign:c-1", "twins", 9).rotated("campaign:c-1", "watermark", 9)
    other = Keyring(bytes(32), ring.terms)
    assert len({each.secret for each in (*ring.all_keys(), *other.all_keys())}) == 8
    assert len({each.commitment for each in (*ring.all_keys(), *other.all_keys())}) == 8


def test_a_key_is_the_same_whenever_it_is_derived() -> None:
    assert RING.key("campaign:c-1", "twins").secret == Keyring(SECRET, RING.terms).key("campaign:c-1", "twins").secret


def test_rotation_logs_each_term_and_old_keys_stay_to_be_had() -> None:
    ring = RING.rotated("campaign:c-1", "twins", 9)
    assert [(each.epoch, each.begins) for each in ring.terms if each.scope == "campaign:c-1"] == [(1, 5), (2, 9)]
    assert ring.key("campaign:c-1", "twins").term.epoch == 2
    assert ring.key("campaign:c-1", "twins", 1).secret == RING.key("campaign:c-1", "twins").secret


def test_a_commitment_is_published_before_and_opened_by_its_key_alone() -> None:
    ledger: list[tuple[str, str, dict[str, Any]]] = []

    def append(kind: str, subject: str, body: dict[str, Any]) -> int:
        ledger.append((kind, subject, body))
        return len(ledger) - 1

    key = RING.key("campaign:c-1", "twins")
    assert commit(key, append, {"plan": "twins 1"}) == 0
    kind, subject, body = ledger[0]
    assert (kind, subject, body["method"]) == ("mark-committed", "campaign:c-1", {"plan": "twins 1"})
    assert opens(key, body)
    assert not opens(RING.rotated("campaign:c-1", "twins", 7).key("campaign:c-1", "twins"), body)
    assert not opens(key, {})


def test_no_key_and_no_secret_is_shown() -> None:
    key = RING.key("campaign:c-1", "twins")
    shown = f"{RING!r}{key!r}{json.dumps(commitment_of(key, {}))}"
    assert SECRET.hex() not in shown
    assert key.secret.hex() not in shown
    assert repr(key.secret) not in shown


def test_a_keyring_is_read_as_it_was_written() -> None:
    assert read_keyring(json.loads(json.dumps(write_keyring(RING)))) == RING


@pytest.mark.parametrize(
    "told", [None, {}, {"format": "x"}, {"format": "stillwatch keyring 1", "secret": "zz", "terms": []}]
)
def test_what_is_no_keyring_is_refused(told: Any) -> None:
    with pytest.raises(InputRefused, match="no keyring"):
        read_keyring(told)


def test_numbers_for_schemes_are_within_their_bits_and_differ() -> None:
    numbers = RING.key("class:new", "watermark").numbers(30, 31)
    assert len(set(numbers)) == 30
    assert all(0 <= each < 1 << 31 for each in numbers)


def test_wrong_names_and_short_secrets_are_refused() -> None:
    with pytest.raises(UsageError, match="campaign:ID"):
        RING.rotated("c-1", "twins", 0)
    with pytest.raises(UsageError, match="twins or watermark"):
        RING.rotated("campaign:c-1", "other", 0)
    with pytest.raises(UsageError, match="no key for twins"):
        RING.key("class:new", "twins")
    with pytest.raises(UsageError, match="needs 32"):
        Keyring(b"short")


def test_new_secrets_differ() -> None:
    assert new_secret() != new_secret()
