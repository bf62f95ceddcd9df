"""A reasoning handle is of use to whom it was given, in the conversation in which it was given, and nowhere else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint
from stillwatch.apps.gateway.apis.handles import Handles, Rules, Who
from stillwatch.apps.gateway.apis.naming import Namer
from stillwatch.apps.gateway.apis.sealing import Place, Sealer
from stillwatch.lab import mock_bodies
from tests.apps.gateway.running import ALICE, BOB
from tests.apps.gateway.scripted import Scripted, scripted
from tests.apps.gateway.spoken import ASKED, ENCRYPTED, PATHS, REDACTED, RESPONSE, SIGNATURE, TRACE, events, whole
from tests.apps.gateway.test_relay import ask

LATER, BEFORE = "[handles]\nraw_until = 2999-01-01T00:00:00Z\n", "[handles]\nraw_until = 2020-01-01T00:00:00Z\n"
NAME = Namer(b"a secret of the deployment")
RAW = (SIGNATURE, REDACTED, ENCRYPTED, RESPONSE)


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with scripted(tmp_path_factory.mktemp("handles"), BEFORE) as made:
        yield made


@pytest.fixture
def stack(bound: Scripted) -> Scripted:
    bound.parts.decision = ALLOWED
    for each in (bound.parts.kept, bound.parts.arrivals, bound.script.asked, bound.script.paths, bound.script.bodies):
        each.clear()
    return bound


def told(stack: Scripted, endpoint: Endpoint, stream: bool = False, key: str = ALICE, **more: Any) -> bytes:
    stack.script.say(events(endpoint) if stream else whole(endpoint))
    body = {**ASKED[endpoint], **more}
    return ask(stack.url, body, PATHS[endpoint], authorization=f"Bearer {key}")[1]


def follow_up(endpoint: Endpoint, answer: dict[str, Any], question: str = "How many?") -> dict[str, Any]:
    """What a client sends next: the conversation so far, with what it was given."""
    first, then = {"role": "user", "content": question}, {"role": "user", "content": "And now?"}
    if endpoint is MESSAGES:
        return {"messages": [first, {"role": "assistant", "content": answer["content"]}, then]}
    return {"input": [first, *answer["output"], then]}


def refused(stack: Scripted, endpoint: Endpoint, more: dict[str, Any], key: str = BOB) -> dict[str, Any]:
    asked = len(stack.script.asked)
    answer, said = ask(stack.url, {**ASKED[endpoint], **more}, PATHS[endpoint], authorization=f"Bearer {key}")
    assert (answer.status, len(stack.script.asked)) == (403, asked), "nobody upstream was asked"
    found: dict[str, Any] = json.loads(said)["error"]
    assert answer.headers["x-stillwatch-reason"] == found["reason"]
    return found


@pytest.mark.parametrize("endpoint", [MESSAGES, RESPONSES], ids=lambda each: each.name)
@pytest.mark.parametrize("stream", [False, True])
def test_a_conversation_goes_on_and_the_upstream_sees_its_own_handles(
    stack: Scripted, endpoint: Endpoint, stream: bool
) -> None:
    text = told(stack, endpoint, stream)
    assert not any(raw.encode() in text for raw in RAW)
    answer = json.loads(told(stack, endpoint))
    body = follow_up(endpoint, answer)
    told(stack, endpoint, **body)
    assert stack.script.asked[-1] == {**ASKED[endpoint], **follow_up(endpoint, whole(endpoint))}
    arrival = stack.parts.kept[-1][0]
    assert (arrival.handle, NAME(SIGNATURE if endpoint is MESSAGES else ENCRYPTED) in arrival.artefacts_in) == (
        "bound",
        True,
    )
    assert set(arrival.artefacts_in) < set(stack.parts.kept[0][2].artefacts_out) | {NAME(RESPONSE)}


def test_the_handles_of_a_stream_and_of_an_answer_are_sealed_alike(stack: Scripted) -> None:
    text = told(stack, RESPONSES, stream=True).decode()
    sealed = json.loads(told(stack, RESPONSES))
    assert text.count(sealed["id"]) == 2
    assert sealed["output"][0]["encrypted_content"] in text


def test_an_id_that_was_sent_comes_back_as_it_was_sent(stack: Scripted) -> None:
    first = json.loads(told(stack, RESPONSES))["id"]
    assert first.startswith("resp_sw1_")
    stack.script.say({**whole(RESPONSES), "id": "resp_second", "previous_response_id": RESPONSE})
    _, said = ask(stack.url, {"model": "m", "input": "And now?", "previous_response_id": first}, PATHS[RESPONSES])
    assert stack.script.asked[-1]["previous_response_id"] == RESPONSE
    assert json.loads(said)["previous_response_id"] == first
    second = json.loads(said)["id"]
    told(
        stack,
        RESPONSES,
        input=[json.loads(said)["output"][0], {"role": "user", "content": "So?"}],
        previous_response_id=second,
    )
    assert stack.parts.kept[-1][0].handle == "bound", "the conversation is the one that the upstream has stored"


@pytest.mark.parametrize("endpoint", [MESSAGES, RESPONSES], ids=lambda each: each.name)
def test_on_another_account_it_fails_and_is_evidence(stack: Scripted, endpoint: Endpoint) -> None:
    answer = json.loads(told(stack, endpoint))
    error = refused(stack, endpoint, follow_up(endpoint, answer))
    assert (error["reason"], error["action"]) == ("handle-other-account", "deny")
    arrival, decision, outcome = stack.parts.kept[-1]
    assert (arrival.account_id, arrival.handle, outcome.status) == ("bob", "other-account", 403)
    assert (decision.rule, decision.reason) == ("handles", "handle-other-account")
    minted = stack.parts.kept[0][2].artefacts_out
    assert set(arrival.artefacts_in) & set(minted), "the signal of replays compares these names"


def test_an_id_of_a_response_fails_on_another_account(stack: Scripted) -> None:
    first = json.loads(told(stack, RESPONSES))["id"]
    assert refused(stack, RESPONSES, {"previous_response_id": first})["reason"] == "handle-other-account"


def test_in_another_conversation_it_fails_and_is_said_to_be_of_another(stack: Scripted) -> None:
    answer = json.loads(told(stack, MESSAGES))
    error = refused(stack, MESSAGES, follow_up(MESSAGES, answer, "Something else entirely?"), ALICE)
    assert error["reason"] == "handle-other-conversation"


def test_what_clients_add_to_a_turn_does_not_make_it_another_conversation(stack: Scripted) -> None:
    question = "How many pens are there in twelve boxes of seven, with five loose ones? " * 4
    asked = [{"role": "user", "content": f"<reminder>Today is Monday.</reminder>\n{question}"}]
    answer = json.loads(told(stack, MESSAGES, messages=asked))
    more = follow_up(MESSAGES, answer, question)
    told(stack, MESSAGES, **more)
    assert stack.parts.kept[-1][0].handle == "bound"


@pytest.mark.parametrize(
    "damage", [lambda each: each[:-9] + "AAAAAAAAA", lambda each: "sw1_bm90aGluZw", lambda each: "sw1_é"]
)
def test_what_is_forged_or_damaged_fails(stack: Scripted, damage: Any) -> None:
    answer = json.loads(told(stack, MESSAGES))
    answer["content"][0]["signature"] = damage(answer["content"][0]["signature"])
    assert refused(stack, MESSAGES, follow_up(MESSAGES, answer), ALICE)["reason"] == "handle-unreadable"


def test_handles_from_before_the_switch_pass_until_the_grace_is_over(stack: Scripted, tmp_path: Path) -> None:
    more = follow_up(MESSAGES, whole(MESSAGES))
    assert refused(stack, MESSAGES, more, ALICE)["reason"] == "handle-unbound"
    with scripted(tmp_path, LATER) as early:
        told(early, MESSAGES, **more)
        assert early.script.asked[-1]["messages"] == more["messages"]
        assert early.parts.kept[-1][0].handle == "raw"


def test_a_refusal_of_the_policy_comes_first(stack: Scripted) -> None:
    answer = json.loads(told(stack, MESSAGES))
    stack.parts.decision = Decision(ActionKind.SUSPEND, Effect(True, 403), reason="gone")
    assert refused(stack, MESSAGES, follow_up(MESSAGES, answer))["reason"] == "gone"


@pytest.mark.parametrize("failed", ["strip", "observe"])
def test_what_becomes_of_a_request_is_the_operators_choice(tmp_path: Path, failed: str) -> None:
    with scripted(tmp_path, f'{BEFORE}failed = "{failed}"\n') as stack:
        answer = json.loads(told(stack, MESSAGES))
        told(stack, MESSAGES, key=BOB, **follow_up(MESSAGES, answer))
        blocks = stack.script.asked[-1]["messages"][1]["content"]
        assert [each["type"] for each in blocks] == (
            ["text"] if failed == "strip" else ["thinking", "redacted_thinking", "text"]
        )
        assert blocks == [each for each in whole(MESSAGES)["content"] if failed == "observe" or each["type"] == "text"]
        assert stack.parts.kept[-1][0].handle == "other-account"
        first = json.loads(told(stack, RESPONSES))["id"]
        told(stack, RESPONSES, key=BOB, previous_response_id=first)
        assert stack.script.asked[-1]["previous_response_id"] == (None if failed == "strip" else RESPONSE)


def test_accounts_of_one_organisation_share_their_handles(tmp_path: Path) -> None:
    with scripted(tmp_path, BEFORE, organisation=lambda account: "org-1") as stack:
        answer = json.loads(told(stack, MESSAGES))
        told(stack, MESSAGES, key=BOB, **follow_up(MESSAGES, answer))
        assert stack.parts.kept[-1][0].handle == "bound"


def test_a_stored_response_is_found_by_the_sealed_id(tmp_path: Path) -> None:
    through = '[authentication]\nkind = "pass-through"\n'
    with scripted(tmp_path, through + BEFORE, 'channel = "x"') as stack:
        first = json.loads(told(stack, RESPONSES))["id"]
        for key, status in ((ALICE, 200), (BOB, 403)):
            connection = http.client.HTTPConnection(stack.url.removeprefix("http://"), timeout=20)
            connection.request("GET", f"/v1/responses/{first}", headers={"authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            assert answer.status == status
            assert status == 403 or (json.loads(body)["id"], stack.script.paths[-1]) == (
                first,
                f"/v1/responses/{RESPONSE}",
            )


def test_an_altered_block_is_given_back_as_it_was_though_handles_are_not_bound(tmp_path: Path) -> None:
    with scripted(tmp_path) as stack:
        stack.parts.decision = Decision(ActionKind.SUMMARISE_REASONING, Effect(reasoning="summary"), reason="x")
        for endpoint in (MESSAGES, RESPONSES):
            answer = json.loads(told(stack, endpoint))
            assert TRACE not in str(answer)
            told(stack, endpoint, **follow_up(endpoint, answer))
            assert stack.script.asked[-1] == {**ASKED[endpoint], **follow_up(endpoint, whole(endpoint))}
        assert REDACTED in str(json.loads(told(stack, MESSAGES))), "what is not altered is not sealed"
        assert json.loads(told(stack, RESPONSES))["id"] == RESPONSE


@pytest.mark.parametrize("endpoint", [CHAT, MESSAGES, RESPONSES], ids=lambda each: each.name)
def test_without_handles_in_it_a_request_and_an_answer_keep_their_bytes(stack: Scripted, endpoint: Endpoint) -> None:
    body = json.dumps(ASKED[endpoint], indent=3).encode()
    said = json.dumps(mock_bodies._completion("m", {}) if endpoint is CHAT else {"error": None}, indent=2).encode()
    stack.script.say(said)
    assert ask(stack.url, body, PATHS[endpoint])[1] == said
    assert stack.script.bodies[-1] == body


@settings(max_examples=25, deadline=None)
@given(
    account=st.text(max_size=20),
    other=st.text(max_size=20),
    handle=st.text(st.characters(exclude_categories=["Cs"])),
    at=st.integers(0),
)
def test_a_seal_opens_to_what_went_in_and_no_altered_one_opens(account: str, other: str, handle: str, at: int) -> None:
    sealer = Sealer(b"a secret of the deployment")
    place = Place(sealer.tag("account", account), sealer.tag("organisation", other), sealer.turns([account, other]))
    seal = sealer.seal(place, handle, [handle, other])
    found = sealer.open(seal)
    assert found is not None
    assert (found.place, found.handle, found.texts) == (place, handle, (handle, other))
    assert Sealer(b"another secret").open(seal) is None
    at = 4 + at % (len(seal) - 5)  # the last letter has bits that mean nothing
    swapped = seal[:at] + ("A" if seal[at] != "A" else "B") + seal[at + 1 :]
    assert sealer.open(swapped) is None


@settings(max_examples=40, deadline=None)
@given(
    held=st.recursive(
        st.none() | st.booleans() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "content", "role", "signature", "thinking_blocks", "data", "text"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_request_of_any_shape_breaks_it(held: Any) -> None:
    handles = Handles(b"a secret of the deployment", Rules(True, True, raw_until=0))
    for endpoint, name in ((MESSAGES, "messages"), (RESPONSES, "input")):
        found = handles.open({name: [{"type": "thinking", "signature": "x"}, held]}, endpoint.name, Who("a", "", 1))
        assert found.status in ("unbound", "unreadable")
        assert found.stripped[name] is not None
