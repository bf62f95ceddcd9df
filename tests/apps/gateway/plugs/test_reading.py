"""Reading a request: what counts, and that no spelling of it is a way around the decision."""

from __future__ import annotations

import json

import pytest

from stillwatch.apps.gateway.plugs.paths import asks, place_of
from stillwatch.apps.gateway.plugs.reading import ANONYMOUS, Asked, arrival_of
from tests.apps.gateway.plugs.table import NAMES


@pytest.mark.parametrize(
    "path",
    ["/v1/chat/completions", "//v1//chat/completions/", "/v1/chat/completions?x=1", "/v1/Chat/Completions",
     "/v1/chat%2Fcompletions", "/openai/v1/chat/%63ompletions", "chat.completions"],
)  # fmt: skip
def test_every_spelling_of_a_path_is_one_endpoint(path: str) -> None:
    assert place_of(path, {}) == ("openai", "chat.completions")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/v1/messages", ("anthropic", "messages")),
        ("/v1/messages/count_tokens", ("anthropic", "count_tokens")),
        ("/v1/models/small", ("openai", "models")),
        ("/v1/images/generations", ("openai", "v1/images/generations")),
    ],
)
def test_a_path_has_a_place(path: str, place: tuple[str, str]) -> None:
    assert place_of(path, {}) == place


def test_models_are_of_the_interface_that_the_client_speaks() -> None:
    assert place_of("/v1/models", {"anthropic-version": "2023-06-01"}) == ("anthropic", "models")


def test_every_post_asks_and_a_health_check_does_not() -> None:
    assert asks("POST", "/v1/anything")
    assert asks("GET", "/v1/models")
    assert not asks("GET", "/healthz")


def test_an_account_is_the_hash_of_its_key_and_the_key_is_nowhere() -> None:
    arrival = arrival_of(Asked("/v1/messages", {"x-api-key": "sk-secret"}, b"{}"), NAMES)
    assert arrival.account_id == f"key-{arrival.api_key_id}"
    assert arrival.api_key_id == NAMES.handle("sk-secret")
    assert "sk-secret" not in repr(arrival)


def test_nobody_is_anonymous() -> None:
    assert arrival_of(Asked("/v1/messages", {}, b"{}"), NAMES).account_id == ANONYMOUS


@pytest.mark.parametrize(
    "body",
    [b"", b"no json", b"[1]", b'{"messages": 7}', b'{"messages": [[[["x"]]]]}', b"\xff\xfe", b'{"tools": {"a": 1}}',
     b"[" * 100_000, b'{"model": 7, "max_tokens": "many", "stream": "yes", "n": -1, "temperature": NaN}'],
    ids=["empty", "text", "list", "number", "nested", "bytes", "tools", "deep", "types"],
)  # fmt: skip
def test_a_body_of_another_shape_is_an_arrival_that_says_nothing(body: bytes) -> None:
    arrival = arrival_of(Asked("/v1/chat/completions", {}, body), NAMES)
    assert (arrival.model, arrival.prompt, arrival.max_tokens, arrival.stream) == ("", None, None, False)


def test_half_a_surrogate_pair_is_replaced() -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "a \ud83d b"}]}).encode()
    assert arrival_of(Asked("/v1/chat/completions", {}, body), NAMES).prompt == "a ? b"


def test_ids_are_not_repeated() -> None:
    assert len({arrival_of(Asked("/v1/messages"), NAMES).exchange_id for _ in range(100)}) == 100
