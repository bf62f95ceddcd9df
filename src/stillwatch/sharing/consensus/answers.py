"""What a partner says about one campaign or one indicator, and where it has that from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stance(StrEnum):
    """What an answer says: that it sees the same, that it knows better, or that it sees nothing."""

    CONFIRMS = "confirms"
    DISPUTES = "disputes"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Answer:
    """One organisation's word within one family of evidence.

    `origin` is whose observation it is: the organisation's own unless it passes on another's. `age_days` is how long
    ago it was seen, `reliability` the Admiralty letter that we give the organisation.
    """

    organisation: str
    family: str  # infrastructure, funding
    stance: Stance
    matches: int = 0
    reliability: str = "F"
    age_days: float = 0.0
    origin: str = ""

    @property
    def source(self) -> str:
        """Whose observation this is."""
        return self.origin or self.organisation
