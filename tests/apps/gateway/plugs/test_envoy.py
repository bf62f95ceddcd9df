"""Our services behind a real Envoy, set up as the documentation says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.apps.gateway.plugs.underway import Bounds, Underway
from stillwatch.ingest.adapters.envoy import read_access
from tests.apps.gateway.plugs.drivers import Plug, envoy_plug, ext_authz, headers_of, running_envoy
from tests.apps.gateway.plugs.serving import Upstream, ask, free_port, serving, wait_for
from tests.apps.gateway.plugs.table import CHAT, MESSAGES, Kept, Row, Rules, chat, messages


@pytest.fixture(scope="module")
def module_plug() -> Iterator[Plug]:
    with envoy_plug() as made:
        yield made


@pytest.fixture
def plug(module_plug: Plug) -> Plug:
    module_plug.kept.rows.clear()
    return module_plug


def test_an_exchange_is_recorded_with_the_status_that_envoy_reports(plug: Plug) -> None:
    assert plug.ask(Row("", CHAT, chat())).status == 200
    wait_for(lambda: plug.kept.rows)
    ((arrival, decision, outcome),) = plug.kept.rows
    assert (arrival.prompt, decision.action, outcome.status) == ("What is a fjord?", "allow", 200)
    assert arrival.ip == "127.0.0.1"


def test_an_error_of_the_upstream_is_recorded_as_one(plug: Plug) -> None:
    assert plug.ask(Row("", CHAT, chat() | {"model": "overloaded"})).status == 429
    wait_for(lambda: plug.kept.rows)
    assert plug.kept.rows[0][2].status == 429
    assert plug.kept.rows[0][1].action == "allow"


def test_a_refusal_is_recorded_once_and_is_a_problem(plug: Plug) -> None:
    reply = plug.ask(Row("", CHAT, chat("TEMPLATE-7"), "template"))
    assert (reply.status, reply.headers["content-type"]) == (403, "application/json")
    assert reply.json["error"]["code"] == "known-campaign"
    plug.ask(Row("", CHAT, chat()))
    wait_for(lambda: len(plug.kept.rows) == 2)  # Envoy has reported the refusal before the second
    assert [row[2].status for row in plug.kept.rows] == [403, 200]


def test_a_stream_passes_event_by_event(plug: Plug) -> None:
    reply = plug.ask(Row("", MESSAGES, messages(stream=True)))
    assert reply.headers["content-type"] == "text/event-stream"
    assert reply.body.count(b"event: ") == 10


def test_what_envoy_cannot_do_is_left_to_the_upstream_in_headers_that_no_client_can_set(plug: Plug) -> None:
    forged = {"x-stillwatch-exchange": "mine", "x-stillwatch-drop": "nothing", "x-stillwatch-max-output-tokens": "9"}
    row = Row("", CHAT, chat(max_tokens=500), "ramping", "ramping")
    ask(plug.port, row.path, row.text, headers_of(row) | forged)
    headers = plug.upstream.asked[-1][1]
    assert headers["x-stillwatch-max-output-tokens"] == "50"
    assert "x-stillwatch-drop" not in headers
    assert headers["x-stillwatch-exchange"] == plug.rules.arrivals[-1].exchange_id


def test_a_page_that_asks_nothing_passes_without_a_decision(plug: Plug) -> None:
    plug.rules.arrivals.clear()
    assert ask(plug.port, "/healthz", None, {}, "GET").status == 200
    assert plug.rules.arrivals == []


def test_the_access_log_has_what_detection_needs(plug: Plug) -> None:
    plug.ask(Row("", CHAT, chat(), "", "plain"))
    exchange_id = plug.rules.arrivals[0].exchange_id
    log = plug.more["log"]
    wait_for(lambda: exchange_id in log.read_text())
    (line,) = [line for line in log.read_text().splitlines() if exchange_id in line]
    row = read_access(json.loads(line))
    assert row is not None
    assert row["exchange_id"] == exchange_id
    assert row["account_id"] == plug.rules.arrivals[0].account_id
    assert (row["model"], row["status"], row["endpoint"]) == ("small", 200, CHAT)


def narrow(partial: bool) -> Any:
    def change(manager: Any) -> None:
        authz = manager["http_filters"][0]["typed_config"]["with_request_body"]
        authz |= {"max_request_bytes": 300, "allow_partial_message": partial}

    return change


@pytest.mark.parametrize("partial", [False, True], ids=["refused by Envoy", "cut by Envoy, refused by us"])
def test_a_body_past_the_limit_is_refused(partial: bool) -> None:
    rules, kept, upstream = Rules(), Kept(), Upstream()
    row = Row("", CHAT, chat("a" * 500))
    with (
        serving(upstream) as behind,
        ext_authz(Underway(rules, kept)) as authz,
        running_envoy(behind, authz, narrow(partial)) as (port, _),
    ):
        assert ask(port, row.path, row.text, headers_of(row)).status == 413
        small = Row("", CHAT, chat())
        assert ask(port, small.path, small.text, headers_of(small)).status == 200
    assert [asked[2] for asked in upstream.asked if asked[0] == CHAT] == [small.body]
    if partial:
        assert kept.rows[0][2].status == 413


@pytest.mark.parametrize(("allow", "status"), [(True, 200), (False, 503)], ids=["open", "closed"])
def test_while_we_are_down_envoy_does_as_configured_and_the_exchange_is_counted(allow: bool, status: int) -> None:
    def change(manager: Any) -> None:
        manager["http_filters"][0]["typed_config"]["failure_mode_allow"] = allow

    rules, kept, upstream, port = Rules(), Kept(), Upstream(), free_port()
    underway = Underway(rules, kept, Bounds())
    row = Row("", CHAT, chat("TEMPLATE-7"), "template")
    with serving(upstream) as behind, running_envoy(behind, port, change) as (front, _):
        assert ask(front, row.path, row.text, headers_of(row)).status == status
        with ext_authz(underway, port):
            wait_for(lambda: ask(front, row.path, row.text, headers_of(row)).status == 403)
            if allow:
                wait_for(lambda: underway.counts["unguarded"])
    reached = [asked for asked in upstream.asked if asked[0] == CHAT]
    assert bool(reached) == allow


def test_without_envoys_reports_an_exchange_is_kept_as_not_reported() -> None:
    rules, kept, upstream = Rules(), Kept(), Upstream()

    def quiet(manager: Any) -> None:
        del manager["access_log"][0]

    row = Row("", CHAT, chat())
    with (
        serving(upstream) as behind,
        ext_authz(Underway(rules, kept), access_log=False) as authz,
        running_envoy(behind, authz, quiet) as (port, _),
    ):
        assert ask(port, row.path, row.text, headers_of(row)).status == 200
    assert [row[2].status for row in kept.rows] == [0]


def test_an_account_may_come_in_a_header_that_envoy_sets() -> None:
    rules, kept, upstream = Rules(), Kept(), Upstream()

    def name_it(manager: Any) -> None:
        mutate = {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [{"append": {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                          "header": {"key": "x-account-id", "value": "suspended"}}}]},
        }  # fmt: skip
        manager["http_filters"].insert(0, {"name": "envoy.filters.http.header_mutation", "typed_config": mutate})

    row = Row("", CHAT, chat())
    with contextlib.ExitStack() as stack:
        behind = stack.enter_context(serving(upstream))
        authz = stack.enter_context(ext_authz(Underway(rules, kept), account_header="x-account-id"))
        port, _ = stack.enter_context(running_envoy(behind, authz, name_it))
        assert ask(port, row.path, row.text, headers_of(row) | {"x-account-id": "plain"}).status == 403
    assert rules.arrivals[0].account_id == "suspended"
