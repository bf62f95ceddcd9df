"""What a policy did, or in a dry run would have done, and to whom: counted from the gateway's exchange log."""

from __future__ import annotations

import glob
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from stillwatch.actions.decision import ALTERS, REFUSES, ActionKind
from stillwatch.model import InputRefused, UsageError

COLUMNS = ("decision", "would", "rule", "reason", "campaign_id", "account_id")
HARMS = frozenset({*REFUSES, *ALTERS, ActionKind.LIMIT})  # what a customer notices


@dataclass(frozen=True, slots=True)
class Told:
    """What one rule did to one account or to all of them. `done` is false for what would have been done."""

    rule: str
    action: str
    reason: str
    done: bool
    exchanges: int
    accounts: int = 1
    campaigns: int = 0
    account_id: str = ""
    campaign_id: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Counts by rule, and by account for what a customer notices; the most exchanges first."""

    exchanges: int
    accounts: int
    noticed: int  # exchanges that were refused, limited or altered
    would_notice: int  # exchanges that would have been
    noticed_accounts: int
    would_notice_accounts: int
    rules: tuple[Told, ...] = ()
    by_account: tuple[Told, ...] = field(default=(), repr=False)


def report_on(paths: Sequence[str]) -> Report:
    """Count what an exchange log of the gateway says of its policy; files, globs or folders of Parquet."""
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for batch in _batches(_files(paths)):
        grouped = pa.table(batch).group_by(list(COLUMNS), use_threads=False).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            counts[tuple(str(row[name] or "") for name in COLUMNS)] += row["count_all"]
    return _reported(counts)


def _files(paths: Sequence[str]) -> list[str]:
    files: list[str] = []
    for path in paths:
        found = sorted(glob.glob(f"{path}/**/*.parquet", recursive=True) if Path(path).is_dir() else glob.glob(path))
        if not found:
            raise UsageError(f"{path}: no Parquet is there; give the gateway's exchange log")
        files += found
    return files


def _batches(files: Iterable[str]) -> Iterator[pa.RecordBatch]:
    for file in files:
        try:
            dataset = ds.dataset(file, format="parquet")
            lacking = [name for name in COLUMNS if name not in dataset.schema.names]
            if lacking:
                raise InputRefused(f"{file}: has no column {', '.join(lacking)}; give an exchange log of the gateway")
            yield from dataset.to_batches(columns=list(COLUMNS))
        except (OSError, pa.ArrowInvalid) as error:
            raise InputRefused(f"{file}: cannot be read as Parquet ({type(error).__name__})") from None


def _reported(counts: dict[tuple[str, ...], int]) -> Report:
    rules: dict[tuple[str, str, str, bool], list[Any]] = {}
    accounts: dict[tuple[Any, ...], int] = defaultdict(int)
    noticed: dict[bool, int] = {True: 0, False: 0}
    who: dict[bool, set[str]] = {True: set(), False: set()}
    for (decision, would, rule, reason, campaign, account), count in counts.items():
        action, done = (would, False) if would else (decision, True)
        if rule:
            row = rules.setdefault((rule, action, reason, done), [0, set(), set()])
            row[0] += count
            row[1].add(account)
            row[2].add(campaign)
        if action in HARMS:
            noticed[done] += count
            who[done].add(account)
            accounts[rule, action, reason, done, account, campaign] += count
    named = (
        Told(rule, action, reason, done, count, 1, int(bool(campaign)), account, campaign)
        for (rule, action, reason, done, account, campaign), count in accounts.items()
    )
    return Report(
        sum(counts.values()), len({key[5] for key in counts}), noticed[True], noticed[False], len(who[True]),
        len(who[False]), _sorted(Told(*key, row[0], len(row[1]), len(row[2] - {""})) for key, row in rules.items()),
        _sorted(named),
    )  # fmt: skip


def _sorted(rows: Iterable[Told]) -> tuple[Told, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.exchanges, row.rule, row.action, row.account_id, row.campaign_id)))
