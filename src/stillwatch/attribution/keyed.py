"""Personas, suites and tools of known actors as the sketch keys them, so that no prompt text is needed or kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.attribution.actors import Actor
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested
from stillwatch.sketch.exchanges import SYSTEM, SYSTEMS, SketchedExchanges
from stillwatch.sketch.population import Ints
from stillwatch.sketch.templates import TemplateCounts, key_prompts
from stillwatch.sketch.text import SketchKey, hash_strings

Keys = Mapping[str, frozenset[int]]


@dataclass(frozen=True, slots=True)
class Keyed:
    """Known actors, and what the log's exchanges show of what they are known by.

    `keys`: kind (persona, suite, tool) → text → the keys that exchanges with it carry, none where no exchange does;
    `networks`: the accounts (ids) seen in each listed autonomous system.
    """

    actors: tuple[Actor, ...] = ()
    keys: Mapping[str, Keys] = field(default_factory=dict, repr=False)
    networks: Mapping[int, pa.Array] = field(default_factory=dict, repr=False)


def key_actors(
    engine: Engine,
    log: Ingested,
    sketched: SketchedExchanges,
    actors: Sequence[Actor],
    key: SketchKey,
    prompts: TemplateCounts,
) -> Keyed:
    """Key what actors are known by, as the sketch of this log did; `prompts` are its shingle counts.

    System prompts are counted again, and tools and networks looked up, only where an actor has such a trait.
    """
    keys: dict[str, Keys] = {
        "suite": _keys_of(_values(actors, "suite"), prompts),
        "persona": _personas(engine, log, _values(actors, "persona"), key),
        "tool": _tools(engine, log, _values(actors, "tool"), key),
    }
    numbers = [int(value) for value in _values(actors, "asn")]
    return Keyed(tuple(actors), keys, _networks(engine, sketched, numbers))


def _values(actors: Sequence[Actor], kind: str) -> list[str]:
    return sorted(
        {str(value) for one in actors for trait in one.traits if trait.kind == kind for value in trait.values}
    )


def _keys_of(texts: Sequence[str], counts: TemplateCounts) -> Keys:
    found = key_prompts(counts, pa.array(texts, pa.string())).template_key
    return {text: frozenset([int(own)] if own else []) for text, own in zip(texts, found.tolist(), strict=True)}


def _personas(engine: Engine, log: Ingested, texts: Sequence[str], key: SketchKey) -> Keys:
    if not texts or "system_prompt" not in log.present:
        return {}
    empty = partial(TemplateCounts, key, log2_size=SYSTEMS)
    counts = engine.fold(log.table.select("system_prompt"), empty, _count)
    column = pa.array(texts, pa.string())
    framed, whole = key_prompts(counts, column).template_key, hash_strings(column, key)
    keys: Ints = np.where(framed != 0, framed, whole) ^ SYSTEM
    return {text: frozenset([own]) for text, own in zip(texts, keys.tolist(), strict=True)}


def _count(state: TemplateCounts, batch: pa.RecordBatch) -> None:
    state.fold(batch.column(0))


def _tools(engine: Engine, log: Ingested, names: Sequence[str], key: SketchKey) -> Keys:
    """Return for each tool the keys of the toolsets that have it; exchanges carry one key for all their tools."""
    if not names or "tools" not in log.present:
        return {}
    rows: ir.Table = log.table
    offered = rows.filter(rows.tools.notnull()).select("tools").distinct()
    named = offered.mutate(tool=offered.tools.unnest()).filter(lambda t: t.tool.isin(list(names)))
    toolsets = engine.arrow(named.select("tools").distinct())["tools"].to_pylist()
    keys = hash_strings(pa.array(["\x1f".join(one) for one in toolsets], pa.string()), key).tolist()
    return {name: frozenset(own for own, tools in zip(keys, toolsets, strict=True) if name in tools) for name in names}


def _networks(engine: Engine, sketched: SketchedExchanges, numbers: Sequence[int]) -> Mapping[int, pa.Array]:
    if not numbers or "asn" not in sketched.present:
        return {}
    rows: ir.Table = sketched.table
    seen = rows.filter(rows.asn.isin(list(numbers))).select("account_id", "asn").distinct()
    table = engine.arrow(seen.order_by(["asn", "account_id"]))
    accounts, column = table["account_id"].combine_chunks(), table["asn"].to_numpy()
    return {number: accounts.filter(pa.array(column == number)) for number in numbers}
