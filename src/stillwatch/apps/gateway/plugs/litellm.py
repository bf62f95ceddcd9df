"""LiteLLM: a guardrail that decides on every route of its proxy, and a logger that says which calls it did not see.

Both run in the proxy's process and ask `/v1/decide`; they need no more of stillwatch's dependencies than LiteLLM has.
"""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from stillwatch.actions.decision import Decision
from stillwatch.actions.refusal import error_type, headers, problem
from stillwatch.apps.gateway.apis.altering import AlteredStream
from stillwatch.apps.gateway.apis.endpoints import ANTHROPIC
from stillwatch.apps.gateway.apis.lowering import lowered, unlowered
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.apps.gateway.plugs.calls import (
    arrival_of_call,
    arrival_of_log,
    is_of_a_client,
    outcome_of_call,
    status_of_call,
)
from stillwatch.apps.gateway.plugs.client import AsyncClient
from stillwatch.apps.gateway.plugs.service import Service
from stillwatch.apps.gateway.plugs.underway import UNGUARDED
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.model import MissingDependency, UsageError

try:
    from fastapi import HTTPException
    from litellm.integrations.custom_guardrail import CustomGuardrail
    from litellm.integrations.custom_logger import CustomLogger
    from litellm.proxy._types import ProxyException
except ImportError as missing:
    raise MissingDependency("the plug for LiteLLM runs inside its proxy: pip install 'litellm[proxy]'") from missing

log = logging.getLogger("stillwatch.gateway")
MARK = "stillwatch_exchange_id"  # in LiteLLM's own record of a call, which no client can write
KEPT = 100_000  # calls between decision and log
HOOKS = ("pre_call", "post_call")  # where it always runs, whatever a key, a team or a request switches off


@dataclass(frozen=True, slots=True)
class Seen:
    """A call that the guardrail decided about."""

    arrival: Arrival
    decision: Decision
    announced: Decision  # what the client is told; less where nothing had to be lowered
    told: bool = False


class Book:
    """Calls between the guardrail and the logger, which share a process."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Seen] = OrderedDict()
        self.counts: Counter[str] = Counter()  # decided, refused, told, unguarded

    def write(self, arrival: Arrival, decision: Decision) -> None:
        """Note a decision."""
        self._seen[arrival.exchange_id] = Seen(arrival, decision, decision)
        self.counts["decided"] += 1
        while len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    def find(self, details: Mapping[str, Any] | None) -> Seen | None:
        """Return what was decided about the call of a record of LiteLLM's."""
        return self._seen.get(str((details or {}).get(MARK)))

    def announce(self, arrival: Arrival, announced: Decision) -> None:
        """Note what the client is told of a decision."""
        seen = self._seen[arrival.exchange_id]
        self._seen[arrival.exchange_id] = replace(seen, announced=announced)

    def close(self, seen: Seen) -> None:
        """Note that the end of a call was told."""
        self._seen[seen.arrival.exchange_id] = replace(seen, told=True)


BOOK = Book()


