"""Fingerprints of the templates that a campaign's accounts fill, and who else fills them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.ingest.engine import Engine
from stillwatch.sharing.case import Kind, Shown
from stillwatch.sharing.leaving import LEAST_SHOWING
from stillwatch.sketch.fingerprints import Draft, Fingerprint, Matcher, draft

SAMPLE = 20_000  # exchanges of a campaign that a fingerprint is made of, spread by hash of their ids
REST = 200_000  # other exchanges that say which shingles are phrases of the language
PHRASE = 0.05  # of a template's uses: a shingle that others use as often is no mark of it
TEMPLATES = 8  # of a campaign, the most used


@dataclass
class Users:
    """Which accounts fill which fingerprint: merges exactly."""

    found: dict[int, set[str]] = field(default_factory=dict)
    uses: dict[int, int] = field(default_factory=dict)

    def merge(self, other: Users) -> None:
        """Add what was found in other rows."""
        for at, accounts in other.found.items():
            self.found.setdefault(at, set()).update(accounts)
            self.uses[at] = self.uses.get(at, 0) + other.uses[at]


def gather_templates(engine: Engine, rows: ir.Table, flagged: ir.Table, roles: pa.Table) -> Iterator[tuple[str, Shown]]:
    """Yield each campaign's templates as fingerprints, with how many accounts inside and outside fill them."""
    drafts = list(_drafts(engine, rows, flagged))
    if not drafts:
        return
    uses = [one.exchanges for _, one in drafts]
    popular = _popular(engine, rows, flagged, [one for _, one in drafts])
    settled = [(name, one.settle(frozenset(v for v in one.values if popular[v] > max(2.0, PHRASE * use))))
               for (name, one), use in zip(drafts, uses, strict=True)]  # fmt: skip
    kept = sorted({(name, one) for name, one in settled if one is not None})
    unique = sorted({one for _, one in kept})
    matcher = Matcher(unique)
    everybody = count_users(engine, rows.select("account_id", "prompt"), matcher)
    inside = dict(zip(roles["account_id"].to_pylist(), roles["inside"].to_pylist(), strict=True))
    protected = dict(zip(roles["account_id"].to_pylist(), roles["protected"].to_pylist(), strict=True))
    for name in dict.fromkeys(name for name, _ in kept):
        members = count_users(engine, _of(rows, flagged, name).select("account_id", "prompt"), matcher)
        for one in (each for owner, each in kept if owner == name):
            at = unique.index(one)
            who, own = everybody.found.get(at, set()), members.found.get(at, set())
            outside = sum(not inside.get(account, False) for account in who)
            marked = sum(bool(protected.get(account, False)) for account in who)
            yield name, Shown(Kind.TEMPLATE, one, len(own), members.uses.get(at, 0), outside, marked)


def _of(rows: ir.Table, flagged: ir.Table, name: str) -> ir.Table:
    return rows.semi_join(flagged.filter(flagged.campaign_id == name), "exchange_id")


def _drafts(engine: Engine, rows: ir.Table, flagged: ir.Table) -> Iterator[tuple[str, Draft]]:
    names = engine.arrow(flagged.select("campaign_id").distinct().order_by("campaign_id"))["campaign_id"].to_pylist()
    for name in names:
        own = _of(rows, flagged, name)
        sampled = own.order_by(own.exchange_id.hexdigest("md5")).limit(SAMPLE).select("account_id", "prompt")
        table = engine.arrow(sampled)
        accounts = table["account_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        prompts = table["prompt"].cast(pa.large_string()).combine_chunks()
        yield from ((name, one) for one in draft(prompts, accounts, LEAST_SHOWING)[:TEMPLATES])


def _popular(engine: Engine, rows: ir.Table, flagged: ir.Table, drafts: Sequence[Draft]) -> dict[int, float]:
    """Return how often each shingle of the drafts stands in exchanges of no campaign, from a sample of them."""
    matcher = Matcher([Fingerprint(one.values) for one in drafts])
    others = rows.anti_join(flagged, "exchange_id")
    total = int(engine.arrow(others.aggregate(n=others.count()))["n"][0].as_py())
    sampled = others.order_by(others.exchange_id.hexdigest("md5")).limit(REST) if total > REST else others
    met = dict.fromkeys((value for one in drafts for value in one.values), 0)
    for batch in engine.stream(sampled.select("prompt")):
        for value, count in matcher.popularity(batch.column("prompt")).items():
            met[value] += count
    return {value: count * max(1.0, total / REST) for value, count in met.items()}


def count_users(engine: Engine, prompts: ir.Table, matcher: Matcher) -> Users:
    """Return which accounts fill which fingerprint, over rows of account_id and prompt."""
    return engine.fold(prompts, Users, partial(_note, matcher))


def _note(matcher: Matcher, users: Users, batch: pa.RecordBatch) -> None:
    which = matcher.match(batch.column("prompt")).which
    for at in np.flatnonzero(which >= 0).tolist():
        found = int(which[at])
        users.found.setdefault(found, set()).add(batch.column("account_id")[at].as_py())
        users.uses[found] = users.uses.get(found, 0) + 1
