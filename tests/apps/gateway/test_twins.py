"""`serve-twin`: under a key that was committed to before, announced, and never to whom something was promised."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

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
from tests.apps.gateway.running import ALICE, stack

TEXT = "However, we do not often go. For example, they usually stay, and cannot sing."
RING = Keyring(b"k" * 32).rotated("campaign:c-1", "twins", 0).rotated("deployment:gateway", "twins", 0)
POLICY = """
version: 1
mode: enforce
rules:
  - {name: twins, when: campaign != "", do: serve-twin, reason: wording}
"""


ALL = frozenset(key.commitment for key in RING.all_keys())


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    store_keyring(RING, tmp_path / "ring.json", new=True)
    return tmp_path / "ring.json"


@pytest.fixture
def twins(ring: Path) -> Twins:
    return Twins(ring, lambda: ALL)


def decided(campaign: str | None = "c-1") -> Decision:
    effect = Effect(twin=True)
    return Decision(ActionKind.SERVE_TWIN, effect, rule="twins", reason="wording", campaign_id=campaign)


def test_each_campaign_is_served_under_its_key_and_others_under_the_deployments(twins: Twins) -> None:
    body = json.dumps({"choices": [{"message": {"content": TEXT}}]}).encode()
    for campaign, scope in (("c-1", "campaign:c-1"), ("c-2", "deployment:gateway"), (None, "deployment:gateway")):
        told = json.loads(alter_answer(body, twins.steps(decided(campaign))))
        assert told["choices"][0]["message"]["content"] == serve(TEXT, RING.key(scope, "twins").secret)[0]


def test_a_streamed_twin_is_the_same(twins: Twins) -> None:
    stream = AlteredStream(twins.steps(decided()))
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": {"content": each}, "finish_reason": None}]} for each in TEXT
    ]
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
        assert (found.action, found.rule) == (ActionKind.OBSERVE, "twins")  # so no log claims that one was served
    assert Twins().steps(decided()) == ()


def test_under_a_key_that_is_not_committed_nothing_is_rendered_nor_under_another_in_its_place(ring: Path) -> None:
    older = RING.key("campaign:c-1", "twins").commitment, RING.key("deployment:gateway", "twins").commitment
    store_keyring(RING.rotated("campaign:c-1", "twins", 9), ring, new=False)
    twins = Twins(ring, lambda: older)
    assert (twins.uncommitted, twins.steps(decided())) == (1, ())
    assert twins.settled(decided(), {}).action is ActionKind.OBSERVE
    assert twins.settled(decided("c-2"), {}).effect.twin
    assert Twins(ring).uncommitted == 2  # without a ledger, nothing is committed


def test_what_the_ledger_lacks_is_said_once_and_served_once_it_has_it(
    ring: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger: set[str] = set()
    twins = Twins(ring, lambda: ledger)
    twins.load()
    said = [(each.getMessage(), each.what) for each in caplog.records]  # type: ignore[attr-defined]
    assert said == [("twins-not-served", f"{scope} epoch 1") for scope in ("campaign:c-1", "deployment:gateway")]
    ledger |= ALL
    assert twins.steps(decided()) == ()  # what was loaded holds until it is loaded again
    twins.load()
    assert (twins.uncommitted, len(twins.steps(decided()))) == (0, 1)


def test_keys_of_other_purposes_and_classes_are_none_of_the_gateways(ring: Path) -> None:
    told = Keyring(b"k" * 32).rotated("campaign:c-1", "watermark", 0).rotated("class:new", "twins", 0)
    store_keyring(told, ring, new=False)
    twins = Twins(ring)
    assert (twins.uncommitted, twins.steps(decided())) == (0, ())


@pytest.mark.parametrize("endpoint", ["/v1/embeddings", "/v1/models"])
def test_what_is_no_answer_in_words_is_not_announced_as_a_twin(twins: Twins, tmp_path: Path, endpoint: str) -> None:
    (tmp_path / "gateway").mkdir()
    with stack(tmp_path / "gateway", settled=twins.settled) as gateway:
        gateway.parts.decision = decided()
        method, asked = ("GET", None) if endpoint == "/v1/models" else ("POST", b'{"model": "mock", "input": "x"}')
        headers = {"authorization": f"Bearer {ALICE}", "content-type": "application/json"}
        request = urllib.request.Request(gateway.url + endpoint, asked, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            assert answer.headers["x-stillwatch-altered"] is None


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
