"""What a run concludes, in memory: the same tables that `stillwatch detect` writes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from stillwatch.campaigns.lineage import Lineage
from stillwatch.model import Campaign, Evidence, Hypothesis


@dataclass(frozen=True, slots=True)
class TimelineBar:
    """Exchanges of one campaign within one bucket of time, by model."""

    start: dt.datetime
    model: str
    exchanges: int
    accounts: int


@dataclass(frozen=True, slots=True)
class AttributeEdge:
    """One account that shows one shared attribute value. `value` is a short name safe to print (hashes stay hashes)."""

    account_id: str
    kind: str  # "address", "payment", "template", …
    value: str
    shared_by: int  # accounts of the campaign that show it
    bits: float


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the report and `explain` tell about one campaign."""

    campaign: Campaign
    evidence: tuple[Evidence, ...]
    timeline: tuple[TimelineBar, ...] = ()
    edges: tuple[AttributeEdge, ...] = ()  # the strongest few hundred, for the graph
    hypotheses: tuple[Hypothesis, ...] = ()  # who runs the pool and who ordered the work, each with unknown
    capability_days: tuple[tuple[dt.date, str, int], ...] = ()  # (day, capability, exchanges)


@dataclass(frozen=True, slots=True)
class Run:
    """The result of one detection: tables as Arrow (`.verdicts`) or pandas (`.frame("verdicts")`).

    `verdicts`, `campaigns`, `evidence` and `flagged` have the columns of the output contract; `manifest` has versions,
    signals evaluated and not (with the reason), inputs, row counts, rejections and timings.
    """

    verdicts: pa.Table
    campaigns: pa.Table
    evidence: pa.Table
    flagged: pa.Table
    rejected: pa.Table
    manifest: dict[str, Any]
    stories: tuple[Story, ...] = field(default=(), repr=False)
    lineage: Lineage = field(default_factory=Lineage, repr=False)

    def frame(self, table: str) -> pd.DataFrame:
        """Return one of the tables as a pandas frame: verdicts, campaigns, evidence, flagged or rejected."""
        return getattr(self, table).to_pandas()
