"""Dumps of requests and responses: one JSON object a line with both bodies, as clients and gateways of OpenAI's and
Anthropic's interfaces record them.

The bodies are those of the interfaces (chat completions, completions, responses; messages), whose names
`conversation` cites. Around them stand `request`, `response` and what the recorder knew, under our own column names or
the usual others; `headers` of the request serve where they hold it. A key found there is hashed.
"""

from __future__ import annotations

from stillwatch.ingest.adapters.base import (
    Adapter,
    Record,
    Row,
    as_record,
    drop_empty,
    first_address,
    first_of,
    name_key,
)
from stillwatch.ingest.adapters.conversation import read_answer, read_request

MAPPING = (
    ("exchange_id", "`exchange_id`, `id`, `request_id`, `response.id`"),
    ("ts", "`ts`, `timestamp`, `time`, `created_at`, `response.created`, `response.created_at`"),
    ("account_id", "`account_id`, `organization`, `user_id`, `user`, else the hash of the key"),
    ("model", "`response.model`, `request.model`"),
    ("prompt", "`request.messages`, `request.input`, `request.prompt`: last user message"),
    ("system_prompt", "`request.system`, `request.instructions`, system and developer messages"),
    ("tools", "`request.tools`: names"),
    ("turns", "number of messages beside system ones"),
    ("input_tokens", "`response.usage.input_tokens` with cached ones, `.prompt_tokens`"),
    ("output_tokens", "`response.usage.output_tokens`, `.completion_tokens`"),
    ("max_tokens", "`request.max_tokens`, `.max_completion_tokens`, `.max_output_tokens`"),
    ("temperature", "`request.temperature`"),
    ("n", "`request.n`"),
    ("stream", "`request.stream`"),
    ("ip", "`ip`, `client_ip`, `headers.x-forwarded-for`"),
    ("user_agent", "`user_agent`, `headers.user-agent`"),
    ("tls_fingerprint", "`tls_fingerprint`"),
    ("api_key_id", "`api_key_id`; hash of `api_key`, `headers.x-api-key`, `headers.authorization`"),
    ("channel", "`channel`"),
    ("endpoint", "`endpoint`, `path`, `url`"),
    ("status", "`status`, `status_code`, `response.status_code`"),
    ("artefacts_out", "hashes of `encrypted_content`, thinking `signature`, redacted `data`, and of `resp_…` ids"),
    ("artefacts_in", "the same in the request, and of `previous_response_id`"),
    ("response", "words of the answer"),
)
ASKS = ("messages", "input", "prompt")


def recognises(record: Record) -> bool:
    """Whether a record holds the body of a request to a model."""
    body = as_record(record.get("request"))
    body = as_record(body.get("body")) or body
    return "model" in body and any(name in body for name in ASKS)


def read_dump(record: Record) -> Row | None:
    """Return the exchange of a request and its response; None where the request asks no model for an answer."""
    outer, answer = as_record(record.get("request")), as_record(record.get("response"))
    asked, said = as_record(outer.get("body")) or outer, as_record(answer.get("body")) or answer
    if not any(name in asked for name in ASKS) or said.get("object") == "list":  # a list answers embeddings
        return None
    headers = as_record(record.get("headers")) or as_record(outer.get("headers"))
    headers = {str(name).lower(): value for name, value in headers.items()}
    key = first_of(record, "api_key") or first_of(headers, "x-api-key", "api-key", "authorization")
    key_id = name_key(first_of(record, "api_key_id")) or name_key(key)
    row = read_request(asked) | read_answer(said)
    row |= {
        "exchange_id": first_of(record, "exchange_id", "id", "request_id") or said.get("id"),
        "ts": first_of(record, "ts", "timestamp", "time", "created_at") or first_of(said, "created_at", "created"),
        "account_id": first_of(record, "account_id", "organization", "user_id", "user") or key_id,
        "ip": first_address(first_of(record, "ip", "client_ip") or headers.get("x-forwarded-for")),
        "user_agent": first_of(record, "user_agent") or headers.get("user-agent"),
        "tls_fingerprint": record.get("tls_fingerprint"),
        "api_key_id": key_id,
        "channel": record.get("channel"),
        "endpoint": first_of(record, "endpoint", "path", "url") or outer.get("url"),
        "status": first_of(record, "status", "status_code") or answer.get("status_code"),
    }
    return drop_empty(row)


DUMP = Adapter(
    name="dump",
    title="OpenAI-style and Anthropic-style request and response dumps",
    source="API references: platform.openai.com/docs/api-reference, docs.anthropic.com/en/api/messages",
    mapping=MAPPING,
    recognises=recognises,
    reads=read_dump,
)
