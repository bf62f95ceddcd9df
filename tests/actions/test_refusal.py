"""What a customer sees of a decision, as the real clients of both APIs show it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.actions.refusal import PROBLEM, alterations, body, headers, problem

VERIFY = Decision(
    ActionKind.REQUIRE_VERIFICATION, Effect(True, 403), rule="ask", reason="verify-account", message="Say who you are.",
    appeal="https://provider.example/appeal", verify="https://provider.example/verify", expires=1_700_000_000,
)  # fmt: skip
LIMITED = Decision(ActionKind.LIMIT, Effect(True, 429, 30), reason="shared-budget", appeal="mailto:us@us.example")


def test_a_problem_says_what_why_until_when_and_where_to_go():
    assert problem(VERIFY, "x-1") == {
        "type": "urn:stillwatch:problem:require-verification",
        "title": "Verification required",
        "status": 403,
        "detail": "Say who you are.",
        "instance": "x-1",
        "reason": "verify-account",
        "action": "require-verification",
        "verify": "https://provider.example/verify",
        "appeal": "https://provider.example/appeal",
        "expires": "2023-11-14T22:13:20Z",
    }
    assert problem(LIMITED, "x-1", "https://us.example/problems/")["type"] == "https://us.example/problems/limit"


def test_a_plain_problem_is_of_its_media_type():
    kind, text = body(VERIFY, "", "x-1")
    assert kind == PROBLEM == "application/problem+json"
    assert json.loads(text) == problem(VERIFY, "x-1")


def test_a_refusal_tells_clients_when_to_come_back_and_whether_to_ask_again():
    assert headers(LIMITED) == {
        "x-stillwatch-reason": "shared-budget", "x-stillwatch-appeal": "mailto:us@us.example", "retry-after": "30",
    }  # fmt: skip
    assert headers(VERIFY)["x-should-retry"] == "false"
    assert headers(Decision(ActionKind.LIMIT, Effect(True, 429, 3600)))["x-should-retry"] == "false"


def test_an_altered_answer_says_so_unless_the_policy_is_silent():
    effect = Effect(drop=frozenset({"reasoning", "logprobs"}), max_output_tokens=64)
    told = headers(Decision(ActionKind.LOWER_OUTPUT, effect, reason="less"))
    assert told == {
        "x-stillwatch-altered": "dropped=logprobs, dropped=reasoning, max-output-tokens=64",
        "x-stillwatch-reason": "less",
    }
    covert = Effect(drop=frozenset({"reasoning"}), announce=False)
    assert headers(Decision(ActionKind.DROP_REASONING, covert, reason="less")) == {}
    assert headers(Decision(ActionKind.OBSERVE, reason="seen")) == {}
    assert alterations(Effect()) == ""


def served(decision: Decision, api: str) -> tuple[Any, list[int]]:
    """A transport that refuses every request so, and how often it was asked."""
    httpx = pytest.importorskip("httpx2", reason="the clients of both APIs bring it")
    asked: list[int] = []

    def answer(_: Any) -> Any:
        asked.append(decision.effect.status)
        kind, text = body(decision, api, "x-1")
        return httpx.Response(decision.effect.status, content=text, headers={"content-type": kind, **headers(decision)})

    return httpx.Client(transport=httpx.MockTransport(answer)), asked


def test_the_openai_client_shows_why_and_does_not_ask_again():
    openai = pytest.importorskip("openai")
    transport, asked = served(VERIFY, "openai")
    client = openai.OpenAI(api_key="none", base_url="https://us.example/v1", http_client=transport)
    with client, pytest.raises(openai.PermissionDeniedError) as refused:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hello"}])
    assert asked == [403]
    assert "https://provider.example/verify" in str(refused.value)
    assert refused.value.code == "verify-account"
    assert refused.value.body["appeal"] == "https://provider.example/appeal"


def test_the_anthropic_client_shows_why_and_does_not_ask_again():
    anthropic = pytest.importorskip("anthropic")
    slow = Decision(ActionKind.LIMIT, Effect(True, 429, 3600), reason="shared-budget", appeal="mailto:us@us.example")
    transport, asked = served(slow, "anthropic")
    client = anthropic.Anthropic(api_key="none", base_url="https://us.example", http_client=transport)
    with client, pytest.raises(anthropic.RateLimitError) as refused:
        client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hello"}])
    assert asked == [429]
    assert "mailto:us@us.example" in str(refused.value)
    assert refused.value.body["error"]["reason"] == "shared-budget"
