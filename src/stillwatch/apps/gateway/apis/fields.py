"""Which fields of a body an endpoint reads: what stands in any other is a decoy, and is judged by nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stillwatch.ingest.adapters.base import OTHER_SHAPE, Row, hash_handle
from stillwatch.ingest.adapters.conversation import read_request

ASKED_IN = frozenset({"messages", "input", "prompt", "system", "instructions", "previous_response_id"})
LENGTHS = frozenset({"max_tokens", "max_completion_tokens", "max_output_tokens"})
READS: Mapping[str, frozenset[str]] = {
    "chat.completions": frozenset({"messages", "max_tokens", "max_completion_tokens"}),
    "responses": frozenset({"input", "instructions", "previous_response_id", "max_output_tokens"}),
    "embeddings": frozenset({"input"}),
    "messages": frozenset({"messages", "system", "max_tokens"}),
    "count_tokens": frozenset({"messages", "system"}),
}
FOREIGN: Mapping[str, frozenset[str]] = {name: (ASKED_IN | LENGTHS) - reads for name, reads in READS.items()}


def own_fields(body: Mapping[str, Any], endpoint: str) -> Mapping[str, Any]:
    """Return a body without the fields by which other endpoints are asked; all of it where the endpoint is unknown."""
    foreign = FOREIGN.get(endpoint)
    if not foreign or foreign.isdisjoint(body):
        return body
    return {name: value for name, value in body.items() if name not in foreign}


def read_own(body: Mapping[str, Any], endpoint: str, name: Callable[[str], str] = hash_handle) -> Row:
    """Return what a request says in the fields of its endpoint.

    A field that cannot be read hides no other: the upstream may pass over it, and answer the rest.
    """
    own = own_fields(body, endpoint)
    try:
        return read_request(own, name)
    except OTHER_SHAPE:
        row: Row = {}
        for field, value in own.items():
            try:
                row |= read_request({field: value}, name)
            except OTHER_SHAPE:
                continue
        return row
