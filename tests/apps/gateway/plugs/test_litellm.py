"""Our guardrail and logger in a real LiteLLM proxy, on every route. Needs LiteLLM in an environment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.apps.gateway.plugs import probe
from stillwatch.apps.gateway.plugs.underway import PROBE
from tests.apps.gateway.plugs.drivers import Plug, headers_of, litellm_home, litellm_plug
from tests.apps.gateway.plugs.serving import THOUGHT, ask, free_port, wait_for
from tests.apps.gateway.plugs.table import (
    CHAT,
    CLAUDE,
    EMBEDDING,
    EMBEDDINGS,
    MESSAGES,
    OPENAI,
    RESPONSES,
    Row,
    chat,
    embedding,
    key_of,
    messages,
    response,
)  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        litellm_home() is None,
        reason="LiteLLM runs in an environment of its own: name one in STILLWATCH_LITELLM (make test-litellm)",
    ),
]
BODIES = {CHAT: chat, MESSAGES: messages, RESPONSES: response}
ROUTES = [(path, stream) for path in BODIES for stream in (False, True)]
EACH = pytest.mark.parametrize(("path", "stream"), ROUTES, ids=lambda each: str(each))


@pytest.fixture(scope="module")
def module_plug() -> Iterator[Plug]:
    with litellm_plug() as made:
        yield made


@pytest.fixture
def plug(module_plug: Plug) -> Plug:
    module_plug.kept.rows.clear()
    return module_plug


def rows_of(plug: Plug) -> list[Any]:
    """What is kept about the last request, once the logger has told it; those before it may be told late."""
    asked = {arrival.exchange_id for arrival in plug.rules.arrivals}

    def found() -> list[Any]:
        return [row for row in plug.kept.rows if row[0].exchange_id in asked]

    wait_for(found, 30)
    return found()


@EACH
def test_an_answered_call_is_recorded_once_with_what_it_cost(plug: Plug, path: str, stream: bool) -> None:
    reply = plug.ask(Row("", path, BODIES[path](stream=stream)))
    assert reply.status == 200
    assert b"bay." in reply.body
    ((arrival, decision, outcome),) = rows_of(plug)
    assert (arrival.account_id, arrival.stream, decision.action) == ("plain", stream, "allow")
    assert (outcome.status, outcome.input_tokens, outcome.output_tokens) == (200, 9, 4)


def test_an_embedding_is_decided_about_and_no_exchange(plug: Plug) -> None:
    before = plug.more["api"].underway.counts["ended"]
    assert plug.ask(Row("", EMBEDDINGS, embedding())).status == 200
    wait_for(lambda: plug.more["api"].underway.counts["ended"] > before, 30)
    ((arrival,), asked) = (plug.rules.arrivals, [row[0].endpoint for row in plug.kept.rows])
    assert arrival.endpoint == "embeddings"
    assert "embeddings" not in asked


@EACH
def test_reasoning_is_dropped_and_the_client_is_told(plug: Plug, path: str, stream: bool) -> None:
    reply = plug.ask(Row("", path, BODIES[path](stream=stream), "thinker", "thinker"))
    assert THOUGHT.encode() not in reply.body
    assert b"bay." in reply.body
    assert reply.headers["x-stillwatch-altered"] == "dropped=reasoning"


@pytest.mark.parametrize(
    ("path", "name"), [(CHAT, "max_tokens"), (MESSAGES, "max_tokens"), (RESPONSES, "max_output_tokens")]
)
def test_less_output_is_asked_for_and_the_client_is_told(plug: Plug, path: str, name: str) -> None:
    reply = plug.ask(Row("", path, BODIES[path](**{name: 500}), "ramping", "ramping"))
    assert [asked[2].get(name) for asked in plug.upstream.asked] == [50]
    assert reply.headers["x-stillwatch-altered"] == "max-output-tokens=50"


@pytest.mark.parametrize("path", BODIES)
def test_a_refusal_has_the_shape_of_its_interface(plug: Plug, path: str) -> None:
    reply = plug.ask(Row("", path, BODIES[path](), "busy", "busy"))
    error = reply.json["error"]
    assert error["message"] == "Refused: too-many."
    assert (reply.status, reply.headers["retry-after"]) == (429, "7")
    assert [row[2].status for row in rows_of(plug)] == [429]


def test_an_error_of_the_provider_is_recorded_as_one(plug: Plug) -> None:
    reply = plug.ask(Row("", CHAT, chat() | {"model": "overloaded"}))
    assert reply.status == 429
    assert [(row[1].action, row[2].status) for row in rows_of(plug)] == [("allow", 429)]


@pytest.mark.parametrize(
    "more",
    [{"guardrails": []}, {"guardrails": ["another"]}, {"disable_global_guardrails": True},
     {"metadata": {"disable_global_guardrails": True, "opted_out_global_guardrails": ["stillwatch"]}},
     {"litellm_metadata": {"disable_global_guardrails": True}}],
    ids=str,
)  # fmt: skip
def test_no_request_can_switch_it_off(plug: Plug, more: dict[str, Any]) -> None:
    reply = plug.ask(Row("", CHAT, chat("TEMPLATE-7") | more, "template"))
    assert reply.status in (400, 403)
    assert plug.upstream.asked == []


def test_every_route_of_it_is_guarded(plug: Plug, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--key", key_of("plain"), "--embedding-model", EMBEDDING]
    for model in (OPENAI, CLAUDE):
        assert probe.main([f"http://127.0.0.1:{plug.port}", "--model", model, *options]) == 0
    assert "UNGUARDED" not in capsys.readouterr().out
    assert [row for row in plug.kept.rows if row[0].prompt == PROBE] == []


def test_nothing_was_answered_unguarded(plug: Plug) -> None:
    assert plug.more["api"].underway.counts["unguarded"] == 0
    assert "did not see" not in plug.more["log"].read_text()


def without_guardrail(config: Any) -> None:
    del config["guardrails"]


def test_calls_that_the_guardrail_did_not_see_are_recorded_as_unguarded(capsys: pytest.CaptureFixture[str]) -> None:
    with litellm_plug(without_guardrail) as plug:
        for path, stream in ROUTES:
            plug.kept.rows.clear()
            assert plug.ask(Row("", path, BODIES[path](stream=stream))).status == 200
            wait_for(lambda: plug.kept.rows, 30)
            ((arrival, decision, outcome),) = plug.kept.rows
            assert (decision.rule, decision.reason, outcome.status) == ("unguarded", "unguarded", 200)
            assert (arrival.account_id, arrival.prompt) == ("plain", "What is a fjord?"), path
        assert plug.more["api"].underway.counts["unguarded"] == len(ROUTES)
        assert "did not see" in plug.more["log"].read_text()
        assert probe.main([f"http://127.0.0.1:{plug.port}", "--key", key_of("plain"), "--model", OPENAI]) == 1
        assert "UNGUARDED" in capsys.readouterr().out


@pytest.mark.parametrize(("failure", "status"), [("open", 200), ("closed", 503)])
def test_while_nobody_decides_it_does_as_configured_and_says_so(failure: str, status: int) -> None:
    nowhere = {"STILLWATCH_DECIDE_URL": f"http://127.0.0.1:{free_port()}", "STILLWATCH_DECIDE_FAILURE": failure}
    with litellm_plug(**nowhere) as plug:
        assert plug.ask(Row("", CHAT, chat())).status == status
        assert len(plug.upstream.asked) == (status == 200)
        wait_for(lambda: "the decide API fails" in plug.more["log"].read_text())


def during_call(config: Any) -> None:
    config["guardrails"][0]["litellm_params"]["mode"] = "during_call"


def not_by_default(config: Any) -> None:
    config["guardrails"][0]["litellm_params"]["default_on"] = False


@pytest.mark.parametrize(("change", "said"), [(during_call, "mode: pre_call"), (not_by_default, "default_on: true")])
def test_a_configuration_that_would_skip_calls_stops_the_start(change: Any, said: str) -> None:
    with pytest.raises(AssertionError, match=f"needs {said}"), litellm_plug(change):
        pass


def passes_through(config: Any) -> None:
    target = config["model_list"][0]["litellm_params"]["api_base"].removesuffix("/v1")
    config["general_settings"]["pass_through_endpoints"] = [
        {"path": "/provider", "target": target, "include_subpath": True, "auth": True}
    ]


def test_a_pass_through_is_guarded_too() -> None:
    with litellm_plug(passes_through) as plug:
        row = Row("", CHAT, chat("TEMPLATE-7"), "template")
        refused = ask(plug.port, "/provider" + row.path, row.text, headers_of(row))
        assert refused.status == 403, refused.body
        assert [asked for asked in plug.upstream.asked if asked[0] == CHAT] == []
        plug.rules.arrivals.clear()
        allowed = Row("", CHAT, chat())
        assert ask(plug.port, "/provider" + allowed.path, allowed.text, headers_of(allowed)).status == 200
        assert [asked[2] for asked in plug.upstream.asked if asked[0] == CHAT] == [allowed.body]
        ((arrival, decision, outcome),) = rows_of(plug)
        assert (arrival.account_id, arrival.endpoint, decision.action) == ("plain", "chat.completions", "allow")
        assert outcome.status == 200
