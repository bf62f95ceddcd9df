"""A policy is recorded when it changes, however many workers say so."""

from __future__ import annotations

from stillwatch.store.database import Store, reading, version
from stillwatch.store.ledger.entries import Policy
from stillwatch.store.log import lines
from stillwatch.store.policies import put_setting, record_policy, setting


def test_every_worker_may_record_the_policy_and_one_entry_is_written(store: Store) -> None:
    assert [record_policy(store, "d1", "rules: []\n", at, "ann") for at in range(3)] == [0, None, None]
    with reading(store) as connection:
        (only,) = lines(connection)
    assert (only.entry.subject_id, only.entry.content) == ("d1", Policy("rules: []\n"))


def test_going_back_to_an_older_policy_is_a_change(store: Store) -> None:
    assert [record_policy(store, name, "", 1, "ann") for name in ("d1", "d2", "d1")] == [0, 1, 2]


def test_a_setting_is_shared(store: Store) -> None:
    assert setting(store, "drain") is None
    put_setting(store, "drain", "node-1")
    before = version(store)
    put_setting(store, "drain", "node-1")
    assert version(store) == before
    put_setting(store, "drain", "node-2")
    assert (setting(store, "drain"), version(store)) == ("node-2", before + 1)


def test_a_shared_setting_cannot_pass_as_one_of_ours(store: Store) -> None:
    record_policy(store, "d1", "", 1, "ann")
    put_setting(store, "policy", "d2")
    assert record_policy(store, "d1", "", 2, "ann") is None
