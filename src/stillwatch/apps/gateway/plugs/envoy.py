"""Envoy asks over gRPC: `ext_authz` for the decision, and its access log service tells how each exchange ended.

ext_authz can refuse a request and change its headers, no body. What a rule lowers or drops is therefore told to the
upstream in headers, and counted as not done here.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.actions.refusal import alterations
from stillwatch.apps.gateway.apis.naming import Names
from stillwatch.apps.gateway.apis.refusals import refuse
from stillwatch.apps.gateway.exchange import CLIENT_LEFT
from stillwatch.apps.gateway.plugs.paths import asks
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.plugs.undecided import CUT
from stillwatch.apps.gateway.plugs.underway import NOT_REPORTED, Underway
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import MissingDependency

try:
    import grpc

    from stillwatch.apps.gateway.plugs import envoy_messages as messages
except ImportError as missing:
    raise MissingDependency("Envoy's services need grpcio and protobuf: pip install 'stillwatch[gateway]'") from missing

logger = logging.getLogger("stillwatch.gateway")
LENGTH = b"content-length"  # which Envoy sets itself
FILTER = "envoy.filters.http.ext_authz"  # where Envoy keeps what we tell about an exchange
PARTIAL = "x-envoy-auth-partial-body"
EXCHANGE, MOST_OUTPUT, DROP = "x-stillwatch-exchange", "x-stillwatch-max-output-tokens", "x-stillwatch-drop"
ALTER = "x-stillwatch-alter"
OURS = (EXCHANGE, MOST_OUTPUT, DROP, ALTER)  # nobody else may set them
LARGEST = 64 << 20  # bytes of one question


@dataclass(frozen=True, slots=True)
class Options:
    """How Envoy is set up. Headers named here must be set by Envoy itself, never by a client."""

    names: Names  # what stands for keys and handles
    account_header: str | None = None  # None: what the client's key stands for
    fingerprint_header: str | None = None
    channel: str | None = None
    access_log: bool = True  # Envoy reports outcomes; without it an exchange is recorded when it is allowed


class Authorization:
    """Answers `envoy.service.auth.v3.Authorization`."""

    def __init__(self, underway: Underway, options: Options) -> None:
        self._underway, self._options = underway, options
        self.counts: Counter[str] = Counter()

    async def Check(self, request: Any, context: Any) -> Any:
        """Return whether a request may pass."""
        del context
        attributes = request.attributes
        http = attributes.request.http
        if not asks(http.method, http.path):
            return _ok({}, {})
        headers = dict(http.headers)
        arrival = arrival_of(self._asked(attributes, headers), self._options.names)
        if headers.get(PARTIAL) == "true":
            self._underway.refuse(arrival, CUT)
            return _denied(CUT, arrival)
        decision = self._underway.decide(arrival)
        if decision.effect.refused:
            return _denied(decision, arrival)
        if not self._options.access_log:
            self._underway.end(arrival.exchange_id, Outcome(NOT_REPORTED))
        return _ok(self._orders(decision, arrival), told_of(decision, arrival))

    def _asked(self, attributes: Any, headers: Mapping[str, str]) -> Asked:
        http = attributes.request.http
        peer = attributes.source.address.socket_address.address or None
        named = self._options.account_header
        printed = self._options.fingerprint_header
        return Asked(
            path=http.path,
            headers=headers,
            body=http.raw_body or http.body.encode("utf-8", "replace"),
            account_id=headers.get(named) if named else None,
            ip=headers.get("x-envoy-external-address") or peer,
            tls_fingerprint=headers.get(printed) if printed else None,
            channel=self._options.channel,
        )

    def _orders(self, decision: Decision, arrival: Arrival) -> dict[str, str]:
        """Return the headers that tell the upstream what a rule wants and Envoy cannot do."""
        effect, orders = decision.effect, {EXCHANGE: arrival.exchange_id}
        if effect.max_output_tokens is not None:
            orders[MOST_OUTPUT] = str(effect.max_output_tokens)
        if effect.drop:
            orders[DROP] = ",".join(sorted(effect.drop))
        rest = alterations(replace(effect, drop=frozenset(), max_output_tokens=None))
        if rest:
            orders[ALTER] = rest
        if len(orders) > 1:
            self.counts["left to the upstream"] += 1
            if self.counts["left to the upstream"] == 1:
                logger.warning("rule %s alters answers: Envoy leaves that to the upstream, by headers", decision.rule)
        return orders


def told_of(decision: Decision, arrival: Arrival) -> dict[str, str]:
    """Return what Envoy's own logs can say about an exchange."""
    return {
        "exchange_id": arrival.exchange_id, "account_id": arrival.account_id, "model": arrival.model,
        "action": str(decision.action), "rule": decision.rule, "reason": decision.reason,
    }  # fmt: skip


