"""LiteLLM spend logs: what `/spend/logs` answers, and rows of the proxy's table `LiteLLM_SpendLogs`.

Names: `model LiteLLM_SpendLogs` in `litellm/proxy/schema.prisma`, and `SpendLogsPayload` in `litellm/proxy/_types.py`,
version 1.106.2. `api_key` holds the hash of the virtual key. Prompts are there only with the proxy's setting
`store_prompts_in_spend_logs`, and then as the body of the call in `proxy_server_request`.
"""

from __future__ import annotations

from collections.abc import Iterable

from stillwatch.ingest.adapters.base import (
    Adapter,
    Record,
    Row,
    as_json,
    as_record,
    drop_empty,
    first_address,
    first_of,
    has_keys,
    name_key,
)  # fmt: skip
from stillwatch.ingest.adapters.conversation import read_answer, read_messages, read_request

TAG = "User-Agent: "
NO_EXCHANGE = (
    "embedding", "image", "speech", "transcription", "moderation", "rerank", "file", "batch", "fine_tuning", "search",
    "mcp", "vector_store", "ocr", "video", "health", "list", "delete", "cancel", "token_count", "realtime",
)  # fmt: skip

MAPPING = (
    ("exchange_id", "`litellm_call_id`, `request_id`"),
    ("ts", "`startTime`"),
    ("account_id", "`user`, `end_user`, `team_id`, `api_key`"),
    ("model", "`model`"),
    ("prompt", "`messages`, `proxy_server_request`: last user message"),
    ("system_prompt", "the same: `system`, `instructions`, system messages"),
    ("tools", "`proxy_server_request.tools`"),
    ("turns", "number of messages beside system ones"),
    ("input_tokens", "`prompt_tokens`"),
    ("output_tokens", "`completion_tokens`"),
    ("max_tokens", "`proxy_server_request.max_tokens` and its kin"),
    ("temperature", "`proxy_server_request.temperature`"),
    ("n", "`proxy_server_request.n`"),
    ("stream", "`proxy_server_request.stream`"),
    ("ip", "`requester_ip_address`"),
    ("user_agent", "`metadata.user_agent`, the tag `User-Agent: …` of `request_tags`"),
    ("api_key_id", "`api_key`, a hash"),
    ("channel", "`custom_llm_provider`"),
    ("endpoint", "`call_type`"),
    ("status", "`status`: 200 for `success`, else `metadata.error_information.error_code`"),
    ("artefacts_out", "hashes of handles in `response`"),
    ("artefacts_in", "hashes of handles in `proxy_server_request`"),
    ("response", "`response`"),
)


def recognises(record: Record) -> bool:
    """Whether a record is a spend log, or a page of them."""
    if isinstance(record.get("data"), list):
        return any(isinstance(each, dict) and recognises(each) for each in record["data"][:1])
    return has_keys(record, "request_id", "startTime", "call_type", "api_key")


def unpack(record: Record) -> Iterable[Record]:
    """Yield the rows of a page (`/spend/logs/v2`), or the row itself."""
    return record["data"] if isinstance(record.get("data"), list) else (record,)


def read_spend_log(record: Record) -> Row | None:
    """Return the exchange of a spend log; None for calls of other kinds (embeddings, images, files, tools)."""
    kind = str(record.get("call_type") or "")
    if any(word in kind for word in NO_EXCHANGE):
        return None
    asked, metadata = as_record(record.get("proxy_server_request")), as_record(record.get("metadata"))
    said = read_answer(as_record(record.get("response")))
    row = read_messages(as_json(record.get("messages"))) | read_request(asked)
    row |= {name: said[name] for name in ("response", "artefacts_out") if name in said}
    row |= {
        "exchange_id": first_of(record, "litellm_call_id", "request_id"),
        "ts": record.get("startTime"),
        "account_id": first_of(record, "user", "end_user", "team_id", "api_key"),
        "model": first_of(record, "model", "model_group"),
        "input_tokens": record.get("prompt_tokens"),
        "output_tokens": record.get("completion_tokens"),
        "ip": first_address(first_of(record, "requester_ip_address")),
        "user_agent": first_of(metadata, "user_agent") or _tagged(record.get("request_tags")),
        "api_key_id": name_key(record.get("api_key")),
        "channel": record.get("custom_llm_provider"),
        "endpoint": kind,
        "status": _status(record.get("status"), metadata),
    }
    return drop_empty(row)


def _status(said: object, metadata: Record) -> object:
    if said == "success":
        return 200
    return first_of(as_record(metadata.get("error_information")), "error_code")


def _tagged(tags: object) -> str | None:
    tags = as_json(tags)
    named = [each[len(TAG) :] for each in tags if str(each).startswith(TAG)] if isinstance(tags, list) else []
    return max(named, key=len, default=None)


LITELLM = Adapter(
    name="litellm",
    title="LiteLLM spend logs",
    source="litellm/proxy/schema.prisma and litellm/proxy/_types.py, LiteLLM 1.106.2",
    mapping=MAPPING,
    recognises=recognises,
    reads=read_spend_log,
    unpack=unpack,
)
