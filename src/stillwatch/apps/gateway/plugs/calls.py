"""A call as LiteLLM holds it, at its guardrails and in its log, and what of it an exchange is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stillwatch.apps.gateway.apis.naming import DIGEST, DIGESTS, MARK, digest
from stillwatch.apps.gateway.apis.reading import fields_of, outcome_of, read_asked
from stillwatch.apps.gateway.plugs.paths import place_of
from stillwatch.apps.gateway.plugs.reading import ANONYMOUS, new_id, now
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.ingest.adapters.base import first_address

ROUTES = {
    "completion": "chat.completions", "acompletion": "chat.completions", "embeddings": "embeddings",
    "embedding": "embeddings", "aembedding": "embeddings", "responses": "responses", "aresponses": "responses",
    "anthropic_messages": "messages",
}  # fmt: skip


def arrival_of_call(data: Mapping[str, Any], auth: Any, call_type: str) -> Arrival:
    """Return the arrival of a call as the guardrail meets it."""
    met = data.get("proxy_server_request") or {}
    held = data.get("litellm_metadata") or data.get("metadata") or {}
    owner = [getattr(auth, name, None) for name in ("user_id", "team_id", "api_key")]
    key = _key(owner[2])
    account = next((str(each) for each in owner[:2] if each), key)
    path = str(getattr(auth, "request_route", None) or _path(met)) or ROUTES.get(call_type, call_type)
    return _arrival(data, path, met.get("headers") or {}, (account, key, held.get("requester_ip_address")))


def arrival_of_log(kwargs: Mapping[str, Any], call_type: str) -> Arrival:
    """Return the arrival of a call as the logger meets it, when nobody decided about it."""
    params, said = kwargs.get("litellm_params") or {}, kwargs.get("standard_logging_object") or {}
    met, of = params.get("proxy_server_request") or {}, said.get("metadata") or {}
    key = _key(of.get("user_api_key_hash"))
    account = next((str(of[n]) for n in ("user_api_key_user_id", "user_api_key_team_id") if of.get(n)), key)
    sent = met.get("body")
    body = sent if isinstance(sent, dict) else {"model": kwargs.get("model")}
    path = _path(met) or ROUTES.get(call_type, call_type)
    return _arrival(body, path, met.get("headers") or {}, (account, key, said.get("requester_ip_address")))


def _arrival(
    body: Mapping[str, Any], path: str, headers: Mapping[str, Any], who: tuple[str | None, str | None, str | None]
) -> Arrival:
    named = {str(name).lower(): str(value) for name, value in headers.items()}
    api, endpoint = place_of(path, named)
    account, key, address = who
    return Arrival(
        exchange_id=new_id(), ts=now(), account_id=account or ANONYMOUS, api=api,
        endpoint=endpoint, ip=first_address(address) or None, user_agent=named.get("user-agent"), api_key_id=key,
        **fields_of(read_asked(body, endpoint, DIGESTS.handle)),
    )  # fmt: skip


def outcome_of_call(kwargs: Mapping[str, Any], answer: Any, status: int) -> Outcome:
    """Return how a call ended, by LiteLLM's own counts."""
    said = kwargs.get("standard_logging_object") or {}
    body = answer.model_dump() if hasattr(answer, "model_dump") else answer
    read = outcome_of(status, body, DIGESTS.handle)
    return replace(
        read,
        input_tokens=said.get("prompt_tokens") or read.input_tokens,
        output_tokens=said.get("completion_tokens") or read.output_tokens,
    )


def status_of_call(kwargs: Mapping[str, Any]) -> int:
    """Return the status that a failed call was answered with."""
    said = (kwargs.get("standard_logging_object") or {}).get("error_information") or {}
    code = str(said.get("error_code") or "")
    return int(code) if code.isdigit() and 100 <= int(code) <= 599 else 500


def _key(told: Any) -> str | None:
    """Return the marked SHA-256 of a key; LiteLLM mostly holds no more of a key than that."""
    if not told:
        return None
    return MARK + (str(told) if DIGEST.fullmatch(str(told)) else digest(told))


def _path(met: Mapping[str, Any]) -> str:
    url = str(met.get("url") or "")
    return "/" + url.split("://", 1)[-1].partition("/")[2].partition("?")[0] if url else ""


def is_of_a_client(kwargs: Mapping[str, Any]) -> bool:
    """Whether a call came through the proxy: its own checks of health do not."""
    return bool((kwargs.get("litellm_params") or {}).get("proxy_server_request"))
