"""The nouns of stillwatch, and the errors it raises. Frozen records; imports nothing of ours.

StillwatchError
├── UsageError         the call is wrong: an option, a setting, a column name        exit status 2
├── InputRefused       a whole file or table cannot be read as what it was said to be  exit status 3
└── MissingDependency  an optional package is needed for what was asked              exit status 2
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum


class StillwatchError(Exception):
    """Root of every error that stillwatch raises on purpose."""


class UsageError(StillwatchError):
    """The call is wrong; the message says what to change."""


class InputRefused(StillwatchError):
    """A whole file or table cannot be read; the message names it and the mend."""


class MissingDependency(StillwatchError):
    """An optional package is missing; the message says what to install."""


class Axis(StrEnum):
    """What a piece of evidence speaks to. A verdict needs all three."""

    COORDINATION = "coordination"
    EXTRACTION = "extraction"
    DECEPTION = "deception"


class Family(StrEnum):
    """Signals that are not independent of each other; their bits are capped together."""

    INFRASTRUCTURE = "infrastructure"
    IDENTITY = "identity"
    CONTENT = "content"
    TIMING = "timing"
    USAGE = "usage"
    ARTEFACT = "artefact"
    REPORTED = "reported"  # told by partners: it raises scrutiny and never stands for evidence of one's own


class VerdictKind(StrEnum):
    """What stillwatch concludes, from innocent to certain."""

    CLEAR = "clear"
    WATCH = "watch"
    SUSPECT = "suspect"
    DISTILLATION = "distillation"


class Grade(StrEnum):
    """How a claim is known: seen in the log, concluded from it, or told by someone else."""

    OBSERVED = "observed"
    INFERRED = "inferred"
    REPORTED = "reported"


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row that could not be used: where it is, what is wrong and the mend. `value` never holds prompt text."""

    file: str
    row: int
    field: str
    value: str
    mend: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One weighed observation about an account or a group of accounts, with its because."""

    subject_type: str  # "account" | "campaign"
    subject_id: str
    signal: str
    axis: Axis
    family: Family
    bits: float  # log2 likelihood ratio; negative speaks for innocence
    because: str
    exchanges: tuple[str, ...] = ()  # ids of exchanges that show it, never text
    grade: Grade = Grade.OBSERVED


@dataclass(frozen=True, slots=True)
class Share:
    """One part of a whole: a capability, a model, a channel, a country, an ASN."""

    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of a campaign's story, graded by how it is known."""

    text: str
    grade: Grade


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One answer to who runs a campaign's accounts (`role` pool-operator) or who ordered its work (workload-owner)."""

    role: str
    operator: str  # id of a known actor, or unknown
    name: str
    p: float
    grade: Grade
    because: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Campaign:
    """Linked accounts with one purpose over time."""

    campaign_id: str
    verdict: VerdictKind
    p: float
    coordination_bits: float
    extraction_bits: float
    deception_bits: float
    accounts: int
    exchanges: int
    flagged_exchanges: int
    output_tokens: int
    first_seen: dt.datetime
    last_seen: dt.datetime
    pool_id: str | None = None
    status: str = "born"  # born, steady, grew, split, merged, returned
    capabilities: tuple[Share, ...] = ()
    models: tuple[Share, ...] = ()
    channels: tuple[Share, ...] = ()
    countries: tuple[Share, ...] = ()
    asns: tuple[Share, ...] = ()
    claims: tuple[Claim, ...] = ()
    overturn: tuple[str, ...] = ()  # what would overturn the verdict
    actions: tuple[str, ...] = ()  # recommended, never taken here
    members: tuple[str, ...] = field(default=(), repr=False)
