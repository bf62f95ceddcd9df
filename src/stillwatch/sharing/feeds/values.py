"""Whether a value may be looked for at all: its form, and that it does not stand for half of the world."""

from __future__ import annotations

import re

from stillwatch.model import UsageError
from stillwatch.sharing.case import Kind
from stillwatch.sharing.feeds.words import DAY_US, KINDS, Wrong
from stillwatch.sharing.grammar import well_formed
from stillwatch.sharing.leaving import LASTS
from stillwatch.sketch.fingerprints import Fingerprint

HASHED = re.compile(r"[0-9a-f]{64}")
HANDLE = re.compile(r"[A-Za-z0-9+/=_.:-]{8,200}")
LONGEST = 365  # days that any claim holds, whatever it says
ARTEFACT_DAYS = 30


def usable(kind: str, value: str) -> str:
    """Return a value in its one spelling; raises Wrong for one that accuses anybody or nobody."""
    if kind not in KINDS:
        raise Wrong(f"{kind[:40]!r} is no kind that is looked for", f"say one of {', '.join(KINDS)}")
    if kind == "template":
        try:
            return Fingerprint.parse(value).text()
        except UsageError as error:
            raise Wrong(str(error)[:200], "ask for a fingerprint made by this version") from None
    if kind in ("payment", "artefact"):
        form = HASHED if kind == "payment" else HANDLE
        if not form.fullmatch(value):
            raise Wrong(f"it has not the form of a {kind}", "ask for the keyed hash, in lower-case hexadecimal")
        return value
    found = well_formed(Kind(kind), value)
    if found is None:
        wide = "is too wide, private, reserved or malformed" if kind in ("address", "prefix") else "is malformed"
        raise Wrong(f"{kind} {value[:60]!r} {wide}", "leave it out: it would point at everybody or at nobody")
    return found


def lasting(kind: str, told: int, until: int | None) -> int:
    """Return when a claim ends: as it says, as its kind usually does, and never later than LONGEST days on."""
    days = ARTEFACT_DAYS if kind == "artefact" else LASTS[Kind(kind)]
    return min(told + days * DAY_US if until is None else until, told + LONGEST * DAY_US)
