"""The admin API: nothing without a token, everything in a name, and refusals that say why."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any

import pytest

from stillwatch.apps.gateway.admin import admin_app
from stillwatch.model import UsageError
from tests.apps.gateway.running import served

TOKENS = {"ada": "token-of-ada", "ben": "token-of-ben"}


@dataclass(frozen=True)
class Told:
    status_code: int
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


def ask(url: str, method: str, path: str, body: Any = b"", token: str | None = "token-of-ada") -> Told:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=20)
    try:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body), headers)
        answer = connection.getresponse()
        return Told(answer.status, answer.read().decode())
    finally:
        connection.close()


class Calls:
    """A control plane that remembers what was asked of it."""

    def __init__(self) -> None:
        self.made: list[tuple[Any, ...]] = []
        self.wrong = ""

    def keys(self, account_id: str | None) -> list[dict[str, Any]]:
        return [{"key_id": "k1", "account_id": account_id}]

    def issue_key(self, asked: dict[str, Any], by: str) -> dict[str, Any]:
        self.made.append(("issue_key", asked, by))
        return {"key": "sk-sw-new"}

    def revoke_key(self, key_id: str, by: str) -> dict[str, Any]:
        self.made.append(("revoke_key", key_id, by))
        return {"key_id": key_id}

    def actions(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return [dict(asked)]

    def propose_action(self, asked: dict[str, Any], by: str) -> dict[str, Any]:
        self.made.append(("propose_action", asked, by))
        return {"action_id": "act-1"}

    def approve_action(self, action_id: str, by: str) -> dict[str, Any]:
        if action_id == "act-9":
            raise UsageError("act-9 is expired; only a proposed action can be approved")
        self.made.append(("approve_action", action_id, by))
        return {"status": "approved"}

    def reverse_action(self, action_id: str, because: str, by: str) -> dict[str, Any]:
        self.made.append(("reverse_action", action_id, because, by))
        return {"status": "reversed"}

    def verdicts(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        return [dict(asked)]

    def policy(self) -> dict[str, Any]:
        return {"digest": "d", "mode": "shadow"}

    def metrics(self) -> tuple[str, bytes]:
        return "text/plain; version=0.0.4", b"stillwatch_up 1\n"

    def reload(self, by: str) -> None:
        self.made.append(("reload", by))

    def problems(self) -> dict[str, str]:
        return {"database": self.wrong}


def test_without_a_token_nothing_is_told_but_health() -> None:
    with served(admin_app(Calls(), TOKENS)) as url:
        for method, path in (
            ("GET", "keys"),
            ("POST", "keys"),
            ("GET", "verdicts"),
            ("POST", "reload"),
            ("GET", "policy"),
        ):
            for token in (None, "wrong", "", "token-of-ada2"):
                assert ask(url, method, f"/v1/{path}", token=token).status_code == 401
        assert ask(url, "GET", "/metrics", token=None).status_code == 401
        assert ask(url, "GET", "/healthz", token=None).status_code == 200


def test_everything_is_done_in_the_name_of_the_token() -> None:
    calls = Calls()
    with served(admin_app(calls, TOKENS)) as url:

        def ben(method: str, path: str, body: Any = b"") -> Told:
            return ask(url, method, path, body, "token-of-ben")

        assert ben("POST", "/v1/keys", {"account_id": "a"}).json() == {"key": "sk-sw-new"}
        assert ben("GET", "/v1/keys?account_id=a").json()["keys"][0]["account_id"] == "a"
        assert ben("DELETE", "/v1/keys/k1").status_code == 200
        assert ben("POST", "/v1/actions", {"kind": "suspend"}).status_code == 201
        assert ben("POST", "/v1/actions/act-1/approve").json() == {"status": "approved"}
        assert ask(url, "POST", "/v1/actions/act-1/reverse", {"because": "a mistake"}).json() == {"status": "reversed"}
        assert ask(url, "GET", "/v1/actions?status=proposed").json() == {"actions": [{"status": "proposed"}]}
        assert ask(url, "GET", "/v1/verdicts?account_id=a").json() == {"verdicts": [{"account_id": "a"}]}
        assert ask(url, "GET", "/v1/policy").json()["mode"] == "shadow"
        assert ask(url, "POST", "/v1/reload").status_code == 202
        assert ask(url, "GET", "/metrics").text == "stillwatch_up 1\n"
    assert calls.made == [
        ("issue_key", {"account_id": "a"}, "ben"), ("revoke_key", "k1", "ben"),
        ("propose_action", {"kind": "suspend"}, "ben"),
        ("approve_action", "act-1", "ben"), ("reverse_action", "act-1", "a mistake", "ada"), ("reload", "ada"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/actions/act-9/approve", b"", 409, "act-9 is expired"),
        ("/v1/keys", b"{", 400, "not JSON"),
        ("/v1/keys", b"[]", 400, "must be a JSON object"),
        ("/v1/keys", b" " * (2 << 20), 400, "too long"),
    ],
)
def test_a_refusal_says_why(path: str, body: bytes, status: int, words: str) -> None:
    with served(admin_app(Calls(), TOKENS)) as url:
        told = ask(url, "POST", path, body)
    assert told.status_code == status
    assert words in told.json()["error"]["message"]


def test_readiness_tells_what_is_wrong() -> None:
    calls = Calls()
    with served(admin_app(calls, TOKENS)) as url:
        assert ask(url, "GET", "/readyz", token=None).status_code == 200
        calls.wrong = "locked"
        told = ask(url, "GET", "/readyz", token=None)
    assert (told.status_code, told.json()["checks"]) == (503, {"database": "locked"})
