"""Nothing leaves unless a person said so by name, and the ledger has it before the recipient does."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from stillwatch.model import UsageError
from stillwatch.sharing.case import Case
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.ledgers import Append
from stillwatch.sharing.stix import bundle
from stillwatch.sharing.terms import Terms

KIND = "share"  # of the ledger's entries


@dataclass(frozen=True, slots=True)
class Approval:
    """Who approved, and when."""

    by: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Released:
    """A bundle as it leaves, and the receipt that stays: the approver's name is in the receipt alone."""

    text: str
    receipt: dict[str, Any]


def release(case: Case, terms: Terms, secret: bytes, approval: Approval, ledger: Append | None = None) -> Released:
    """Decide, write the bundle and enter it in the ledger. Raises UsageError where nothing may leave.

    Without a ledger the receipt says so, and whoever calls keeps it.
    """
    if not approval.by.strip():
        raise UsageError("who approves? give a name: an approval by nobody is none")
    leaving = decide(case, terms, secret)
    text = write_bundle(bundle(leaving))
    receipt: dict[str, Any] = {
        "approved_by": approval.by,
        "approved_at": approval.at.astimezone(dt.UTC).isoformat(),
        "campaign_id": case.campaign.campaign_id,
        "shared_as": leaving.name,
        "tlp": leaving.tlp.value,
        "partner": leaving.partner,
        "indicators": len(leaving.indicators),
        "withheld": [{"what": one.what, "why": one.why, "count": one.count} for one in leaving.withheld],
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    receipt["ledger_entry"] = None if ledger is None else ledger(KIND, case.campaign.campaign_id, dict(receipt))
    return Released(text, receipt)


def write_bundle(told: dict[str, Any]) -> str:
    """Return a bundle's bytes as text: one spelling."""
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"
