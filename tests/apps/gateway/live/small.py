"""A small index, requests and accounts, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stillwatch.apps.gateway.live.facts import DAY, AccountFacts
from stillwatch.apps.gateway.live.index import HOURS, Columns, Index, KnownCampaign
from stillwatch.apps.gateway.live.values import ACCOUNT, KINDS, Namer
from stillwatch.apps.gateway.seams import Arrival
from stillwatch.model import VerdictKind
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"tests of live")
NOW = 1_772_355_600_000_000  # µs, on the hour
NAMER = Namer(KEY)


def campaign(name: str = "C-one", verdict: VerdictKind = VerdictKind.DISTILLATION, **other: Any) -> KnownCampaign:
    told: dict[str, Any] = {
        "p": 0.97, "coordination_bits": 8.0, "extraction_bits": 6.0, "deception_bits": 4.0, "accounts": 40,
        "first_seen": NOW - 5 * DAY, "last_seen": NOW,
    }  # fmt: skip
    return KnownCampaign(name, verdict, **told | other)


def index(
    values: Sequence[tuple[str, str | int, int]] = (),
    members: Sequence[tuple[str, int, int]] = (),
    campaigns: Sequence[KnownCampaign] = (campaign(),),
    cleared: Sequence[str] = (),
    **other: Any,
) -> Index:
    """An index of (kind, value, campaign) and of members (account, campaign, families); nothing expires for a day."""
    rows = sorted((NAMER(kind, value), KINDS.index(kind), number) for kind, value, number in values)
    tied = sorted((NAMER(ACCOUNT, account), number, families) for account, number, families in members)
    columns = Columns(
        names=np.array([row[0] for row in rows], np.int64),
        kinds=np.array([row[1] for row in rows], np.uint8),
        campaigns=np.array([row[2] for row in rows], np.int32),
        until=np.full(len(rows), NOW + DAY, np.int64),
        members=np.array([row[0] for row in tied], np.int64),
        member_campaigns=np.array([row[1] for row in tied], np.int32),
        member_p=np.full(len(tied), 0.9),
        member_families=np.array([row[2] for row in tied], np.uint8),
        cleared=np.array(sorted(NAMER(ACCOUNT, each) for each in cleared), np.int64),
        hours=np.ones((len(campaigns), HOURS), np.int64),
    )
    return Index(**{"version": 1, "until": NOW, "campaigns": tuple(campaigns), "columns": columns} | other)


def names(*values: tuple[str, str | int]) -> list[int]:
    return [NAMER(kind, value) for kind, value in values]


def arrival(**other: Any) -> Arrival:
    told: dict[str, Any] = {
        "exchange_id": "e1", "ts": NOW + 1, "account_id": "newcomer", "api": "openai", "endpoint": "chat.completions",
        "model": "m", "prompt": "why?", "ip": "198.51.100.7", "asn": 64_500, "user_agent": "agent/1",
    }  # fmt: skip
    return Arrival(**told | other)


def facts(**other: Any) -> AccountFacts:
    return AccountFacts(**{"account_id": "newcomer", "verification": "email", "created_at": NOW - DAY} | other)