class StillwatchGuardrail(CustomGuardrail):
    """Refuses, lowers and drops as `/v1/decide` says. No key, team or request can switch it off."""

    def __init__(self, **settings: Any) -> None:
        """Raise UsageError for settings under which LiteLLM would call it for some requests only."""
        modes = settings.get("event_hook")
        if "pre_call" not in (modes if isinstance(modes, list) else [modes]):
            raise UsageError("the stillwatch guardrail needs mode: pre_call in LiteLLM's configuration")
        if settings.get("default_on") is not True:
            raise UsageError("the stillwatch guardrail needs default_on: true in LiteLLM's configuration")
        super().__init__(**settings)
        self._client = AsyncClient(Service.from_environment())

    def should_run_guardrail(self, data: Any, event_type: Any) -> bool:
        """Return whether it runs at a hook: before and after every call."""
        del data
        return str(getattr(event_type, "value", event_type)) in HOOKS

    async def async_pre_call_hook(self, user_api_key_dict: Any, cache: Any, data: Any, call_type: str) -> Any:
        """Decide about a call; raises HTTPException with the refusal."""
        del cache
        details = _details(data)
        earlier = BOOK.find(details)
        if earlier is not None:  # LiteLLM may ask twice about one call
            return data
        arrival = arrival_of_call(data, user_api_key_dict, call_type)
        decision = await self._client.decide(arrival)
        BOOK.write(arrival, decision)
        if details is not None:
            details[MARK] = arrival.exchange_id
        if decision.effect.refused:
            BOOK.counts["refused"] += 1
            raise refusal(decision, arrival)
        changes = lowered(data, arrival.endpoint, decision.effect.max_output_tokens)
        if changes:
            data.update(changes)
        else:
            BOOK.announce(arrival, unlowered(decision))
        return data

    async def async_post_call_success_hook(self, data: Any, user_api_key_dict: Any, response: Any) -> Any:
        """Alter an answer as the decision says."""
        del user_api_key_dict
        seen = BOOK.find(_details(data))
        for step in () if seen is None else steps_for(seen.decision.effect):
            response = step.whole(response)
        return response

    async def async_post_call_streaming_iterator_hook(
        self, user_api_key_dict: Any, response: Any, request_data: Any
    ) -> AsyncIterator[Any]:
        """Alter a stream as the decision says."""
        del user_api_key_dict
        seen = BOOK.find(_details(request_data))
        steps = () if seen is None else steps_for(seen.decision.effect)
        if not steps:
            async for chunk in response:
                yield chunk
            return
        passing, objects = AlteredStream(steps), False
        async for chunk in response:
            told = chunk.encode() if isinstance(chunk, str) else chunk
            objects = objects or not isinstance(told, bytes)
            for made in (passing.feed(told),) if isinstance(told, bytes) else passing.events(told):
                if made:
                    yield made
        for rest in passing.events.end() if objects else (passing.rest(),):
            if rest:
                yield rest

    async def async_post_call_response_headers_hook(
        self, data: Any, user_api_key_dict: Any, response: Any, request_headers: Any = None
    ) -> dict[str, str] | None:
        """Tell the client that its answer was altered."""
        del user_api_key_dict, response, request_headers
        seen = BOOK.find(_details(data))
        if seen is None or seen.decision.effect.refused:
            return None
        return headers(seen.announced) or None


class StillwatchLogger(CustomLogger):
    """Tells how calls ended. A call that was answered and not decided about is kept as `unguarded`, and said."""

    def __init__(self) -> None:
        super().__init__()
        self._client = AsyncClient(Service.from_environment())

    async def async_log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Tell that a call was answered."""
        del start_time, end_time
        seen, outcome = BOOK.find(kwargs), outcome_of_call(kwargs, response_obj, 200)
        if seen is not None:
            await self._tell(seen, outcome)
        elif is_of_a_client(kwargs):
            await self._unguarded(kwargs, outcome)

    async def async_log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        """Tell that a call failed. One that failed before it could be decided about is LiteLLM's own refusal."""
        del start_time, end_time
        seen = BOOK.find(kwargs)
        if seen is not None and not seen.decision.effect.refused:
            await self._tell(seen, outcome_of_call(kwargs, response_obj, status_of_call(kwargs)))

    async def _tell(self, seen: Seen, outcome: Outcome) -> None:
        if not seen.told:  # LiteLLM logs some calls twice
            BOOK.close(seen)
            BOOK.counts["told"] += 1
            await self._client.tell(seen.arrival, seen.decision, outcome)

    async def _unguarded(self, kwargs: Mapping[str, Any], outcome: Outcome) -> None:
        BOOK.counts["unguarded"] += 1
        kind = str(kwargs.get("call_type"))
        log.error("LiteLLM answered a call (%s) that the stillwatch guardrail did not see", kind)
        await self._client.tell(arrival_of_log(kwargs, kind), UNGUARDED, outcome, unguarded=True)


def refusal(decision: Decision, arrival: Arrival) -> Exception:
    """Return the exception that LiteLLM answers as a refusal, in the shape of the interface that was called."""
    told, said = headers(decision), problem(decision, arrival.exchange_id)
    detail = {**said, "error": said["detail"]}
    if arrival.api == ANTHROPIC:  # whose route of LiteLLM's answers an HTTPException without its headers
        kind, status = error_type(decision.effect.status), decision.effect.status
        raised: Exception = ProxyException(said["detail"], kind, None, status, told, provider_specific_fields=detail)
        return raised
    made: Exception = HTTPException(decision.effect.status, detail, told)
    return made


def _details(data: Mapping[str, Any]) -> dict[str, Any] | None:
    details = getattr(data.get("litellm_logging_obj"), "model_call_details", None)
    return details if isinstance(details, dict) else None


def __getattr__(name: str) -> Any:
    """Make the logger when LiteLLM's configuration first names it, so that it then has its settings."""
    if name != "logger":
        raise AttributeError(name)
    made = globals()["logger"] = StillwatchLogger()
    return made
