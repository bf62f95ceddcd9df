"""Digests and the chain: the same however a relay cuts an answer, another one for anything else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.integrity.signing.said import ENOUGH, Said, Summary

CHANNELS = st.sampled_from(["text/0", "tools/0/0/arguments", "reasoning/0"])
PIECES = st.lists(st.tuples(CHANNELS, st.text(min_size=1, max_size=6)), min_size=1, max_size=8)


def summary(pieces: list[tuple[str, str]]) -> Summary:
    said = Said()
    for channel, text in pieces:
        said.add(channel, text)
    return said.summary()


@given(PIECES, st.integers(1, 3))
@settings(max_examples=100, deadline=None)
def test_where_pieces_are_cut_changes_nothing(pieces: list[tuple[str, str]], size: int) -> None:
    cut = [(channel, text[at : at + size]) for channel, text in pieces for at in range(0, len(text), size)]
    assert summary(cut) == summary(pieces)


def test_a_long_answer_is_hashed_as_it_comes_and_gives_the_same() -> None:
    text = "ab🙂" * ENOUGH
    assert summary([("text/0", text)]) == summary(
        [("text/0", each) for each in (text[:7], text[7:99_000], text[99_000:])]
    )


def test_pieces_that_changed_places_break_the_chain_but_not_the_count_of_letters() -> None:
    one, other = summary([("text/0", "ab"), ("text/0", "cd")]), summary([("text/0", "cd"), ("text/0", "ab")])
    assert one.link != other.link
    assert (one.letters, one.characters) == (other.letters, other.characters)


def test_channels_that_changed_places_break_the_chain_alone() -> None:
    one = summary([("text/0", "ab"), ("tools/0/0/arguments", "cd")])
    other = summary([("tools/0/0/arguments", "cd"), ("text/0", "ab")])
    assert one.kinds == other.kinds
    assert one.link != other.link


def test_text_cannot_move_between_channels() -> None:
    assert summary([("text/0", "ab")]).kinds != summary([("text/1", "ab")]).kinds
