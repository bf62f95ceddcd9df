"""Errors of the gateway's own, in the shape that the clients of each API expect."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from stillwatch.apps.gateway.apis.endpoints import ANTHROPIC

JSON = (b"content-type", b"application/json")
ANTHROPIC_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
    405: "invalid_request_error", 408: "timeout_error", 413: "request_too_large", 415: "invalid_request_error",
    429: "rate_limit_error", 503: "overloaded_error", 504: "timeout_error",
}  # fmt: skip
OPENAI_TYPES = {429: "rate_limit_error", 403: "permission_error"}
encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that the gateway gives itself."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class Refused(Exception):
    """The gateway itself refuses a request. `code` is for programs, the message for people."""

    def __init__(
        self, status: int, code: str, message: str, close: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.close, self.retry_after = status, code, close, retry_after


NOT_KEPT = Refused(503, "recording_failed", "The exchange cannot be recorded now. Try again later.", retry_after=5)
NOT_ALTERED = Refused(502, "answer_unreadable", "The answer cannot be altered as the policy asks.")


def error_body(api: str, status: int, code: str, message: str, more: dict[str, object] | None = None) -> bytes:
    """Return an error as the API tells it; `more` are members beside the usual ones."""
    if api == ANTHROPIC:
        kind = ANTHROPIC_TYPES.get(status, "api_error")
        return encode({"type": "error", "error": {"type": kind, "message": message, "code": code, **(more or {})}})
    kind = OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return encode({"error": {"message": message, "type": kind, "param": None, "code": code, **(more or {})}})


def answer_to(api: str, refused: Refused) -> Answer:
    """Return the answer to a request that the gateway itself refuses."""
    body = error_body(api, refused.status, refused.code, str(refused))
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    if refused.close:
        headers.append((b"connection", b"close"))
    if refused.retry_after is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after))
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return Answer(refused.status, tuple(headers), body)