def _ok(orders: Mapping[str, str], told: Mapping[str, str]) -> Any:
    answer = {
        "headers": [_header(name, value) for name, value in orders.items()],
        "headers_to_remove": [name for name in OURS if name not in orders],
    }
    return _told(messages.CheckResponse(status=_status(grpc.StatusCode.OK), ok_response=answer), told)


def _denied(decision: Decision, arrival: Arrival) -> Any:
    said = refuse(decision, arrival.api, arrival.exchange_id)
    answer = {
        "status": {"code": said.status},
        "headers": [_header(name.decode(), value.decode("latin-1")) for name, value in said.headers if name != LENGTH],
        "body": said.body.decode(),
    }
    code = grpc.StatusCode.RESOURCE_EXHAUSTED if said.status == 429 else grpc.StatusCode.PERMISSION_DENIED
    made = messages.CheckResponse(status=_status(code), denied_response=answer)
    return _told(made, told_of(decision, arrival))


def _status(code: Any) -> dict[str, int]:
    return {"code": code.value[0]}


def _told(made: Any, told: Mapping[str, str]) -> Any:
    for name, value in told.items():
        made.dynamic_metadata.fields[name].string_value = value
    return made


def _header(name: str, value: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": value}, "append_action": messages.OVERWRITE_IF_EXISTS_OR_ADD}


class AccessLogs:
    """Answers `envoy.service.accesslog.v3.AccessLogService`: an exchange is recorded with the status it ended with."""

    def __init__(self, underway: Underway) -> None:
        self._underway = underway
        self.counts: Counter[str] = Counter()

    async def StreamAccessLogs(self, reports: AsyncIterator[Any], context: Any) -> Any:
        """Take entries until Envoy ends the stream."""
        del context
        async for message in reports:
            for entry in message.http_logs.log_entry:
                self._take(entry)
        return messages.StreamAccessLogsResponse()

    def _take(self, entry: Any) -> None:
        told = entry.common_properties.metadata.filter_metadata
        exchange_id = told[FILTER].fields["exchange_id"].string_value if FILTER in told else ""
        if not exchange_id:
            self._unguarded(entry)
        elif not self._underway.has_ended(exchange_id):
            status = entry.response.response_code.value or CLIENT_LEFT
            self.counts["ended" if self._underway.end(exchange_id, Outcome(status)) else "unknown"] += 1

    def _unguarded(self, entry: Any) -> None:
        """Count what passed without a decision, as Envoy lets it with `failure_mode_allow` while we are down."""
        if asks(_method(entry), entry.request.path) and entry.response.response_code.value < 400:
            self.counts["unguarded"] += 1
            self._underway.counts["unguarded"] += 1
            logger.warning("Envoy let request %s pass without a decision", entry.request.request_id)


def _method(entry: Any) -> str:
    place = entry.request.request_method
    return messages.METHODS[place] if 0 <= place < len(messages.METHODS) else ""


async def serve(underway: Underway, address: str, options: Options) -> tuple[Any, int]:
    """Start both services on an address (`127.0.0.1:9191`, `unix:/run/stillwatch.sock`); return server and port.

    Stop it with `await server.stop(grace)`, then close what is under way.
    """
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", LARGEST)])
    check, stream = Authorization(underway, options).Check, AccessLogs(underway).StreamAccessLogs
    server.add_generic_rpc_handlers(messages.handlers(check, stream))
    port = server.add_insecure_port(address)
    await server.start()
    return server, port
