"""Envoy access logs: the default text format, and JSON lines of whatever keys the operator chose.

Format and operators: envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage ("Default format
string"). JSON keys are the operator's own; those asked for here are the names of Envoy's examples and of Istio's
default, whose text format has three values more after the flags. Envoy knows neither account nor model unless it was
told, so `--field` must name both. Values that somebody appended to the text format are called `extra_1`, `extra_2` and
so on.
"""

from __future__ import annotations

import re

from stillwatch.ingest.adapters.base import Adapter, Record, Row, drop_empty, first_address, first_of

LINE = re.compile(
    r'\[(?P<start_time>[^\]]+)\] "(?P<method>\S+) (?P<path>.*?) (?P<protocol>\S+)" (?P<response_code>\d+|-) '
    r"(?P<response_flags>\S+) (?:\S+ \S+ \"[^\"]*\" )?(?P<bytes_received>\d+|-) (?P<bytes_sent>\d+|-) "
    r"(?P<duration>\d+|-)(?P<rest>.*)"
)
REST = ("upstream_service_time", "x_forwarded_for", "user_agent", "request_id", "authority", "upstream_host")
VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')
# paths of other work than answering a prompt
OTHER = re.compile(
    r"(^/?$|/(health\w*|ready\w*|live\w*|status|ping|metrics|stats|models|embeddings|moderations|files|images|audio"
    r"|batches|fine_tuning|uploads|rerank|tokenize|count_tokens|favicon\.ico|robots\.txt)(/|\?|$))|count_?tokens",
    re.IGNORECASE,
)

MAPPING = (
    ("exchange_id", "`request_id`, `x_request_id`, `x-request-id`"),
    ("ts", "`start_time`, `timestamp`"),
    ("account_id", "`account_id`, else `--field`"),
    ("model", "`model`, else `--field`"),
    ("input_tokens", "`input_tokens`, else `--field`"),
    ("output_tokens", "`output_tokens`, else `--field`"),
    ("ip", "`x_forwarded_for`, `x-forwarded-for`, `downstream_remote_address`: the first address"),
    ("user_agent", "`user_agent`, `user-agent`"),
    ("tls_fingerprint", "`tls_fingerprint`, `ja4`, `ja3`, `tls_ja3_fingerprint`"),
    ("api_key_id", "`--field`; what stands there is hashed"),
    ("endpoint", "`path`, `x_envoy_origin_path`, `:path`, without its query"),
    ("status", "`response_code`, `status`"),
)


def recognises(record: Record) -> bool:
    """Whether a JSON record looks like a line of an access log: a start, a code, and flags or a protocol of Envoy."""
    coded = "response_code" in record and ("response_flags" in record or "upstream_host" in record)
    return coded and first_of(record, "start_time", "timestamp") is not None


def parse(line: str) -> Record | None:
    """Return the values of a line in the default text format by name; None when it is none."""
    found = LINE.fullmatch(line.strip())
    if found is None:
        return None
    named = found.groupdict()
    values = [re.sub(r"\\(.)", r"\1", quoted) if quoted else bare for quoted, bare in VALUE.findall(named.pop("rest"))]
    named |= dict(zip(REST, values, strict=False))
    return named | {f"extra_{i}": value for i, value in enumerate(values[len(REST) :], 1)}


def read_access(record: Record) -> Row | None:
    """Return the exchange of an access log line; None for other methods than POST and for paths of other work."""
    method = first_of(record, "method", ":method", "request_method")
    path = first_of(record, "path", "x_envoy_origin_path", "x-envoy-original-path", ":path", "request_path")
    if (method is not None and method != "POST") or (path is not None and OTHER.search(str(path))):
        return None
    forwarded = first_of(record, "x_forwarded_for", "x-forwarded-for", "downstream_remote_address", "client_ip")
    row = {
        "exchange_id": first_of(record, "request_id", "x_request_id", "x-request-id"),
        "ts": first_of(record, "start_time", "timestamp"),
        "account_id": first_of(record, "account_id"),
        "model": first_of(record, "model"),
        "input_tokens": first_of(record, "input_tokens"),
        "output_tokens": first_of(record, "output_tokens"),
        "ip": first_address(forwarded),
        "user_agent": first_of(record, "user_agent", "user-agent"),
        "tls_fingerprint": first_of(record, "tls_fingerprint", "ja4", "ja3", "tls_ja3_fingerprint"),
        "endpoint": None if path is None else str(path).partition("?")[0],
        "status": first_of(record, "response_code", "status"),
    }
    return drop_empty(row)


ENVOY = Adapter(
    name="envoy",
    title="Envoy access logs",
    source="Envoy documentation: access log usage, default format string and JSON format dictionaries",
    mapping=MAPPING,
    recognises=recognises,
    reads=read_access,
    parse=parse,
)
