"""Assessments to the tables, records and stories that a run hands out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.actions.policy import Policy
from stillwatch.apps import schemas
from stillwatch.apps.lineage_file import read_lineage
from stillwatch.apps.run import AttributeEdge, Run, Story, TimelineBar
from stillwatch.attribution.claims import claims_of, lineage_claims, overturned_by
from stillwatch.attribution.context import Marked, told_by_lists
from stillwatch.attribution.hypotheses import attribute
from stillwatch.attribution.keyed import Keyed
from stillwatch.attribution.scene import day_of
from stillwatch.campaigns.describe import Facts
from stillwatch.campaigns.identity import Named
from stillwatch.campaigns.lineage import Lineage, Sighting, continue_lineage
from stillwatch.campaigns.traces import Tracer
from stillwatch.campaigns.weigh import Assessment
from stillwatch.model import Axis, Campaign, Evidence, Family, Grade, Hypothesis, VerdictKind
from stillwatch.sketch.groups import Membership
from stillwatch.sketch.population import Ints, Population
from stillwatch.sketch.text import SketchKey

EDGES_TOLD = 300
SEVERITY = {kind: rank for rank, kind in enumerate(VerdictKind)}
KINDS = {
    "payment_fingerprint": "payment", "phone_hash": "phone", "signup_ip": "signup address", "ip": "address",
    "email_domain": "mail domain", "stack_asn": "client",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """What judging left: the population, assessed groups (for telling: campaigns only), their atoms and the pools."""

    population: Population
    judged: Sequence[Assessment] = field(repr=False)
    membership: Membership = field(repr=False)
    pools: Ints = field(repr=False)
    cleared: Sequence[Assessment] = field(repr=False)  # groups judged and found clear
    key: SketchKey = field(repr=False)
    keyed: Keyed = field(repr=False)  # known actors
    marked: Sequence[Marked] = field(default=(), repr=False)  # lists of networks and mail domains: context only


def tell(told: Told, facts: Mapping[int, Facts], flagged: pa.Table, policy: Policy, previous: Path | None) -> Run:
    """Return the run's tables and stories; `facts` and `flagged` are by position in `told.judged`."""
    lineage, named, quiet = _lineage(told, facts, previous)
    names = [(one.campaign_id, one.status.value) for one in named]
    who = attribute(told.population, told.keyed, told.judged, facts, told.pools)
    stories = tuple(_story(told, at, named[at], facts[at], (policy, who[at])) for at in range(len(told.judged)))
    belongs = flagged["grp"].to_numpy()
    concluded = np.array([SEVERITY[one.verdict] >= SEVERITY[VerdictKind.SUSPECT] for one in told.judged], np.bool_)
    flagged = flagged.filter(pa.array(concluded[belongs] if len(belongs) else np.zeros(0, np.bool_)))
    return Run(
        verdicts=_verdicts(told, names, flagged),
        campaigns=pa.Table.from_pylist([_campaign_row(story) for story in stories], schemas.CAMPAIGNS),
        evidence=pa.Table.from_pylist(
            [_evidence_row(term) for story in stories for term in story.evidence], schemas.EVIDENCE
        ),
        flagged=_flagged(told, names, flagged),
        rejected=pa.table({}),
        manifest={"went_quiet": quiet, "lineage": lineage.note or "by accounts, templates and infrastructure"},
        stories=stories,
        lineage=lineage,
    )


def _lineage(
    told: Told, facts: Mapping[int, Facts], previous: Path | None
) -> tuple[Lineage, list[Named], tuple[str, ...]]:
    tracer = Tracer.prepare(told.population, told.key, [*told.judged, *told.cleared])
    found = [
        Sighting(tracer.trace(one), facts[at].exchanges, _moment(facts[at].last_ts))
        for at, one in enumerate(told.judged)
    ]
    before = Lineage() if previous is None else read_lineage(previous)
    return continue_lineage(before, found, _moment(told.population.end), tracer.check())


