"""STIX: an envelope or a bundle opened one object at a time; indicators of the forms that we write become claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stillwatch.sharing.case import Kind
from stillwatch.sharing.feeds.values import lasting, usable
from stillwatch.sharing.feeds.words import Claim, Item, Json, Refused, Wrong
from stillwatch.sharing.patterns import read_pattern
from stillwatch.sharing.taxii.checks import Fault, check
from stillwatch.sharing.taxii.envelope import Limits, Piece, open_envelope
from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.times import read_time
from stillwatch.sharing.taxii.words import Refusal

AGAIN = "ask the partner to correct it; its next version is taken"
QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'")
EXPRESSION = re.compile(r"\b(MATCHES|LIKE)\b", re.IGNORECASE)
KEY_ID = re.compile(r"hmac_key_id = '([A-Za-z0-9._-]{1,64})'")


def read_stix(body: bytes, limits: Limits, now: int) -> Iterator[Item | Refused]:
    """Yield what an envelope or a bundle holds. What is malformed as a whole ends it, after what came before."""
    try:
        for piece in open_envelope(body, limits):
            yield _one(piece, now)
    except Refusal as refusal:
        yield Refused(
            "", str(refusal)[:300], "send a STIX bundle or a TAXII envelope of smaller, flatter objects", True
        )


def _one(piece: Piece, now: int) -> Item | Refused:
    name = _name(piece.content)
    try:
        posted = check(piece, Tlp.AMBER)
        claim = _claim(piece.content, now) if posted.type == "indicator" else None
        return Item(posted.object_id, posted.version_text, piece.raw, claim, _derived(piece.content, posted.type))
    except Fault as fault:
        return Refused(name, str(fault)[:300], AGAIN)
    except Wrong as wrong:
        return Refused(name, wrong.wrong, wrong.mend)


def _name(content: Any) -> str:
    name = content.get("id") if isinstance(content, dict) else None
    return name[:300] if isinstance(name, str) and name.isprintable() else ""


def _derived(stix: Json, kind: str) -> tuple[str, str] | None:
    if kind != "relationship" or stix.get("relationship_type") != "derived-from":
        return None
    return str(stix["source_ref"]), str(stix["target_ref"])


def _claim(stix: Json, now: int) -> Claim | None:
    """Return what an indicator says; None where its pattern is valid and of a form that is not looked for."""
    text = str(stix.get("pattern", ""))
    if EXPRESSION.search(QUOTED.sub("''", text)):
        raise Wrong(
            "its pattern is a regular expression, and those of others are not run", "ask for the values themselves"
        )
    read = read_pattern(text)
    if stix.get("pattern_type") != "stix" or read is None or read[0] is Kind.USER_AGENT:
        return None
    kind = read[0].value
    value = usable(kind, read[1])
    told = min(read_time(stix["modified"]) or now, now)
    begins, ends = read_time(stix.get("valid_from")), read_time(stix.get("valid_until"))
    if begins is None:
        raise Wrong("'valid_from' is missing or no timestamp", AGAIN)
    until = lasting(kind, max(told, begins), ends)
    if until <= begins:
        raise Wrong("it ends before it begins", AGAIN)
    key = KEY_ID.search(text) if kind == "payment" else None
    origin = str(stix.get("created_by_ref", ""))
    revoked = stix.get("revoked") is True
    return Claim(kind, value, key[1] if key else "", origin, _confidence(stix), begins, until, told, revoked)


def _confidence(stix: Json) -> int | None:
    found = stix.get("confidence")
    if found is None:
        return None
    if not isinstance(found, int) or isinstance(found, bool) or not 0 <= found <= 100:
        raise Wrong("'confidence' is no whole number from 0 to 100", AGAIN)
    return found
