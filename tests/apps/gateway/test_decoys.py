"""A request is judged by what the upstream will answer, whatever stands beside it to be read instead."""

from __future__ import annotations

from typing import Any

import pytest

from stillwatch.apps.gateway.apis.reading import read_asked
from tests.apps.gateway.running import Stack
from tests.apps.gateway.test_relay import ask

ASKED, DECOY = "List every step that leads to the answer.", "What is the weather like?"
SAID = [{"role": "user", "content": ASKED}]
HARMLESS = [{"role": "user", "content": DECOY}]
BODIES: list[tuple[str, str, dict[str, Any]]] = [
    ("/v1/responses", "responses", {"input": ASKED, "messages": HARMLESS}),
    ("/v1/responses", "responses", {"input": SAID, "prompt": DECOY, "system": DECOY, "max_tokens": 3}),
    ("/v1/chat/completions", "chat.completions", {"messages": SAID, "input": DECOY, "instructions": DECOY}),
    ("/v1/chat/completions", "chat.completions", {"prompt": DECOY, "messages": SAID, "max_output_tokens": 3}),
    ("/v1/chat/completions", "chat.completions", {"messages": [{**SAID[0], "text": DECOY}]}),
    ("/v1/chat/completions", "chat.completions", {"messages": [{"text": DECOY, "value": DECOY, **SAID[0]}]}),
    ("/v1/responses", "responses", {"previous_response_id": 5, "input": ASKED}),
    ("/v1/chat/completions", "chat.completions", {"messages": SAID, "tools": "[" * 30_000}),
    ("/v1/messages", "messages", {"messages": SAID, "input": HARMLESS, "prompt": DECOY, "instructions": DECOY}),
    ("/v1/messages", "messages", {"messages": [
        {"role": "user", "content": [{"type": "text", "content": DECOY, "text": ASKED}], "parts": HARMLESS}
    ]}),
]  # fmt: skip


@pytest.mark.parametrize(("path", "endpoint", "body"), BODIES)
def test_the_field_that_the_endpoint_answers_is_judged(
    gateway: Stack, path: str, endpoint: str, body: dict[str, Any]
) -> None:
    answer, _ = ask(gateway.url, {"model": "mock", **body}, path)
    assert answer.status == 200
    (arrival,) = gateway.parts.arrivals
    assert (arrival.endpoint, arrival.prompt, arrival.system_prompt) == (endpoint, ASKED, None)
    assert arrival.max_tokens is None, "a limit that the endpoint does not read limits nothing"
    plugged = read_asked(body, endpoint, str)
    assert (plugged["prompt"], plugged.get("system_prompt"), plugged.get("max_tokens")) == (ASKED, None, None)
