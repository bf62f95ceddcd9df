"""The answering side lets in whom it knows, in order, within limits, and writes down that it did."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.sharing.private import run
from stillwatch.sharing.private.desk import AskedTooOften, Desk, NotConsented, OutOfOrder, Terms
from stillwatch.sharing.private.group import ExchangeRefused
from stillwatch.sharing.private.limits import Asked, Rates
from stillwatch.sharing.private.messages import read_welcome
from stillwatch.sharing.private.own_set import commit, prepare

STEP = 8
OURS = {"funding": [b"card-1", b"card-2"], "infrastructure": [b"address-1"]}


class Ledger(list[tuple[str, str, dict[str, Any]]]):
    def append_entry(self, kind: str, subject: str, body: dict[str, Any]) -> int:
        self.append((kind, subject, body))
        return len(self) - 1


def make_desk(ledger: Ledger, consents: bool | None = True, **terms: Any) -> Desk:
    return Desk(
        OURS.__getitem__,
        {"north": Rates(sessions_per_hour=3, elements_per_day=80), "south": Rates()},
        ledger.append_entry,
        lambda partner, session: consents,
        b"secret",
        Terms(**{"cap": 40, "step": STEP, "sessions": 5} | terms),
    )


def begin(desk: Desk, now: float = 0.0, elements: tuple[bytes, ...] = (b"card-2", b"x")) -> tuple[run.Sent, str]:
    asking = run.greet(prepare(elements, b"", STEP), "funding")
    reply = read_welcome(desk.open("north", asking.hello.to_bytes(), now), 40, STEP)
    return run.send(asking, reply), reply.session


def test_a_comparison_is_answered_counted_and_on_consent_revealed() -> None:
    ledger = Ledger()
    desk = make_desk(ledger)
    sent, session = begin(desk)
    asker, last = run.count(sent, desk.answer("north", session, sent.masked, 1.0))
    assert desk.tally("north", session, last, 2.0) == asker.count == 1
    told = desk.reveal("north", session, run.reveal(asker), 3.0)
    assert told is not None
    assert run.learn(asker, told[0]) == told[1] == (b"card-2",)
    assert [entry[0] for entry in ledger] == ["psi-asked", "psi-counted", "psi-revealed"]


def test_the_ledger_has_commitments_and_no_element() -> None:
    ledger = Ledger()
    desk = make_desk(ledger)
    sent, _ = begin(desk)
    (_, _, body), told = ledger[0], repr(ledger)
    assert body["commitment"] == sent.asking.own.commitment.hex()
    assert body["own_commitment"] == commit(OURS["funding"], desk.salt(body["nonce"])).hex()
    assert "card" not in told
    assert sent.masked[:32].hex() not in told


def count_once(desk: Desk, now: float = 0.0) -> tuple[run.Counted, str]:
    sent, session = begin(desk, now)
    asker, last = run.count(sent, desk.answer("north", session, sent.masked, now))
    desk.tally("north", session, last, now)
    return asker, session


def test_nothing_is_revealed_before_this_side_consents() -> None:
    desk = make_desk(Ledger(), None)
    asker, session = count_once(desk)
    assert desk.agrees("north", session, 3.0) is False
    assert desk.reveal("north", session, run.reveal(asker), 3.0) is None
    desk.consent = lambda partner, name: True
    assert desk.agrees("north", session, 4.0)
    assert desk.reveal("north", session, run.reveal(asker), 4.0) is not None
    with pytest.raises(OutOfOrder):
        desk.reveal("north", session, run.reveal(asker), 5.0)


def test_where_nothing_is_ever_revealed_a_session_ends_with_its_count() -> None:
    desk = make_desk(Ledger(), False)
    asker, session = count_once(desk)
    with pytest.raises(OutOfOrder):
        desk.reveal("north", session, run.reveal(asker), 3.0)


def test_consent_that_is_taken_back_holds() -> None:
    desk = make_desk(Ledger(), True)
    _, session = count_once(desk)
    desk.consent = lambda partner, name: False
    with pytest.raises(NotConsented, match="how many, not which"):
        desk.agrees("north", session, 3.0)


def test_sessions_that_wait_for_consent_keep_nobody_out_and_the_oldest_goes() -> None:
    desk = make_desk(Ledger(), None, sessions=1)
    _, first = count_once(desk)
    _, second = count_once(desk, 1.0)
    begin(desk, 2.0)
    with pytest.raises(OutOfOrder):
        desk.agrees("north", first, 3.0)
    assert desk.agrees("north", second, 3.0) is False


def test_a_greeting_or_a_step_that_comes_again_is_refused() -> None:
    desk = make_desk(Ledger())
    sent, session = begin(desk)
    with pytest.raises(OutOfOrder, match="came before"):
        desk.open("north", sent.asking.hello.to_bytes(), 1.0)
    _, last = run.count(sent, desk.answer("north", session, sent.masked, 1.0))
    with pytest.raises(OutOfOrder, match="this step was done"):
        desk.answer("north", session, sent.masked, 2.0)
    desk.tally("north", session, last, 2.0)
    with pytest.raises(OutOfOrder, match="this step was done"):
        desk.tally("north", session, last, 2.0)


def test_a_session_belongs_to_its_partner_and_ends_in_time() -> None:
    desk = make_desk(Ledger(), seconds=10.0)
    sent, session = begin(desk)
    with pytest.raises(OutOfOrder, match="no such session"):
        desk.answer("south", session, sent.masked, 1.0)
    with pytest.raises(OutOfOrder, match="no such session"):
        desk.answer("north", session, sent.masked, 10.0)


def test_a_message_that_is_refused_ends_the_session() -> None:
    desk = make_desk(Ledger())
    sent, session = begin(desk)
    with pytest.raises(ExchangeRefused, match="were announced"):
        desk.answer("north", session, sent.masked[:-32], 1.0)
    with pytest.raises(OutOfOrder):
        desk.answer("north", session, sent.masked, 2.0)


def test_sizes_and_rates_are_held_and_refusals_written_down() -> None:
    ledger = Ledger()
    desk = make_desk(ledger)
    with pytest.raises(ExchangeRefused, match="at most 40 are compared"):
        begin(desk, elements=tuple(bytes([n]) for n in range(41)))
    for _ in range(3):
        begin(desk)
    with pytest.raises(AskedTooOften, match="3 are allowed"):
        begin(desk, now=60.0)
    assert ledger[-1][0] == "psi-refused"
    begin(desk, now=3_700.0)


def test_what_was_asked_before_a_restart_counts() -> None:
    desk = make_desk(Ledger())
    desk.history.extend([Asked(0.0, "north", 8)] * 3)
    with pytest.raises(AskedTooOften):
        begin(desk, now=9.0)


def test_only_so_many_comparisons_are_under_way_at_once() -> None:
    desk = make_desk(Ledger(), sessions=1, seconds=10.0)
    begin(desk)
    with pytest.raises(AskedTooOften, match="under way"):
        begin(desk, now=5.0)
    begin(desk, now=11.0)
