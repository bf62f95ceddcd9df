"""A posted body becomes objects to store and objects to refuse, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.sharing.taxii.catalogue import Collection
from stillwatch.sharing.taxii.checks import Fault, Posted, check
from stillwatch.sharing.taxii.envelope import Limits, Piece, open_envelope
from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.posting import Verdict
from stillwatch.sharing.taxii.settings import LimitsTable


@dataclass(frozen=True, slots=True)
class Sender:
    """Who posts, and where to."""

    partner: str
    clearance: Tlp
    collection: Collection


@dataclass(frozen=True, slots=True)
class Batch:
    """The objects of one envelope: those that may be stored, and verdicts on those that may not."""

    posted: Sequence[Posted]
    refused: Sequence[Verdict]


def read_batch(body: bytes, unmarked: Tlp, limits: LimitsTable) -> Batch:
    """Take an envelope apart and check every object; raises Refusal where the envelope itself is none."""
    posted: list[Posted] = []
    refused: list[Verdict] = []
    bounds = Limits(limits.objects, limits.object_length, limits.depth)
    for place, piece in enumerate(open_envelope(body, bounds)):
        try:
            posted.append(check(piece, unmarked))
        except Fault as fault:
            refused.append(_refused(place, piece, str(fault)))
    return Batch(posted, refused)


def _refused(place: int, piece: Piece, reason: str) -> Verdict:
    """The id as far as there is one, else the object's place in the envelope."""
    found = piece.content.get("id") if isinstance(piece.content, dict) else None
    named = isinstance(found, str) and found.isprintable() and 0 < len(found) <= 300
    version = piece.content.get("modified") if isinstance(piece.content, dict) else None
    told = version if isinstance(version, str) and version.isprintable() and len(version) <= 40 else "unknown"
    return Verdict(str(found) if named else f"object {place + 1} of the envelope", told, reason)
