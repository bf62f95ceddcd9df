"""Whoever changes one row of the database, anywhere that matters, is found out, and the entry is named."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, update

from stillwatch.actions.decision import ActionKind
from stillwatch.store import proving
from stillwatch.store.acts import approve_action, propose_action, reverse_action
from stillwatch.store.acts_read import Proposal, Scope
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, open_store
from stillwatch.store.keys import KeyRequest, issue_key, revoke_key
from stillwatch.store.ledger import tree
from stillwatch.store.ledger.notes import Checkpoint, read_checkpoint
from stillwatch.store.tables import ACTIONS, ENTRIES, KEYS, NODES, STATE


@pytest.fixture
def filled(store: Store) -> Store:
    """A ledger of 13 entries: actions 0 to 7, of which 3 are approved (8 to 10), one reversed (11), and a key (12)."""
    fill(store)
    return store


@pytest.fixture(scope="module")
def filled_file(file_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in a file, to be copied."""
    path = tmp_path_factory.mktemp("audit") / "filled.sqlite"
    shutil.copyfile(file_template, path)
    with open_store(str(path)) as store:
        fill(store)
    return path


@pytest.fixture
def copied(filled_file: Path, tmp_path: Path) -> Iterator[Store]:
    """The same in a file of the test's own."""
    path = tmp_path / "control.sqlite"
    shutil.copyfile(filled_file, path)
    with open_store(str(path)) as opened:
        yield opened


def fill(store: Store) -> None:
    for number in range(8):
        asked = Proposal(Scope.ACCOUNT, f"acct-{number}", ActionKind.SUSPEND, "distillation", 1_000)
        propose_action(store, asked, number, "policy")
    for number in range(3):
        approve_action(store, f"act-{number}", 10 + number, "ann")
    reverse_action(store, "act-1", 20, "bob", "a licence was found")
    issue_key(store, KeyRequest("acct-1"), 30, "ann")


def tamper(store: Store, *statements: Any) -> None:
    with store.engine.connect() as connection, connection.execution_options(writes=True).begin():
        for each in statements:
            connection.execute(each)


def rewrite(store: Store, index: int, old: str, new: str) -> str:
    """Change the text of an entry, and return what it is now."""
    with store.engine.connect() as connection:
        told = connection.execute(ENTRIES.select().where(ENTRIES.c.leaf == index)).one().text
    assert old in told
    tamper(store, update(ENTRIES).where(ENTRIES.c.leaf == index).values(text=told.replace(old, new, 1)))
    return str(told.replace(old, new, 1))


def test_an_untouched_log_holds(filled: Store) -> None:
    found = audit(filled)
    assert found.faults == ()
    assert (found.size, found.root) == proving.head(filled)


@pytest.mark.parametrize("index", range(13))
def test_an_altered_entry_is_named(copied: Store, index: int) -> None:
    rewrite(copied, index, '"v":1', '"v": 1')
    assert index in {each.index for each in audit(copied).faults if "was altered" in each.what}


def test_a_rewritten_entry_is_named_even_when_it_reads_well(filled: Store) -> None:
    rewrite(filled, 9, '"by":"ann"', '"by":"eve"')
    faults = audit(filled).faults
    assert [each.index for each in faults if "was altered" in each.what] == [9]
    assert any("approved_by" in each.what for each in faults)


def test_an_entry_rewritten_with_its_hash_is_found_by_the_hash_above(copied: Store) -> None:
    forged = rewrite(copied, 8, '"by":"ann"', '"by":"eve"')
    leaf = (NODES.c.last == 8) & (NODES.c.level == 0)
    tamper(copied, update(NODES).where(leaf).values(hash=tree.leaf_hash(forged.encode())))
    assert any("over entries 8 to 9 is not that of its halves" in each.what for each in audit(copied).faults)


@pytest.mark.parametrize("index", [0, 5, 12])
def test_a_missing_entry_is_named(copied: Store, index: int) -> None:
    tamper(copied, delete(ENTRIES).where(ENTRIES.c.leaf == index))
    assert (index, "the entry is missing") in [(each.index, each.what) for each in audit(copied).faults]


