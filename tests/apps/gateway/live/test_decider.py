"""A request becomes attributes, attributes a decision; nothing inside ever reaches the server as an error."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.decision import ALLOWED, ActionKind, Decision
from stillwatch.apps.gateway.live.decider import LiveDecider, Wiring
from stillwatch.apps.gateway.live.facts import DAY, AccountFacts, LicenceTerms
from stillwatch.apps.gateway.live.index import Index
from stillwatch.apps.gateway.live.publishing import Follower
from stillwatch.apps.gateway.live.values import CONTENT, FUNDING
from stillwatch.apps.gateway.seams import Arrival, Decider, Outcome
from stillwatch.model import VerdictKind
from tests.apps.gateway.live.small import KEY, NOW, arrival, campaign, facts, index

DENY = Decision(ActionKind.DENY)
IP = ("ip", "198.51.100.7", 0)
CARD = ("payment_fingerprint", "pm_1", 0)


class Desk:
    """A decider by hand: its index, facts, and what it was asked and told."""

    def __init__(self, folder: Path, held: Index, known: AccountFacts | None = None, **wiring: Any) -> None:
        self.follower = Follower(folder, KEY)
        self.asked: list[Attributes] = []
        self.over: list[tuple[Attributes, Decision, Outcome]] = []
        self.see(held)
        told = {"policy": self.policy, "facts": lambda _: known, "settled": lambda *each: self.over.append(each)}
        self.decider = LiveDecider(self.follower, Wiring(**told | wiring))

    def see(self, held: Index) -> None:
        self.follower.known = replace(self.follower.known, index=held)

    def policy(self, attributes: Attributes) -> Decision:
        self.asked.append(attributes)
        return ALLOWED

    def ask(self, **other: Any) -> Attributes:
        decision = self.decider.decide(arrival(**other))
        assert decision is ALLOWED
        return self.asked[-1]

    def serve(self, request: Arrival, **outcome: Any) -> None:
        self.decider.settle(request, self.decider.decide(request), Outcome(**{"status": 200} | outcome))


def test_a_request_of_nobody_known_has_the_attributes_of_an_innocent(tmp_path: Path) -> None:
    asked = Desk(tmp_path, Index()).ask(max_tokens=100, stream=True, prompt="wäre")
    assert asked == Attributes(
        model="m", endpoint="chat.completions", capability=asked.capability, account="newcomer", max_tokens=100,
        stream=True, prompt_bytes=5,
    )  # fmt: skip


def test_facts_of_the_account_are_asked_for_by_its_id(tmp_path: Path) -> None:
    terms = LicenceTerms(models=frozenset({"m"}), valid_until=NOW + DAY)
    known = facts(
        organisation="org", plan="pro", verification="phone", programme="research", licences=(terms,),
        declared_use=True, verified_at=NOW - 2 * DAY, suspended_until=NOW + DAY,
    )  # fmt: skip
    asked = Desk(tmp_path, Index(), known).ask()
    assert (asked.organisation, asked.plan, asked.verification, asked.programme) == ("org", "pro", "phone", "research")
    assert (asked.licensed, asked.declared_use, asked.suspended) == (True, True, True)
    assert asked.account_age_days == pytest.approx(1.0)
    assert asked.verified_since == pytest.approx(2.0)
    late = Desk(tmp_path, Index(), known).ask(ts=NOW + 2 * DAY)
    assert (late.licensed, late.suspended) == (False, False)
    assert not Desk(tmp_path, Index(), known).ask(model="other").licensed


def test_a_newcomer_that_goes_on_with_a_campaign_is_called_what_the_campaign_is(tmp_path: Path) -> None:
    desk = Desk(tmp_path, index([IP, CARD, ("artefact", "h1", 0)]), facts(payment_fingerprint="pm_1"))
    asked = desk.ask(artefacts_in=("h1",))
    assert (asked.verdict, asked.campaign, asked.campaign_accounts, asked.p) == ("distillation", "C-one", 40, 0.97)
    assert (asked.match_infrastructure, asked.match_funding, asked.match_artefact) == (True, True, True)
    assert (asked.match_content, asked.match_families, asked.member) == (False, 3, False)


def test_one_soft_edge_is_said_and_convicts_nobody(tmp_path: Path) -> None:
    asked = Desk(tmp_path, index([IP])).ask()
    assert (asked.match_infrastructure, asked.match_families) == (True, 1)
    assert (asked.verdict, asked.p, asked.member) == ("clear", 0.0, False)


def test_a_member_has_its_own_verdict_and_the_families_that_tie_it(tmp_path: Path) -> None:
    held = index([IP], [("newcomer", 0, CONTENT | FUNDING)])
    asked = Desk(tmp_path, held, approved=lambda name: name == "C-one").ask()
    assert (asked.member, asked.verdict, asked.p, asked.coordination_bits) == (True, "distillation", 0.9, 8.0)
    assert (asked.match_content, asked.match_funding, asked.match_families) == (True, True, 2)
    assert asked.campaign_approved


def test_an_account_that_is_only_watched_is_no_member(tmp_path: Path) -> None:
    held = index([], [("newcomer", 0, CONTENT)], [campaign(verdict=VerdictKind.WATCH)])
    asked = Desk(tmp_path, held).ask()
    assert (asked.member, asked.verdict, asked.match_families) == (False, "watch", 0)


def test_a_handle_minted_since_the_last_publication_is_known_when_another_account_submits_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, index([], [("minter", 0, CONTENT)]))
    desk.serve(arrival(account_id="minter", exchange_id="e0"), artefacts_out=("h9",))
    desk.serve(arrival(account_id="innocent", exchange_id="e1"), artefacts_out=("h8",))
    assert desk.ask(artefacts_in=("h9",)).match_artefact
    assert desk.ask(artefacts_in=("h9",)).verdict == "distillation"
    assert not desk.ask(artefacts_in=("h8",)).match_artefact  # a person who moves a conversation between accounts


def test_a_handle_that_was_given_to_another_account_is_a_replay_whoever_was_given_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Index())
    asked = desk.ask(handle="other-account")
    assert (asked.match_artefact, asked.handle, asked.verdict) == (True, "other-account", "clear")
    for harmless in ("bound", "raw", "unbound", "other-conversation", "unreadable", None):
        assert not desk.ask(handle=harmless).match_artefact


def test_volumes_are_those_before_the_request(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Index())
    for number in range(3):
        desk.serve(arrival(exchange_id=f"e{number}"), output_tokens=50)
    asked = desk.ask()
    assert (asked.exchanges_hour, asked.exchanges_day, asked.output_tokens_day) == (3, 3, 150)
    assert len(desk.over) == 3


def test_a_campaigns_volume_is_what_was_published_and_what_this_worker_saw_since(tmp_path: Path) -> None:
    tied = [("newcomer", 0, CONTENT), ("other", 0, CONTENT)]
    desk = Desk(tmp_path, index([], tied))
    assert desk.ask(exchange_id="e0").campaign_exchanges_day == 24
    desk.serve(arrival(exchange_id="e1"))
    desk.serve(arrival(exchange_id="e2", account_id="other"))
    assert desk.ask(exchange_id="e3").campaign_exchanges_day == 26
    desk.see(index([], tied, version=2, until=NOW + 3_600_000_000))
    assert desk.ask(exchange_id="e4", ts=NOW + 3_600_000_001).campaign_exchanges_day == 24


@pytest.mark.parametrize("broken", ["policy", "facts", "approved", "settled"])
def test_a_failure_inside_is_counted_and_answered_as_configured(tmp_path: Path, broken: str) -> None:
    def fail(*_: object) -> Any:
        raise LookupError("a prompt, perhaps")

    desk = Desk(tmp_path, index([IP]), **{broken: fail, "on_error": DENY})
    decision = desk.decider.decide(arrival())
    assert decision is (ALLOWED if broken == "settled" else DENY)
    desk.decider.settle(arrival(), decision, Outcome(200))
    assert desk.decider.errors.kinds == {"LookupError": 1}


def test_a_request_that_is_settled_without_having_been_decided_does_no_harm(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Index())
    desk.decider.settle(arrival(), ALLOWED, Outcome(200))
    assert desk.decider.errors.count == 0
    assert desk.ask().exchanges_hour == 1


def test_it_is_a_decider_as_the_gateway_wants_one(tmp_path: Path) -> None:
    decider: Decider = Desk(tmp_path, Index()).decider
    assert decider.decide(arrival()) is ALLOWED


def test_a_worker_loads_neither_the_engine_nor_the_detector() -> None:
    """Each of several workers would hold a hundred megabytes more, and start seconds later."""
    heavy = "{'duckdb', 'ibis', 'networkit', 'pandas', 'stillwatch.apps.detect'} & set(sys.modules)"
    code = f"import sys; import stillwatch.apps.gateway.live.decider; print({heavy})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
