"""Which accounts a licence covers, and which exceed it: consulted before anyone is judged."""

from __future__ import annotations

import dataclasses

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.intent import CAPABILITIES
from stillwatch.sketch.population import Population

TOLERATED = 0.1  # share of exchanges outside a licence's terms that errors and one-off tests explain
MIN_OUTSIDE = 20


def apply_licences(
    engine: Engine, exchanges: SketchedExchanges, population: Population, licences: pa.Table | None
) -> Population:
    """Mark the accounts within a licence, and those that exceed its models, capabilities, volume or dates."""
    if licences is None or not licences.num_rows:
        return population
    licensed, breaks = population.licensed.copy(), population.breaks_licence.copy()
    for terms in licences.to_pylist():
        covered = np.flatnonzero(
            (population.words["org_id"] == terms["org_id"]) & (terms["org_id"] is not None)
            | pc.equal(population.ids, pa.scalar(terms["account_id"], population.ids.type))
            .fill_null(False)
            .to_numpy(zero_copy_only=False)
        )
        if not len(covered):
            continue
        total, outside, tokens = _usage(engine, exchanges.table, population.ids.take(pa.array(covered)), terms)
        limit = terms["max_output_tokens"]
        exceeded = outside >= max(MIN_OUTSIDE, TOLERATED * total) or (limit is not None and tokens > limit)
        (breaks if exceeded else licensed)[covered] = True
    return dataclasses.replace(population, licensed=licensed & ~breaks, breaks_licence=breaks)


def _usage(engine: Engine, rows: ir.Table, accounts: pa.Array, terms: dict[str, object]) -> tuple[int, int, int]:
    """Return exchanges, exchanges outside the terms, and output tokens within them, over all covered accounts."""
    covered = engine.register("licensed", pa.table({"account_id": accounts}))
    own = rows.inner_join(covered, "account_id")
    within = own.account_id.notnull()  # a column, not a literal: a licence without terms is summed up too
    if terms["models"]:
        within = within & own.model.isin(terms["models"])
    if terms["capabilities"]:
        codes = [CAPABILITIES.index(name) for name in terms["capabilities"] if name in CAPABILITIES]  # type: ignore[attr-defined]
        within = within & own.capability.isin(codes)
    for bound, later in (("valid_from", True), ("valid_until", False)):
        moment = terms[bound]
        if moment is not None:
            stamp = int(moment.timestamp() * 1_000_000)  # type: ignore[attr-defined]
            within = within & (own.ts >= stamp if later else own.ts < stamp)
    inside = ibis.ifelse(within, 1, 0)
    sums = own.aggregate(total=own.count(), inside=inside.sum(), tokens=(own.output_tokens.fill_null(0) * inside).sum())
    row = engine.arrow(sums).to_pylist()[0]
    total, kept = int(row["total"] or 0), int(row["inside"] or 0)
    return total, total - kept, int(row["tokens"] or 0)
