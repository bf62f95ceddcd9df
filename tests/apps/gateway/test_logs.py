from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from stillwatch.actions.decision import ALLOWED
from stillwatch.apps.gateway.logs import NUMBERS, TEXTS, RequestLog, configure
from stillwatch.apps.gateway.seams import Outcome
from tests.apps.gateway.recording.small import DENIED, OK, SHADOW, arrival

SECRETS = ("sk-ant-abcdefghij0123456789", "Bearer abc.def.ghi", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")
PROMPT = "tell me a secret about zanzibar"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    others = [logging.getLogger(name) for name in ("stillwatch.gateway", "uvicorn.error", "uvicorn.access")]
    levels = [each.level for each in others]
    for each in others:  # a server that ran in this process before has quietened some
        each.setLevel(logging.NOTSET)
    configure("debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for each, before in zip(others, levels, strict=True):
        each.setLevel(before)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """What was logged since this was last asked."""
    found = [json.loads(line) for line in out.getvalue().splitlines()]
    out.seek(0)
    out.truncate()
    return found


def test_a_request_is_one_line_with_known_keys(out: io.StringIO) -> None:
    RequestLog(1.0).request(arrival(1, model="m-large"), SHADOW, OK, (0.5, 0.0004))
    (line,) = lines(out)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info", "logger": "stillwatch.gateway.request", "event": "request", "exchange_id": "e00001",
        "account_id": "a1", "api": "openai", "endpoint": "chat.completions", "model": "m-large", "decision": "allow",
        "would": "deny", "rule": "r1", "reason": "known-campaign", "campaign_id": "c-1", "status": 200,
        "input_tokens": 120, "output_tokens": 80, "duration_ms": 500.0, "added_ms": 0.4,
    }  # fmt: skip


def test_what_went_wrong_is_always_logged_and_the_rest_by_its_share(out: io.StringIO) -> None:
    for share, expected in ((0.0, 0), (0.25, 250), (1.0, 1_000)):
        log = RequestLog(share)
        for number in range(1_000):
            log.request(arrival(number), ALLOWED, OK, (0.1, 0.0))
        assert abs(len(lines(out)) - expected) < 60
    RequestLog(0.0).request(arrival(1), DENIED, Outcome(403), (0.1, 0.0))
    RequestLog(0.0).request(arrival(2), ALLOWED, Outcome(502), (0.1, 0.0))
    assert [(line["status"], line["level"]) for line in lines(out)] == [(403, "info"), (502, "warning")]


@pytest.mark.parametrize("secret", [*SECRETS, PROMPT])
def test_no_prompt_key_or_secret_can_be_in_a_line_however_it_is_tried(out: io.StringIO, secret: str) -> None:
    ours, theirs = logging.getLogger("stillwatch.gateway"), logging.getLogger("uvicorn.error")
    ours.info(secret)
    ours.info("failed %s", secret)
    ours.info(f"it said {secret}")
    ours.info("event-name", extra={"prompt": secret, "response": secret, "authorization": secret, "headers": [secret]})
    theirs.warning("Invalid request: %s", secret)
    theirs.warning(ValueError(secret))
    try:
        raise ValueError(secret)
    except ValueError:
        ours.exception("relay-failed", extra={"upstream": "first"})
    RequestLog(1.0).request(arrival(1, prompt=secret, system_prompt=secret), ALLOWED, OK, (0.1, 0.0))
    RequestLog(1.0).request(arrival(2, model=secret), ALLOWED, Outcome(404, response=secret), (0.1, 0.0))
    text = out.getvalue()
    assert not any(word in text for word in secret.split() if len(word) > 6)
    assert len(lines(out)) == 9


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("key", TEXTS)
def test_a_key_in_an_allowed_place_is_blotted_out(out: io.StringIO, key: str, secret: str) -> None:
    logging.getLogger("stillwatch.gateway").info("reloaded", extra={key: f"at {secret} now"})
    assert secret.split()[-1] not in out.getvalue()
    assert "[secret]" in lines(out)[0][key]


def test_a_value_is_short_and_of_one_line(out: io.StringIO) -> None:
    logging.getLogger("stillwatch.gateway").info("reloaded", extra={"route": 'a\n{"event": "x"}' + "y" * 5_000})
    (line,) = lines(out)
    assert len(line["route"]) <= 200
    assert "\n" not in line["route"]
    assert '"' not in line["route"]


def test_numbers_are_numbers_or_left_out(out: io.StringIO) -> None:
    logging.getLogger("stillwatch.gateway").info("reloaded", extra=dict.fromkeys(NUMBERS, PROMPT) | {"status": 200})
    (line,) = lines(out)
    assert line["status"] == 200
    assert not set(NUMBERS) - {"status"} & set(line)


def test_an_exception_is_told_by_kind_and_place(out: io.StringIO) -> None:
    try:
        json.loads("{" + PROMPT)
    except ValueError:
        logging.getLogger("stillwatch.gateway").exception("relay-failed")
    (line,) = lines(out)
    assert (line["event"], line["level"], line["error"]) == ("relay-failed", "error", "JSONDecodeError")
    assert line["at"].startswith("decoder.py:")


def test_words_of_other_libraries_are_told_by_their_place(out: io.StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 7)
    logging.getLogger("uvicorn.access").info("GET /v1/models?key=abc")
    (line,) = lines(out)
    assert (line["event"], line["logger"]) == ("unnamed", "uvicorn.error")
    assert line["at"].startswith("test_logs.py:")
