"""Over a chain of runs ids stay, nothing that is past piles up, and a campaign is known again when it comes back."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.apps.lineage_file import lineage_rows, read_lineage
from stillwatch.campaigns.identity import FRAMES, Status, Traces
from stillwatch.campaigns.lineage import BY_MEMBERS, MOST_STEPS, Lineage, Sighting, continue_lineage
from stillwatch.model import InputRefused

START = dt.datetime(2026, 1, 4, tzinfo=dt.UTC)
WEEK = dt.timedelta(weeks=1)


def sighting(week: int, accounts: range, owner: str = "a", first: str = "x") -> Sighting:
    marks = {FRAMES: frozenset([f"t-{owner}"]), "identity": frozenset([f"c-{owner}-1", f"c-{owner}-2"])}
    return Sighting(Traces(frozenset(f"{first}{n}" for n in accounts), marks), 10 * len(accounts), START + week * WEEK)


def run(before: Lineage, week: int, *found: Sighting, check: str = "key"):
    return continue_lineage(before, found, START + week * WEEK, check)


def test_a_campaign_grows_goes_quiet_and_returns_under_new_accounts_with_one_id():
    lineage = Lineage()
    ids = []
    for week, found in enumerate([[range(40)], [range(60)], [], [], [range(100, 150)], [range(100, 150)]]):
        lineage, names, _ = run(lineage, week, *(sighting(week, accounts) for accounts in found))
        ids += [one.campaign_id for one in names]
    assert len(set(ids)) == 1
    record = lineage.of(ids[0])
    assert record is not None
    assert [step.status for step in record.steps] == ["born", "grew", "went quiet", "returned", "steady"]
    assert [step.accounts for step in record.steps] == [40, 60, 0, 50, 50]


def test_a_split_and_a_merger_name_parents_and_children():
    lineage, (old,), _ = run(Lineage(), 0, sighting(0, range(100)))
    lineage, names, _ = run(lineage, 1, sighting(1, range(60)), sighting(1, range(60, 100)))
    heir, part = names
    assert (heir.campaign_id, part.status, part.parents) == (old.campaign_id, Status.SPLIT, (old.campaign_id,))
    assert lineage.of(old.campaign_id).children == (part.campaign_id,)
    lineage, (whole,), gone = run(lineage, 2, sighting(2, range(100)))
    assert (whole.campaign_id, whole.status, whole.parents) == (heir.campaign_id, Status.MERGED, (part.campaign_id,))
    assert lineage.of(part.campaign_id).status is Status.ABSORBED
    assert gone == ()
    _, (again,), _ = run(lineage, 3, sighting(3, range(100)))
    assert (again.campaign_id, again.status) == (heir.campaign_id, Status.STEADY)


def test_with_another_key_accounts_still_tell_and_templates_do_not():
    lineage, (old,), _ = run(Lineage(), 0, sighting(0, range(40)))
    after, (same,), _ = run(lineage, 1, sighting(1, range(40)), check="another")
    assert (same.campaign_id, after.note) == (old.campaign_id, BY_MEMBERS)
    _, (new,), gone = run(lineage, 1, sighting(1, range(100, 140)), check="another")
    assert (new.status, gone) == (Status.BORN, (old.campaign_id,))


def test_a_campaign_that_is_long_quiet_is_forgotten():
    lineage, (old,), _ = run(Lineage(), 0, sighting(0, range(40)))
    for week in (1, 26):
        lineage, *_ = run(lineage, week)
        assert lineage.of(old.campaign_id) is not None
    lineage, *_ = run(lineage, 27)
    assert lineage.records == ()


def test_the_record_does_not_grow_with_the_number_of_runs():
    lineage = Lineage()
    for week in range(300):
        lineage, *_ = run(
            lineage, week, sighting(week, range(week, week + 40)), sighting(week, range(5), "b", f"w{week}-")
        )
    assert len(lineage.records) <= 2 + 26
    assert max(len(one.steps) for one in lineage.records) == MOST_STEPS
    assert lineage.records[0].steps[0].status in (Status.BORN, Status.SPLIT)


def test_the_same_log_again_adds_no_step():
    lineage, *_ = run(Lineage(), 0, sighting(0, range(40)))
    again, (name,), _ = run(lineage, 0, sighting(0, range(40)))
    assert len(again.of(name.campaign_id).steps) == 1


def test_a_record_comes_back_from_its_file_as_it_was(tmp_path):
    lineage, *_ = run(Lineage(), 0, sighting(0, range(40)), sighting(0, range(100, 130), "b"))
    lineage, *_ = run(lineage, 1, sighting(1, range(60)))
    text = json.dumps(lineage_rows(lineage), default=dt.datetime.isoformat)
    (tmp_path / "lineage.json").write_text(text, encoding="utf-8")
    assert read_lineage(tmp_path) == lineage


def test_a_run_without_a_record_hands_on_its_accounts(tmp_path):
    row = {"campaign_id": "C-1", "status": "born", "last_seen": START.isoformat(), "members": ["x1"], "exchanges": 9}
    (tmp_path / "campaigns.json").write_text(json.dumps([row]), encoding="utf-8")
    lineage = read_lineage(tmp_path)
    assert (lineage.records[0].campaign_id, lineage.records[0].traces.members) == ("C-1", frozenset(["x1"]))
    after, (name,), _ = run(lineage, 1, sighting(1, range(2)))
    assert (name.campaign_id, after.note) == ("C-1", "")


@pytest.mark.parametrize(
    "text", ["[", "{}", '{"format": 9}', '{"format": 1, "check": "", "note": "", "campaigns": [1]}']
)
def test_a_damaged_record_is_refused_by_name(tmp_path, text):
    (tmp_path / "lineage.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputRefused, match=r"lineage\.json"):
        read_lineage(tmp_path)


@settings(max_examples=60, deadline=None)
@given(
    weeks=st.lists(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(4, 60)), max_size=3, unique_by=lambda one: one[0]),
        min_size=2, max_size=12,
    ),
    turn=st.randoms(use_true_random=False),
)  # fmt: skip
def test_disjoint_campaigns_that_grow_and_shrink_in_turn_never_swap_ids(weeks, turn):
    lineage, owners = Lineage(), {}
    for week, present in enumerate(weeks):
        order = list(present)
        turn.shuffle(order)
        found = [sighting(week, range(size), owner, owner) for owner, size in order]
        lineage, names, _ = run(lineage, week, *found)
        for (owner, _), name in zip(order, names, strict=True):
            assert owners.setdefault(owner, name.campaign_id) == name.campaign_id
    assert len(set(owners.values())) == len(owners)