def _story(told: Told, position: int, name: Named, facts: Facts, rest: tuple[Policy, tuple[Hypothesis, ...]]) -> Story:
    one, (policy, who) = told.judged[position], rest
    pool = _pool_of(told, one)
    campaign = Campaign(
        campaign_id=name.campaign_id,
        verdict=one.verdict,
        p=round(one.p, 6),
        coordination_bits=round(one.bits[Axis.COORDINATION], 3),
        extraction_bits=round(one.bits[Axis.EXTRACTION], 3),
        deception_bits=round(one.bits[Axis.DECEPTION], 3),
        accounts=int(one.tied.sum()),
        exchanges=facts.exchanges,
        flagged_exchanges=facts.exchanges if SEVERITY[one.verdict] >= SEVERITY[VerdictKind.SUSPECT] else 0,
        output_tokens=facts.output_tokens,
        first_seen=_moment(facts.first_ts),
        last_seen=_moment(facts.last_ts),
        pool_id=pool,
        status=name.status.value,
        capabilities=facts.shares.get("capability", ()),
        models=facts.shares.get("model", ()),
        channels=facts.shares.get("channel", ()),
        countries=facts.shares.get("country", ()),
        asns=facts.shares.get("asn", ()),
        claims=(
            *claims_of(one, facts, pool, who),
            *lineage_claims(name),
            *told_by_lists(one.group.accounts[one.tied], told.marked),
        ),
        overturn=overturned_by(one),
        actions=policy.recommend(one.verdict),
        members=tuple(told.population.ids.take(pa.array(one.group.accounts[one.tied])).to_pylist()),
    )
    evidence = tuple(
        Evidence(
            "campaign",
            name.campaign_id,
            signal.name,
            signal.axis,
            signal.family,
            round(found.bits, 3),
            found.because,
            found.cites,
            Grade.REPORTED if signal.family is Family.REPORTED else Grade.OBSERVED,
        )
        for signal, found in one.findings
    )
    timeline = tuple(TimelineBar(_moment(start), model, count, busy) for start, model, count, busy in facts.timeline)
    days = tuple((day_of(day), capability, count) for day, capability, count in facts.closer.days)
    return Story(campaign, evidence, timeline, _edges(told.population, one), who, days)


def _pool_of(told: Told, one: Assessment) -> str | None:
    own = told.pools[one.group.accounts[one.tied]]
    names, counts = np.unique(own[own >= 0], return_counts=True)
    if not len(names) or counts.max() < len(own) / 2:
        return None
    home = np.flatnonzero(told.pools == names[counts.argmax()])
    return f"P-{told.population.ids[int(home[0])].as_py()}"  # named by its first account: stable while that one stays


def _edges(population: Population, one: Assessment) -> tuple[AttributeEdge, ...]:
    found: list[AttributeEdge] = []
    accounts = one.group.accounts[one.tied]
    for kind, label in KINDS.items():
        if kind not in population.edges:
            continue
        edges = population.edges[kind]
        own = np.isin(edges.account, accounts)
        value, who = edges.value[own], edges.account[own]
        count = np.bincount(value, minlength=len(edges.labels))
        bits = np.log2(population.size / np.maximum(edges.degree, 1))
        shared = np.flatnonzero((count >= 2) & (bits > 2.0) & (count > edges.degree / 2))
        order = shared[np.lexsort((shared, -(count[shared] * bits[shared])))][:12]
        for code in order.tolist():
            name = _short(edges.labels[code].as_py())
            shown = population.ids.take(pa.array(who[value == code][:25])).to_pylist()
            found += [AttributeEdge(account, label, name, int(count[code]), float(bits[code])) for account in shown]
    found.sort(key=lambda edge: (-edge.bits * edge.shared_by, edge.kind, edge.value, edge.account_id))
    return tuple(found[:EDGES_TOLD])


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:39] + "…"


