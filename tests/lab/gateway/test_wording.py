"""What a log says of an exchange is what the gateway reads of it when it is sent again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stillwatch.apps.gateway.apis.endpoints import CHAT, MESSAGES, Endpoint
from stillwatch.apps.gateway.apis.naming import Namer
from stillwatch.apps.gateway.apis.reading import outcome_of, read_asked
from stillwatch.apps.gateway.apis.streams import Listener
from stillwatch.lab.gateway.program import find_key
from stillwatch.lab.gateway.wording import answer_to, body_of, headers_of, key_of, path_of, request_of

NAME = Namer(b"a secret of the lab")
ROW: dict[str, Any] = {
    "exchange_id": "e-1", "account_id": "a-1", "api_key_id": "key_1", "model": "aster-2", "prompt": "Why, then?",
    "system_prompt": "Be brief.", "tools": ["look_up", "write"], "turns": 5, "max_tokens": 900, "temperature": 0.5,
    "n": None, "stream": False, "ip": "192.0.2.7", "asn": 64_500, "country": "NZ", "user_agent": "curl/8",
    "tls_fingerprint": "t13d", "endpoint": "/v1/messages", "status": 200, "input_tokens": 12, "output_tokens": 34,
    "artefacts_in": ["h1", "h2"], "artefacts_out": ["h3"],
}  # fmt: skip
CHATTED = ROW | {"endpoint": "/v1/chat/completions", "n": 3}
ENDPOINTS = [(ROW, MESSAGES), (CHATTED, CHAT)]
ASKED = ("model", "prompt", "system_prompt", "tools", "turns", "max_tokens", "temperature", "n")


@pytest.mark.parametrize(("row", "endpoint"), ENDPOINTS)
def test_the_gateway_reads_of_a_row_what_the_row_says(row: dict[str, Any], endpoint: Endpoint) -> None:
    read = read_asked(json.loads(json.dumps(body_of(row))), endpoint.name, NAME)
    assert {name: read.get(name) for name in ASKED} == {name: row[name] for name in ASKED}
    assert read["artefacts_in"] == [NAME("h1"), NAME("h2")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("row", "endpoint"), ENDPOINTS)
def test_the_upstream_answers_with_the_tokens_and_handles_of_the_row(
    row: dict[str, Any], endpoint: Endpoint, stream: bool
) -> None:
    told = json.loads(headers_of(row, 5)["x-lab-answer"])
    answer = answer_to(path_of(row), told, stream)
    if stream:
        listener = Listener(endpoint, NAME, False)
        assert listener.feed(answer)
        assert listener.tokens() == (12, 34)
    else:
        said = outcome_of(200, json.loads(answer), NAME, False)
        assert (said.input_tokens, said.output_tokens, said.artefacts_out) == (12, 34, (NAME("h3"),))


def test_a_row_without_a_prompt_stays_without_one() -> None:
    read = read_asked(body_of(ROW | {"prompt": None, "artefacts_in": None}), "messages", NAME)
    assert (read.get("prompt"), read["turns"]) == (None, 5)


def test_a_key_of_the_lab_names_its_account_and_no_other_key_does() -> None:
    caller = find_key(key_of(ROW), 0)
    assert caller is not None
    assert (caller.account_id, caller.api_key_id) == ("a-1", "key_1")
    assert find_key("sk-sw-lab.a-1.key_1", 0) is None
    assert request_of(ROW, 5).count(b"\r\n\r\n") == 1
