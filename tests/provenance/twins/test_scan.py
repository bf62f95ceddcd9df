from __future__ import annotations

import itertools
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.provenance.twins.coins import serve
from stillwatch.provenance.twins.rules import ASKING, BULLETS, PHRASES, Where
from stillwatch.provenance.twins.scan import Scanner, Site, keep, render, sites_of

PHRASE = st.sampled_from([each for rule in PHRASES for each in (rule.first, rule.second)])
PIECE = st.one_of(
    PHRASE,
    PHRASE.map(lambda each: each[0].upper() + each[1:]),
    st.sampled_from(["go", "it", "Paris", "3.14", "1,024", "the", "don’t", "x_y", "http://a.b/often", "Often", "only"]),
    st.sampled_from(
        [". ", "\n", "\n\n", "- ", "* ", "\n- ", "\n* ", "```", "\n```\n", "`", '"', "'", "“", "”", "(", ")"]
    ),
    st.sampled_from(
        [", ", ": ", "$", "[", "]", "{", "}", "<b>", "> ", "\n> ", "# ", "    ", "~~~", "|", "\u2019", "ſ"]
    ),
    st.text(max_size=4),
)
TEXTS = st.lists(st.tuples(PIECE, st.sampled_from([" ", " ", " ", "", "\n"])), max_size=30).map(
    lambda parts: "".join(piece + gap for piece, gap in parts)
)
KEYS = st.binary(min_size=32, max_size=32)
SAYS = "We do not know it, for example, and usually often see it. "


def put(text: str, rendering: int) -> str:
    return render(text, lambda unit, stands: rendering)[0]


def beside(text: str, sites: tuple[Site, ...]) -> list[str]:
    """What of a text lies between its sites; the marks of a list are no part of it."""
    between, start = [], 0
    for site in sites:
        between.append(text[start : site.at])
        start = site.at + len(site.renderings[site.put])
    return ["".join(each.replace("*", "-")) for each in [*between, text[start:]]]


@given(TEXTS, KEYS)
@settings(max_examples=150, deadline=None)
def test_nothing_but_the_sites_is_altered(text: str, key: bytes) -> None:
    served, sites = serve(text, key)
    assert beside(served, sites) == beside(text, sites_of(text))


@given(TEXTS, KEYS)
@settings(max_examples=150, deadline=None)
def test_whichever_rendering_stands_there_the_sites_and_their_coins_are_the_same(text: str, key: bytes) -> None:
    served, sites = serve(text, key)
    assert [each.unit for each in sites_of(served)] == [each.unit for each in sites_of(text)]
    assert [each.stands for each in sites_of(served)] == [each.put for each in sites]
    assert serve(served, key)[0] == served


@given(TEXTS, KEYS, st.lists(st.integers(1, 40), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_a_text_in_pieces_comes_out_as_the_whole_one(text: str, key: bytes, sizes: list[int]) -> None:
    whole, sites = serve(text, key)
    told = {site.unit: site.put for site in sites}
    scanner = Scanner(lambda unit, stands: told.get(unit, stands))
    out, at = "", 0
    for size in itertools.cycle(sizes):
        if at >= len(text):
            break
        out += scanner.feed(text[at : at + size])
        at += size
    assert out + scanner.close() == whole
    assert tuple(scanner.sites) == sites


@given(TEXTS)
def test_a_text_that_is_kept_is_kept(text: str) -> None:
    assert render(text, keep)[0] == text


def test_code_quotes_links_headings_tables_and_formulas_are_left_alone() -> None:
    protected = (
        f'He said "{SAYS}" to her.', f"He said “{SAYS}” to her.", f"He said '{SAYS}' to her.", f"`{SAYS}`",
        f"${SAYS}$",
        f"```\n{SAYS}\n```", f"~~~text\n{SAYS}\n{SAYS}\n~~~", f"> {SAYS}", f"# {SAYS}", f"    {SAYS}",
        f"| {SAYS} | 2 |",
        f"[{SAYS}](https://a.example/often)", f'{{"text": {SAYS}}}', f"<i title={SAYS}>",
        "see a.example/often or -often",
    )  # fmt: skip
    assert [text for text in protected if sites_of(text)] == []


def test_what_follows_a_quote_or_code_is_rendered_again() -> None:
    for text in ('"So." We often go.', "```\nx\n```\nWe often go.", "> So.\nWe often go.", "It's so. We often go."):
        assert [site.rule for site in sites_of(text)] == ["often"], text


def test_a_name_with_capitals_is_no_phrase() -> None:
    assert not sites_of("They read Although Tomorrow and Often Enough, by Perhaps Press.")


def test_a_sentence_begins_with_a_capital_in_either_rendering() -> None:
    assert put("So. However, we go.\n- For example, us.", 1) == "So. Nevertheless, we go.\n* For instance, us."


def test_a_question_keeps_its_order_of_words() -> None:
    assert not sites_of("So why don't you go, and isn't it late? He does not only sing.")
    assert put("They don't go.", 0) == "They do not go."


def test_the_marks_of_one_list_change_together() -> None:
    assert (
        put("Say:\n- one\n\n- two\n  - three\n\nThen:\n* four", 1) == "Say:\n* one\n\n* two\n  - three\n\nThen:\n* four"
    )
    assert [site.rule for site in sites_of("Say:\n- one\n- two\n* three")] == [BULLETS]
    assert put("Say:\n- one\n* three", 1) == "Say:\n* one\n- three"  # two lists stay two


def test_a_phrase_behind_a_phrase_is_left_alone_for_its_word_before_is_not_fixed() -> None:
    assert [site.rule for site in sites_of("We usually often go.")] == ["usually"]


def test_no_phrase_holds_another_or_can_begin_in_the_end_of_one() -> None:
    words = [each.split() for rule in PHRASES for each in (rule.first, rule.second)]
    assert len({" ".join(each) for each in words}) == len(words)
    for one, other in itertools.permutations(words, 2):
        assert not any(other[at : at + len(one)] == one for at in range(len(other))), (one, other)
        assert not any(one[-size:] == other[:size] for size in range(1, min(len(one), len(other)))), (one, other)


def test_no_phrase_begins_with_a_word_that_decides_about_a_negation() -> None:
    for rule in PHRASES:
        for each in (rule.first, rule.second):
            word = re.match("[a-z]+", each)[0]  # type: ignore[index]
            assert 2 <= len(word) <= 16
            assert word not in ASKING


def test_no_phrase_holds_a_number_a_name_or_a_quote() -> None:
    for rule in PHRASES:
        for each in (rule.first, rule.second):
            assert each == each.lower()
            assert all(letter.isalpha() or letter in " ,'" for letter in each)
            assert "'" not in each or rule.where is Where.NEGATION
