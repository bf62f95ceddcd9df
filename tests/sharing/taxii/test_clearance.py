"""What is above a partner's clearance is absent for them: everywhere, and through everything that names it."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stillwatch.sharing.taxii.words import Refusal
from tests.sharing.taxii.made import MARKS, Seat, relation, service, stix

ADDRESS = "ipv4-addr--00000000-0000-4000-8000-000000000001"


def test_a_red_object_is_nowhere_for_a_green_partner(either: dict[str, Seat]) -> None:
    north, south = either["north"], either["south"]
    red, green = stix(mark="red"), stix(mark="green")
    north.post(red, green)
    assert north.ids() == [red["id"], green["id"]]
    assert south.ids() == [green["id"]]
    assert south.ids(version="all") == [green["id"]]
    assert south.ids(id=red["id"]) == []
    assert [each["id"] for each in south.records(version="all")] == [green["id"]]
    for asked in (south.one, south.versions, south.delete):
        with pytest.raises(Refusal, match="no such object"):
            asked(red["id"])
    assert north.one(red["id"]) == [red]


def test_neither_more_nor_dates_tell_of_what_is_hidden(seats: dict[str, Seat]) -> None:
    north, south = seats["north"], seats["south"]
    green = stix(mark="green")
    north.post(stix(mark="red"), green, stix(mark="red"))
    answer = south.taxii.objects(south.partner, "hub", "inbox", [("limit", "1")])
    assert json.loads(answer.body) == {"objects": [green]}
    assert answer.headers["X-TAXII-Date-Added-First"] == answer.headers["X-TAXII-Date-Added-Last"]


def test_the_last_version_is_the_last_that_a_partner_may_see(either: dict[str, Seat]) -> None:
    north, south = either["north"], either["south"]
    old, new = stix(number=1, day=1, mark="green"), stix(number=1, day=2, mark="red")
    north.post(old, new)
    assert north.objects() == [new]
    assert south.objects() == [old]
    assert south.objects(version="first,last") == [old]
    assert south.versions(old["id"]) == [old["modified"]]


def test_a_part_that_is_red_hides_the_whole(seats: dict[str, Seat]) -> None:
    part = [{"marking_ref": MARKS["red"], "selectors": ["name"]}]
    seats["north"].post(stix("campaign", mark="green", granular_markings=part))
    assert seats["south"].objects() == []


def test_a_collection_says_how_far_unmarked_objects_go(tmp_path: pytest.TempPathFactory) -> None:
    with service(tmp_path) as (taxii, tokens):  # type: ignore[arg-type]
        for name, seen in (("inbox", 1), ("campaigns", 0)):  # unmarked is green in one, amber in the other
            Seat(taxii, tokens["north"], name).post(stix())
            assert len(Seat(taxii, tokens["south"], name).objects()) == seen


def test_markings_and_extensions_are_open_to_all(seats: dict[str, Seat]) -> None:
    marking = {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": MARKS["red"],
        "created": "2022-10-01T00:00:00Z",
    }
    seats["north"].post(marking)
    assert seats["south"].objects() == [marking]


@pytest.mark.parametrize("late", [False, True], ids=["together", "after"])
def test_a_relationship_to_a_hidden_object_is_hidden(either: dict[str, Seat], late: bool) -> None:
    north, south = either["north"], either["south"]
    red, green = stix("campaign", mark="red"), stix(mark="green")
    between = relation(green, red, mark="green")
    note = stix("note", content="see there", object_refs=[between["id"]], mark="green")
    if late:
        north.post(note)
        north.post(between, green)
        assert len(south.ids()) == 3  # it names what nobody has
        north.post(red)
    else:
        north.post(note, between, green, red)
    assert south.ids() == [green["id"]]
    assert len(north.ids()) == 4


def test_what_becomes_visible_gets_a_new_date_so_that_pollers_meet_it(either: dict[str, Seat]) -> None:
    north, south = either["north"], either["south"]
    red, green = stix("campaign", number=1, mark="red"), stix(mark="green")
    between = relation(green, red, mark="green")
    north.post(red, green, between)
    last = south.records()[-1]["date_added"]
    opened = stix("campaign", number=1, day=2, mark="green")
    north.post(opened)
    assert sorted(south.ids(added_after=last)) == sorted([opened["id"], between["id"]])
    assert north.versions(between["id"]) == [between["modified"]]


def test_deleting_a_hidden_object_reveals_nothing_that_named_it(either: dict[str, Seat]) -> None:
    north, south = either["north"], either["south"]
    red, green, other = (
        stix("campaign", number=1, mark="red"),
        stix(mark="green"),
        stix("campaign", number=2, mark="red"),
    )
    between = relation(green, red, mark="green")
    report = stix("report", published="2026-01-01T00:00:00Z", object_refs=[red["id"], other["id"]], mark="green")
    north.post(red, green, between, other, report)
    north.delete(red["id"])
    assert south.ids() == [green["id"]]
    north.post(stix("campaign", number=2, day=2, mark="green"))  # the report is worked out anew, and stays hidden
    assert report["id"] not in south.ids()


def test_the_same_observable_at_two_levels_is_two_copies(either: dict[str, Seat]) -> None:
    """Else posting it would tell whether it is stored at a level that the sender does not see."""
    north, south = either["north"], either["south"]
    red = {"type": "ipv4-addr", "id": ADDRESS, "value": "192.0.2.1", "object_marking_refs": [MARKS["red"]]}
    green = red | {"object_marking_refs": [MARKS["green"]]}
    north.post(red)
    status = south.post(green)
    assert (status["success_count"], status["failure_count"]) == (1, 0)
    assert south.objects() == [green]
    assert north.objects() == north.objects(version="all") == [red]  # the stricter one, for those who see both
    south.delete(ADDRESS)
    assert north.objects() == [red]


def test_a_hidden_copy_with_another_content_looks_like_any_success(seats: dict[str, Seat]) -> None:
    north, south = seats["north"], seats["south"]
    red = stix(number=1, mark="red")
    north.post(red)
    assert south.post(red | {"description": "guess"})["failure_count"] == 0
    assert north.objects() == [red]


LEVELS = ("clear", "green", "amber", "red")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=st.lists(st.sampled_from(LEVELS), min_size=3, max_size=6),
    links=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_in_any_order_and_any_ring_nobody_sees_what_names_the_hidden(
    tmp_path_factory: pytest.TempPathFactory, marks: list[str], links: list[tuple[int, int]], order: object
) -> None:
    """Notes that name each other at random, rings included, posted one by one in a random order."""
    size = len(marks)
    notes = [stix("note", number=place + 1, content="x", mark=mark) for place, mark in enumerate(marks)]
    names: dict[int, set[int]] = {place: set() for place in range(size)}
    for source, target in links:
        if source % size != target % size:
            names[source % size].add(target % size)
    outside = stix("campaign")["id"]
    for place, note in enumerate(notes):
        note["object_refs"] = [notes[target]["id"] for target in sorted(names[place])] or [outside]
    hidden = {place for place, mark in enumerate(marks) if mark in ("amber", "red")}
    while more := {place for place, targets in names.items() if targets & hidden and place not in hidden}:
        hidden |= more
    with service(tmp_path_factory.mktemp("ring")) as (taxii, tokens):
        north, south = Seat(taxii, tokens["north"]), Seat(taxii, tokens["south"])
        for note in order.sample(notes, size):  # type: ignore[attr-defined]
            north.post(note)
        assert set(south.ids()) == {notes[place]["id"] for place in range(size) if place not in hidden}
        assert set(north.ids()) == {note["id"] for note in notes}
