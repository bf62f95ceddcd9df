"""One exchange is sketched as a column of exchanges is."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model import InputRefused, UsageError
from stillwatch.sketch.exchanges import _key_systems
from stillwatch.sketch.intent import CAPABILITIES, read_intent
from stillwatch.sketch.one import FixedCounts, RequestSketch, Sketcher, sketch_one, write_counts
from stillwatch.sketch.templates import TemplateCounts, key_prompts
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"tests of one")
FRAME = "You are an expert analyst. Given the figures below, state every step of your reasoning: {} Then conclude."
PERSONA = "You are the assistant of a small library in the hills. Today is day {}. Be brief and kind."
WORDS = st.sampled_from(
    ["why", "Straße", "ＡＢＣ", "12", "3.5", "眼鏡", "สวัสดี", "🙂", "reasoning", "grade", "code", "{", "\u0301"]
)
TEXTS = st.none() | st.text(max_size=80) | st.lists(WORDS, max_size=400).map(" ".join)
FILLED = st.lists(WORDS, max_size=30).map(lambda words: FRAME.format(" ".join(words)))


@cache
def counted() -> tuple[TemplateCounts, TemplateCounts]:
    prompts, systems = TemplateCounts(KEY, 16), TemplateCounts(KEY, 16)
    prompts.fold(pa.array([FRAME.format(f"item {number} of lot {number * 7}") for number in range(200)]))
    systems.fold_repeated(pa.array([PERSONA.format(number % 9) for number in range(90)]))
    return prompts, systems


@cache
def sketcher() -> Sketcher:
    """Made by the first test that asks, for whoever only collects the tests must not wait for kernels."""
    return Sketcher(KEY, FixedCounts.of(*counted()))


def as_a_column(prompt: str | None, system: str | None) -> RequestSketch:
    """What the batch says of one row."""
    text, told = pa.array([prompt], pa.string()), pa.array([system], pa.string())
    prompts, systems = counted()
    keys, intent = key_prompts(prompts, text), read_intent(text, told)
    fill = 0 if prompt is None else int(keys.fill_hash[0])
    return RequestSketch(
        int(keys.template_key[0]),
        fill,
        int(_key_systems(told, KEY, systems)[0]),
        bool(intent.trace[0] >= 500),
        bool(intent.rubric[0] >= 500),
        int(intent.capability[0]),
    )


@settings(max_examples=300, deadline=None)
@given(prompt=TEXTS | FILLED, system=TEXTS | st.integers(0, 40).map(PERSONA.format))
def test_one_exchange_is_sketched_as_a_row_of_a_column(prompt: str | None, system: str | None) -> None:
    prompt, system = (text and text.encode("utf-8", "replace").decode() for text in (prompt, system))
    expected = as_a_column(prompt, system)
    assert sketcher()(prompt, system) == expected
    assert sketcher()(prompt, system) == expected  # the system prompt is known by now


def test_the_template_of_a_fill_that_was_never_seen_is_known() -> None:
    known = sketcher()(FRAME.format("item 7 of lot 49"), None)
    new = sketcher()(FRAME.format("what nobody has sent so far"), PERSONA.format(77))
    assert known.template_key == new.template_key != 0
    assert known.fill_hash != new.fill_hash
    assert new.system_key == sketcher()(None, PERSONA.format(3)).system_key


def test_a_long_prompt_is_read_at_both_ends_as_in_a_column() -> None:
    text = FRAME.format(" ".join(f"word{number}" for number in range(4_000)))
    assert sketcher()(text, None) == as_a_column(text, None)


def test_no_text_is_zeros_and_other() -> None:
    assert sketcher()(None, None) == RequestSketch()
    assert sketcher()(None, None).capability_name == CAPABILITIES[0]


def test_half_of_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert sketcher()("what \ud800 is", None).fill_hash == sketcher()("what ? is", None).fill_hash


def test_mapped_counts_say_what_those_in_memory_say(tmp_path: Path) -> None:
    write_counts(*counted(), tmp_path)
    mapped = FixedCounts.map(tmp_path, KEY)
    assert mapped.touch() is not None
    assert not mapped.prompts[0].flags.writeable
    text = FRAME.format("one more")
    assert sketch_one(text, PERSONA.format(5), mapped, KEY) == sketcher()(text, PERSONA.format(5))
    assert sketcher()(text, None).template_key


def test_counts_of_another_secret_or_damaged_ones_are_refused(tmp_path: Path) -> None:
    write_counts(*counted(), tmp_path)
    with pytest.raises(UsageError, match="another secret"):
        FixedCounts.map(tmp_path, SketchKey.from_secret(b"other"))
    np.save(tmp_path / "prompts.npy", np.zeros(3, np.int32))
    with pytest.raises(InputRefused, match="no counts"):
        FixedCounts.map(tmp_path, KEY)


def test_only_so_many_system_prompts_are_remembered() -> None:
    few = Sketcher(KEY, FixedCounts.of(*counted()), remember=3)
    for number in range(20):
        few("why?", f"You are assistant number {number}.")
    assert len(few._known) <= 3
