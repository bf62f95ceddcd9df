"""What the operator's table says, and what an account proved or said here, are kept apart and handed out together."""

from __future__ import annotations

from dataclasses import fields

import pytest

from stillwatch.ingest.columns import ACCOUNT_COLUMNS
from stillwatch.model import UsageError
from stillwatch.store.accounts import (
    Account,
    accounts_changed,
    accounts_of,
    declare_use,
    mark_verified,
    put_accounts,
)
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, reading, version
from stillwatch.store.log import lines


def test_an_account_has_the_columns_of_the_accounts_table_and_two_of_ours() -> None:
    ours = ["verified_since", "declared_use"]
    assert [each.name for each in fields(Account)] == [*(each.name for each in ACCOUNT_COLUMNS), *ours]


def test_accounts_are_written_and_read(store: Store) -> None:
    told = [Account(f"acct-{n}", created_at=n, plan="team", verification="email") for n in range(1_200)]
    assert put_accounts(store, told) == 1_200
    assert accounts_of(store, ["acct-7", "acct-1199", "nobody"]) == {"acct-7": told[7], "acct-1199": told[1_199]}
    assert len(accounts_of(store, [each.account_id for each in told])) == 1_200


def test_a_worker_asks_only_for_what_changed(store: Store) -> None:
    put_accounts(store, [Account("a"), Account("b")])
    seen = version(store)
    assert put_accounts(store, [Account("a"), Account("b")]) == 0
    assert version(store) == seen
    assert put_accounts(store, [Account("a"), Account("b", plan="team")]) == 1
    assert accounts_changed(store, seen) == {"b": Account("b", plan="team")}
    assert set(accounts_changed(store)) == {"a", "b"}


def test_a_table_that_lags_behind_takes_back_neither_proof_nor_declaration(store: Store) -> None:
    put_accounts(store, [Account("a", verification="none")])
    assert mark_verified(store, "a", "payment", 5, "relay").verified_since == 5
    declare_use(store, "a", "evaluation of our own models", 6, "ann")
    put_accounts(store, [Account("a", verification="email", plan="team")])
    found = accounts_of(store, ["a"])["a"]
    assert found == Account(
        "a", verification="payment", plan="team", verified_since=5, declared_use="evaluation of our own models"
    )
    put_accounts(store, [Account("a", verification="business", plan="team")])
    assert accounts_of(store, ["a"])["a"].verification == "business"


def test_the_operators_table_cannot_forge_a_proof(file_store: Store) -> None:
    put_accounts(file_store, [Account("a", verified_since=1, declared_use="anything")])
    assert accounts_of(file_store, ["a"]) == {"a": Account("a")}


def test_verification_and_declaration_stand_in_the_ledger(store: Store) -> None:
    mark_verified(store, "unseen", "business", 5, "relay")
    declare_use(store, "unseen", "synthetic data", 6, "ann")
    declare_use(store, "unseen", "", 7, "ann")
    with reading(store) as connection:
        kinds = [(each.entry.kind, each.entry.subject_id) for each in lines(connection)]
    assert kinds == [("verification", "unseen"), ("declaration", "unseen"), ("declaration", "unseen")]
    assert accounts_of(store, ["unseen"])["unseen"].declared_use is None
    assert audit(store).faults == ()


@pytest.mark.parametrize("verification", ["none", "blood"])
def test_nothing_is_no_proof(file_store: Store, verification: str) -> None:
    with pytest.raises(UsageError, match="is no verification"):
        mark_verified(file_store, "a", verification, 5, "relay")
