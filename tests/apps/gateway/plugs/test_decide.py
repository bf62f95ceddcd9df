"""`POST /v1/decide` and `POST /v1/outcome`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.apps.gateway.plugs.contract import decision_from, decision_json, exchange_json
from stillwatch.apps.gateway.plugs.decide import DecideApi, decide_api
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.plugs.underway import PROBE
from stillwatch.apps.gateway.seams import Arrival, RecordingFailed
from stillwatch.model import UsageError
from tests.apps.gateway.plugs.drivers import BEARER, TOKEN
from tests.apps.gateway.plugs.serving import Reply, ask, serving
from tests.apps.gateway.plugs.table import APPEAL, DECISIONS, NAMES, Kept, Rules

EXCHANGE = {"account_id": "plain", "model": "small", "prompt": "What is a fjord?", "turns": 1}


class Served:
    """A decide API that answers, and what is behind it."""

    def __init__(self, api: DecideApi, rules: Rules, kept: Kept, port: int) -> None:
        self.api, self.rules, self.kept, self.port = api, rules, kept, port

    def post(self, path: str, said: Any, headers: dict[str, str] = BEARER) -> Reply:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return ask(self.port, path, body, headers)

    def decide(self, **more: Any) -> Any:
        reply = self.post("/v1/decide", EXCHANGE | more)
        assert reply.status == 200, reply.body
        return reply.json


@pytest.fixture
def served() -> Iterator[Served]:
    rules, kept = Rules(), Kept()
    api = decide_api(rules, kept, token=TOKEN, names=NAMES)
    with serving(api) as port:
        yield Served(api, rules, kept, port)


def test_a_decision_has_all_that_a_caller_must_do(served: Served) -> None:
    said = served.decide(account_id="busy")
    assert said["refused"] is True
    assert (said["action"], said["status"], said["retry_after"]) == ("limit", 429, 7)
    assert (said["reason"], said["rule"], said["drop"], said["max_output_tokens"]) == (
        "too-many",
        "rule-too-many",
        [],
        None,
    )
    problem = said["problem"]
    assert (problem["status"], problem["reason"], problem["retry_after"]) == (429, "too-many", 7)
    assert problem["instance"] == said["exchange_id"]
    error = said["answer"]["body"]["error"]
    assert (error["type"], error["code"], error["instance"]) == (
        "rate_limit_error",
        "too-many",
        said["exchange_id"],
    )
    assert said["answer"]["headers"]["retry-after"] == "7"
    assert error["appeal"] == problem["appeal"] == APPEAL


def test_a_shadow_decision_says_what_would_have_been(served: Served) -> None:
    said = served.decide(account_id="watched")
    assert (said["action"], said["refused"], said["status"]) == ("observe", False, 200)
    assert said["would"] == {"refused": True, "status": 403, "retry_after": None, "max_output_tokens": None,
                             "drop": [], "announce": True, "reasoning": "", "logprob_decimals": None,
                             "logprob_top": None, "twin": False}  # fmt: skip
    assert "problem" not in said


def test_a_twin_is_nothing_that_a_caller_is_asked_for_and_none_is_recorded(served: Served) -> None:
    twin = Decision(ActionKind.SERVE_TWIN, Effect(twin=True), rule="twins", reason="wording")
    served.rules.decide = lambda arrival: twin  # type: ignore[method-assign]
    said = served.decide(exchange_id="x-1")
    assert (said["action"], said["rule"], said["twin"], said["refused"]) == ("observe", "twins", False, False)
    served.post("/v1/outcome", {"exchange_id": "x-1", "status": 200})
    assert [row[1].action for row in served.kept.rows] == ["observe"]


def test_an_allowed_exchange_is_kept_when_its_outcome_is_told_and_only_once(served: Served) -> None:
    said = served.decide(exchange_id="x-1", tools=["search"], ts="2026-03-01T10:00:00Z", max_tokens=9)
    assert said["exchange_id"] == "x-1"
    assert served.kept.rows == []
    ended = {"exchange_id": "x-1", "status": 200, "input_tokens": 9, "output_tokens": 4, "artefacts_out": ["h2"]}
    assert served.post("/v1/outcome", ended).json == {"exchange_id": "x-1", "recorded": True, "already": False}
    assert served.post("/v1/outcome", ended).json == {"exchange_id": "x-1", "recorded": False, "already": True}
    ((arrival, decision, outcome),) = served.kept.rows
    assert (arrival.account_id, arrival.prompt, arrival.ts) == ("plain", "What is a fjord?", 1772359200_000_000)
    assert (arrival.tools, arrival.max_tokens) == (("search",), 9)
    assert decision.action == "allow"
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens, outcome.artefacts_out) == (200, 9, 4, ("h2",))
    assert served.rules.settled == served.kept.rows


def test_a_refusal_is_kept_at_once(served: Served) -> None:
    said = served.decide(account_id="busy")
    ((arrival, _, outcome),) = served.kept.rows
    assert (arrival.exchange_id, outcome.status) == (said["exchange_id"], 429)
    again = served.post("/v1/outcome", {"exchange_id": said["exchange_id"], "status": 429})
    assert again.json["already"] is True
    assert len(served.kept.rows) == 1


def test_a_question_that_is_asked_again_gets_the_same_answer_and_counts_once(served: Served) -> None:
    assert served.decide(exchange_id="x-1") == served.decide(exchange_id="x-1")
    assert len(served.rules.arrivals) == 1


def test_an_outcome_brings_its_exchange_to_a_process_that_did_not_decide(served: Served) -> None:
    arrival = arrival_of(Asked("/v1/messages", {}, b'{"model": "claude", "messages": []}', exchange_id="x-2"), NAMES)
    decided = {
        "action": "observe",
        "rule": "rule-a",
        "reason": "a",
        "policy": "p1",
        "campaign_id": "c-1",
        "status": 200,
    }
    said = {"exchange_id": "x-2", "status": 200, "exchange": exchange_json(arrival), "decision": decided}
    assert served.post("/v1/outcome", said).json["recorded"] is True
    ((kept, decision, _),) = served.kept.rows
    assert kept == arrival
    assert (decision.rule, decision.policy, decision.campaign_id) == ("rule-a", "p1", "c-1")


def test_an_unguarded_exchange_is_kept_as_one_and_counted(served: Served) -> None:
    said = {"exchange_id": "x-3", "status": 200, "exchange": EXCHANGE, "unguarded": True}
    assert served.post("/v1/outcome", said).status == 200
    assert served.kept.rows[0][1].rule == "unguarded"
    assert ask(served.port, "/v1/decide", None, BEARER, "GET").json["counts"]["unguarded"] == 1


def test_an_outcome_of_nothing_known_names_the_mend(served: Served) -> None:
    reply = served.post("/v1/outcome", {"exchange_id": "never", "status": 200})
    assert reply.status == 422
    assert reply.json["errors"][0]["field"] == "exchange_id"
    assert "send `exchange`" in reply.json["errors"][0]["mend"]


@pytest.mark.parametrize(
    ("said", "field", "mend"),
    [
        ({"model": "small"}, "account_id", "is missing"),
        (EXCHANGE | {"acount_id": "b"}, "acount_id", "did you mean account_id?"),
        (EXCHANGE | {"max_tokens": "many"}, "max_tokens", "valid integer"),
        (EXCHANGE | {"turns": -1}, "turns", "greater than or equal to 0"),
        (EXCHANGE | {"ts": "yesterday"}, "ts", "valid datetime"),
        (EXCHANGE | {"tools": "search"}, "tools", "valid"),
        (EXCHANGE | {"api": "soap"}, "api", "'openai' or 'anthropic'"),
        ({"body": {}, "api": "openai"}, "endpoint", "is missing"),
        ({"body": 7, "endpoint": "responses"}, "body.", "should be"),
        (b"{", "body", "is not JSON"),
        (b"[]", "body", "is no JSON object"),
        (b"", "body", "is not JSON"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_bad_input_is_answered_with_field_and_mend(served: Served, said: Any, field: str, mend: str) -> None:
    reply = served.post("/v1/decide", said)
    assert reply.status == 422
    assert reply.headers["content-type"] == "application/problem+json"
    first = reply.json["errors"][0]
    assert first["field"].startswith(field)
    assert mend in first["mend"]
    assert "What is a fjord?" not in reply.body.decode()
    assert served.rules.arrivals == []


@pytest.mark.parametrize("path", ["/v1/decide", "/v1/outcome", "/other"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": TOKEN}])
def test_nobody_without_the_token_is_answered(served: Served, path: str, headers: dict[str, str]) -> None:
    reply = served.post(path, EXCHANGE, headers)
    assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")


def test_other_pages_and_methods_are_named(served: Served) -> None:
    assert served.post("/v1/decision", EXCHANGE).status == 404
    assert ask(served.port, "/v1/outcome", None, BEARER, "GET").status == 405


def test_a_short_token_is_refused_at_the_start() -> None:
    with pytest.raises(UsageError, match="16 or more"):
        decide_api(Rules(), Kept(), token="short", names=NAMES)


def test_what_cannot_be_kept_is_said_and_can_be_told_again(served: Served) -> None:
    served.decide(exchange_id="x-1")
    served.kept.failing = RecordingFailed("disk full")
    assert served.post("/v1/outcome", {"exchange_id": "x-1", "status": 200}).status == 503
    served.kept.failing = None
    assert served.post("/v1/outcome", {"exchange_id": "x-1", "status": 200}).json["recorded"] is True
    assert served.api.underway.counts["unkept"] == 1


def test_the_self_test_is_refused_and_is_no_traffic(served: Served) -> None:
    said = served.decide(prompt=PROBE)
    assert (said["refused"], said["reason"]) == (True, "self-test")
    assert (served.rules.arrivals, served.kept.rows) == ([], [])


def test_at_the_end_what_is_under_way_is_kept_as_not_reported() -> None:
    rules, kept = Rules(), Kept()
    with serving(decide_api(rules, kept, token=TOKEN, names=NAMES)) as port:
        ask(port, "/v1/decide", json.dumps(EXCHANGE).encode(), BEARER)
    assert [outcome.status for _, _, outcome in kept.rows] == [0]


@pytest.mark.parametrize("name", DECISIONS)
def test_a_decision_survives_the_way_over_json(name: str) -> None:
    arrival = Arrival("x", 0, "plain", "openai", "responses")
    assert decision_from(json.loads(json.dumps(decision_json(arrival, DECISIONS[name])))) == DECISIONS[name]
