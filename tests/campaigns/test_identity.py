"""A campaign keeps its name from run to run while most of it stays, and when it comes back under new accounts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.campaigns.identity import FRAMES, Named, Status, Traces
from stillwatch.campaigns.identity import name_campaigns as name_traces

NOON = dt.datetime(2026, 3, 10, 12, tzinfo=dt.UTC)


def members(*spans: range) -> frozenset[str]:
    return frozenset(f"a{account:03d}" for span in spans for account in span)


def traces(who: frozenset[str], frames: Iterable[str] = (), **families: Iterable[str]) -> Traces:
    marks = {FRAMES: frozenset(frames)} | {family: frozenset(own) for family, own in families.items()}
    return Traces(who, {family: own for family, own in marks.items() if own})


def name_campaigns(found, earlier, quiet=frozenset()):
    """Name by accounts alone; (id, status) of each."""
    names, gone = name_traces([Traces(one) for one in found], {k: Traces(v) for k, v in (earlier or {}).items()}, quiet)
    return [(one.campaign_id, one.status.value) for one in names], gone


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
    earlier = {"C-small": Traces(OTHER), "C-large": Traces(RING)}
    (name,), quiet = name_traces([Traces(RING | OTHER)], earlier)
    assert (name.campaign_id, name.status, name.parents) == ("C-large", Status.MERGED, ("C-small",))
    assert quiet == ()


def test_a_campaign_that_is_no_longer_seen_went_quiet():
    assert name_campaigns([OTHER], {"C-other": OTHER, "C-ring": RING}) == ([("C-other", "steady")], ("C-ring",))


def test_all_went_quiet_when_nothing_is_found():
    assert name_campaigns([], {"C-b": OTHER, "C-a": RING}) == ([], ("C-a", "C-b"))


def test_one_that_was_quiet_already_does_not_go_quiet_again():
    assert name_campaigns([], {"C-b": OTHER, "C-a": RING}, {"C-b"}) == ([], ("C-a",))


def test_a_few_common_accounts_do_not_pass_on_a_name():
    fresh = members(range(90, 190))
    names, quiet = name_campaigns([fresh], {"C-old": RING})
    assert names[0][1] == "born"
    assert names[0][0] != "C-old"
    assert quiet == ("C-old",)


def test_a_campaign_that_splits_leaves_its_name_to_the_larger_part_and_the_other_says_where_it_comes_from():
    parts = [Traces(members(range(30))), Traces(members(range(30, 100)))]
    names, _ = name_traces(parts, {"C-old": Traces(RING)})
    assert (names[1].campaign_id, names[1].status) == ("C-old", Status.STEADY)
    assert (names[0].status, names[0].parents) == (Status.SPLIT, ("C-old",))
    assert names[0].campaign_id != "C-old"


def test_two_workloads_of_the_same_accounts_get_two_names():
    (one, _), (other, _) = name_campaigns([RING, RING], None)[0]
    assert one != other


def test_two_workloads_of_the_same_accounts_keep_their_two_names():
    (one, _), (other, _) = name_campaigns([RING, RING], None)[0]
    names, quiet = name_campaigns([RING, RING], {one: RING, other: RING})
    assert {name for name, _ in names} == {one, other}
    assert {status for _, status in names} == {"steady"}
    assert quiet == ()


def test_owners_of_one_pool_keep_their_own_names_by_their_templates():
    earlier = {f"C-{owner}": traces(RING, [f"t-{owner}"]) for owner in "abc"}
    names, _ = name_traces([traces(RING, [f"t-{owner}"]) for owner in "cab"], earlier)
    assert [one.campaign_id for one in names] == ["C-c", "C-a", "C-b"]


def test_an_owner_who_leaves_a_pool_goes_quiet_and_does_not_merge_with_those_who_stay():
    earlier = {f"C-{owner}": traces(RING, [f"t-{owner}"]) for owner in "ab"}
    names, quiet = name_traces([traces(RING, ["t-b"])], earlier)
    assert [(one.campaign_id, one.status) for one in names] == [("C-b", Status.STEADY)]
    assert quiet == ("C-a",)


def test_a_new_owner_in_a_known_pool_is_born_and_no_split():
    names, _ = name_traces([traces(RING, ["t-b"]), traces(RING, ["t-a"])], {"C-a": traces(RING, ["t-a"])})
    assert [one.status for one in names] == [Status.BORN, Status.STEADY]


def test_it_returns_under_new_accounts_by_its_template_and_a_second_kind():
    before = traces(RING, ["t-1", "t-2"], identity=["card-1", "card-2", "card-3"])
    now = traces(OTHER, ["t-1"], identity=["card-2", "card-3"])
    (name,), quiet = name_traces([now], {"C-old": before}, {"C-old"})
    assert (name.campaign_id, name.status) == ("C-old", Status.RETURNED)
    assert name.because == "1 of 1 templates, 2 of identity, 0 accounts in common"
    assert quiet == ()


def test_it_returns_by_its_template_when_it_begins_as_its_accounts_are_suspended():
    before = Traces(RING, {FRAMES: frozenset(["t-1"])}, banned=NOON)
    for days, status in ((1, Status.RETURNED), (40, Status.BORN)):
        now = Traces(OTHER, {FRAMES: frozenset(["t-1"])}, began=NOON + dt.timedelta(days=days))
        assert name_traces([now], {"C-old": before})[0][0].status is status


def test_one_kind_alone_brings_nobody_back():
    families = {"identity": ["c-1", "c-2"], "infrastructure": ["i-1", "i-2"], "settings": ["s-1", "s-2"]}
    before = traces(RING, ["t-1"], **families)
    for now in (traces(OTHER, ["t-1"]), traces(OTHER, ["t-9"], **families), traces(OTHER, **families)):
        assert name_traces([now], {"C-old": before})[0][0].status is Status.BORN


def test_one_value_in_common_with_many_is_a_coincidence():
    cards = [f"card-{number}" for number in range(50)]
    before = traces(RING, ["t-1"], identity=cards)
    now = traces(OTHER, ["t-1"], identity=[cards[0], *(f"other-{number}" for number in range(50))])
    assert name_traces([now], {"C-old": before})[0][0].status is Status.BORN


def test_what_comes_back_with_its_old_accounts_returned():
    assert name_campaigns([RING], {"C-old": RING}, {"C-old"}) == ([("C-old", "returned")], ())


def test_a_second_workload_of_known_accounts_does_not_take_the_name_of_the_first():
    (one, _), *_ = name_campaigns([RING], None)[0]
    names, _ = name_campaigns([RING, RING], {one: RING})
    assert len({name for name, _ in names}) == 2


def test_order_of_earlier_campaigns_has_no_effect():
    earlier = {"C-a": RING, "C-b": OTHER, "C-c": members(range(300, 320))}
    found = [RING | members(range(300, 310)), OTHER]
    assert name_campaigns(found, earlier) == name_campaigns(found, dict(reversed(earlier.items())))


SMALL = st.frozensets(st.sampled_from([f"a{number}" for number in range(12)]), min_size=1)
MARKS = st.frozensets(st.sampled_from(["m1", "m2", "m3", "m4"]), max_size=3)
TRACES = st.builds(
    lambda who, frames, identity: traces(who, frames, identity=identity), who=SMALL, frames=MARKS, identity=MARKS
)


@settings(max_examples=100, deadline=None)
@given(found=st.lists(TRACES, max_size=5), earlier=st.lists(TRACES, max_size=5), turn=st.randoms(use_true_random=False))
def test_order_of_campaigns_has_no_effect_on_their_names(found, earlier, turn):
    known = {f"C-{number}": one for number, one in enumerate(earlier)}
    names, gone = name_traces(found, known)
    order = list(range(len(found)))
    turn.shuffle(order)
    again, gone_again = name_traces([found[at] for at in order], dict(reversed(known.items())))
    told = sorted(f"{sorted(one.members)} {one.marks} {name}" for one, name in zip(found, names, strict=True))
    told_again = sorted(
        f"{sorted(found[at].members)} {found[at].marks} {name}" for at, name in zip(order, again, strict=True)
    )
    assert told == told_again
    assert gone == gone_again


@settings(max_examples=100, deadline=None)
@given(found=st.lists(TRACES, max_size=5), earlier=st.lists(TRACES, max_size=5))
def test_no_two_campaigns_ever_share_a_name_and_every_earlier_one_is_accounted_for(found, earlier):
    known = {f"C-{number}": one for number, one in enumerate(earlier)}
    names, gone = name_traces(found, known)
    ids = [one.campaign_id for one in names]
    assert len(set(ids)) == len(ids)
    kept = {one.campaign_id for one in names} & known.keys()
    absorbed = {parent for one in names if one.status is Status.MERGED for parent in one.parents}
    assert kept | absorbed | set(gone) == known.keys()
    assert all(isinstance(one, Named) for one in names)
