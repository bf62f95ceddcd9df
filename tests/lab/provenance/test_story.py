from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs stillwatch[watermark]")
pytest.importorskip("transformers", reason="needs stillwatch[watermark]")

import numpy as np

from stillwatch.lab.provenance import shown
from stillwatch.lab.provenance.models import make, read, sample, vocabulary
from stillwatch.lab.provenance.phases import KINDS
from stillwatch.lab.provenance.story import Size, Story
from stillwatch.lab.provenance.teaching import draws_for, writer
from stillwatch.lab.provenance.upstream import Question
from stillwatch.provenance.twins.coins import serve

TINY = Size(4, 4, 4, 60, 60, 40, 20)


def harvested(story: Story) -> None:
    """Harvest without a gateway, as it is done with one."""
    write, asked = writer(story), [Question(each, 0) for each in story.questions()]
    for kind in KINDS:
        said = write(asked, kind == "marked")
        if kind == "twins":
            said = [serve(each, story.twins_key.secret)[0] for each in said]
        story.keep(kind, [(each.text, text) for each, text in zip(asked, said, strict=True)])


@pytest.mark.slow
def test_the_story_runs_to_its_verdicts_and_goes_on_where_it_was(tmp_path: Path) -> None:
    said: list[str] = []
    story = Story(tmp_path, TINY, 1, said.append)
    harvested(story)
    found = story.report()
    assert [each["suspect"] for each in found["suspects"]] == ["base", "human", "plain", "marked", "twins"]
    assert {test for test in shown.TESTS if test not in found["suspects"][0]} == set()
    assert any(each.startswith("teacher") for each in said)
    told = len(said)
    assert Story(tmp_path, TINY, 1, said.append).report()["suspects"] == found["suspects"]
    assert len(said) == told


def test_an_answer_hangs_on_its_own_draws_and_on_nothing_asked_beside_it(tmp_path: Path) -> None:
    words = vocabulary(["what of the babel? the babel runs.\n"])
    model = make(len(words.words), 1).eval()
    asked = [words.encode(text) for text in ("what of the babel", "the babel runs .")]
    draws = np.random.default_rng(1).random((2, 12))
    together = sample(model, asked, draws)
    alone = [sample(model, [each], draws[at : at + 1])[0] for at, each in enumerate(asked)]
    assert together == alone
    assert sample(model, asked[:1], draws[1:])[0] != together[0]


def test_tokens_are_drawn_as_often_as_they_are_likely_and_what_is_favoured_more_often() -> None:
    model = make(9, 3).eval()
    likely = np.zeros(9)
    read(model, [[4, 5]], lambda _, scores: np.copyto(likely, np.exp(scores[-1])))
    likely[0] = 0.0  # what fills up is never drawn
    draws = np.random.default_rng(2).random((4_000, 1))
    drawn = [each[0] if each else 1 for each in sample(model, [[4, 5]] * 4_000, draws)]
    assert np.allclose(np.bincount(drawn, minlength=9) / 4_000, likely / likely.sum(), atol=0.03)
    table = np.zeros((9, 9), bool)
    table[5, 6] = True
    favoured = [each[0] if each else 1 for each in sample(model, [[4, 5]] * 4_000, draws, table, 3.0)]
    assert favoured.count(6) > 3 * drawn.count(6)


def test_draws_differ_by_question_by_how_often_it_was_asked_and_by_the_mark() -> None:
    kinds = [(Question(text, before), marked) for text in ("a", "b") for before in (0, 1) for marked in (False, True)]
    assert len({tuple(draws_for(each, 1, 5, marked)) for each, marked in kinds}) == len(kinds)


def test_twins_of_the_harvest_say_the_same_in_other_words(tmp_path: Path) -> None:
    story = Story(tmp_path, TINY, 1, lambda _: None)
    harvested(story)
    cut, plain, twins = story.asked(), story.harvest("plain"), story.harvest("twins")
    assert [each[:cut] for each in plain] == [each[:cut] for each in twins]
    text = serve(story.words.decode(plain[0][cut:]), story.twins_key.secret)[0]
    assert twins[0][cut:] == story.words.encode(text)


def test_a_text_of_the_teacher_comes_back_token_for_token(tmp_path: Path) -> None:
    story = Story(tmp_path, TINY, 1, lambda _: None)
    tokens = np.random.default_rng(1).integers(2, len(story.words.words), (200, 40)).tolist()
    assert [story.words.encode(story.words.decode(each)) for each in tokens] == tokens
