"""Runs made by hand, for what is done with a run once it is there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa

from stillwatch.apps import schemas
from stillwatch.apps.run import AttributeEdge, Run, Story, TimelineBar
from stillwatch.model import Axis, Campaign, Claim, Evidence, Family, Grade, Share, VerdictKind

START = dt.datetime(2026, 3, 1, 4, 30, tzinfo=dt.UTC)
A, F = Axis, Family
TERMS = (
    ("shared-payment", A.COORDINATION, F.IDENTITY, 4.0, "3 of 3 members share payment instruments"),
    ("shared-phone", A.COORDINATION, F.IDENTITY, 2.0, "3 of 3 members share a number"),
    ("shared-address", A.COORDINATION, F.INFRASTRUCTURE, 3.0, "2 of 3 members share addresses"),
    ("declared-organisation", A.COORDINATION, F.IDENTITY, -1.5, "2 members declare one organisation"),
    ("template-novelty", A.EXTRACTION, F.CONTENT, 5.0, "99% of fills are new"),
    ("undeclared-relation", A.DECEPTION, F.IDENTITY, 3.0, "3 members name no common owner"),
)


def make_run(number: int = 1, verdict: VerdictKind = VerdictKind.DISTILLATION) -> Run:
    """One campaign of three accounts, and a fourth that is clear; `number` is in every file that is written of it."""
    name, members = f"C-{number:06d}", ("acct-a", "acct-b", "acct-c")
    seen = {"first_seen": START, "last_seen": START + dt.timedelta(days=number)}
    bits = {"coordination_bits": 6.5, "extraction_bits": 5.0, "deception_bits": 3.0}
    shares = (Share("coding", 0.75), Share("reasoning", 0.25))
    campaign = Campaign(
        campaign_id=name, verdict=verdict, p=0.97, accounts=3, exchanges=90, flagged_exchanges=90, output_tokens=9_000,
        pool_id="P-acct-a", status="born", capabilities=shares, models=(Share("opal-4", 1.0),),
        claims=(Claim("3 accounts sent 90 exchanges", Grade.OBSERVED), Claim("coding is sought", Grade.INFERRED)),
        overturn=("a licence exists",), actions=("look",), members=members, **bits, **seen,
    )  # fmt: skip
    cites = tuple(f"x-{i}" for i in range(5))
    evidence = tuple(Evidence("campaign", name, *term, exchanges=cites) for term in TERMS)
    return Run(
        verdicts=_table(schemas.VERDICTS, [_verdict(one, name, verdict.value, bits | seen) for one in members]
                        + [_verdict("acct-z", None, "clear", dict.fromkeys(bits, 0.0) | seen)]),
        campaigns=_table(schemas.CAMPAIGNS, [_campaign(campaign)]),
        evidence=_table(schemas.EVIDENCE, [_row(schemas.EVIDENCE, term) for term in evidence]),
        flagged=_table(schemas.FLAGGED, [
            {"exchange_id": f"x-{i}", "account_id": members[i % 3], "campaign_id": name, "p": 0.9} for i in range(90)
        ]),
        rejected=_table(schemas.REJECTED, [
            {"file": "log.ndjson", "row": number, "field": "ts", "value": "soon", "mend": "give a time"}
        ]),
        manifest={
            "stillwatch": "0.1.0", "exchanges": 120, "accounts": 4, "number": number,
            "rows": {"read": 121, "kept": 120, "rejected": 1},
            "signals_evaluated": [term[0] for term in TERMS],
            "signals_not_evaluated": [{"signal": "artefact-replay", "reason": "the input has no artefacts_in"}],
            "timings": {"ingest": 0.1 * number},
        },
        stories=(
            Story(
                campaign, evidence, (TimelineBar(START, "opal-4", 90, 3),),
                tuple(AttributeEdge(account, "payment", "pm_1", 2, 7.5) for account in members[:2]),
            ),
        ),
    )  # fmt: skip


def _table(schema: pa.Schema, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=schema)


def _row(schema: pa.Schema, record: Any) -> dict[str, Any]:
    return {name: getattr(record, name, None) for name in schema.names}


def _verdict(account: str, campaign: str | None, verdict: str, rest: dict[str, Any]) -> dict[str, Any]:
    own = {"account_id": account, "campaign_id": campaign, "verdict": verdict, "p": 0.9 if campaign else 0.0}
    return own | {"exchanges": 30, "flagged_exchanges": 30 if campaign else 0} | rest


def _campaign(campaign: Campaign) -> dict[str, Any]:
    shares = ("capabilities", "models", "channels", "countries", "asns")
    return _row(schemas.CAMPAIGNS, campaign) | {
        name: [{"name": one.name, "share": one.share} for one in getattr(campaign, name)] for name in shares
    }