def test_every_stored_hash_matters_and_is_named(copied: Store) -> None:
    with copied.engine.connect() as connection:
        nodes = list(connection.execute(NODES.select()))
    for node in nodes:
        here = (NODES.c.last == node.last) & (NODES.c.level == node.level)
        for statement, back in (
            (update(NODES).where(here).values(hash=b"\0" * 32), update(NODES).where(here).values(hash=node.hash)),
            (delete(NODES).where(here), insert(NODES).values(last=node.last, level=node.level, hash=node.hash)),
        ):
            tamper(copied, statement)
            assert node.last in {each.index for each in audit(copied).faults}, node
            tamper(copied, back)
    assert audit(copied).faults == ()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (insert(ENTRIES).values(leaf=13, kind="approval", subject_type="account", subject_id="a", text="{}"), 13),
        (insert(ENTRIES).values(leaf=-1, kind="approval", subject_type="account", subject_id="a", text="{}"), -1),
        (insert(NODES).values(last=40, level=0, hash=b"\0" * 32), 40),
        (insert(NODES).values(last=2, level=1, hash=b"\0" * 32), 2),
        (update(ENTRIES).where(ENTRIES.c.leaf == 3).values(kind="approval"), 3),
        (update(ENTRIES).where(ENTRIES.c.leaf == 3).values(subject_id="acct-4"), 3),
        (update(STATE).values(ledger_size=12), 12),
        (update(STATE).values(ledger_size=14), 13),
    ],
)
def test_what_is_added_or_renamed_is_named(copied: Store, statement: Any, index: int) -> None:
    tamper(copied, statement)
    assert index in {each.index for each in audit(copied).faults}


@pytest.mark.parametrize(
    ("statement", "index", "what"),
    [
        (update(ACTIONS).where(ACTIONS.c.action_id == "act-5").values(status="approved"), 5, "another status"),
        (update(ACTIONS).where(ACTIONS.c.action_id == "act-2").values(approved_by="eve"), 10, "another approved_by"),
        (update(ACTIONS).where(ACTIONS.c.action_id == "act-1").values(status="approved"), 11, "another status"),
        (update(ACTIONS).where(ACTIONS.c.action_id == "act-0").values(expires_at=9_999), 8, "another expires_at"),
        (update(ACTIONS).where(ACTIONS.c.action_id == "act-0").values(subject_id="acct-9"), 8, "another subject_id"),
        (delete(ACTIONS).where(ACTIONS.c.action_id == "act-3"), 3, "not in the database"),
        (update(KEYS).values(account_id="acct-2"), 12, "another account_id"),
        (update(KEYS).values(revoked_at=31), 12, "another revoked_at"),
        (
            update(ACTIONS).where(ACTIONS.c.action_id == "act-3").values(action_id="act-99"),
            None,
            "no entry tells of it",
        ),
    ],
)
def test_an_act_that_nobody_logged_is_found(copied: Store, statement: Any, index: int | None, what: str) -> None:
    tamper(copied, statement)
    assert any(each.index == index and what in each.what for each in audit(copied).faults)


def vouched(store: Store) -> Checkpoint:
    return Checkpoint("example.com/stillwatch", *proving.head(store))


def test_a_log_that_grew_holds_against_an_older_checkpoint(copied: Store) -> None:
    empty, told = Checkpoint("example.com/stillwatch", 0, tree.EMPTY), vouched(copied)
    revoke_key(copied, "key-12", 40, "ann")
    for each in (empty, told, vouched(copied)):
        assert audit(copied, each).faults == ()


def test_a_log_whose_end_was_cut_off_holds_alone_but_not_against_a_checkpoint(filled: Store) -> None:
    told = vouched(filled)
    tamper(
        filled,
        delete(ENTRIES).where(ENTRIES.c.leaf == 12),
        delete(NODES).where(NODES.c.last == 12),
        delete(KEYS),
        update(STATE).values(ledger_size=12),
    )
    assert audit(filled).faults == ()
    assert [each.index for each in audit(filled, told).faults] == [12]


def test_a_log_that_was_written_anew_holds_alone_but_not_against_a_checkpoint(copied: Store) -> None:
    told = vouched(copied)
    forged = told.root[::-1]
    assert audit(copied, told).faults == ()
    (fault,) = audit(copied, Checkpoint(told.origin, told.size, forged)).faults
    assert fault.what == "the first 13 entries are not those that the checkpoint vouches for"


class Undo(Exception):
    """Ends a transaction that was only tried."""


@given(index=st.integers(0, 12), place=st.integers(0, 10_000), letter=st.characters(codec="ascii"))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_one_character_of_any_entry_matters(copied: Store, index: int, place: int, letter: str) -> None:
    from stillwatch.store.audit import check_entries

    def try_it(connection: Connection) -> None:
        told = connection.execute(ENTRIES.select().where(ENTRIES.c.leaf == index)).one().text
        at = place % len(told)
        forged = told[:at] + letter + told[at + 1 :]
        connection.execute(update(ENTRIES).where(ENTRIES.c.leaf == index).values(text=forged))
        named = {each.index for each in check_entries(connection, 13)}
        assert (index in named) == (forged != told)
        raise Undo

    with (
        pytest.raises(Undo),
        copied.engine.connect() as connection,
        connection.execution_options(writes=True).begin(),
    ):
        try_it(connection)


def test_the_signed_checkpoint_is_of_the_log_as_it_is(copied: Store) -> None:
    from stillwatch.store.ledger.notes import make_key

    key = make_key("example.com/stillwatch", b"\7" * 32)
    assert read_checkpoint(proving.checkpoint(copied, key), key.public) == vouched(copied)
