"""A campaign keeps its name from run to run while most of it stays."""

from __future__ import annotations

from stillwatch.campaigns.identity import name_campaigns


def members(*spans: range) -> frozenset[str]:
    return frozenset(f"a{account:03d}" for span in spans for account in span)


RING, OTHER = members(range(100)), members(range(200, 260))


def test_a_first_run_gives_birth_to_all():
    names, quiet = name_campaigns([RING, OTHER], None)
    assert [status for _, status in names] == ["born", "born"]
    assert len({name for name, _ in names}) == 2
    assert quiet == ()


def test_the_same_members_get_the_same_name_in_any_run_and_order():
    assert dict(name_campaigns([RING, OTHER], None)[0]) == dict(name_campaigns([OTHER, RING], {})[0])
    assert name_campaigns([RING], None)[0][0] in name_campaigns([OTHER, RING], None)[0]


def test_a_campaign_that_stays_is_steady():
    almost = members(range(3, 102))
    assert name_campaigns([almost], {"C-old": RING}) == ([("C-old", "steady")], ())


def test_a_campaign_that_adds_accounts_grew():
    assert name_campaigns([RING | OTHER], {"C-old": RING}) == ([("C-old", "grew")], ())


def test_a_campaign_that_replaced_most_of_its_accounts_keeps_its_name():
    renewed = members(range(60, 160))
    assert name_campaigns([renewed], {"C-old": RING})[0][0][0] == "C-old"


def test_two_campaigns_that_turn_out_to_be_one_merge_under_the_larger_ones_name():
    names, quiet = name_campaigns([RING | OTHER], {"C-small": OTHER, "C-large": RING})
    assert names == [("C-large", "merged")]
    assert quiet == ()


def test_a_campaign_that_is_no_longer_seen_went_quiet():
    assert name_campaigns([OTHER], {"C-other": OTHER, "C-ring": RING}) == ([("C-other", "steady")], ("C-ring",))


def test_all_went_quiet_when_nothing_is_found():
    assert name_campaigns([], {"C-b": OTHER, "C-a": RING}) == ([], ("C-a", "C-b"))


def test_a_few_common_accounts_do_not_pass_on_a_name():
    fresh = members(range(90, 190))
    names, quiet = name_campaigns([fresh], {"C-old": RING})
    assert names[0][1] == "born"
    assert names[0][0] != "C-old"
    assert quiet == ("C-old",)


def test_a_campaign_that_splits_leaves_its_name_to_the_larger_part():
    names, _ = name_campaigns([members(range(30)), members(range(30, 100))], {"C-old": RING})
    assert names[1] == ("C-old", "steady")
    assert names[0][1] == "born"
    assert names[0][0] != "C-old"


def test_two_workloads_of_the_same_accounts_get_two_names():
    (one, _), (other, _) = name_campaigns([RING, RING], None)[0]
    assert one != other


def test_two_workloads_of_the_same_accounts_keep_their_two_names():
    (one, _), (other, _) = name_campaigns([RING, RING], None)[0]
    names, quiet = name_campaigns([RING, RING], {one: RING, other: RING})
    assert {name for name, _ in names} == {one, other}
    assert {status for _, status in names} == {"steady"}
    assert quiet == ()


def test_a_second_workload_of_known_accounts_does_not_take_the_name_of_the_first():
    (one, _), *_ = name_campaigns([RING], None)[0]
    names, _ = name_campaigns([RING, RING], {one: RING})
    assert len({name for name, _ in names}) == 2


def test_order_of_earlier_campaigns_has_no_effect():
    earlier = {"C-a": RING, "C-b": OTHER, "C-c": members(range(300, 320))}
    found = [RING | members(range(300, 310)), OTHER]
    assert name_campaigns(found, earlier) == name_campaigns(found, dict(reversed(earlier.items())))
