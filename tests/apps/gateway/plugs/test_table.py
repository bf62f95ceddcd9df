"""The same request gets the same decision, whatever plug it comes through."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from stillwatch.apps.gateway.apis.refusals import refuse
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.seams import Arrival
from tests.apps.gateway.plugs.drivers import AGENT, PLUGS, Plug, headers_of, litellm_home
from tests.apps.gateway.plugs.serving import Reply, wait_for
from tests.apps.gateway.plugs.table import BY_KEY, MESSAGES, NAMES, RESPONSES, TABLE, Row

NOT_TAKEN = {("litellm", "chat of a campaign, broken text")}  # LiteLLM refuses such JSON itself, with 400
READ = ("api", "endpoint", "model", "prompt", "system_prompt", "tools", "turns", "stream", "artefacts_in")


@pytest.fixture(scope="module", params=PLUGS)
def plug(request: pytest.FixtureRequest) -> Iterator[Plug]:
    if request.param == "litellm" and litellm_home() is None:
        pytest.skip("LiteLLM runs in an environment of its own: name one in STILLWATCH_LITELLM (make test-litellm)")
    with PLUGS[request.param]() as made:
        made.more["name"] = request.param
        yield made


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_a_request_gets_the_same_decision_through_every_plug(row: Row, plug: Plug) -> None:
    reply = plug.ask(row)
    if (plug.more["name"], row.name) in NOT_TAKEN:
        assert (reply.status, plug.upstream.asked) == (400, [])
        return
    effect = row.expected.effect
    assert reply.status == effect.status, reply.body
    assert reply.headers.get("retry-after") == (None if effect.retry_after is None else str(effect.retry_after))
    if effect.refused:
        assert reason_of(reply.body) == row.expected.reason
        assert reply.headers["x-stillwatch-reason"] == row.expected.reason
        assert reply.headers["x-stillwatch-appeal"] == row.expected.appeal
        if plug.more["name"] != "litellm":  # which wraps it into errors of its own
            (seen,) = plug.rules.arrivals
            assert reply.json == json.loads(refuse(row.expected, row.api, seen.exchange_id).body)
        assert plug.upstream.asked == [], "it went on to the model"


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_plug_reads_the_same_out_of_a_request(row: Row, plug: Plug) -> None:
    plug.ask(row)
    if (plug.more["name"], row.name) in NOT_TAKEN:
        assert plug.rules.arrivals == []
        return
    (seen,) = plug.rules.arrivals
    expected = arrival_of(Asked(row.path, headers_of(row), row.text), NAMES)
    assert {name: getattr(seen, name) for name in READ} == {name: getattr(expected, name) for name in READ}
    assert account_of(seen) == row.account
    assert seen.user_agent == AGENT
    assert seen.api_key_id == expected.api_key_id


WHOLE = ("relay", "middleware", "litellm")  # see answers too


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_plug_records_the_same_of_an_exchange(row: Row, plug: Plug) -> None:
    plug.kept.rows.clear()
    reply = plug.ask(row)
    name = plug.more["name"]
    if (name, row.name) in NOT_TAKEN or (name.startswith("decide") and not row.expected.effect.refused):
        return  # whoever asked the decide API tells the outcome
    (seen,) = plug.rules.arrivals
    if row.endpoint == "embeddings":
        assert [kept for kept in plug.kept.rows if kept[0].exchange_id == seen.exchange_id] == []
        return
    wait_for(lambda: any(kept[0].exchange_id == seen.exchange_id for kept in plug.kept.rows))
    ((arrival, decision, outcome),) = [kept for kept in plug.kept.rows if kept[0].exchange_id == seen.exchange_id]
    assert {name: getattr(arrival, name) for name in READ} == {name: getattr(seen, name) for name in READ}
    assert (decision, outcome.status) == (
        row.expected,
        reply.status if not name.startswith("decide") else outcome.status,
    )
    if name in WHOLE and not row.expected.effect.refused:
        minted = {NAMES.handle(each) for each in MINTED.get(row.path, ())}
        assert (outcome.input_tokens, outcome.output_tokens) == (9, 4)
        if name == "litellm" and row.body.get("stream"):  # the id that it logs of a stream may be another than it sends
            assert set(outcome.artefacts_out) >= minted - own_id(MINTED_ID, name)
        else:
            assert set(outcome.artefacts_out) - own_id(reply, name) == minted - own_id(MINTED_ID, name)


MINTED = {MESSAGES: ("SIG-1",), RESPONSES: ("ENC-1", "resp_1")}
MINTED_ID = Reply(200, {}, b'"resp_1"')


def own_id(reply: Reply, name: str) -> set[str]:
    """The name of the id of a response, where the plug gives ids of its own, which a client then sends back."""
    if name != "litellm" or b"resp_" not in reply.body:
        return set()
    return {NAMES.handle(each.decode()) for each in re.findall(rb'"(resp_[^"]+)"', reply.body)}


def account_of(arrival: Arrival) -> str:
    return BY_KEY.get(arrival.account_id, arrival.account_id)


def reason_of(body: bytes) -> str:
    """The reason code, wherever the plug's own error shape has it."""
    said = json.loads(body)
    error = said.get("error")
    if "reason" in said:
        return str(said["reason"])
    inner = error.get("provider_specific_fields") or error
    return str(inner["reason"])
