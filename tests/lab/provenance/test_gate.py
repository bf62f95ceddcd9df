"""The harvest through the gateway, of a teacher that needs no training; and the policy that it is done under."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

pytest.importorskip("aiohttp", reason="needs stillwatch[gateway]")

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.policy_file import examine
from stillwatch.lab.provenance import telling
from stillwatch.lab.provenance.gate import put_policy
from stillwatch.lab.provenance.phases import KINDS
from stillwatch.lab.provenance.story import Size, Story
from stillwatch.model import UsageError

TINY = Size(4, 4, 4, 60, 60, 40, 20)
MEMBER = Attributes(account="a-1", campaign="c-1", member=True, verdict="distillation")


@pytest.mark.slow
def test_the_teacher_is_harvested_through_the_gateway_once(tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "said").open("w"))
    story = Story(tmp_path, TINY, 1, lambda _: None)
    words = ("-m", "tests.lab.provenance.by_heart", "1", "{port}")
    try:
        found = telling.gather(story, words, console)
        assert [each for each in found["promises"] if not each["held"]] == []
        assert {kind: len(story.harvest(kind)) for kind in KINDS} == dict.fromkeys(KINDS, 60)
        assert telling.gather(story, ("-c", "raise SystemExit(1)"), console) == json.loads(json.dumps(found))
    finally:
        console.file.close()


def test_what_was_not_harvested_cannot_be_learned(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be harvested first"):
        Story(tmp_path, TINY, 1, lambda _: None).harvest("plain")


@pytest.mark.parametrize("enforce", [True, False])
def test_the_policy_serves_twins_to_members_of_a_campaign_once_it_is_in_force(tmp_path: Path, enforce: bool) -> None:
    put_policy(tmp_path, enforce)
    policy, problems = examine((tmp_path / "policy.yaml").read_text(encoding="utf-8"))
    assert policy is not None, problems
    decided = PolicyEngine(policy).decide(MEMBER, LocalBudgets(), 0.0)
    assert (decided.effect.twin, decided.would.twin) == (enforce, not enforce)
    others = [
        Attributes(account="a-2", campaign="c-1", match_families=2, match_content=True, verdict="distillation"),
        Attributes(account="a-3"),
        Attributes(account="a-4", campaign="c-1", member=True, verdict="suspect"),
        Attributes(account="a-5", campaign="c-1", member=True, verdict="distillation", licensed=True),
    ]
    for each in others:
        found = PolicyEngine(policy).decide(each, LocalBudgets(), 0.0)
        assert not found.effect.twin
        assert not found.would.twin
        assert not found.would.refused
