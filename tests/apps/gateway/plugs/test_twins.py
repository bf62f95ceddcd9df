"""Where answers are out of reach no twin is served, and nothing says that one was; the middleware can serve them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.actions.decision import ActionKind, Decision, Effect
from stillwatch.apps.gateway.plugs.asgi import StillwatchMiddleware
from stillwatch.apps.gateway.seams import Arrival
from stillwatch.apps.gateway.twins import Twins
from stillwatch.apps.provenance.files import store_keyring
from stillwatch.provenance.keyring import Keyring
from stillwatch.provenance.twins.coins import serve
from tests.apps.gateway.plugs.drivers import PLUGS, Plug, headers_of, litellm_home
from tests.apps.gateway.plugs.serving import Reply, ask, serving, wait_for
from tests.apps.gateway.plugs.table import CHAT, MESSAGES, NAMES, Kept, Row, Rules, chat, messages
from tests.apps.gateway.worded import TEXT, answered, text_of, upstream

RING = Keyring(b"k" * 32).rotated("campaign:c-1", "twins", 0)
TWIN = Decision(ActionKind.SERVE_TWIN, Effect(twin=True), rule="twins", reason="wording", campaign_id="c-1")
BODIES = {CHAT: chat, MESSAGES: messages}


class Twinned(Rules):
    """A policy that asks for a twin of every answer."""

    def decide(self, arrival: Arrival) -> Decision:
        self.arrivals.append(arrival)
        return TWIN


@pytest.fixture(params=["relay", "middleware", "envoy", "litellm"])
def plug(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    if request.param == "litellm" and litellm_home() is None:
        pytest.skip("LiteLLM runs in an environment of its own: name one in STILLWATCH_LITELLM (make test-litellm)")
    monkeypatch.setattr("tests.apps.gateway.plugs.drivers.Rules", Twinned)
    with PLUGS[request.param]() as made:
        yield made


def test_without_a_key_no_plug_claims_that_it_served_a_twin(plug: Plug) -> None:
    reply = plug.ask(Row("", CHAT, chat()))
    assert (reply.status, "x-stillwatch-altered" in reply.headers) == (200, False)
    assert "x-stillwatch-alter" not in plug.upstream.asked[-1][1]  # by which Envoy leaves the rest to the upstream
    wait_for(lambda: plug.kept.rows)
    ((_, decision, _),) = plug.kept.rows
    assert (decision.action, decision.rule, decision.effect.twin) == ("observe", "twins", False)


class Worded:
    """The middleware before a model whose answers have two wordings."""

    def __init__(self, port: int, kept: Kept) -> None:
        self.port, self.kept = port, kept

    def ask(self, path: str, streamed: bool, **more: Any) -> Reply:
        row = Row("", path, BODIES[path](stream=streamed, **more))
        return ask(self.port, path, row.text, headers_of(row))


@pytest.fixture
def worded(tmp_path: Path) -> Iterator[Worded]:
    store_keyring(RING, tmp_path / "ring.json", new=True)
    twins, kept = Twins(tmp_path / "ring.json", lambda: {key.commitment for key in RING.all_keys()}), Kept()
    app = StillwatchMiddleware(upstream, decider=Twinned(), recorder=kept, names=NAMES, twins=twins)  # type: ignore[arg-type]
    with serving(app) as port:
        yield Worded(port, kept)


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("path", BODIES)
def test_the_middleware_serves_twins_under_a_committed_key(worded: Worded, path: str, streamed: bool) -> None:
    reply = worded.ask(path, streamed)
    twin, _ = serve(TEXT, RING.key("campaign:c-1", "twins").secret)
    assert (text_of(path, streamed, reply.body), reply.headers["x-stillwatch-altered"]) == (twin, "wording=twin")
    assert [row[1].action for row in worded.kept.rows] == ["serve-twin"]


def test_the_middleware_leaves_alone_what_was_asked_for_in_a_form(worded: Worded) -> None:
    reply = worded.ask(CHAT, False, response_format={"type": "json_object"})
    assert (reply.body, "x-stillwatch-altered" in reply.headers) == (answered(CHAT, False), False)
    assert [row[1].action for row in worded.kept.rows] == ["observe"]
