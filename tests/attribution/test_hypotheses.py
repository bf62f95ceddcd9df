"""Hypotheses are ranked, add up to one with unknown, and name nobody on one kind of evidence, hearsay or a tie."""

from __future__ import annotations

import pytest

from stillwatch.attribution.actors import KINDS, OWNER, POOL, UNKNOWN, Actor
from stillwatch.attribution.hypotheses import REPORTED_CAP, rank, weigh
from stillwatch.attribution.matches import Match
from stillwatch.model import Grade

ACTORS = [Actor(f"actor-{letter}", f"Actor {letter}", POOL, ()) for letter in "abcdef"]


def found(kind: str, bits: float, grade: Grade = Grade.OBSERVED) -> Match:
    return Match(kind, KINDS[kind].family, bits, "30 of 40 accounts show it", grade, "case 12")


def ranked(**matches: list[Match]):
    own = {actor.actor_id: matches.get(actor.actor_id[-1], []) for actor in ACTORS}
    return rank(POOL, ACTORS, own)


def p_of(layer, operator: str) -> float:
    return next((one.p for one in layer if one.operator == operator), 0.0)


STRONG = [found("payment", 6.0), found("prefix", 5.0)]


def test_two_independent_families_name_an_actor_above_unknown():
    layer = ranked(a=STRONG)
    assert layer[0].operator == "actor-a"
    assert layer[0].p > 0.9
    assert layer[1].operator == UNKNOWN


def test_probabilities_add_up_to_one_with_unknown():
    for layer in (ranked(), ranked(a=STRONG), ranked(a=STRONG, b=STRONG), ranked(c=[found("asn", 2.0)])):
        assert sum(one.p for one in layer) == pytest.approx(1.0)
        assert [one.operator for one in layer].count(UNKNOWN) == 1


@pytest.mark.parametrize("kinds", [["payment", "phone", "mail-domain"], ["asn", "prefix", "address"], ["client"]])
def test_one_family_alone_names_nobody_however_much_of_it_there_is(kinds):
    layer = ranked(a=[found(kind, KINDS[kind].cap) for kind in kinds])
    assert layer[0].operator == UNKNOWN
    assert layer[0].p >= 0.9


def test_a_weak_family_bears_out_a_strong_one_no_further_than_its_own_bits():
    assert weigh([found("payment", 6.0), found("asn", 2.0)]) == pytest.approx(4.0)
    assert weigh([found("payment", 6.0), found("asn", 3.0)]) == pytest.approx(6.0)


def test_a_family_that_says_too_little_bears_out_nothing():
    assert weigh([found("payment", 6.0), found("asn", 1.9)]) == 0.0


def test_hours_and_a_launch_name_nobody():
    weak = [found("active-hours", 1.5), found("active-weekdays", 1.0), found("launch", 3.0)]
    assert ranked(a=weak)[0].operator == UNKNOWN


def test_a_calendar_adds_to_two_other_families_and_is_never_the_second():
    days, persona, suite = found("silent-days", 4.0), found("persona", 6.0), found("suite", 5.0)
    assert weigh([persona, days]) == 0.0
    assert weigh([persona, suite, days]) == weigh([persona, suite]) + 4.0


def test_kinds_of_one_family_are_capped_together():
    alone, both = weigh([*STRONG]), weigh([*STRONG, found("address", 6.0), found("asn", 3.0)])
    assert both - alone <= 1.0 * 2


def test_a_family_that_could_be_seen_and_is_not_there_speaks_against():
    assert weigh([*STRONG, found("client", 0.0)]) < weigh(STRONG)
    one = ranked(a=[*STRONG, found("client", 0.0)])
    assert p_of(one, "actor-a") < p_of(ranked(a=STRONG), "actor-a")


def test_who_shows_nothing_is_not_listed():
    assert [one.operator for one in ranked(b=[found("asn", 0.0)])] == [UNKNOWN]


def test_where_two_fit_alike_neither_is_named_and_unknown_rises():
    alone, tie = ranked(a=STRONG), ranked(a=STRONG, b=STRONG)
    assert tie[0].operator == UNKNOWN
    assert tie[0].p > p_of(alone, UNKNOWN)
    assert p_of(tie, "actor-a") == p_of(tie, "actor-b")
    assert "fit alike" in tie[0].because[0].text


def test_hearsay_alone_does_not_take_an_actor_above_its_cap():
    layer = ranked(a=[found(one.kind, one.bits, Grade.REPORTED) for one in STRONG])
    assert p_of(layer, "actor-a") == REPORTED_CAP
    assert next(one for one in layer if one.operator == "actor-a").grade is Grade.REPORTED
    mixed = ranked(a=[STRONG[0], found("prefix", 5.0, Grade.REPORTED)])
    assert mixed[0].p > REPORTED_CAP
    assert mixed[0].grade is Grade.INFERRED


def test_every_hypothesis_says_why_and_how_that_is_known():
    layer = ranked(a=[STRONG[0], found("prefix", 5.0, Grade.REPORTED), found("client", 0.0)])
    claims = layer[0].because
    assert [claim.grade for claim in claims] == [Grade.OBSERVED, Grade.REPORTED, Grade.OBSERVED]
    assert claims[0].text == "payment: 30 of 40 accounts show it (+6.0 bits; source: case 12)"
    assert "no match" in claims[2].text
    assert layer[-1].because


def test_without_known_actors_all_is_unknown():
    (only,) = rank(OWNER, [], {})
    assert (only.operator, only.p, only.role) == (UNKNOWN, 1.0, OWNER)


def test_the_longer_the_list_of_actors_the_more_it_takes_to_name_one():
    many = [Actor(f"actor-{number}", "", POOL, ()) for number in range(200)]
    layer = rank(POOL, many, {one.actor_id: STRONG if one.actor_id == "actor-7" else [] for one in many})
    assert p_of(layer, "actor-7") < p_of(ranked(a=STRONG), "actor-a")
