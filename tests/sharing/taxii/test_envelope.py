"""What comes as an envelope is read piece by piece, and its bytes are kept."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from stillwatch.sharing.taxii.envelope import Limits, Piece, depth_of, open_envelope
from stillwatch.sharing.taxii.words import Refusal


def pieces(body: bytes | str, limits: Limits | None = None) -> list[Piece]:
    return list(open_envelope(body.encode() if isinstance(body, str) else body, limits or Limits()))


def test_keeps_the_bytes_of_each_object() -> None:
    body = '{ "more": false,\n "objects" : [ {"a":1.50,  "b":"\\u00e9"} , {"c": "é"}] }'
    assert [each.raw.decode() for each in pieces(body)] == ['{"a":1.50,  "b":"\\u00e9"}', '{"c": "é"}']
    assert all(each.fault is None for each in pieces(body))


def test_takes_a_bundle_for_an_envelope() -> None:
    assert len(pieces('{"type": "bundle", "id": "bundle--1", "objects": [{}]}')) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "nope",
        "{",
        '{"objects"',
        '{"objects": [',
        '{"objects": [{}',
        '{"objects": [{}}',
        '{"objects": [{},]}',
        '{"objects": [{} {}]}',
        '{"objects": {}}',
        '{"objects": [{}],}',
        '{"objects": [{}]} x',
        '{"objects": [{}], "objects": [{}]}',
        "{1: []}",
        '{"objects": [' + "9" * 5_000 + "]}",
        '{"objects": [{"a": "tab\there"}]}',
        b'{"objects": [{"a": "\xff"}]}',
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"objects": []}',
    ],
)
def test_refuses_what_is_malformed(body: bytes | str) -> None:
    with pytest.raises(Refusal) as refused:
        pieces(body)
    assert refused.value.status == 400
    assert refused.value.description


@pytest.mark.parametrize("body", ["{}", '{"more": true}', '{"deep": {"a": {}}, "objects": []}', '{"deep": [1]}'])
def test_refuses_what_is_no_envelope(body: str) -> None:
    with pytest.raises(Refusal) as refused:
        pieces(body)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"a": 1, "a": 2}', "key twice"),
        ('{"b": {"a": 1, "a": 2}}', "key twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e999}', "beyond every range"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "deeper than 32"),
        ('{"a": "' + "x" * 2_000_000 + '"}', "bytes long"),
    ],
)
def test_says_what_is_wrong_with_one_object_and_reads_on(content: str, fault: str) -> None:
    bad, good = pieces(f'{{"objects": [{content}, {{"good": true}}]}}')
    assert fault in (bad.fault or "")
    assert good.fault is None
    assert good.content == {"good": True}


def test_takes_both_halves_of_a_pair_and_many_brackets_side_by_side() -> None:
    body = json.dumps({"objects": [{"a": "\U0001f600", "b": [[] for _ in range(100)], "c": "[[[[" * 50}]})
    assert "\\ud83d" in body
    assert pieces(body)[0].fault is None


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_refuses_a_body_that_nests_without_end(opening: str) -> None:
    with pytest.raises(Refusal) as refused:
        pieces('{"objects": [' + opening * 100_000)
    assert refused.value.status == 422


def test_refuses_more_objects_than_the_limit() -> None:
    with pytest.raises(Refusal, match="at most 3"):
        pieces('{"objects": [{},{},{},{}]}', Limits(objects=3))


def test_memory_follows_the_largest_object_and_not_the_envelope() -> None:
    one = json.dumps({"values": list(range(5_000))})
    body = ('{"objects": [' + ",".join([one] * 50) + "]}").encode()
    tracemalloc.start()
    for _ in open_envelope(body, Limits()):
        pass
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * len(body)


def test_refuses_millions_of_empty_lists_before_reading_them() -> None:
    body = ('{"objects": [{"a": [' + ",".join(["[]"] * 1_000_000) + "]}]}").encode()
    tracemalloc.start()
    with pytest.raises(Refusal, match="more than 500,000"):
        pieces(body, Limits(object_length=1 << 30))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2 * len(body)


def test_depth_is_counted_without_recursion() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]
    assert depth_of(deep, 20_000) == 10_001
    assert depth_of(deep, 32) == 33
    assert depth_of({"a": [{"b": 1}]}, 32) == 3
