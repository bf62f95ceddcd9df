"""The tokeniser: what counts as the same text, and that no bytes can break it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model import UsageError
from stillwatch.sketch.text import SketchKey, hash_strings, hash_text, text_buffers, topics

KEY = SketchKey.from_secret(b"test")


def one(text: str) -> int:
    return int(hash_text(pa.array([text]), KEY)[0])


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Hello, World!", "hello world"),
        ("ＨＥＬＬＯ ｗｏｒｌｄ", "hello world"),
        ("𝐇𝐞𝐥𝐥𝐨 𝓌ℴ𝓇𝓁𝒹", "hello world"),
        ("he\u200bllo wor\u00adld", "hello world"),
        ("café", "cafe\u0301"),
        ("Ёлка", "елка"),
        ("١٢٣ كتب", "123 كتب"),
        ("مُحَمَّد", "محمد"),
        ("ｶﾀｶﾅ", "カタカナ"),
    ],
)
def test_reads_forms_of_one_text_alike(text: str, same: str) -> None:
    assert one(text) == one(same)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("take 12 apples", "take 13 apples"),
        ("你好世界", "你好世间"),
        ("हिन्दी में लिखो", "हिन्दी में पढ़ो"),
        ("한국어 문장", "한국말 문장"),
        ("ภาษาไทย", "ภาษาลาว"),
        ("one two", "two one"),
        ("😀", "😡"),
    ],
)
def test_tells_different_texts_apart(text: str, other: str) -> None:
    assert one(text) != one(other)


def test_another_key_gives_unrelated_hashes() -> None:
    column = pa.array(["alpha", "beta", "gamma"])
    other = SketchKey.from_secret(b"another")
    assert not set(hash_text(column, KEY)) & set(hash_text(column, other))
    assert not set(hash_strings(column, KEY)) & set(hash_strings(column, other))


def test_hashes_whole_values_and_keeps_nulls_at_zero() -> None:
    hashes = hash_strings(pa.array(["a", None, "", "a", "A"]), KEY)
    assert hashes[1] == 0
    assert hashes[0] == hashes[3] != hashes[4]
    assert len(set(hashes.tolist())) == 4


def test_every_arrow_layout_of_a_column_reads_the_same() -> None:
    values = ["first text", None, "second, 22", "", "第三个文本", "first text"]
    plain = pa.array(values)
    layouts = [
        plain.cast(pa.large_string()),
        plain.dictionary_encode(),
        plain.cast(pa.string_view()),
        pa.chunked_array([plain[:2], plain[2:]]),
        pa.array(["skipped", *values, "skipped"])[1:-1],
    ]
    for layout in layouts:
        assert hash_text(layout, KEY).tolist() == hash_text(plain, KEY).tolist()
        assert hash_strings(layout, KEY).tolist() == hash_strings(plain, KEY).tolist()


def test_columns_without_any_text_are_read() -> None:
    assert hash_text(pa.array([], pa.string()), KEY).size == 0
    assert hash_text(pa.nulls(3), KEY).tolist() == [0, 0, 0]
    assert hash_strings(pa.array([None, None], pa.string()), KEY).tolist() == [0, 0]


def test_refuses_a_column_that_is_not_text() -> None:
    with pytest.raises(UsageError, match="cast it to string"):
        text_buffers(pa.array([1, 2]))


@given(st.lists(st.binary(max_size=60), max_size=8))
@settings(max_examples=150, deadline=None)
def test_no_bytes_break_the_tokeniser(values: list[bytes]) -> None:
    raw = pa.array(values, pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    hashes = hash_text(column, KEY)
    assert np.count_nonzero(hashes) == len(values)


@given(st.text(max_size=80))
@settings(max_examples=150, deadline=None)
def test_case_and_spacing_make_no_difference_to_any_text(text: str) -> None:
    spaced = "  " + text.replace(" ", " \n ") + " "
    assert one(text) == one(spaced)


def test_a_long_text_is_told_apart_by_its_cut_middle() -> None:
    words = [f"w{at:x}" for at in range(5000)]
    changed = [*words]
    changed[2500] = "other"
    assert one(" ".join(words)) != one(" ".join(changed))


def test_topics_are_signed_counts_of_words() -> None:
    rows = topics(pa.array(["red red red", "red", None, "blue"]), KEY)
    red3, red, empty, blue = (np.array(row) for row in rows.to_pylist())
    assert (red3 == 3 * red).all()
    assert not empty.any()
    assert abs(blue).sum() == 1
    assert rows.type == pa.list_(pa.int8(), 32)
