from __future__ import annotations

import math
import random

from stillwatch.integrity.audit.answers import Answer
from stillwatch.integrity.monitor.channels import BY_NAME, CHANNELS, Probe
from stillwatch.integrity.monitor.watching import Evidence, chosen, merged
from stillwatch.integrity.toolcalls.records import ToolCall

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}
TOOL = Probe("t1", "tools", {"count": SCHEMA}, {"name": "count", "arguments": {"n": 5}})
PLAIN = [Probe(f"p{at}", f"family{at % 2}") for at in range(6)]


def score(_prompt: str, text: str) -> float:
    return float(len(text))


def value(channel: str, probe: Probe, answer: Answer) -> float | None:
    return BY_NAME[channel].value(probe, answer, score)


def evidence() -> Evidence:
    made, chance = Evidence(CHANNELS, "seed"), random.Random(1)
    for probe in PLAIN:
        for _ in range(8):
            made.learn(probe, honest(chance), score)
    return made


def honest(chance: random.Random) -> Answer:
    return Answer("x" * chance.randint(20, 60), chance.random(), chance.randint(5, 50), chance.random() < 0.02)


def test_each_channel_reads_its_own_part_of_an_answer() -> None:
    answer = Answer("hello", 0.25, 7, True)
    assert [value(name, PLAIN[0], answer) for name in ("wording", "refusals", "tokens", "latency")] == [
        5.0,
        1.0,
        7.0,
        0.25,
    ]
    assert value("tokens", PLAIN[0], Answer("hello")) is None
    assert value("schema", PLAIN[0], answer) is None
    assert value("wording", TOOL, answer) is None


def test_tool_calls_are_held_against_their_schema_and_against_the_prompt() -> None:
    cases = {
        '{"n": 5}': (0.0, 0.0),
        '{"n": 6}': (0.0, 1.0),
        '{"n": "5"}': (1.0, 1.0),
        '{"n": 5, "also": "x"}': (1.0, 1.0),
        "not json": (1.0, 1.0),
    }
    for arguments, expected in cases.items():
        answer = Answer("", calls=(ToolCall("count", arguments),))
        assert (value("schema", TOOL, answer), value("fidelity", TOOL, answer)) == expected, arguments
    assert (value("schema", TOOL, Answer("no")), value("fidelity", TOOL, Answer("no"))) == (1.0, 1.0)
    twice = Answer("", calls=(ToolCall("count", '{"n": 5}'), ToolCall("count", '{"n": 5}')))
    assert value("fidelity", TOOL, twice) == 1.0


def test_an_honest_endpoint_raises_nothing_however_often_one_looks() -> None:
    highest = -math.inf
    for run in range(20):
        made, chance = evidence(), random.Random(100 + run)
        for turn in range(60):
            made.observe(PLAIN[turn % 6], honest(chance), score)
            highest = max(highest, made.log_e())
    assert highest < math.log(1000.0)


def test_an_endpoint_that_begins_to_refuse_is_seen_by_the_channel_of_refusals() -> None:
    made, chance = evidence(), random.Random(3)
    for turn in range(30):
        answer = honest(chance)
        made.observe(PLAIN[turn % 6], Answer(answer.text, answer.seconds, answer.output_tokens, True), score)
    by_channel = made.by_channel()
    assert max(by_channel, key=lambda name: by_channel[name]) == "refusals"
    assert made.log_e() > math.log(1000.0)


def test_a_slow_endpoint_is_not_said_to_be_another_model() -> None:
    made, chance = evidence(), random.Random(4)
    for turn in range(120):
        answer = honest(chance)
        slow = answer.seconds + (5.0 if turn >= 60 else 0.0)
        made.observe(PLAIN[turn % 6], Answer(answer.text, slow, answer.output_tokens, answer.refused), score)
    assert made.by_channel()["latency"] > math.log(1000.0)
    assert made.log_e() < math.log(1000.0)


def test_what_was_seen_can_be_put_back_and_gives_the_same_evidence() -> None:
    one, chance = evidence(), random.Random(5)
    answers = [honest(chance) for _ in range(40)]
    for turn, answer in enumerate(answers):
        one.observe(PLAIN[turn % 6], answer, score)
    other = evidence()
    for turn, answer in enumerate(answers[:25]):
        other.observe(PLAIN[turn % 6], answer, score)
    again = Evidence(CHANNELS, "seed", other.bags, dict(other.capitals), other.heard)
    for turn, answer in enumerate(answers[25:], start=25):
        again.observe(PLAIN[turn % 6], answer, score)
    assert again.by_channel() == one.by_channel()


def test_channels_keep_their_order_and_only_those_of_identity_are_merged() -> None:
    assert [each.name for each in chosen(["latency", "wording"])] == ["wording", "latency"]
    assert merged({"latency": 50.0}) == 0.0
    assert merged({"latency": 50.0, "wording": 2.0}) == 2.0
