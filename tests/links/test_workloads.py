"""Templates of one script become one workload; the workloads of three owners stay three, though one pool runs them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stillwatch.links.workloads import MIN_ACCOUNTS, group_by_frame, merge_workloads
from stillwatch.sketch.groups import GroupSketch, Membership
from tests.signals.build import DAY, SIZE, among, group

RING = range(0, 600, 20)
NO_POOLS = np.full(SIZE, -1, np.int64)
ONE_POOL = np.where(np.isin(np.arange(SIZE), RING), 4, -1)
REASONING = {
    "capability": {"reasoning": 900, "coding": 100},
    "settings": {"1024|1.0|1|false": 1_000},
    "days": {("m-1", DAY + day): 100 for day in range(5)},
}
CODING = {
    "capability": {"coding": 1_000},
    "settings": {"4096|0.2|8|false": 1_000},
    "days": {("m-2", DAY + day): 100 for day in range(8, 14)},
}
GRADING = {
    "capability": {"grading": 1_000},
    "settings": {"16|0.0|1|false": 1_000},
    "days": {("m-1", DAY + day): 100 for day in range(4, 10)},
}


def script(number: int, accounts: Sequence[int] = RING, **what: object) -> GroupSketch:
    what = {"beats": rhythm(number, len(accounts))} | what
    return group(accounts, exchanges=40, frames=[number], number=number, **what)


def rhythm(seed: int, members: int) -> list[list[int]]:
    """Active minutes of each member: a schedule that nothing else follows."""
    return np.random.default_rng(seed).integers(0, 14 * 1_440, (members, 20)).tolist()


def members_of(groups: Sequence[GroupSketch]) -> Membership:
    columns = [
        (np.full(one.size, one.group), one.accounts, np.full(one.size, one.frames[0]), one.sums["exchanges"])
        for one in groups
    ]
    return Membership(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def merged(groups: Sequence[GroupSketch], pools: np.ndarray = NO_POOLS) -> dict[int, int]:
    """Return the group of each frame after merging."""
    membership = members_of(groups)
    after = merge_workloads(groups, membership, pools)
    assert np.array_equal(after.account, membership.account)
    return dict(zip(after.frame.tolist(), after.group.tolist(), strict=True))


def test_paraphrases_of_one_script_are_one_workload():
    assert merged([script(number, **REASONING) for number in (1, 2, 3)]) == {1: 1, 2: 1, 3: 1}


def test_three_owners_of_the_same_accounts_are_three_workloads():
    groups = [script(1, **REASONING), script(2, **CODING), script(3, **GRADING)]
    assert merged(groups) == {1: 1, 2: 2, 3: 3}


def test_paraphrases_merge_and_other_owners_stay_apart():
    groups = [script(1, **REASONING), script(2, **CODING), script(3, **REASONING), script(4, **CODING)]
    assert merged(groups) == {1: 1, 2: 2, 3: 1, 4: 2}


def test_frames_on_accounts_of_their_own_are_another_owners_work():
    assert merged([script(1, RING[:15], **REASONING), script(2, RING[15:], **REASONING)]) == {1: 1, 2: 2}


def test_a_paraphrase_that_a_part_of_the_accounts_fills_belongs_to_the_script():
    assert merged([script(1, **REASONING), script(2, RING[:8], **REASONING)]) == {1: 1, 2: 1}


def test_two_scripts_that_differ_in_just_one_of_skill_settings_and_days_are_two_workloads():
    for part, other in CODING.items():
        groups = merged([script(1, **REASONING), script(2, **(REASONING | {part: other}))])
        assert groups == {1: 1, 2: 2}, part


def test_strangers_with_the_same_kind_of_work_are_not_merged():
    groups = [script(1, range(0, 100, 5), **REASONING), script(2, range(1, 101, 5), **REASONING)]
    assert merged(groups) == {1: 1, 2: 2}


def test_two_accounts_in_common_do_not_merge_two_tools():
    groups = [script(1, range(100), **REASONING), script(2, range(98, 198), **REASONING)]
    assert merged(groups) == {1: 1, 2: 2}


def test_groups_that_are_not_suspicious_keep_their_number():
    innocent = script(9, range(1, 200, 2))
    groups = [script(1, **REASONING), script(2, **REASONING)]
    membership = members_of([*groups, innocent])
    after = merge_workloads(groups, membership, NO_POOLS)
    assert set(after.group[after.frame == 9].tolist()) == {9}
    assert set(after.group[after.frame != 9].tolist()) == {1}


def test_order_of_groups_has_no_effect_on_what_is_merged():
    groups = [script(1, **REASONING), script(2, **CODING), script(3, **REASONING)]
    mixed = [script(1, **REASONING), script(2, **REASONING), script(3, **CODING)]
    assert merged(groups)[3] == merged(groups)[1] != merged(groups)[2]
    assert merged(mixed)[2] == merged(mixed)[1] != merged(mixed)[3]


def test_nothing_to_merge_leaves_all_as_it_was():
    none = np.zeros(0, np.int64)
    membership = Membership(none, none, none, none)
    assert merge_workloads([], membership, NO_POOLS) is membership


def test_a_frame_that_several_accounts_fill_is_a_group():
    ring = group(RING, exchanges=40)
    membership = group_by_frame(among(ring), NO_POOLS)
    own = membership.frame == ring.frames[0]
    assert len(set(membership.group[own].tolist())) == 1
    assert membership.account[own].tolist() == list(RING)


def test_a_frame_of_one_account_is_no_group_unless_its_pool_is_known():
    ring = group(RING, exchanges=40)
    population = among(ring)
    outside, inside = group_by_frame(population, NO_POOLS), group_by_frame(population, ONE_POOL)
    _, accounts = np.unique(outside.frame, return_counts=True)
    assert accounts.min() >= MIN_ACCOUNTS
    alone = inside.frame >= 10_000  # each account's own frame
    assert inside.account[alone].tolist() == list(RING)
    assert len(set(inside.group[alone].tolist())) == 1


def test_no_atom_is_in_two_groups():
    membership = group_by_frame(among(group(RING, exchanges=40)), ONE_POOL)
    atoms = list(zip(membership.account.tolist(), membership.frame.tolist(), strict=True))
    assert len(set(atoms)) == len(atoms)


def test_one_dispatcher_that_hands_out_two_skills_in_the_same_hours_is_one_workload():
    jobs = rhythm(9, len(RING))
    later = [[minute + 7 for minute in own] for own in jobs]
    groups = [script(1, **REASONING, beats=jobs), script(2, **GRADING, beats=later)]
    assert merged(groups) == {1: 1, 2: 1}


def test_two_skills_on_the_same_part_of_a_pool_are_one_workload():
    whole = np.where(np.isin(np.arange(SIZE), range(0, 1_200, 20)), 4, -1)
    grading = GRADING | {"settings": REASONING["settings"]}
    groups = [script(1, **REASONING), script(2, **grading)]
    assert merged(groups, whole) == {1: 1, 2: 1}
    assert merged(groups, ONE_POOL) == {1: 1, 2: 2}, "all of a pool serves every owner of it"
