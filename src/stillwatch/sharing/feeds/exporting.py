"""A partner's objects as they came, as one bundle: nothing is parsed and written anew, so nothing changes."""

from __future__ import annotations

import json

from stillwatch.sharing.feeds.store import Store
from stillwatch.sharing.ids import derived


def bundle_of(store: Store, partner: str) -> bytes:
    """Return the bundle of what a partner's STIX sources sent. Rows of lists are no STIX and stay."""
    held = [raw for raw in store.raw(partner) if _is_stix(raw)]
    name = derived("bundle", partner, *(raw.decode("utf-8") for raw in held))
    return f'{{"type":"bundle","id":"{name}","objects":['.encode() + b",".join(held) + b"]}\n"


def _is_stix(raw: bytes) -> bool:
    told = json.loads(raw)
    return isinstance(told.get("id"), str) and told["id"].startswith(f"{told.get('type')}--")
