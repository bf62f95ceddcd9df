from __future__ import annotations

import numpy as np
import pytest

from stillwatch.provenance.calibration import Calibration, random_keys
from stillwatch.provenance.radioactivity import (
    Finding,
    Keys,
    Masses,
    Read,
    Report,
    score_closed,
    score_compared,
    score_open,
    score_soft,
)
from stillwatch.provenance.tails import uniformity
from stillwatch.provenance.watermark.marks import KeyedHash

KEY = b"k" * 32
RANDOM = random_keys(40, 3)
SIZE = 300


def keys_of(key: bytes = KEY) -> Keys:
    return Keys(key, RANDOM, KeyedHash)


def chain(rng: np.random.Generator, learned: float, key: bytes = KEY) -> np.ndarray:
    """Next-token probabilities of a model: (SIZE, SIZE), tilted towards what `key` favours."""
    logits = rng.normal(0, 2, (SIZE, SIZE)) + learned * KeyedHash(key).lists(np.arange(SIZE)[:, None], SIZE)
    found = np.exp(logits)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def texts(rng: np.random.Generator, model: np.ndarray, count: int, length: int = 100) -> list[np.ndarray]:
    found = np.empty((count, length), int)
    found[:, 0] = rng.integers(0, SIZE, count)
    bars = model.cumsum(axis=1)
    for at in range(1, length):
        found[:, at] = (bars[found[:, at - 1]] > rng.random((count, 1))).argmax(axis=1)
    return list(found)


def masses(model: np.ndarray) -> Masses:
    return Masses(np.arange(SIZE)[:, None], model)


def test_a_model_that_learned_is_found_from_its_likelihoods_its_mass_and_its_text() -> None:
    rng = np.random.default_rng(1)
    model, marked = chain(rng, 1.0), texts(rng, chain(rng, 2.0), 40)
    reads = [Read(text, model[text].argmax(axis=1)) for text in marked]
    for report in (
        score_open(reads, keys_of()),
        score_soft(masses(model), keys_of()),
        score_closed(texts(rng, model, 60), keys_of()),
    ):
        assert report.tail.p < 1e-6, report.reach
        assert report.finding is Finding.LEARNED
        assert report.calibration.rank(report.tail.p) == pytest.approx(1 / 41)


def test_against_unmarked_text_of_the_teacher_much_text_shows_far_more() -> None:
    rng = np.random.default_rng(11)
    taste = rng.normal(0, 2, (SIZE, SIZE))
    favoured = KeyedHash(KEY).lists(np.arange(SIZE)[:, None], SIZE)

    def like(learned: float) -> np.ndarray:
        found = np.exp(taste + rng.normal(0, 0.3, (SIZE, SIZE)) + learned * favoured)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    teacher, student, innocent = like(0.0), like(0.3), like(0.0)
    reference, written = texts(rng, teacher, 400), texts(rng, student, 200)
    compared, alone = score_compared(written, reference, keys_of()), score_closed(written, keys_of())
    assert compared.tail.p < 1e-6
    assert compared.tail.log10 < alone.tail.log10 - 4
    assert compared.finding is Finding.LEARNED
    assert compared.statistic > 5
    for suspect, key in ((innocent, KEY), (student, b"w" * 32)):
        report = score_compared(texts(rng, suspect, 40), reference, keys_of(key))
        assert report.tail.p > 1e-3
        assert report.finding is Finding.NOT_SHOWN


def test_a_reference_of_another_kind_convicts_nobody() -> None:
    rng = np.random.default_rng(12)
    suspect, other = chain(rng, 0.0), chain(rng, 0.0)
    report = score_compared(texts(rng, suspect, 60), texts(rng, other, 60), keys_of())
    assert report.calibration.sound
    assert report.tail.p > 1e-3


