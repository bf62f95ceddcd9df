"""Several processes append at once, and are killed, and the ledger has every acknowledged entry once, without a gap."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys

import pytest
from sqlalchemy import event, select

from stillwatch.model import UsageError
from stillwatch.store import proving
from stillwatch.store.audit import audit
from stillwatch.store.database import Store, open_store, reading, version, writing
from stillwatch.store.ledger import entries, tree
from stillwatch.store.ledger.entries import Entry
from stillwatch.store.log import lines, size
from stillwatch.store.policies import record_policy
from stillwatch.store.tables import ENTRIES


def start(database: str, name: str, count: int) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "tests.store.child", database, name, str(count)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def texts(store: Store) -> list[str]:
    with reading(store) as connection:
        return [each.text for each in lines(connection)]


def test_processes_that_append_at_once_make_one_log(database: str) -> None:
    running = [start(database, name, 25) for name in ("one", "two")]  # both find no tables, and make them
    told = []
    for each in running:
        out, err = each.communicate(timeout=120)
        assert each.returncode == 0, err
        told += [int(line) for line in out.split()]
    assert sorted(told) == list(range(50))
    with open_store(database) as store:
        found = audit(store)
        assert found.faults == ()
        assert found.root == tree.root_of(text.encode() for text in texts(store))
        with reading(store) as connection:
            for name in ("one", "two"):  # each one's own order is kept
                own = [each.entry.subject_id for each in lines(connection) if each.entry.by == name]
                assert own == [f"{name}-{number}" for number in range(25)]


def test_a_writer_that_is_killed_leaves_every_acknowledged_entry_and_no_half(database: str) -> None:
    chance = random.Random(5)
    acknowledged: list[tuple[int, str]] = []
    for life in range(4):
        victim = start(database, f"life-{life}", 10_000)
        assert victim.stdout is not None
        for number in range(chance.randrange(1, 25)):
            acknowledged.append((int(victim.stdout.readline()), f"life-{life}-{number}"))
        for _ in range(chance.randrange(0, 50_000)):
            pass
        victim.send_signal(signal.SIGKILL)
        rest = victim.stdout.read()  # not by `communicate`, which does not see what a readline has read ahead
        victim.communicate(timeout=60)
        complete = [line for line in rest.split("\n")[:-1] if line]
        first = len([1 for _, name in acknowledged if name.startswith(f"life-{life}-")])
        acknowledged += [(int(line), f"life-{life}-{first + place}") for place, line in enumerate(complete)]
    with open_store(database) as store:
        found = audit(store)
        assert found.faults == ()
        assert found.size >= len(acknowledged)
        with reading(store) as connection:
            named = {each.index: each.entry.subject_id for each in lines(connection)}
    assert sorted(named) == list(range(found.size))
    assert {index: named[index] for index, _ in acknowledged} == dict(acknowledged)


def test_an_act_that_fails_leaves_neither_entry_nor_change(store: Store) -> None:
    record_policy(store, "d1", "rules: []", 1, "ann")
    before = proving.head(store), version(store)

    def fail_after_the_entry() -> None:
        with writing(store) as act:
            act.append(Entry(2, "ann", "policy", "d2", entries.Policy("rules: []")))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_after_the_entry()
    assert (proving.head(store), version(store)) == before
    assert audit(store).faults == ()


def test_the_cost_of_an_append_grows_with_the_height_of_the_tree_alone(file_store: Store) -> None:
    counts = []

    def count(*_: object) -> None:
        counts[-1] += 1

    event.listen(file_store.engine, "before_cursor_execute", count)
    for number in range(130):
        counts.append(0)
        record_policy(file_store, f"d{number}", "rules: []", number, "ann")
    assert max(counts) - min(counts) <= (130).bit_length()


def test_the_stored_nodes_give_the_root_that_the_entries_have(store: Store) -> None:
    for number in range(13):
        record_policy(store, f"d{number}", "rules: []", number, "ann")
        assert proving.head(store) == (number + 1, tree.root_of(text.encode() for text in texts(store)))


def test_entries_are_found_by_kind_and_by_subject(store: Store) -> None:
    for number in range(4):
        record_policy(store, f"d{number % 2}", "rules: []", number, "ann")
    with reading(store) as connection:
        assert [each.index for each in lines(connection, kind="policy", subject="d1")] == [1, 3]
        assert [each.index for each in lines(connection, start=2)] == [2, 3]
        assert list(lines(connection, kind="action")) == []
        assert size(connection) == 4


@pytest.mark.parametrize("name", ["", "x" * 513, "a\0b", "a\nb", "a\x1b[2Jb", "\ud800"])
def test_an_id_that_a_database_or_a_terminal_chokes_on_is_refused(file_store: Store, name: str) -> None:
    with pytest.raises(UsageError):
        record_policy(file_store, name, "rules: []", 1, "ann")
    with reading(file_store) as connection:
        assert connection.execute(select(ENTRIES)).all() == []


def test_a_text_with_any_character_can_be_kept(store: Store) -> None:
    text = "".join(chr(each) for each in (*range(0x20), 0x7F, 0x85, 0x2028, 0xFFFD, 0x1F600))
    record_policy(store, "d1", text, 1, "ann")
    with reading(store) as connection:
        (only,) = lines(connection)
    assert only.entry.content == entries.Policy(text)
    assert audit(store).faults == ()


def test_threads_of_one_process_may_share_a_store(store: Store) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda number: record_policy(store, f"d{number}", "x", number, "ann"), range(24)))
    assert sorted(each for each in told if each is not None) == list(range(24))
    assert audit(store).faults == ()


def test_a_process_that_forks_opens_its_own(database: str) -> None:
    with open_store(database) as store:
        record_policy(store, "parent", "x", 1, "ann")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with open_store(database) as own:
                record_policy(own, "child", "x", 2, "ann")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with open_store(database) as store:
        assert audit(store).size == 2
