"""Fingerprints of templates: made of the frame alone, found by others, met by nobody else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model import UsageError
from stillwatch.sketch.fingerprints import CROWD, LEAST, MOST, Draft, Fingerprint, Matcher, draft
from stillwatch.sketch.templates import SHINGLE_TOKENS

FRAME = (
    "You are a meticulous reviewer of actuarial tables. Work through the worksheet below row by row, name every "
    "assumption that the author left implicit, and grade the result against rubric {n} without mentioning the rubric "
    "itself. Worksheet: {fill}. Finish with a verdict line that starts with the word CONCLUSION and nothing after it."
)
WORDS = tuple(f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "pe", "ri", "so", "ta") for b in ("bar", "den", "fil", "gor"))


def fills(count: int, seed: int = 1, words: int = 60) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, words)) + f" {at}" for at in range(count)]


def prompts(count: int = 60, frame: str = FRAME, seed: int = 1) -> list[str]:
    return [frame.format(n=at, fill=fill) for at, fill in enumerate(fills(count, seed))]


def make(texts: list[str], accounts: int = 6, popular: frozenset[int] = frozenset()) -> list[Fingerprint]:
    who = np.arange(len(texts), dtype=np.int64) % accounts
    settled = [one.settle(popular) for one in draft(pa.array(texts), who, 5)]
    return [one for one in settled if one is not None]


def test_a_template_is_found_again_with_other_fills_and_other_digits() -> None:
    (one,) = make(prompts())
    others = prompts(200, seed=2)
    assert (Matcher([one]).match(pa.array(others)).which == 0).all()


def test_two_providers_that_saw_different_fills_make_the_same_fingerprint() -> None:
    assert make(prompts(60, seed=1)) == make(prompts(90, seed=3))


def test_a_paraphrase_and_other_texts_are_not_matched() -> None:
    (one,) = make(prompts())
    paraphrase = "As a careful checker of insurance tables, go through each row of this sheet: " + fills(1)[0]
    found = Matcher([one]).match(pa.array([paraphrase, "", None, *fills(100, seed=4)]))
    assert (found.which == -1).all()


def test_what_slots_hold_is_in_no_fingerprint() -> None:
    secret = "patient Jane Doe of ward nine was given the wrong dose on Tuesday night"
    texts = [
        text.replace("Worksheet: ", f"Worksheet: {secret} ") if at % 2 else text for at, text in enumerate(prompts())
    ]
    own = {value for one in draft(pa.array([secret] * 40), np.arange(40, dtype=np.int64), 5) for value in one.values}
    made = make(texts)
    assert made
    assert own
    assert not own & {value for one in made for value in one.values}


def test_a_template_of_few_accounts_or_few_exchanges_gives_none() -> None:
    assert make(prompts(60), accounts=4) == []
    assert make(prompts(20)) == []


def test_shingles_do_not_overlap_and_are_no_phrases_that_others_use() -> None:
    (one,) = draft(pa.array(prompts()), np.arange(60, dtype=np.int64) % 6, 5)
    settled = one.settle(frozenset())
    assert settled is not None
    places = sorted(dict(zip(one.values, one.places, strict=True))[value] for value in settled.values)
    assert min(np.diff(places)) >= SHINGLE_TOKENS
    without = one.settle(frozenset(settled.values))
    assert without is None or not set(without.values) & set(settled.values)
    assert one.settle(frozenset(one.values)) is None


def test_of_two_templates_the_one_with_the_larger_share_is_named() -> None:
    other = FRAME.replace("actuarial tables", "tide tables").replace("CONCLUSION", "RESULT").replace("rubric", "scale")
    first, second = make(prompts())[0], make(prompts(frame=other))[0]
    found = Matcher([first, second]).match(pa.array([*prompts(5, seed=5), *prompts(5, other, seed=5)])).which.tolist()
    assert found == [0] * 5 + [1] * 5


def test_how_often_each_value_is_met_is_counted_once_a_prompt() -> None:
    (one,) = make(prompts())
    text = prompts(1, seed=9)[0]
    assert Matcher([one]).popularity(pa.array([f"{text} {text}", text])) == dict.fromkeys(one.values, 2)


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(0, 2**32 - 1), min_size=LEAST, max_size=MOST))
def test_a_fingerprint_is_read_back_as_written(values: set[int]) -> None:
    one = Fingerprint(tuple(sorted(values)))
    assert Fingerprint.parse(one.text()) == one


@pytest.mark.parametrize(
    "text",
    ["", "stillwatch-frame-1:", "other-1:" + "0f" * 32, "stillwatch-frame-1:" + "0" * 48,
     "stillwatch-frame-1:" + "zz" * 32,
     "stillwatch-frame-1:" + "".join(f"{at:08x}" for at in range(33)), "stillwatch-frame-1:" + "0123456"],
)  # fmt: skip
def test_a_damaged_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Fingerprint.parse(text)


def test_no_fingerprints_match_nothing() -> None:
    assert (Matcher([]).match(pa.array(prompts(3))).which == -1).all()
    assert draft(pa.array([], pa.string()), np.zeros(0, np.int64), 5) == []
    assert Draft((), (), 0, np.zeros(0, np.int64)).settle(frozenset()) is None


def test_a_feed_of_fingerprints_that_all_share_a_value_is_passed_over_and_spoils_no_other_row() -> None:
    (one,) = make(prompts())
    crowd = [Fingerprint(tuple(sorted({*one.values[:3], at}))) for at in range(1, 2_001)]
    found = Matcher([*crowd, one]).match(pa.array([*prompts(3), "nothing of it", *prompts(3)])).which.tolist()
    assert found == [2_000] * 3 + [-1] + [2_000] * 3  # by the values that are left
    alone = Matcher([*crowd[: CROWD - 1], one]).match(pa.array([*prompts(3), "nothing of it"])).which.tolist()
    assert alone == [CROWD - 1] * 3 + [-1]