def test_an_independent_model_and_wrong_keys_are_not() -> None:
    rng = np.random.default_rng(2)
    independent, learned, marked = chain(rng, 0.0), chain(rng, 1.0), texts(rng, chain(rng, 2.0), 40)
    for model, key in ((independent, KEY), (learned, b"w" * 32)):
        reads = [Read(text, model[text].argmax(axis=1)) for text in marked]
        for report in (
            score_open(reads, keys_of(key)),
            score_soft(masses(model), keys_of(key)),
            score_closed(texts(rng, model, 60), keys_of(key)),
        ):
            assert report.tail.p > 1e-3, report.reach
            assert report.finding is Finding.NOT_SHOWN


@pytest.mark.parametrize("reach", ["open", "soft", "closed", "compared"])
def test_each_test_is_calibrated_under_the_null(reach: str) -> None:
    rng = np.random.default_rng(4)
    model = chain(rng, 0.0)
    written = texts(rng, model, 20)
    reads = [Read(text, model[text].argmax(axis=1)) for text in written]
    keys = Keys(KEY, random_keys(100, 9), KeyedHash)
    if reach == "soft":
        report = score_soft(masses(model), keys)
    elif reach == "compared":
        report = score_compared(written, texts(rng, model, 20), keys)
    else:
        report = score_open(reads, keys) if reach == "open" else score_closed(written, keys)
    ps = report.calibration.ps
    assert uniformity(ps) > 0.01


def test_a_model_that_only_copies_what_it_reads_is_not_convicted() -> None:
    rng = np.random.default_rng(5)
    text = np.tile(texts(rng, chain(rng, 3.0), 1)[0], 4)
    copied = np.append(text[1:], text[0])
    first = [Read(text[:100], rng.integers(0, SIZE, 100))]
    again = [Read(text, np.concatenate([first[0].likeliest, copied[100:]]))]
    assert score_open(again, keys_of()).scored <= score_open(first, keys_of()).scored + 2


def test_pairs_of_the_prompt_do_not_count_in_the_closed_test() -> None:
    text = texts(np.random.default_rng(6), chain(np.random.default_rng(6), 3.0), 1)[0]
    with pytest.raises(ValueError, match="nothing to score"):
        score_closed([text], keys_of(), [text])
    with pytest.raises(ValueError, match="nothing to score"):
        score_compared([text], [text], keys_of(), [text])


def test_a_reference_that_shares_no_context_is_refused() -> None:
    with pytest.raises(ValueError, match="no context"):
        score_compared([np.array([1, 2, 3])], [np.array([7, 8, 9])], keys_of())


def test_no_report_without_forty_random_keys() -> None:
    few = Keys(KEY, RANDOM[:39], KeyedHash)
    with pytest.raises(ValueError, match="needs 40"):
        score_closed([np.arange(10)], few)
    with pytest.raises(ValueError, match="needs 40"):
        score_soft(Masses(np.array([[1]]), np.full((1, 5), 0.2)), few)
    with pytest.raises(ValueError, match="needs 40"):
        Calibration((0.5,) * 39)
    with pytest.raises(TypeError):
        Report("open", None, 1, 0.5, 0.25)  # type: ignore[arg-type, call-arg]


def test_where_random_keys_convict_too_nobody_is_convicted() -> None:
    class Broken:
        """A scheme whose keys all favour the same."""

        gamma, width = 0.25, 1

        def favoured(self, contexts: np.ndarray, tokens: np.ndarray) -> np.ndarray:
            return tokens < SIZE // 2

        def lists(self, contexts: np.ndarray, vocabulary: int) -> np.ndarray:
            return np.tile(np.arange(vocabulary) < vocabulary // 2, (len(contexts), 1))

    rng = np.random.default_rng(7)
    report = score_closed(texts(rng, chain(rng, 0.0), 20), Keys(KEY, RANDOM, lambda key: Broken()))
    assert report.tail.p < 1e-6
    assert report.finding is Finding.NOT_CALIBRATED


def test_keys_are_not_shown() -> None:
    assert "kkkk" not in repr(keys_of())
