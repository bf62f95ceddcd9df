"""From bodies to what the decision and the exchange log need, by the rules that read foreign logs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import msgspec

from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.apis.fields import read_own
from stillwatch.ingest.adapters.base import OTHER_SHAPE, Row
from stillwatch.ingest.adapters.conversation import read_answer

Name = Callable[[str], str]
MOST = 2**31 - 1  # of a number that a client names; what is more means nothing
decode = msgspec.json.Decoder().decode
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # what `decode` raises at bytes of somebody else's
NOTHING: Row = {}


def namer(secret: bytes) -> Name:
    """Return what gives the keyed hash that stands for an opaque handle or a key; the handle itself is never kept."""
    key = hashlib.blake2b(secret, person=b"stillwatch-hand").digest()

    def name(handle: str) -> str:
        return hashlib.blake2b(handle.encode("utf-8", "replace"), key=key, digest_size=16).hexdigest()

    return name


def parse_request(body: bytes) -> dict[str, Any]:
    """Return a request's JSON object; a Refused says what is wrong with it."""
    try:
        held = decode(body)
    except BROKEN:
        held = _parse_leniently(body)
    if not isinstance(held, dict):
        raise Refused(400, "invalid_json", "The body of the request must be a JSON object.")
    return held


def _parse_leniently(body: bytes) -> Any:
    """JSON as some clients write it, with lone surrogates: unknown letters then stand for these."""
    try:
        told = json.dumps(json.loads(body), ensure_ascii=False, allow_nan=False)
        return json.loads(told.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_json", "The body of the request is not valid JSON.") from None


def read_asked(body: dict[str, Any], name: Name, endpoint: str = "") -> Row:
    """Return what a request says, of values that are what they should be; nothing of what is not.

    Only the fields count that the endpoint reads: the upstream answers those, whatever else stands beside them.
    """
    row = read_own(body, endpoint, name)
    for column in ("max_tokens", "n"):
        if column in row and not _counts(row[column]):
            del row[column]
    if "temperature" in row and not _measures(row["temperature"]):
        del row["temperature"]
    for column in ("model", "prompt", "system_prompt"):
        if column in row and not isinstance(row[column], str):
            del row[column]
    row["stream"] = row.get("stream") is True
    return row


def read_said(body: bytes, name: Name) -> Row:
    """Return what an answer says; nothing where it is not JSON of a known shape."""
    try:
        held = decode(body)
        row = read_answer(held, name) if isinstance(held, dict) else NOTHING
    except (*BROKEN, *OTHER_SHAPE):
        return NOTHING
    return row


def tokens(value: Any) -> int | None:
    """Return a count of tokens, or None for what is none."""
    return value if _counts(value) else None


def _counts(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _measures(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MOST  # false of NaN, and of infinity
