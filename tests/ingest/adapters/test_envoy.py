from __future__ import annotations

import pytest

from stillwatch.ingest.adapters.base import hash_handle
from stillwatch.model import InputRefused, UsageError
from tests.ingest.adapters.foreign import MOMENT, SECRET, read, rows, write

JSON = {
    "start_time": "2026-01-01T00:00:00.123456Z", "method": "POST", "path": "/v1/chat/completions?beta=1",
    "protocol": "HTTP/2", "response_code": 200, "response_flags": "-", "x_forwarded_for": "203.0.113.9, 10.0.0.1",
    "user_agent": "acme/2.1", "request_id": "r-1", "tenant": "acct-1", "llm": "m-1", "key": SECRET, "sent": 7,
}  # fmt: skip
FIELDS = {"tenant": "account_id", "llm": "model"}
TEXT = (
    '[2026-01-01T00:00:00.123Z] "POST /v1/messages HTTP/2" 429 - 312 0 14 - "203.0.113.9,10.0.0.1" '
    '"acme \\"two\\"/2.1" "r-{n}" "api.example.org" "10.1.2.3:443" "acct-{n}" "m-1"'
)


def test_json_lines_are_exchanges_with_a_field_map(engine, logs) -> None:
    path = write(logs / "access.log", JSON)
    found = read(engine, path, FIELDS | {"key": "api_key_id", "sent": "output_tokens"})
    assert rows(engine, found) == [{
        "exchange_id": "r-1", "ts": MOMENT, "account_id": "acct-1", "model": "m-1", "ip": "203.0.113.9",
        "user_agent": "acme/2.1", "endpoint": "/v1/chat/completions", "status": 200, "output_tokens": 7,
        "api_key_id": hash_handle(SECRET),
    }]  # fmt: skip
    assert found.inputs[0].format == "envoy"


def test_the_default_text_format_is_read_with_what_was_appended_to_it(engine, logs) -> None:
    path = write(logs / "access.log", TEXT.replace("{n}", "1"), TEXT.replace("{n}", "2"))
    found = read(engine, path, {"extra_1": "account_id", "extra_2": "model"})
    one, two = rows(engine, found)
    assert one == {
        "exchange_id": "r-1", "ts": MOMENT.replace(microsecond=123000), "account_id": "acct-1", "model": "m-1",
        "ip": "203.0.113.9", "user_agent": 'acme "two"/2.1', "endpoint": "/v1/messages", "status": 429,
    }  # fmt: skip
    assert two["account_id"] == "acct-2"


def test_the_default_format_of_istio_with_details_is_read(engine, logs) -> None:
    line = TEXT.replace("429 - 312", '429 - via_upstream - "-" 312').replace("{n}", "1")
    (row,) = rows(engine, read(engine, write(logs / "a.log", line), {"extra_1": "account_id", "extra_2": "model"}))
    assert (row["exchange_id"], row["status"]) == ("r-1", 429)


@pytest.mark.parametrize(
    "other",
    [
        {"path": "/healthz"},
        {"path": "/ready"},
        {"path": "/v1/models", "method": "GET"},
        {"path": "/v1/embeddings"},
        {"path": "/v1/messages/count_tokens"},
        {"path": "/"},
    ],
)
def test_other_calls_are_counted_and_left_out(engine, logs, other) -> None:
    found = read(engine, write(logs / "a.ndjson", JSON, JSON | {"request_id": "r-2"} | other), FIELDS)
    assert [row["exchange_id"] for row in rows(engine, found)] == ["r-1"]
    assert (found.inputs[0].skipped, found.rows_read, found.rejected.num_rows) == (1, 1, 0)


def test_a_log_that_names_neither_account_nor_model_says_what_to_map(engine, logs) -> None:
    path = write(logs / "a.ndjson", JSON)
    with pytest.raises(InputRefused, match=r"has no column 'account_id'.*'model'.*--field tenant=account_id"):
        read(engine, path)


def test_a_field_that_no_line_has_is_misuse(engine, logs) -> None:
    with pytest.raises(UsageError, match=r"no input has a column 'tenent', did you mean 'tenant'\?"):
        read(engine, write(logs / "a.ndjson", JSON), {"tenent": "account_id"})


def test_a_line_that_is_no_access_log_is_rejected_with_its_number(engine, logs) -> None:
    lines = [TEXT.replace("{n}", "1"), "upstream connect error", "", TEXT.replace("{n}", "2")]
    found = read(engine, write(logs / "a.log", *lines), {"extra_1": "account_id", "extra_2": "model"})
    assert len(rows(engine, found)) == 2
    (bad,) = found.rejected.to_pylist()
    assert (bad["row"], bad["field"], bad["value"]) == (2, "<line>", "<line of 22 characters>")
    assert "Envoy" in bad["mend"]
