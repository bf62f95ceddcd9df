from __future__ import annotations

import numpy as np

from stillwatch.lab.provenance.shown import TESTS, held, problems
from stillwatch.lab.provenance.world import answer, documents, joined, question, split, world
from stillwatch.provenance.twins.coins import serve
from stillwatch.provenance.twins.scan import sites_of


def test_a_text_survives_its_tokens() -> None:
    for text in documents(world(1), 50, 2):
        assert joined(split(text)) == text


def test_two_worlds_share_their_words_and_not_what_is_true() -> None:
    one, other = world(1, 9), world(2, 9)
    assert one.nouns == other.nouns
    assert np.mean(one.to == other.to) < 0.05
    words = [{word for text in documents(each, 3000, 1) for word in split(text)} for each in (one, other)]
    assert len(words[0] & words[1]) > 0.98 * len(words[0])


def test_questions_have_one_length_so_that_they_can_be_asked_together() -> None:
    rng, of = np.random.default_rng(1), world(1)
    assert len({len(split(question(of, rng)[0])) for _ in range(50)}) == 1


def test_answers_have_sites_of_many_units_and_either_rendering_of_them_is_common() -> None:
    rng, of = np.random.default_rng(3), world(1)
    sites = [site for _ in range(400) for site in sites_of(answer(of, int(rng.integers(420)), rng))]
    assert len({site.unit for site in sites}) > 400
    assert 0.2 < np.mean([site.stands for site in sites]) < 0.6
    text = answer(of, 5, rng, 30)
    assert serve(text, b"a" * 32)[0] != serve(text, b"b" * 32)[0]


def row(name: str, **log10: float) -> dict[str, object]:
    told = {test: {"log10_p": log10.get(test.replace(" ", "_").replace(",", ""), -0.2)} for test in TESTS}
    return {"suspect": name, "ability": -3.0, **told, **{f"{test}, wrong keys": [-0.1, -0.5] for test in TESTS}}


def came(held: bool = True) -> dict[str, object]:
    return {"promises": [{"what": "no innocent is refused", "came": "0 of 9", "held": held}]}


def test_the_demonstration_fails_when_an_innocent_is_convicted_or_a_student_is_not() -> None:
    twins = row("twins", twins_by_likelihoods=-9.0)
    marked = row("marked", open=-20.0, closed=-30.0)
    assert held([{"seed": 1, "gateway": came(), "suspects": [row("base"), marked, twins]}])
    half = (row("marked", open=-20.0), row("marked", closed=-30.0))
    for wrong in (row("base", open=-7.0), *half, row("twins"), row("plain", twins_by_text=-3.5)):
        assert list(problems([{"seed": 1, "gateway": came(), "suspects": [wrong]}]))
    broken = {"seed": 1, "gateway": came(False), "suspects": [row("base"), marked, twins]}
    assert list(problems([broken])) == ["seed 1: no innocent is refused: 0 of 9"]
    lucky = row("base") | {"open, wrong keys": [-3.2, -0.1]}  # of two dozen keys or more one may be
    assert held([{"seed": 1, "gateway": came(), "suspects": [lucky, marked, twins]}])
    guilty = row("base") | {"open, wrong keys": [-6.5, -0.1]}
    assert list(problems([{"seed": 1, "gateway": came(), "suspects": [guilty, marked, twins]}]))
