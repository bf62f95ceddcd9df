"""JSON of requests and answers, read and written fast."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.apis.reading import as_object, parse_leniently, tokens
from stillwatch.ingest.adapters.conversation import tokens_of

HANDLED = (  # words of answers that hold handles
    b'"signature"',
    b'"encrypted_content"',
    b'"redacted_thinking"',
    b'"response"',
)
# what `decode` raises at bytes of somebody else's
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
decode = msgspec.json.Decoder().decode
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def parse_request(body: bytes) -> dict[str, Any]:
    """Return a request's JSON object; a Refused says what is wrong with it."""
    try:
        held = decode(body)
    except BROKEN:
        held = _parse_slowly(body)
    if not isinstance(held, dict):
        raise Refused(400, "invalid_json", "The body of the request must be a JSON object.")
    return held


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty one for anything else."""
    try:
        held = decode(body)
    except BROKEN:
        return as_object(body)
    return held if isinstance(held, dict) else {}


class _Used(msgspec.Struct):
    """The one part of an answer that is needed of most."""

    usage: dict[str, Any] | None = None


_used = msgspec.json.Decoder(_Used).decode


def has_handles(body: bytes) -> bool:
    """Say whether an answer may hold opaque handles, so that all of it must be read."""
    return any(word in body for word in HANDLED)


def usage_in(body: bytes) -> tuple[int | None, int | None]:
    """Return the tokens that an answer counts, in and out; None for what it does not."""
    try:
        told_in, told_out = tokens_of(_used(body).usage or {})
    except (*BROKEN, TypeError, ValueError, AttributeError):
        return None, None
    return tokens(told_in), tokens(told_out)


def rewrite(body: bytes, asked: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """Return a JSON object with other values of some fields; every other value keeps its bytes."""
    if not changes:
        return body
    try:
        return _encode(_parts(body) | {name: msgspec.Raw(_encode(value)) for name, value in changes.items()})
    except BROKEN:  # JSON with lone surrogates: written anew as it was read
        return json.dumps({**asked, **changes}, ensure_ascii=False).encode("utf-8", "replace")


def _parse_slowly(body: bytes) -> Any:
    try:
        held = parse_leniently(body)
        json.dumps(held, allow_nan=False)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "The body of the request is not valid JSON.") from None
    return held
