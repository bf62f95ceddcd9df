"""What a feed is made of: a claim that a value was seen in a campaign, an item as it came, and what was refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]
KINDS = ("address", "prefix", "asn", "client", "mail-domain", "payment", "template", "artefact")  # that are looked for
DAY_US = 86_400_000_000


class Wrong(ValueError):
    """Why an object is not taken, and the mend."""

    def __init__(self, wrong: str, mend: str) -> None:
        super().__init__(wrong)
        self.wrong, self.mend = wrong, mend


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody says that a value belongs to a campaign. Times are microseconds since 1970."""

    kind: str
    value: str
    key_id: str
    origin: str  # who saw it first, as far as is known; empty: it came without
    confidence: int | None
    valid_from: int
    valid_until: int
    told: int  # when it was last said
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a feed, its bytes as they came."""

    object_id: str
    version: str
    raw: bytes
    claim: Claim | None = None
    derived: tuple[str, str] | None = None  # (object, the object that it was made from)


@dataclass(frozen=True, slots=True)
class Refused:
    """One object that was not taken."""

    object_id: str
    wrong: str
    mend: str
    whole: bool = False  # what follows in its file or page was not read either