def _verdicts(told: Told, names: Sequence[tuple[str, str]], flagged: pa.Table) -> pa.Table:
    """One row an account seen: the gravest of its campaigns, or clear."""
    size = told.population.size
    rank = np.zeros(size, np.int64)
    campaign = np.full(size, -1, np.int64)
    p = np.zeros(size)
    for position, one in enumerate(told.judged):
        accounts, level, chance = one.group.accounts[one.tied], SEVERITY[one.verdict], one.member_p[one.tied]
        graver = (level > rank[accounts]) | ((level == rank[accounts]) & (chance > p[accounts]))
        chosen = accounts[graver]
        rank[chosen], campaign[chosen], p[chosen] = level, position, chance[graver]
    for one in told.cleared:  # how near a cleared account came; its verdict and its bits stay empty
        near = (rank[one.group.accounts] == 0) & ~told.population.licensed[one.group.accounts]
        accounts = one.group.accounts[near]
        p[accounts] = np.maximum(p[accounts], one.member_p[near])
    kinds = list(VerdictKind)
    own = flagged["account"].to_numpy()
    ids = [name for name, _ in names]
    axis = {a: np.array([one.bits[a] for one in told.judged] + [0.0])[campaign].round(3) for a in Axis}
    usage = told.population.usage
    once = pc.unique(flagged["exchange_id"]) if len(own) else pa.array([])
    per_account = np.bincount(_first_rows(flagged), minlength=size) if len(once) else np.zeros(size, np.int64)
    return pa.table(
        {
            "account_id": told.population.ids.cast(pa.string()),
            "campaign_id": pa.array([ids[at] if at >= 0 else None for at in campaign.tolist()], pa.string()),
            "verdict": [kinds[at].value for at in rank.tolist()],
            "p": p.round(6),
            "coordination_bits": axis[Axis.COORDINATION],
            "extraction_bits": axis[Axis.EXTRACTION],
            "deception_bits": axis[Axis.DECEPTION],
            "exchanges": usage["exchanges"],
            "flagged_exchanges": per_account,
            "first_seen": pa.array(usage["first_ts"]).cast(pa.timestamp("us", "UTC")),
            "last_seen": pa.array(usage["last_ts"]).cast(pa.timestamp("us", "UTC")),
        },
        schema=schemas.VERDICTS,
    )


def _first_rows(flagged: pa.Table) -> Ints:
    """Return the account of each distinct exchange; an exchange has one account, so the first row will do."""
    ids = flagged["exchange_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    _, first = np.unique(ids, return_index=True)
    return flagged["account"].to_numpy()[first]


def _flagged(told: Told, names: Sequence[tuple[str, str]], flagged: pa.Table) -> pa.Table:
    group, account = flagged["grp"].to_numpy(), flagged["account"].to_numpy()
    chance = np.zeros(len(group))
    for position, one in enumerate(told.judged):
        own = group == position
        chance[own] = one.member_p[np.searchsorted(one.group.accounts, account[own])]
    ids = pa.array([name for name, _ in names], pa.string())
    return pa.table(
        {
            "exchange_id": flagged["exchange_id"].cast(pa.string()),
            "account_id": told.population.ids.cast(pa.string()).take(pa.array(account)),
            "campaign_id": ids.take(pa.array(group)),
            "p": chance.round(6),
        },
        schema=schemas.FLAGGED,
    )


def _campaign_row(story: Story) -> dict[str, Any]:
    campaign = story.campaign
    row = {name: getattr(campaign, name) for name in schemas.CAMPAIGNS.names if hasattr(campaign, name)}
    for name in ("capabilities", "models", "channels", "countries", "asns"):
        row[name] = [{"name": share.name, "share": share.share} for share in getattr(campaign, name)]
    row["verdict"] = campaign.verdict.value
    row["operator_hypotheses"] = [
        {"operator": one.operator, "p": one.p, "grade": one.grade.value, "role": one.role} for one in story.hypotheses
    ]
    return row


def _evidence_row(term: Evidence) -> dict[str, Any]:
    return {name: getattr(term, name) for name in schemas.EVIDENCE.names} | {"exchanges": list(term.exchanges)}


def _moment(us: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(us // 1_000_000, dt.UTC)
