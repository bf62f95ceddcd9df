"""A group's sums are those of just the exchanges that make it a group."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stillwatch.sketch.groups import BEAT_MEMBERS, GroupSketch, Membership, sketch_groups
from stillwatch.sketch.population import DAY_US
from tests.sketch.small import MIDNIGHT_US, Read, exchange, read

ROWS = [
    exchange(0, "a", 0, fill_hash="q1", turns=1, output_tokens=95, max_tokens=100, input_tokens=5),
    exchange(1, "a", 1, fill_hash="q1", turns=1, output_tokens=10, max_tokens=100, input_tokens=5),
    exchange(2, "a", 90, fill_hash="q2", turns=5, output_tokens=10, max_tokens=100, model="m-2"),
    exchange(3, "b", 2, fill_hash="q2", turns=1),
    exchange(4, "b", 60 * 25, fill_hash="q3", turns=1),
    exchange(5, "c", 3, fill_hash="q2", turns=1),
    exchange(6, "a", 4, template_key="U", fill_hash="other"),
    exchange(7, "c", 5, template_key="U", fill_hash="other"),
    exchange(8, "d", 6, template_key=None, fill_hash=None),
]


def of_frame(small: Read, frame: int) -> Membership:
    """Make one group of all atoms of a frame."""
    atoms = small.population.atoms
    own = atoms.frame == frame
    return Membership(np.zeros(own.sum(), np.int64), atoms.account[own], atoms.frame[own], atoms.sums["exchanges"][own])


def widest_frame(small: Read) -> int:
    frames, accounts = np.unique(small.population.atoms.frame, return_counts=True)
    return int(frames[accounts.argmax()])


def sketch(small: Read) -> GroupSketch:
    (made,) = sketch_groups(small.engine, small.exchanges, small.population, of_frame(small, widest_frame(small)))
    return made


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    with read(tmp_path_factory.mktemp("engine"), ROWS) as made:
        yield made


@pytest.fixture(scope="module")
def group(small):
    return sketch(small)


def test_members_come_in_order_with_their_own_sums(group):
    assert group.accounts.tolist() == [0, 1, 2]
    names = ("exchanges", "fills", "single", "saturated", "active_hours")
    assert {name: group.sums[name].tolist() for name in names} == {
        "exchanges": [3, 2, 1],
        "fills": [2, 2, 1],
        "single": [2, 2, 1],
        "saturated": [1, 0, 0],
        "active_hours": [2, 2, 1],
    }
    assert (group.size, group.exchanges) == (3, 6)


def test_what_members_do_in_other_frames_is_left_out(group):
    assert group.exchanges == 6
    assert "e00006" not in group.cites


def test_fills_count_repeats_within_members_and_between_them(group):
    assert group.fill == {
        "fills": 3,  # q1, q2, q3
        "shared": 1,  # q2
        "pair_overlap": 3,  # q2 by three members
        "within_pairs": 1,  # q1 twice by one
        "once": 1,
        "twice": 1,
        "widest": 3,
    }


def test_first_and_last_are_of_the_group(group):
    assert (group.sums["first_ts"] - MIDNIGHT_US).tolist() == [0, 2 * 60_000_000, 3 * 60_000_000]
    assert group.sums["last_ts"][1] == MIDNIGHT_US + 25 * 60 * 60_000_000


def test_clock_days_and_capabilities_hold_every_exchange(group):
    day = MIDNIGHT_US // DAY_US
    assert group.days == {("m-1", day): 4, ("m-2", day): 1, ("m-1", day + 1): 1}
    assert group.clock.sum() == group.capability.sum() == 6
    assert group.clock[:2].tolist() == [4, 2]


def test_beats_are_distinct_minutes_by_member(group):
    member, minute = group.beats
    beats = list(zip(member.tolist(), (minute - MIDNIGHT_US // 60_000_000).tolist(), strict=True))
    assert beats == [(0, 0), (0, 1), (0, 90), (1, 2), (1, 25 * 60), (2, 3)]


def test_settings_come_most_used_first(group):
    assert group.settings == (("-|-|-|-", 3), ("100|-|-|-", 3))


def test_cites_exchanges_of_the_busiest_members_first(group):
    assert group.cites == ("e00000", "e00003", "e00005")


def test_frames_that_three_members_fill_are_common(group):
    assert len(group.frames) == 1
    assert group.common.tolist() == [3, 2, 1]


def test_groups_come_in_ascending_order_and_share_accounts_without_sharing_exchanges(small):
    atoms = small.population.atoms
    _, code = np.unique(atoms.frame, return_inverse=True)
    membership = Membership(10 - code, atoms.account, atoms.frame, atoms.sums["exchanges"])
    groups = sketch_groups(small.engine, small.exchanges, small.population, membership)
    assert [group.group for group in groups] == [9, 10]
    assert sorted(group.exchanges for group in groups) == [2, 6]


def test_no_membership_is_no_group(small):
    none = np.zeros(0, np.int64)
    assert sketch_groups(small.engine, small.exchanges, small.population, Membership(none, none, none, none)) == ()


def test_order_of_rows_has_no_effect(group, tmp_path):
    mixed = ROWS.copy()
    random.Random(4).shuffle(mixed)
    with read(tmp_path, mixed) as other:
        mixed_group = sketch(other)
    assert repr(mixed_group) == repr(group)
    assert mixed_group.cites == group.cites


def test_system_prompts_are_frames_and_no_exchange_counts_twice(tmp_path):
    rows = [exchange(n, f"a{n % 4}", n, system_prompt="You are a grader.") for n in range(40)]
    with read(tmp_path, rows) as small:
        atoms = small.population.atoms
        assert len(set(atoms.frame.tolist())) == 2
        both = Membership(np.zeros(len(atoms.frame), np.int64), atoms.account, atoms.frame, atoms.sums["exchanges"])
        (group,) = sketch_groups(small.engine, small.exchanges, small.population, both)
    assert group.exchanges == 40


def test_only_so_many_members_are_sampled_for_their_beats(tmp_path):
    rows = [exchange(n, f"a{n:04d}", n) for n in range(BEAT_MEMBERS + 50)]
    with read(tmp_path, rows) as small:
        group = sketch(small)
    assert group.size == BEAT_MEMBERS + 50
    assert len(np.unique(group.beats[0])) == BEAT_MEMBERS
