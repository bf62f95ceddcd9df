"""Two sides compare their sets: what is in common, against plain sets, and nothing of what is not."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.sharing.private import run
from stillwatch.sharing.private.group import POINT, ExchangeRefused, hash_to_point, multiply, new_key, random_points
from stillwatch.sharing.private.own_set import commit, padded, prepare

STEP = 8
Sets = st.sets(st.binary(max_size=12), max_size=12)


@dataclasses.dataclass
class Compared:
    """Every message of one run, and what each side knows at its end."""

    messages: list[bytes]
    asker: run.Counted
    answerer: run.Counted
    found: tuple[tuple[bytes, ...], tuple[bytes, ...]]


def begin(mine: set[bytes], theirs: set[bytes]) -> tuple[run.Sent, run.Answering]:
    asking = run.greet(prepare(mine, b"a", STEP), "funding")
    answering = run.welcome(prepare(theirs, b"b", STEP), asking.hello)
    return run.send(asking, answering.welcome), answering


def compare(mine: set[bytes], theirs: set[bytes]) -> Compared:
    sent, answering = begin(mine, theirs)
    answered, reply = run.answer(answering, sent.masked)
    asker, last = run.count(sent, reply)
    answerer = run.tally(answered, last)
    there, back = run.reveal(asker), run.reveal(answerer)
    found = (run.learn(asker, back), run.learn(answerer, there))
    greetings = [sent.asking.hello.to_bytes(), sent.welcome.to_bytes()]
    return Compared([*greetings, sent.masked, reply, last, there, back], asker, answerer, found)


@settings(max_examples=40, deadline=None)
@given(Sets, Sets)
def test_both_sides_learn_exactly_the_intersection(mine: set[bytes], theirs: set[bytes]) -> None:
    done = compare(mine, theirs)
    assert done.asker.count == done.answerer.count == len(mine & theirs)
    assert set(done.found[0]) == set(done.found[1]) == mine & theirs


def test_two_runs_of_the_same_sets_have_no_point_in_common() -> None:
    first, second = (compare({b"x", b"y"}, {b"y", b"z"}) for _ in range(2))

    def points(done: Compared) -> set[bytes]:
        return {part[at : at + POINT] for part in done.messages[2:5] for at in range(0, len(part), POINT)}

    assert not points(first) & points(second)
    assert not set(first.messages[:2]) & set(second.messages[:2])


def test_what_travels_before_consent_is_no_element_and_no_hash_of_one() -> None:
    mine, theirs = {b"card-1", b"card-2"}, {b"card-2"}
    sent, answering = begin(mine, theirs)
    context = run.context_of(sent.asking.hello, answering.welcome)
    _, reply = run.answer(answering, sent.masked)
    told = sent.masked + reply
    for element in mine | theirs:
        assert element not in told
        assert hash_to_point(context, element) not in told


def test_the_count_does_not_say_which() -> None:
    """The answerer's reply holds the asker's elements in another order: the odds of all in place are 1 in 40,320."""
    everything = {bytes([number]) for number in range(STEP)}
    in_place = 0
    for _ in range(3):
        sent, answering = begin(everything, everything)
        answered, reply = run.answer(answering, sent.masked)
        in_place += b"".join(answered.doubled) == reply[: STEP * POINT]
    assert in_place < 3


def test_sizes_within_a_step_look_alike() -> None:
    small = compare(set(), {b"x"})
    large = compare({bytes([n]) for n in range(STEP)}, {b"x", *(b"-%d" % n for n in range(STEP - 1))})
    assert [len(part) for part in small.messages[:5]] == [len(part) for part in large.messages[:5]]
    assert (padded(0, STEP), padded(8, STEP), padded(9, STEP)) == (8, 8, 16)


def test_padding_of_two_sides_is_never_in_common() -> None:
    assert compare(set(), set()).asker.count == 0


def test_a_set_above_the_cap_is_refused() -> None:
    with pytest.raises(ExchangeRefused, match="own set has 3 elements, 2 are allowed"):
        prepare({b"1", b"2", b"3"}, b"", STEP, cap=2)


def test_a_set_holds_each_element_once() -> None:
    assert prepare([b"x", b"x", b"y"], b"", STEP).elements == 2


@pytest.mark.parametrize(
    ("point", "name"),
    [
        (bytes(32), "the identity"),
        (b"\xff" * 32, "no canonical encoding"),
        (b"\x01" + bytes(31), "a negative field element"),
        (bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), "minus one: order two"),
    ],
)
def test_what_is_no_point_is_refused(point: bytes, name: str) -> None:
    sent, answering = begin({b"x"}, {b"x"})
    with pytest.raises(ExchangeRefused, match="no point of the group, or is the identity"):
        run.answer(answering, point + sent.masked[POINT:])
    _, reply = run.answer(answering, sent.masked)
    with pytest.raises(ExchangeRefused, match="no point of the group"):
        run.count(sent, reply[:-POINT] + point)


def test_another_size_than_was_announced_is_refused() -> None:
    sent, answering = begin({b"x"}, {b"x"})
    for wrong in (b"", sent.masked[:-1], sent.masked + bytes(POINT)):
        with pytest.raises(ExchangeRefused, match="were announced"):
            run.answer(answering, wrong)
    answered, reply = run.answer(answering, sent.masked)
    with pytest.raises(ExchangeRefused, match="were expected"):
        run.count(sent, reply[POINT:])
    with pytest.raises(ExchangeRefused, match="were announced"):
        run.tally(answered, reply)


def test_repeated_elements_are_refused() -> None:
    sent, answering = begin({b"x"}, {b"x"})
    twice = sent.masked[:POINT] * STEP
    with pytest.raises(ExchangeRefused, match="came twice"):
        run.answer(answering, twice)
    answered, reply = run.answer(answering, sent.masked)
    with pytest.raises(ExchangeRefused, match="came twice"):
        run.count(sent, reply[:-POINT] + reply[-2 * POINT : -POINT])
    with pytest.raises(ExchangeRefused, match="came twice"):
        run.tally(answered, twice)


def test_a_message_of_an_earlier_run_fits_nothing() -> None:
    old, _ = begin({b"x"}, {b"x"})
    sent, answering = begin({b"x"}, {b"x"})
    answered, reply = run.answer(answering, old.masked)
    asker, last = run.count(sent, reply)
    assert asker.count == 0
    assert run.tally(answered, last).count == 0


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (b"", "0 places were told, 1 were counted"),
        (bytes(8), "2 places were told"),
        (b"\x00\x00\x00\x63", "none of the set"),
    ],
)
def test_a_reveal_that_does_not_fit_the_count_is_refused(message: bytes, reason: str) -> None:
    done = compare({b"x"}, {b"x"})
    with pytest.raises(ExchangeRefused, match=reason):
        run.learn(done.asker, message)


def test_a_reveal_of_padding_is_refused() -> None:
    done = compare({b"x"}, {b"x"})
    padding = done.asker.own.slots.index(None)
    with pytest.raises(ExchangeRefused, match="padding"):
        run.learn(done.asker, padding.to_bytes(4, "big"))


def test_a_commitment_opens_to_one_set_only_and_is_blind_without_its_salt() -> None:
    assert commit({b"x", b"y"}, b"s") == commit([b"y", b"x", b"x"], b"s")
    others = [commit({b"x"}, b"s"), commit({b"x", b"y"}, b"t"), commit(set(), b"s"), commit({b"x", b"z"}, b"s")]
    assert commit({b"x", b"y"}, b"s") not in others


def test_several_processes_or_threads_give_the_same_points() -> None:
    from concurrent.futures import ThreadPoolExecutor

    key, points = new_key(), b"".join(random_points(9_000))
    with ThreadPoolExecutor(2) as pool:
        assert multiply(key, points, pool.map) == multiply(key, points)


def test_a_secret_is_in_no_printed_record() -> None:
    sent, answering = begin({b"x"}, {b"x"})
    told = repr(sent) + repr(answering)
    assert sent.asking.key.hex() not in told
    assert repr(sent.asking.key) not in told
    assert repr(answering.key) not in told


def test_without_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from stillwatch.model import MissingDependency
    from stillwatch.sharing.private import group

    monkeypatch.setitem(sys.modules, "rbcl", None)
    group._library.cache_clear()
    with pytest.raises(MissingDependency, match=r"pip install 'stillwatch\[sharing\]'"):
        new_key()
    monkeypatch.undo()
    group._library.cache_clear()
    assert len(new_key()) == 32


def test_an_answerer_that_cannot_name_an_element_raises_no_count() -> None:
    """It may send back what it was sent, multiplied as it likes: nothing is in common with what the asker hashed."""
    sent, _ = begin({b"x"}, {b"y"})
    key = new_key()
    echoed = multiply(key, sent.masked)
    forged = multiply(new_key(), sent.masked)
    for again, own in ((echoed, sent.masked), (sent.masked, echoed), (echoed, echoed), (forged, echoed)):
        counted, _ = run.count(sent, again + own)
        assert counted.count == 0
