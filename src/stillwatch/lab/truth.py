"""What was planted, read from the labels, and what was found, read from the output folder of a detection."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from stillwatch.apps.run import Run
from stillwatch.model import InputRefused, VerdictKind

ACCUSED = VerdictKind.DISTILLATION.value
Columns = dict[str, list[Any]]


@dataclass(frozen=True)
class Truth:
    """Ground truth by account and by exchange."""

    campaign: dict[str, str | None]
    pool: dict[str, str | None]
    lookalike: dict[str, str | None]
    exchange: dict[str, str]

    def innocent(self, account: str) -> bool:
        """Whether an account belongs to nobody who harvests."""
        return self.campaign.get(account) is None and self.pool.get(account) is None


@dataclass(frozen=True)
class Found:
    """Verdicts by account, and the exchanges that distillation campaigns were said to hold."""

    verdict: dict[str, str]
    group: dict[str, str | None]  # accused account → detected campaign
    flagged: dict[str, str]  # exchange → detected campaign, those of distillation campaigns only


def read_truth(folder: Path) -> Truth:
    """The labels folder that the generator wrote."""
    accounts = _columns(folder / "accounts.parquet", "account_id", "campaign", "pool", "lookalike")
    ids = accounts["account_id"]
    exchanges = _columns(folder / "exchanges.parquet", "exchange_id", "campaign")
    return Truth(
        dict(zip(ids, accounts["campaign"], strict=True)),
        dict(zip(ids, accounts["pool"], strict=True)),
        dict(zip(ids, accounts["lookalike"], strict=True)),
        dict(zip(exchanges["exchange_id"], exchanges["campaign"], strict=True)),
    )


def read_found(folder: Path) -> Found:
    """The output folder of `stillwatch detect`."""
    return found_in(
        _columns(folder / "verdicts.parquet", "account_id", "campaign_id", "verdict"),
        _columns(folder / "campaigns.parquet", "campaign_id", "verdict"),
        _columns(folder / "flagged.parquet", "exchange_id", "campaign_id"),
    )


def found_by(run: Run) -> Found:
    """What a run in memory concluded."""
    return found_in(
        run.verdicts.select(["account_id", "campaign_id", "verdict"]).to_pydict(),
        run.campaigns.select(["campaign_id", "verdict"]).to_pydict(),
        run.flagged.select(["exchange_id", "campaign_id"]).to_pydict(),
    )


def found_in(verdicts: Columns, campaigns: Columns, flagged: Columns) -> Found:
    """The same from the columns of the three tables."""
    guilty = {c for c, v in zip(campaigns["campaign_id"], campaigns["verdict"], strict=True) if v == ACCUSED}
    rows = list(zip(verdicts["account_id"], verdicts["campaign_id"], verdicts["verdict"], strict=True))
    return Found(
        {account: verdict for account, _, verdict in rows},
        {account: group if group in guilty else None for account, group, verdict in rows if verdict == ACCUSED},
        {e: c for e, c in zip(flagged["exchange_id"], flagged["campaign_id"], strict=True) if c in guilty},
    )


def _columns(path: Path, *names: str) -> Columns:
    if not path.exists():
        raise InputRefused(f"{path}: no such file; give the output folder of `stillwatch detect` and a labels folder")
    table: Columns = pq.read_table(path, columns=list(names)).to_pydict()
    return table
