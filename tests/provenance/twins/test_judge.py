from __future__ import annotations

import numpy as np
import pytest

from stillwatch.provenance.calibration import random_keys
from stillwatch.provenance.keyring import Keyring, MarkKey
from stillwatch.provenance.radioactivity import Finding
from stillwatch.provenance.tails import uniformity
from stillwatch.provenance.twins.coins import coin, serve
from stillwatch.provenance.twins.judge import Scored, completion_test, sign_test
from stillwatch.provenance.twins.pairs import pairs_of
from stillwatch.provenance.twins.rules import PHRASES

RANDOM = random_keys(40, 1)
RULES = tuple(rule for rule in PHRASES if rule.where.value == "anywhere" and not rule.first.endswith(","))


def key_of(number: int) -> MarkKey:
    return Keyring(number.to_bytes(32, "big")).rotated("campaign:c-1", "twins", 0).key("campaign:c-1", "twins")


KEY = key_of(1)


def suspect(rng: np.random.Generator, units: int, learned: float, key: MarkKey = KEY) -> list[Scored]:
    """Likelihoods of a model that prefers one rendering of each rule, and the served one by `learned` deviations."""
    bias = {rule.name: rng.normal(0, 3) for rule in RULES}
    found = []
    for number in range(units):
        rule = RULES[number % len(RULES)]
        unit = f"{rule.name}|word{number}"
        served = 1 if coin(key.secret, unit) else -1
        found.append(Scored(unit, rule.name, -20.0, -20.0 + bias[rule.name] + rng.normal(0, 1) + learned * served))
    return found


def words(rng: np.random.Generator, count: int, key: MarkKey | None) -> str:
    """Text of a model that writes often or frequently as it likes, or mostly as it was served."""
    said = []
    for _ in range(count):
        word = f"w{rng.integers(0, 3000)}"
        likes = int(rng.random() < 0.3)
        put = likes if key is None or rng.random() < 0.6 else coin(key.secret, f"often|{word}")
        said.append(f"They {word} {('often', 'frequently')[put]} go.")
    return " ".join(said)


def test_a_suspect_that_learned_the_served_twins_is_found() -> None:
    report = sign_test(suspect(np.random.default_rng(2), 4000, 0.15), KEY, RANDOM)
    assert report.finding is Finding.LEARNED
    assert report.tail.p < 1e-6
    assert report.commitment == KEY.commitment


def test_one_that_did_not_is_not_however_it_prefers_its_own_words() -> None:
    report = sign_test(suspect(np.random.default_rng(3), 4000, 0.0), KEY, RANDOM)
    assert report.finding is Finding.NOT_SHOWN
    assert report.tail.p > 1e-3


def test_a_wrong_key_finds_nothing_in_a_suspect_that_learned() -> None:
    report = sign_test(suspect(np.random.default_rng(2), 4000, 0.15), key_of(2), RANDOM)
    assert report.tail.p > 1e-3


def test_the_sign_test_is_calibrated_under_the_null() -> None:
    scores = suspect(np.random.default_rng(4), 300, 0.0)
    ps = sign_test(scores, KEY, random_keys(300, 9)).calibration.ps
    assert uniformity(ps) > 0.01
    assert np.mean(np.array(ps) < 0.05) < 0.09


def test_repeats_of_a_unit_count_once() -> None:
    scores = suspect(np.random.default_rng(5), 500, 0.3)
    assert sign_test(scores * 9, KEY, RANDOM).tail == sign_test(scores, KEY, RANDOM).tail


def test_an_independent_reference_takes_away_what_any_model_prefers() -> None:
    rng = np.random.default_rng(6)
    plain, helped = [], []
    for each in suspect(rng, 2000, 0.1):
        taste = rng.normal(0, 3)
        plain.append(Scored(each.unit, each.rule, each.first, each.second + taste))
        helped.append(Scored(each.unit, each.rule, each.first, each.second + taste, (0.0, taste)))
    assert sign_test(helped, KEY, RANDOM).tail.p < sign_test(plain, KEY, RANDOM).tail.p


def test_completions_of_a_student_show_what_was_served_and_others_do_not() -> None:
    rng = np.random.default_rng(7)
    assert completion_test([words(rng, 1500, KEY)], KEY, RANDOM).tail.p < 1e-6
    assert completion_test([words(rng, 1500, None)], KEY, RANDOM).tail.p > 1e-3


def test_the_completion_test_is_calibrated_under_the_null() -> None:
    text = words(np.random.default_rng(8), 200, None)
    ps = completion_test([text], KEY, random_keys(300, 9)).calibration.ps
    assert uniformity(ps) > 0.01


def test_a_unit_that_a_text_repeats_convicts_nobody() -> None:
    text = "They sing often. " * 400 + words(np.random.default_rng(13), 60, None)
    ps = completion_test([text], KEY, random_keys(100, 9)).calibration.ps
    assert min(ps) > 1e-4


def test_one_that_always_says_the_same_has_shown_nothing() -> None:
    report = completion_test(["They often go. We often sing."], KEY, RANDOM)
    assert (report.tail.p, report.coins, report.finding) == (1.0, 0, Finding.NOT_SHOWN)


def test_what_stands_in_the_prompt_is_not_held_against_the_suspect() -> None:
    served, _ = serve("They usually go. We often do.", KEY.secret)
    with pytest.raises(ValueError, match="nothing to test"):
        completion_test([served], KEY, RANDOM, [served])


def test_pairs_show_both_renderings_and_not_which_was_served() -> None:
    text = "We often go, and they usually sing."
    told = {serve(text, key_of(number).secret)[0]: number for number in range(20)}
    assert len(told) == 4
    found = [list(pairs_of([("x-1", served)])) for served in told]
    assert {(pair.unit, pair.first, pair.second) for pairs in found for pair in pairs} == {
        ("often|we", "often", "frequently"), ("usually|they", "usually", "typically"),
    }  # fmt: skip
    assert len({repr(pairs) for pairs in found}) == 1  # nor does what stands before show it


def test_a_model_that_writes_on_as_it_was_just_written_to_is_not_convicted() -> None:
    """One coin must not lead it to the next: its likelihoods follow the last rendering that it read."""
    rng = np.random.default_rng(10)
    texts = [" ".join(f"They w{rng.integers(90)} often go." for _ in range(6)) for _ in range(30)]
    taste = {f"often|w{at}": float(rng.normal()) for at in range(90)}
    ps = []
    for number in range(100):
        key = key_of(number)
        found = []
        for pair in pairs_of((str(at), serve(text, key.secret)[0]) for at, text in enumerate(texts)):
            led = pair.prefix.rfind("frequently") > pair.prefix.rfind("often")
            found.append(Scored(pair.unit, pair.rule, 0.0, taste[pair.unit] + (3.0 if led else -3.0)))
        ps.append(sign_test(found, key, RANDOM).tail.p)
    assert uniformity(ps) > 0.01
    assert uniformity([1 - p for p in ps]) > 1e-4


def test_a_unit_that_stood_before_in_the_text_makes_no_pair() -> None:
    assert [pair.pair_id for pair in pairs_of([("x-1", "We often go. We often sing. They often rest.")])] == [
        "x-1#0",
        "x-1#2",
    ]


def test_a_report_needs_forty_random_keys_and_something_to_test() -> None:
    with pytest.raises(ValueError, match="needs 40"):
        sign_test(suspect(np.random.default_rng(9), 50, 0.0), KEY, RANDOM[:39])
    with pytest.raises(ValueError, match="nothing to test"):
        sign_test([], KEY, RANDOM)
