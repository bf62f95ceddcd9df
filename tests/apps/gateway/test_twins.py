"""`serve-twin`: under a published key, announced, and never to whom something was promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import LocalBudgets
from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.actions.engine import PolicyEngine
from stillwatch.actions.policy_file import examine
from stillwatch.apps.gateway.apis.altering import AlteredStream, alter_answer
from stillwatch.apps.gateway.parts import without_twin
from stillwatch.apps.gateway.twins import Twins
from stillwatch.apps.provenance.files import store_keyring
from stillwatch.provenance.keyring import Keyring
from stillwatch.provenance.twins.coins import serve

TEXT = "However, we do not often go. For example, they usually stay, and cannot sing."
RING = Keyring(b"k" * 32).rotated("campaign:c-1", "twins", 0).rotated("deployment:gateway", "twins", 0)
POLICY = """
version: 1
mode: enforce
rules:
  - {name: twins, when: campaign != "", do: serve-twin, reason: wording}
"""


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    store_keyring(RING, tmp_path / "ring.json", new=True)
    return Twins(tmp_path / "ring.json")


def decided(campaign: str | None = "c-1") -> Decision:
    return Decision(ActionKind.SERVE_TWIN, Effect(twin=True), reason="wording", campaign_id=campaign)


def test_each_campaign_is_served_under_its_key_and_others_under_the_deployments(twins: Twins) -> None:
    body = json.dumps({"choices": [{"message": {"content": TEXT}}]}).encode()
    for campaign, scope in (("c-1", "campaign:c-1"), ("c-2", "deployment:gateway"), (None, "deployment:gateway")):
        told = json.loads(alter_answer(body, twins.steps(decided(campaign))))
        assert told["choices"][0]["message"]["content"] == serve(TEXT, RING.key(scope, "twins").secret)[0]


def test_a_streamed_twin_is_the_same(twins: Twins) -> None:
    stream = AlteredStream(twins.steps(decided()))
    chunks = [{"choices": [{"index": 0, "delta": {"content": each}, "finish_reason": None}]} for each in TEXT]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    body = b"".join(b"data: " + json.dumps(each).encode() + b"\n\n" for each in chunks) + b"data: [DONE]\n\n"
    out = b"".join(stream.feed(body[at : at + 11]) for at in range(0, len(body), 11)) + stream.rest()
    events = [json.loads(line[6:]) for line in out.splitlines() if line.startswith(b"data: {")]
    said = "".join(each["choices"][0]["delta"].get("content", "") for each in events)
    assert said == serve(TEXT, RING.key("campaign:c-1", "twins").secret)[0]
    assert out.endswith(b"data: [DONE]\n\n")


def test_without_a_key_or_where_the_form_was_asked_for_nothing_is_rendered_and_nothing_announced(twins: Twins) -> None:
    assert twins.settled(decided(), {}) == decided()
    for found in (
        Twins().settled(decided(), {}),
        twins.settled(decided(), {"logprobs": True}),
        without_twin(decided()),
    ):
        assert not found.effect.twin
        assert not found.effect.alters_answer
    assert Twins().steps(decided()) == ()


@pytest.mark.parametrize(
    ("promised", "served"),
    [({}, True), ({"licensed": True}, False), ({"declared_use": True}, False), ({"verification": "business"}, False),
     ({"verified_since": 3.0}, False)],
)  # fmt: skip
def test_whom_something_was_promised_gets_no_twin_whatever_the_rule_says(
    promised: dict[str, object], served: bool
) -> None:
    policy, problems = examine(POLICY)
    assert policy is not None, problems
    attributes = Attributes(account="a-1", campaign="c-1", **promised)  # type: ignore[arg-type]
    assert PolicyEngine(policy).decide(attributes, LocalBudgets(), 0.0).effect.twin is served


def test_a_rule_cannot_serve_twins_in_silence() -> None:
    policy, _ = examine(POLICY.replace("do: serve-twin", "do: {action: serve-twin, announce: false}"))
    assert policy is None
