"""From bodies to what the decision and the exchange log need, by the rules that read foreign logs.

Only what an endpoint itself reads counts: a field of another API beside it, a decoy, changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from stillwatch.apps.gateway.apis.fields import read_own
from stillwatch.apps.gateway.apis.naming import Name
from stillwatch.apps.gateway.seams import Outcome
from stillwatch.ingest.adapters.base import OTHER_SHAPE, Row
from stillwatch.ingest.adapters.conversation import read_answer

MOST = 2**31 - 1  # of a number that a client names; what is more means nothing
NOTHING: Row = {}
CHAT = "chat.completions"


def parse_leniently(body: bytes) -> Any:
    """Return JSON as some clients write it, with half surrogate pairs, for which other letters then stand.

    Raises ValueError or RecursionError.
    """
    held = json.loads(body)
    if b"\\ud" not in body and b"\\uD" not in body:
        return held
    return json.loads(json.dumps(held, ensure_ascii=False).encode("utf-8", "replace"))


def as_object(body: bytes) -> dict[str, Any]:
    """Return the object that a body holds; an empty one for anything else."""
    try:
        held = parse_leniently(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def read_asked(body: Mapping[str, Any], endpoint: str, name: Name) -> Row:
    """Return what a request says, of values that are what they should be; nothing of what is not."""
    row = read_own(body, endpoint, name)
    if endpoint == CHAT and body.get("max_completion_tokens") is not None:  # servers heed this one before the other
        row["max_tokens"] = body["max_completion_tokens"]
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


def fields_of(row: Row) -> dict[str, Any]:
    """Return what `read_asked` found as fields of an `Arrival`."""
    found = dict(row)
    for column in ("tools", "artefacts_in"):
        if column in found:
            found[column] = tuple(found[column])
    return found


def outcome_of(status: int, body: Any, name: Name, keep_text: bool = True) -> Outcome:
    """Return how an exchange ended, by the parsed body of its answer; an error's body tells nothing."""
    try:
        row = read_answer(body, name) if status < 300 and isinstance(body, dict) else NOTHING
    except OTHER_SHAPE:
        row = NOTHING
    text = row.get("response")
    return Outcome(
        status,
        tokens(row.get("input_tokens")),
        tokens(row.get("output_tokens")),
        tuple(row.get("artefacts_out", ())),
        text if keep_text and isinstance(text, str) else None,
    )


def tokens(value: Any) -> int | None:
    """Return a count of tokens, or None for what is none."""
    return value if _counts(value) else None


def _counts(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MOST


def _measures(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= MOST  # false of NaN, and of infinity
