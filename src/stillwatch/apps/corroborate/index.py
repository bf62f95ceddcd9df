"""A run and its log to an index: which indicators the members of its campaigns show, and how many others do."""

from __future__ import annotations

from typing import Any

import ibis
import ibis.expr.types as ir

from stillwatch.apps.run import Run
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested, read_accounts, read_exchanges
from stillwatch.sharing.private.indicators import Indicator, normalise
from stillwatch.sharing.private.known import Shown, distinctive

Pairs = dict[tuple[str, Indicator], float]  # (account, indicator) → last seen, seconds


def build_index(run: Run, exchanges: Any, accounts: Any = None) -> tuple[Shown, ...]:
    """Return what the members of the run's campaigns show, popular values left out; from the log of that run."""
    pairs: Pairs = {}
    with Engine() as engine:
        log = read_exchanges(exchanges, engine)
        _add(pairs, _of_log(log), engine)
        if accounts is not None:
            _add(pairs, _of_accounts(read_accounts(accounts, engine), run), engine)
    showing: dict[Indicator, set[str]] = {}
    last: dict[Indicator, float] = {}
    for (account, indicator), when in pairs.items():
        showing.setdefault(indicator, set()).add(account)
        last[indicator] = max(last.get(indicator, 0.0), when)
    suspects = {member for story in run.stories for member in story.campaign.members}
    found = []
    for story in run.stories:
        campaign, members = story.campaign, set(story.campaign.members)
        for indicator, who in showing.items():
            inside = len(who & members)
            if inside:
                outside = len(who - suspects)
                found.append(
                    Shown(campaign.campaign_id, campaign.verdict.value, indicator, inside, outside, last[indicator])
                )
    found.sort(key=lambda one: (one.campaign, one.indicator))
    return distinctive(found, run.verdicts.num_rows)


def _of_log(log: Ingested) -> list[tuple[str, ir.Table]]:
    table, found = log.table, []
    last = table.ts.epoch_seconds().max()
    if "ip" in log.present:
        known = table.filter(table.ip.notnull())
        found.append(("address", known.group_by("account_id", value=known.ip).aggregate(last=last)))
    if {"asn", "tls_fingerprint"} <= log.present:
        known = table.filter(table.asn.notnull() & table.tls_fingerprint.notnull())
        stack = known.asn.cast("string") + ibis.literal("|") + known.tls_fingerprint
        found.append(("client", known.group_by("account_id", value=stack).aggregate(last=last)))
    return found


def _of_accounts(accounts: Ingested, run: Run) -> list[tuple[str, ir.Table]]:
    """Identity has no time of its own: it holds while the account is used, so it is as fresh as the log."""
    table, found = accounts.table, []
    newest = max((story.campaign.last_seen.timestamp() for story in run.stories), default=0.0)
    columns = {"payment": "payment_fingerprint", "phone": "phone_hash", "mail-domain": "email_domain"}
    for kind, column in (*columns.items(), ("address", "signup_ip")):
        if column in accounts.present:
            known = table.filter(table[column].notnull())
            found.append((kind, known.select("account_id", value=known[column], last=ibis.literal(newest))))
    return found


def _add(pairs: Pairs, parts: list[tuple[str, ir.Table]], engine: Engine) -> None:
    for kind, part in parts:
        columns = engine.arrow(part).to_pydict()
        spelled = {value: normalise(kind, value) for value in set(columns["value"])}
        for account, value, last in zip(columns["account_id"], columns["value"], columns["last"], strict=True):
            indicator = spelled[value]
            if indicator is not None:
                key = (account, indicator)
                pairs[key] = max(pairs.get(key, 0.0), float(last))
