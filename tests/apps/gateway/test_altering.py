"""What a decision alters arrives as the clients of three APIs expect it; what it does not alter keeps every byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.actions.decision import ALLOWED, NOTHING, ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.altering import AlteredStream, alter_answer
from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, RESPONSES, Endpoint
from stillwatch.apps.gateway.apis.handles import NONE, Handles, Rules, Sealing, Who
from stillwatch.apps.gateway.apis.reformulating import reformulate
from stillwatch.apps.gateway.apis.rewriters import RULES
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.apps.gateway.apis.summarising import summarise
from tests.apps.gateway.running import ALICE
from tests.apps.gateway.scripted import Scripted, scripted
from tests.apps.gateway.spoken import ASKED, ENCRYPTED, PATHS, SIGNATURE, TEXT, TRACE, events, whole
from tests.apps.gateway.test_relay import ask

SUMMARY = Effect(reasoning="summary")
ALL = Effect(reasoning="reformulated", logprob_decimals=1, logprob_top=1)
NAMES = [endpoint.name for endpoint in PATHS]
quickly = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripted]:
    with scripted(tmp_path_factory.mktemp("altering")) as made:
        yield made


@dataclass(frozen=True)
class Clients:
    claude: anthropic.Anthropic
    gpt: openai.OpenAI


@pytest.fixture(scope="module")
def clients(stack: Scripted) -> Iterator[Clients]:
    told: dict[str, Any] = {"api_key": ALICE, "max_retries": 0}
    with (
        anthropic.Anthropic(base_url=stack.url, **told) as claude,
        openai.OpenAI(base_url=f"{stack.url}/v1", **told) as gpt,
    ):
        yield Clients(claude, gpt)


def sealing(endpoint: Endpoint, binds: bool = True) -> Sealing:
    handles = Handles(b"a secret of the deployment", Rules(binds, True))
    return handles.sealing(NONE, ASKED[endpoint], endpoint.name, Who("alice", "", 0))


def decide(stack: Scripted, effect: Effect) -> None:
    kinds = {"summary": ActionKind.SUMMARISE_REASONING, "reformulated": ActionKind.REFORMULATE_REASONING}
    kind = kinds.get(effect.reasoning, ActionKind.ROUND_LOGPROBS)
    stack.parts.decision = ALLOWED if effect == NOTHING else Decision(kind, effect, reason="tier-2")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


@quickly
@given(held=st.dictionaries(words, json_values, max_size=4), raw=st.binary(max_size=60), cuts=st.lists(st.integers(0)))
@pytest.mark.parametrize("endpoint", PATHS, ids=NAMES)
def test_unflagged_answers_keep_every_byte_whatever_they_hold(
    stack: Scripted, endpoint: Endpoint, held: dict[str, Any], raw: bytes, cuts: list[int]
) -> None:
    decide(stack, NOTHING)
    stream = b"".join(b"data: %b\r\n\n" % each for each in (json.dumps(held).encode(), raw, b"[DONE]"))
    for said in (json.dumps({**whole(endpoint), **held}).encode(), raw, events(endpoint) + stream):
        stack.script.say(said, *cuts)
        answer, told = ask(stack.url, ASKED[endpoint], PATHS[endpoint])
        assert told == said
        assert answer.headers["x-stillwatch-altered"] is None


@quickly
@given(cuts=st.lists(st.integers(0), max_size=9), pieces=st.lists(words, min_size=1, max_size=5))
@pytest.mark.parametrize("endpoint", PATHS, ids=NAMES)
def test_a_stream_is_altered_alike_however_it_is_cut(endpoint: Endpoint, cuts: list[int], pieces: list[str]) -> None:
    text = events(endpoint, pieces)
    at_once = AlteredStream(steps_for(ALL, sealing(endpoint))).feed(text)
    stream, places = AlteredStream(steps_for(ALL, sealing(endpoint))), sorted(at % len(text) for at in cuts)
    cut = [text[at:to] for at, to in zip([0, *places], [*places, len(text)], strict=True)]
    assert b"".join(stream.feed(each) for each in cut) + stream.rest() == at_once


@settings(quickly, max_examples=8)
@given(pieces=st.lists(words, min_size=1, max_size=6))
@pytest.mark.parametrize("effect", [SUMMARY, ALL], ids=["summary", "reformulated"])
def test_the_real_clients_read_altered_streams_of_any_reasoning(
    stack: Scripted, clients: Clients, effect: Effect, pieces: list[str]
) -> None:
    decide(stack, effect)
    trace = "".join(pieces)
    wanted = RULES[effect.reasoning](trace) if trace.strip() else trace
    for endpoint in PATHS:
        stack.script.say(events(endpoint, pieces))
        assert streamed(clients, endpoint) == (wanted, "".join(TEXT))
        stack.script.say(whole(endpoint, trace))
        assert asked(clients, endpoint) == (wanted, "".join(TEXT))


def streamed(clients: Clients, endpoint: Endpoint) -> tuple[str, str]:
    """What a client makes of a stream: the reasoning, and the answer."""
    if endpoint is MESSAGES:
        with clients.claude.messages.stream(**ASKED[MESSAGES]) as told:
            return _of_message(told.get_final_message())
    if endpoint is RESPONSES:
        with clients.gpt.responses.stream(**ASKED[RESPONSES]) as told:
            numbers = [event.sequence_number for event in told if hasattr(event, "sequence_number")]
            assert numbers == list(range(len(numbers)))
            return _of_response(told.get_final_response())
    with clients.gpt.chat.completions.create(**ASKED[CHAT], stream=True) as chunks:
        deltas = [chunk.choices[0].delta for chunk in chunks]
    thought = "".join(getattr(each, "reasoning_content", None) or "" for each in deltas)
    return thought, "".join(each.content or "" for each in deltas)


def asked(clients: Clients, endpoint: Endpoint) -> tuple[str, str]:
    if endpoint is MESSAGES:
        return _of_message(clients.claude.messages.create(**ASKED[MESSAGES]))
    if endpoint is RESPONSES:
        return _of_response(clients.gpt.responses.create(**ASKED[RESPONSES]))
    message = clients.gpt.chat.completions.create(**ASKED[CHAT]).choices[0].message
    return message.reasoning_content, message.content or ""


def _of_message(told: Any) -> tuple[str, str]:
    assert [block.type for block in told.content] == ["thinking", "redacted_thinking", "text"]
    return told.content[0].thinking, told.content[2].text


def _of_response(told: Any) -> tuple[str, str]:
    assert told.output[0].summary[0].text == told.output[0].content[0].text
    return told.output[0].content[0].text, told.output_text


@pytest.mark.parametrize("endpoint", PATHS, ids=NAMES)
def test_no_piece_of_the_raw_trace_is_left_and_the_header_says_so(stack: Scripted, endpoint: Endpoint) -> None:
    decide(stack, Effect(reasoning="summary", logprob_decimals=2, logprob_top=1))
    for said in (json.dumps(whole(endpoint)).encode(), events(endpoint, (TRACE[:50], TRACE[50:]))):
        stack.script.say(said)
        answer, told = ask(stack.url, ASKED[endpoint], PATHS[endpoint])
        assert b"12 * 7" not in told
        assert summarise(TRACE).encode() in told
        assert b"0.123456" not in told
        assert answer.headers["x-stillwatch-altered"] == "reasoning=summary, logprob-decimals=2, top-logprobs=1"
        assert answer.headers["x-stillwatch-reason"] == "tier-2"


@pytest.mark.parametrize("endpoint", [CHAT, RESPONSES], ids=lambda each: each.name)
def test_log_probabilities_lie_on_the_grid_with_one_alternative(endpoint: Endpoint) -> None:
    told = json.loads(
        alter_answer(json.dumps(whole(endpoint)).encode(), steps_for(Effect(logprob_decimals=1, logprob_top=1)))
    )
    if endpoint is CHAT:
        (token,) = told["choices"][0]["logprobs"]["content"]
    else:
        (token,) = told["output"][1]["content"][0]["logprobs"]
    assert (token["logprob"], token["top_logprobs"]) == (-0.1, [{"token": "x", "logprob": -0.1, "bytes": None}])


def test_log_probabilities_that_spell_the_reasoning_out_go_with_it() -> None:
    answer = whole(CHAT)
    spelt: list[dict[str, Any]] = [
        {"token": each, "logprob": -1.0, "bytes": None, "top_logprobs": []} for each in TRACE.split()
    ]
    answer["choices"][0]["logprobs"]["content"] = spelt
    told = json.loads(alter_answer(json.dumps(answer).encode(), steps_for(SUMMARY)))
    assert told["choices"][0]["logprobs"] is None


def test_blocks_beside_a_chat_are_gathered_and_told_once() -> None:
    def chunk(delta: dict[str, Any], index: int = 0) -> bytes:
        return (
            b"data: %b\n\n"
            % json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": None}]}).encode()
        )

    half = len(TRACE) // 2
    pieces = [{"type": "thinking", "thinking": each, "signature": ""} for each in (TRACE[:half], TRACE[half:])]
    signed = {"type": "thinking", "thinking": "", "signature": SIGNATURE}
    text = b"".join(chunk({"thinking_blocks": [each]}) for each in (*pieces, signed)) + chunk({"reasoning": TRACE}, 1)
    stream = AlteredStream(steps_for(SUMMARY, sealing(CHAT)))
    told = stream.feed(text + chunk({"content": "89"})) + stream.feed(b"data: [DONE]\n\n")
    said = [json.loads(each[6:])["choices"][0] for each in told.split(b"\n\n") if each.startswith(b"data: {")]
    assert [each["index"] for each in said] == [0, 0, 1]
    (block,) = said[0]["delta"]["thinking_blocks"]
    assert (block["thinking"], block["signature"][:4]) == (summarise(TRACE), "sw1_")
    assert said[2]["delta"]["reasoning"] == summarise(TRACE)


class Signing:
    """A step such as signing is: the last one, which sees what is sent and adds to it."""

    marks: tuple[bytes, ...] = ()
    holding = False

    def __init__(self) -> None:
        self.seen: list[str] = []

    def whole(self, answer: Any) -> Any:
        self.seen.append(json.dumps(answer))
        return {**answer, "signed": True}

    def event(self, event: Any) -> list[Any]:
        self.seen.append(json.dumps(event))
        return [event]

    def end(self) -> list[Any]:
        return [{"signed": len(self.seen)}]


@pytest.mark.parametrize("endpoint", PATHS, ids=NAMES)
def test_a_step_after_the_others_sees_what_is_sent_and_adds_to_it(endpoint: Endpoint) -> None:
    last = Signing()
    told = json.loads(alter_answer(json.dumps(whole(endpoint)).encode(), (*steps_for(SUMMARY), last)))
    assert told.pop("signed")
    assert (json.loads(last.seen[0]), TRACE in last.seen[0]) == (told, False)
    last = Signing()
    stream = AlteredStream((*steps_for(SUMMARY), last))
    text = stream.feed(events(endpoint)) + stream.rest()
    sent = [json.loads(line[6:]) for line in text.splitlines() if line.startswith(b"data: {")]
    assert [json.loads(each) for each in last.seen] == sent[:-1]
    assert sent[-1] == {"signed": len(last.seen)}
    assert endpoint is not CHAT or text.endswith(b'{"signed":%d}\n\ndata: [DONE]\n\n' % len(last.seen))


@pytest.mark.parametrize("endpoint", PATHS, ids=NAMES)
def test_where_no_secret_is_handles_stay_as_they_are(endpoint: Endpoint) -> None:
    text = AlteredStream(steps_for(SUMMARY)).feed(events(endpoint))
    assert any(each in text for each in (SIGNATURE.encode(), ENCRYPTED.encode())) or endpoint is CHAT
    assert b"sw1_" not in text


def test_silence_while_reasoning_is_held_back_is_broken_by_comments() -> None:
    told = AlteredStream(steps_for(Effect(reasoning="reformulated"))).feed(events(CHAT, ("So it", " is.")))
    assert told.count(b": held back\n\n") == 2
    assert reformulate("So it is.").encode() in told
