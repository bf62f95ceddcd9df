"""The clients of the decide API: what they do when it answers, when it does not, and that they say so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stillwatch.actions.decision import Decision
from stillwatch.apps.gateway.apis.naming import DIGESTS
from stillwatch.apps.gateway.plugs.client import AsyncClient, Client
from stillwatch.apps.gateway.plugs.decide import MOST, decide_api
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.plugs.service import Service
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import UsageError
from tests.apps.gateway.plugs.drivers import TOKEN
from tests.apps.gateway.plugs.serving import free_port, serving
from tests.apps.gateway.plugs.table import DECISIONS, NAMES, Kept, Row, Rules, chat

Work = Callable[[Any], Any]


def with_client(service: Service, *steps: Callable[[Client], Any]) -> list[Any]:
    client = Client(service)
    try:
        return [client.counts, *(step(client) for step in steps)]
    finally:
        client.close()


def with_async_client(service: Service, *steps: Callable[[Any], Any]) -> list[Any]:
    async def work() -> list[Any]:
        client = AsyncClient(service)
        try:
            return [client.counts, *[await step(client) for step in steps]]
        finally:
            await client.close()

    return asyncio.run(work())


BOTH = pytest.mark.parametrize("use", [with_client, with_async_client], ids=["from a thread", "from a loop"])


def arrival(account: str = "plain", text: str = "What is a fjord?") -> Arrival:
    row = Row("", "/v1/chat/completions", chat(text))
    return arrival_of(Asked(row.path, {}, row.text, account_id=account), DIGESTS)


@pytest.fixture
def there() -> Iterator[tuple[Service, Rules, Kept]]:
    rules, kept = Rules(), Kept()
    with serving(decide_api(rules, kept, token=TOKEN, names=NAMES)) as port:
        yield Service(f"http://127.0.0.1:{port}", TOKEN, timeout=10), rules, kept


@BOTH
def test_a_client_gets_the_decision_and_tells_the_outcome(use: Any, there: tuple[Service, Rules, Kept]) -> None:
    service, rules, kept = there
    one, two = arrival("busy"), arrival()
    outcome = Outcome(200, 9, 4, ("h",), "A bay.")
    counts, refused, allowed, told = use(
        service,
        lambda c: c.decide(one),
        lambda c: c.decide(two),
        lambda c: c.tell(two, Decision("allow"), outcome),  # type: ignore[arg-type]
    )
    assert refused == DECISIONS["busy"]
    assert allowed.action == "allow"
    assert told is True
    assert rules.arrivals == [one, two]
    assert [row[2] for row in kept.rows] == [Outcome(429), outcome]
    assert counts == {"asked": 2, "told": 1}


@BOTH
@pytest.mark.parametrize(
    ("on_failure", "refused", "rule"), [("open", False, "undecided"), ("closed", True, "undecided")]
)
def test_when_nobody_answers_it_does_as_configured_and_says_so_once(
    use: Any, on_failure: str, refused: bool, rule: str, caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(f"http://127.0.0.1:{free_port()}", TOKEN, on_failure)
    with caplog.at_level(logging.WARNING):
        counts, *decisions = use(service, *[lambda c: c.decide(arrival())] * 3)
    assert [(each.effect.refused, each.rule) for each in decisions] == [(refused, rule)] * 3
    assert decisions[0].effect.status == (503 if refused else 200)
    assert counts == {"asked": 3, "undecided": 3}
    assert len(caplog.records) == 1
    assert ("refused" if refused else "ALLOWED UNDECIDED") in caplog.text


@BOTH
def test_it_says_when_decisions_are_had_again(use: Any, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    service = Service(f"http://127.0.0.1:{port}", TOKEN, "open", timeout=10)
    held: list[Any] = []

    def start() -> None:
        held.append(serving(decide_api(Rules(), Kept(), token=TOKEN, names=NAMES), port))
        held[0].__enter__()

    def decide_after_start(client: Any) -> Any:
        start()
        return client.decide(arrival())

    with caplog.at_level(logging.WARNING):
        _, first, second = use(service, lambda c: c.decide(arrival()), decide_after_start)
    held[0].__exit__(None, None, None)
    assert (first.rule, second.action) == ("undecided", "allow")
    assert "answers again; 1 requests were not decided" in caplog.text


@BOTH
def test_a_wrong_token_is_an_outage_that_names_it(
    use: Any, there: tuple[Service, Rules, Kept], caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(there[0].url, "another-token-than-theirs", timeout=10)
    with caplog.at_level(logging.ERROR):
        _, decision = use(service, lambda c: c.decide(arrival()))
    assert decision.effect.status == 503
    assert "401" in caplog.text
    assert "another-token" not in caplog.text


@BOTH
def test_a_request_that_is_too_large_to_judge_is_refused_even_where_failure_is_open(
    use: Any, there: tuple[Service, Rules, Kept]
) -> None:
    service = Service(there[0].url, TOKEN, "open", timeout=30)
    _, decision = use(service, lambda c: c.decide(arrival(text="a" * (MOST + 1))))
    assert (decision.effect.refused, decision.effect.status) == (True, 413)


@BOTH
def test_an_outcome_that_cannot_be_told_is_said(use: Any, caplog: pytest.LogCaptureFixture) -> None:
    service = Service(f"http://127.0.0.1:{free_port()}", TOKEN)
    with caplog.at_level(logging.ERROR):
        counts, told = use(service, lambda c: c.tell(arrival(), Decision("allow"), Outcome(200)))  # type: ignore[arg-type]
    assert told is False
    assert counts["untold"] == 1
    assert "could not be told" in caplog.text


def test_a_connection_that_the_server_closed_is_opened_again(there: tuple[Service, Rules, Kept]) -> None:
    client = Client(there[0])
    client.decide(arrival())
    client._connection().sock.close()
    client._connection().sock = None
    assert client.decide(arrival()).action == "allow"
    client.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "set STILLWATCH_DECIDE_URL and STILLWATCH_DECIDE_TOKEN"),
        ({"STILLWATCH_DECIDE_URL": "localhost:1"}, "set STILLWATCH_DECIDE_TOKEN"),
        ({"STILLWATCH_DECIDE_URL": "localhost:1", "STILLWATCH_DECIDE_TOKEN": "t"}, "write it like http://"),
        ({"STILLWATCH_DECIDE_URL": "http://a", "STILLWATCH_DECIDE_TOKEN": "t", "STILLWATCH_DECIDE_FAILURE": "ajar"},
         "write open or closed"),
        ({"STILLWATCH_DECIDE_URL": "http://a", "STILLWATCH_DECIDE_TOKEN": "t", "STILLWATCH_DECIDE_TIMEOUT": "soon"},
         "write seconds"),
    ],
    ids=["nothing", "no token", "no scheme", "failure", "timeout"],
)  # fmt: skip
def test_wrong_settings_are_refused_at_the_start(given: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Service.from_environment(given)


def test_the_token_is_not_in_what_is_printed() -> None:
    assert TOKEN not in repr(Service("http://a", TOKEN))
