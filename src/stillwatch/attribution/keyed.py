"""Personas, suites and tools of known actors as the sketch keys them, so that no prompt text is needed or kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from stillwatch.attribution.actors import Actor
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested
from stillwatch.sketch.exchanges import Learned, SketchedExchanges
from stillwatch.sketch.one import SYSTEM
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
    learned: Learned,
) -> Keyed:
    """Key what actors are known by, as the sketch of this log did; `learned` is what that had counted.

    Tools and networks are looked up only where an actor has such a trait.
    """
    keys: dict[str, Keys] = {
        "suite": _keys_of(_values(actors, "suite"), learned.prompts),
        "persona": _personas(_values(actors, "persona"), key, learned.systems),
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


def _personas(texts: Sequence[str], key: SketchKey, counts: TemplateCounts) -> Keys:
    if not texts or not counts.prompts:
        return {}
    column = pa.array(texts, pa.string())
    framed, whole = key_prompts(counts, column).template_key, hash_strings(column, key)
    keys: Ints = np.where(framed != 0, framed, whole) ^ SYSTEM
    return {text: frozenset([own]) for text, own in zip(texts, keys.tolist(), strict=True)}


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
    clients, accounts = sketched.tallies["clients"], sketched.tallies["accounts"]
    seen = clients.filter(clients.asn.isin(list(numbers))).select("account_key", "asn").distinct()
    seen = seen.inner_join(accounts.select("account_key", "account_id"), "account_key")
    table = engine.arrow(seen.order_by(["asn", "account_id"]))
    ids, column = table["account_id"].combine_chunks(), table["asn"].to_numpy()
    return {number: ids.filter(pa.array(column == number)) for number in numbers}
