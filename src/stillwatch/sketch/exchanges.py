"""Exchange rows in, exchange sketches out: the last place where prompt text exists.

Two passes over the log: the first counts word shingles, the second keys each prompt by the frame it shares with others.
What leaves has keys, counts and flags only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import ibis.expr.types as ir
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import Ingested
from stillwatch.sketch.intent import CAPABILITIES, read_intent
from stillwatch.sketch.named import keys_of
from stillwatch.sketch.one import LIKELY, SYSTEM
from stillwatch.sketch.tallies import tally
from stillwatch.sketch.templates import TemplateCounts, key_prompts
from stillwatch.sketch.text import SketchKey, distinct_texts, hash_strings

PASSED_ON = (
    "exchange_id", "ts", "account_id", "model", "turns", "input_tokens", "output_tokens", "max_tokens", "temperature",
    "n", "stream", "ip", "asn", "country", "user_agent", "tls_fingerprint", "channel", "status", "artefacts_out",
    "artefacts_in",
)  # fmt: skip
AGENTIC = CAPABILITIES.index("agentic")
MANY = 1_000_000  # exchanges from which the smaller count sketch loses templates (benchmarks/sketch.py)
SMALL, LARGE = 24, 26  # log2 of counters: 64 MB and 256 MB a thread
SYSTEMS = 22  # system prompts are few and repeated

MADE = pa.schema(
    [
        ("template_key", pa.int64()),  # 0: no frame shared with others
        ("fill_hash", pa.int64()),  # 0: no text
        ("system_key", pa.int64()),
        ("tools_key", pa.int64()),
        ("trace", pa.int8()),  # 1: asks for reasoning to be written out
        ("rubric", pa.int8()),  # 1: uses the model as a grader
        ("capability", pa.int8()),
        ("account_key", pa.int64()),  # keyed hash of `account_id`: eight bytes to group and join by
    ]
)


@dataclass(frozen=True, slots=True)
class SketchedExchanges:
    """Exchange sketches in the engine, the columns the log really had, and what the sketches leave about accounts."""

    table: ir.Table
    present: frozenset[str]
    tallies: Mapping[str, ir.Table]


@dataclass(frozen=True, slots=True)
class Learned:
    """How often each piece of text has been seen, in prompts and in system prompts: what tells frames from fills."""

    prompts: TemplateCounts
    systems: TemplateCounts

    @classmethod
    def nothing(cls, key: SketchKey, exchanges: int) -> Learned:
        """Return empty counts, of a size for a log of so many exchanges."""
        size = LARGE if exchanges > MANY else SMALL
        return cls(TemplateCounts(key, log2_size=size), TemplateCounts(key, log2_size=SYSTEMS))

    def save(self, folder: Path) -> None:
        """Write both counts into a folder."""
        self.prompts.save(folder / "prompts.npz")
        self.systems.save(folder / "systems.npz")

    @classmethod
    def load(cls, folder: Path, key: SketchKey) -> Learned:
        """Read what `save` wrote. Raises UsageError for another key, InputRefused for what is no sketch."""
        counts = (TemplateCounts.load_from(folder / f"{name}.npz", key) for name in ("prompts", "systems"))
        return cls(*counts)


def sketch_exchanges(
    engine: Engine, exchanges: Ingested, key: SketchKey, learned: Learned | None = None, into: Path | None = None
) -> tuple[SketchedExchanges, Learned]:
    """Sketch every exchange of a log; text is read twice and kept nowhere. Returns the counts of text pieces too.

    With `learned` counts of earlier exchanges the log's own are added to them, and its prompts are keyed by the sum.
    The sketches are written to `into`, else to the engine's scratch folder. An exchange that has no `prompt` but
    `template_key` and `fill_hash` is known by those (`stillwatch.sketch.named`).
    """
    source = exchanges.table
    has_text = "prompt" in exchanges.present
    counts = learned or Learned.nothing(key, exchanges.rows_kept)
    if has_text:
        fresh = partial(TemplateCounts, key, log2_size=counts.prompts.log2_size)
        counts.prompts.merge(engine.fold(source.select("prompt"), fresh, _count_prompts))
    if "system_prompt" in exchanges.present:
        fresh = partial(TemplateCounts, key, log2_size=counts.systems.log2_size)
        counts.systems.merge(engine.fold(source.select("system_prompt"), fresh, _count_systems))
    wanted = [*PASSED_ON, "prompt", "system_prompt", "tools", "template_key", "fill_hash"]
    prompts = counts.prompts if has_text else None
    stage = partial(_sketch_batch, key=key, prompts=prompts, systems=counts.systems)
    passed = source.select(*wanted).mutate(ts=source.ts.epoch_seconds() * 1_000_000 + source.ts.microsecond())
    sample = engine.arrow(passed.limit(0)).schema
    schema = pa.schema([sample.field(name) for name in PASSED_ON] + list(MADE))
    rows = shape(engine.map("sketched", passed, partial(stage, schema=schema), schema, into))
    tallies = {name: engine.keep(name, each) for name, each in tally(rows).items()}  # asked for more than once
    return SketchedExchanges(rows, exchanges.present, tallies), counts


def _count_prompts(state: TemplateCounts, batch: pa.RecordBatch) -> None:
    state.fold(batch.column(0))


def _count_systems(state: TemplateCounts, batch: pa.RecordBatch) -> None:
    state.fold_repeated(batch.column(0))


def _sketch_batch(
    batch: pa.RecordBatch,
    *,
    key: SketchKey,
    prompts: TemplateCounts | None,
    systems: TemplateCounts,
    schema: pa.Schema,
) -> pa.RecordBatch:
    text, system = batch.column("prompt"), batch.column("system_prompt")
    template, fill = keys_of(batch.column("template_key"), key), keys_of(batch.column("fill_hash"), key)
    if prompts is not None:
        keyed, has_prompt = key_prompts(prompts, text), pc.is_valid(text).to_numpy(zero_copy_only=False)
        template = np.where(has_prompt, keyed.template_key, template)
        fill = np.where(has_prompt, keyed.fill_hash, fill)
    intent = read_intent(text, system)
    account, whose = distinct_texts(batch.column("account_id"))
    tools, used = distinct_texts(pc.binary_join(batch.column("tools").cast(pa.list_(pa.string())), "\x1f"))
    made = {
        "template_key": template,
        "fill_hash": fill,
        "system_key": _key_systems(system, key, systems),
        "tools_key": hash_strings(tools, key)[used],
        "trace": (intent.trace >= LIKELY).astype(np.int8),
        "rubric": (intent.rubric >= LIKELY).astype(np.int8),
        "capability": intent.capability.astype(np.int8),
        "account_key": hash_strings(account, key)[whose],
    }
    columns = [batch.column(name) for name in PASSED_ON] + [pa.array(made[f.name], f.type) for f in MADE]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _key_systems(system: pa.Array, key: SketchKey, systems: TemplateCounts) -> npt.NDArray[np.int64]:
    """Key system prompts by their template, or else by the whole text; apart from template keys, as both name frames.

    One column of atoms holds both kinds. A null is 0.
    """
    texts, place = distinct_texts(system)
    framed = key_prompts(systems, texts).template_key
    keys = np.where(framed != 0, framed, hash_strings(texts, key)) ^ SYSTEM
    keys[-1] = 0  # no system prompt
    return keys[place]


def shape(table: ir.Table) -> ir.Table:
    """Add what every later expression wants: the hour, and flags as integers."""
    return table.mutate(
        hour=(table.ts // 3_600_000_000).cast("int64"),
        single=(table.turns.fill_null(1) <= 2).cast("int64"),
        talk=((table.turns.fill_null(1) > 2) & (table.tools_key == 0) & (table.capability != AGENTIC)).cast("int64"),
        saturated=(table.output_tokens >= table.max_tokens * 9 // 10).fill_null(False).cast("int64"),
        denied=table.status.isin([401, 403, 429]).fill_null(False).cast("int64"),
    )
