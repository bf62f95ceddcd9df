"""A gateway key is shown once and kept nowhere; it is found by its hash until it is revoked."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import pytest

from stillwatch.model import UsageError
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, open_store, reading
from stillwatch.store.keys import KeyRequest, hash_digest, hash_key, issue_key, key_hashes, list_keys, revoke_key
from stillwatch.store.log import lines, size
from tests.store.conftest import SECRET

ASKED = KeyRequest("acct-1", "nightly evaluation", 10_000)


def test_a_key_is_found_by_its_hash(store: Store) -> None:
    key, kept = issue_key(store, ASKED, 1, "ann")
    assert key_hashes(store) == {hash_key(key, SECRET): kept}
    assert (kept.account_id, kept.label, kept.expires_at) == ("acct-1", "nightly evaluation", 10_000)
    assert hash_key(key + "x", SECRET) not in key_hashes(store)


def test_whoever_passes_on_a_digest_finds_the_same() -> None:
    import hashlib

    digest = hashlib.sha256(b"sk-sw-1").hexdigest()
    assert hash_digest(digest, SECRET) == hash_key("sk-sw-1", SECRET) != digest


def test_a_revoked_key_is_found_no_longer(store: Store) -> None:
    _, first = issue_key(store, ASKED, 1, "ann")
    _, second = issue_key(store, ASKED, 2, "ann")
    assert revoke_key(store, first.key_id, 3, "bob").revoked_at == 3
    assert list(key_hashes(store).values()) == [second]
    assert revoke_key(store, first.key_id, 4, "bob").revoked_at == 3  # it was
    with reading(store) as connection:
        assert [each.entry.kind for each in lines(connection)] == ["key-issued", "key-issued", "key-revoked"]
    assert audit(store).faults == ()


def test_two_keys_are_never_alike(file_store: Store) -> None:
    assert issue_key(file_store, ASKED, 1, "ann")[0] != issue_key(file_store, ASKED, 1, "ann")[0]


def test_keys_are_listed_without_their_hashes(store: Store) -> None:
    _, ours = issue_key(store, ASKED, 1, "ann")
    _, theirs = issue_key(store, KeyRequest("acct-2"), 2, "ann")
    assert list_keys(store) == [ours, theirs]
    assert list_keys(store, "acct-2") == [theirs]


def test_neither_key_nor_secret_is_in_the_database_or_in_print(tmp_path: Path) -> None:
    out = io.StringIO()
    with (
        open_store(str(tmp_path / "control.sqlite"), SECRET) as store,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        key, kept = issue_key(store, ASKED, 1, "ann")
        print(store, kept, list_keys(store), key_hashes(store))
        raw = b"".join(path.read_bytes() for path in tmp_path.iterdir())  # with the journal
    raw += b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert hash_key(key, SECRET).encode() in raw  # we look where it would be
    for secret in (key, key.removeprefix("sk-sw-"), SECRET.decode()):
        assert secret.encode() not in raw
        assert secret not in out.getvalue()


def test_another_secret_is_noticed_before_every_key_is_refused(database: str) -> None:
    with open_store(database, SECRET) as store:
        key_hashes(store)  # nothing was hashed yet
        issue_key(store, ASKED, 1, "ann")
    with open_store(database, b"another") as store:
        for act in (lambda: key_hashes(store), lambda: issue_key(store, ASKED, 2, "ann")):
            with pytest.raises(UsageError, match="STILLWATCH_SECRET is not the one"):
                act()
        assert len(list_keys(store)) == 1


def test_a_key_that_is_over_before_it_begins_or_is_not_there_is_refused(file_store: Store) -> None:
    with pytest.raises(UsageError, match="must expire later"):
        issue_key(file_store, ASKED, 10_000, "ann")
    with pytest.raises(UsageError, match="key-5: no such key"):
        revoke_key(file_store, "key-5", 1, "ann")
    with reading(file_store) as connection:
        assert size(connection) == 0
