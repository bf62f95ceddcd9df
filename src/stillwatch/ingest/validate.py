"""What a log can and cannot support, said before a run rather than found in its silence afterwards."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from typing import Any

import ibis.expr.types as ir
import pyarrow.compute as pc

from stillwatch.ingest.abilities import weigh_abilities
from stillwatch.ingest.columns import ACCOUNT_COLUMNS, EXCHANGE_COLUMNS, LICENCE_COLUMNS, Column
from stillwatch.ingest.records import Ingested
from stillwatch.ingest.support import ColumnSupport, Gap, Mend, Strangers, Support

__all__ = ["Support", "validate"]

LONG_ENOUGH = 40  # characters; shorter prompts hold too few four-word shingles to tell templates apart
COARSE = 0.9  # share of times on whole seconds or minutes above which the clock, not chance, put them there
SHOWN = 10  # mends, gaps and examples listed


def validate(exchanges: Ingested, accounts: Ingested | None = None, licences: Ingested | None = None) -> Support:
    """Say what these inputs hold, what is wrong with them, and which abilities they support. Decides nothing."""
    facts = _facts(exchanges.table)
    rows = int(facts["rows"])
    columns = _columns(EXCHANGE_COLUMNS, exchanges, facts)
    shares = {column.name: column.share for column in columns}
    for prefix, contract, table in (("accounts", ACCOUNT_COLUMNS, accounts), ("licences", LICENCE_COLUMNS, licences)):
        if table is not None:
            shares |= {f"{prefix}.{c.name}": c.share for c in _columns(contract, table, _counts(table.table))}
    grain = _grain(facts, rows)
    unmet = _unmet(grain, int(facts["models"]), facts)
    gaps, hours = _gaps(exchanges.table)
    strangers = None if accounts is None else _strangers(exchanges.table, accounts.table)
    fields = exchanges.rejected["field"]
    files = pc.sum(pc.equal(exchanges.rejected["row"], 0)).as_py() or 0
    repeats = pc.sum(pc.and_(pc.equal(fields, "exchange_id"), pc.match_substring(exchanges.rejected["mend"], "before")))
    text = facts["median"]
    return Support(
        rows_read=exchanges.rows_read,
        rows_kept=exchanges.rows_kept,
        rows_rejected=exchanges.rejected.num_rows - files,
        duplicates=repeats.as_py() or 0,
        mends=_mends(exchanges),
        first_seen=facts["first"],
        last_seen=facts["last"],
        seconds_apart=grain,
        gaps=gaps,
        hours_without=hours,
        accounts=int(facts["accounts"]),
        models=int(facts["models"]),
        median_prompt_characters=None if text is None else int(text),
        long_prompts=int(facts["long"] or 0) / rows if rows else 0.0,
        columns=columns,
        strangers=strangers,
        notes=(*unmet.values(), *_notes(facts, rows, strangers)),
        abilities=weigh_abilities(shares, unmet),
    )


def _counts(table: ir.Table) -> dict[str, Any]:
    return (
        table.aggregate(rows=table.count(), **{f"n_{c}": table[c].count() for c in table.columns})
        .to_pyarrow()
        .to_pylist()[0]
    )


def _facts(table: ir.Table) -> dict[str, Any]:
    second, length = table["ts"].truncate("s"), table["prompt"].length()
    answer = table.aggregate(
        first=table["ts"].min(),
        last=table["ts"].max(),
        accounts=table["account_id"].nunique(),
        models=table["model"].nunique(),
        seconds=(table["ts"] == second).sum(),
        minutes=(table["ts"] == table["ts"].truncate("m")).sum(),
        median=length.approx_median(),
        long=(length >= LONG_ENOUGH).sum(),
        odd_countries=(table["country"].length() != 2).sum(),
    )
    return _counts(table) | answer.to_pyarrow().to_pylist()[0]


def _columns(contract: Sequence[Column], ingested: Ingested, counts: dict[str, Any]) -> tuple[ColumnSupport, ...]:
    rows = counts["rows"] or 1
    return tuple(
        ColumnSupport(c.name, c.name in ingested.present, counts[f"n_{c.name}"] / rows, c.meaning) for c in contract
    )


def _grain(facts: dict[str, Any], rows: int) -> float:
    if rows and facts["minutes"] / rows > COARSE:
        return 60.0
    return 1.0 if rows and facts["seconds"] / rows > COARSE else 1e-6


def _unmet(grain: float, models: int, facts: dict[str, Any]) -> dict[str, str]:
    unmet = {}
    if facts["rows"] > 1 and (facts["last"] - facts["first"]).total_seconds() < 1:
        unmet["fine times"] = "all exchanges lie within one second: is 'ts' the time of export?"
    elif grain >= 1:
        unit = "minutes" if grain == 60 else "seconds"
        unmet["fine times"] = f"times are rounded to whole {unit}, which limits what synchrony can show"
    if models < 2:
        unmet["two models"] = "the log holds fewer than two models, so no move from one to another can show"
    return unmet


def _gaps(table: ir.Table) -> tuple[tuple[Gap, ...], int]:
    hours = table.select(hour=table["ts"].truncate("h")).distinct().order_by("hour").to_pyarrow()["hour"].to_pylist()
    step = dt.timedelta(hours=1)
    found = [Gap(a + step, b) for a, b in itertools.pairwise(hours) if b - a > step]
    longest = sorted(found, key=lambda gap: (gap.since - gap.until, gap.since))[:SHOWN]
    return tuple(longest), sum(int((gap.until - gap.since) / step) for gap in found)


def _strangers(exchanges: ir.Table, accounts: ir.Table) -> Strangers:
    seen, known = exchanges.select("account_id").distinct(), accounts.select("account_id").distinct()
    missing = seen.anti_join(known, "account_id")
    examples = missing.order_by("account_id").limit(SHOWN).to_pyarrow()["account_id"].to_pylist()
    unused = known.anti_join(seen, "account_id").count()
    return Strangers(int(missing.count().to_pyarrow().as_py()), int(unused.to_pyarrow().as_py()), tuple(examples))


def _mends(ingested: Ingested) -> tuple[Mend, ...]:
    groups = ingested.rejected.group_by("field", use_threads=False).aggregate([("mend", "count"), ("mend", "first")])
    found = [Mend(row["field"], row["mend_count"], row["mend_first"]) for row in groups.to_pylist()]
    return tuple(sorted(found, key=lambda mend: (-mend.rows, mend.field))[:SHOWN])


def _notes(facts: dict[str, Any], rows: int, strangers: Strangers | None) -> list[str]:
    notes = []
    if rows and facts["n_prompt"] and facts["long"] / facts["n_prompt"] < 0.5:
        notes.append(f"most prompts are shorter than {LONG_ENOUGH} characters: too little text to tell templates apart")
    if facts["odd_countries"]:
        notes.append(
            f"{facts['odd_countries']} exchanges have a 'country' that is not two letters (ISO 3166-1 alpha-2)"
        )
    if strangers and strangers.missing:
        notes.append(
            f"{strangers.missing} accounts of the log are not in the accounts table, {strangers.examples[0]} among them"
        )
    return notes
