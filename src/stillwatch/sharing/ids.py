"""Ids that the same content always gets, so that a second export updates instead of doubling (docs/why/050)."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

SCO_NAMESPACE = uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7")  # of STIX 2.1 §2.9
NAMESPACE = uuid.UUID("6d1b1a7e-52c5-4b8f-9d3c-0f5b8c1a2e47")  # of stillwatch

Json = dict[str, Any]


def canonical(content: Any) -> str:
    """Return content as JSON with one spelling (RFC 8785 for text and whole numbers, which is all we hash)."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def derived(kind: str, *identity: str) -> str:
    """Return the id of an object that we author: of version 4 in shape, from a hash of what it is about."""
    digest = hashlib.sha256(NAMESPACE.bytes + canonical([kind, *identity]).encode()).digest()
    return f"{kind}--{uuid.UUID(bytes=digest[:16], version=4)}"


def observable(kind: str, contributing: Json) -> str:
    """Return the id that STIX 2.1 gives a standard observable: version 5 over its contributing properties."""
    return f"{kind}--{uuid.uuid5(SCO_NAMESPACE, canonical(contributing))}"
