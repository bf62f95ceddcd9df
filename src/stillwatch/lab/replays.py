"""Replays with known truth, judged group by group: the examples from which the lab fits weights and probabilities."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.apps.detect import Examined, Settings, examine
from stillwatch.campaigns.weigh import Assessment
from stillwatch.ingest.engine import Engine
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.sketch.groups import grouped_rows


@dataclass(frozen=True, slots=True)
class Example:
    """One judged group and the truth about it."""

    assessment: Assessment
    planted: float  # share of its exchanges that belong to a planted campaign
    who: str  # the campaign or look-alike class of most of its accounts, else "ordinary"
    replay: int  # seed


def replay(
    requests: Sequence[Request], settings: Settings, say: Callable[[str], None] = lambda _: None
) -> list[Example]:
    """Compose each request, examine its log, and pair every group that has findings with the truth."""
    examples: list[Example] = []
    for request in requests:
        say(f"{request.split} replay, seed {request.seed}")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            write_traffic(compose(request), out)
            truth = read_truth(out / "labels")
            with Engine() as engine:
                files: Any = (out / "exchanges.parquet", out / "accounts.parquet", out / "licences.csv")
                seen = examine(engine, files, settings)
                share = _planted_share(engine, seen, pa.array(sorted(truth.exchange)))
        names = seen.population.ids.to_pylist()
        examples += [
            Example(one, share[one.group.group], _who([names[at] for at in one.group.accounts], truth), request.seed)
            for one in seen.judged.assessments
            if one.findings
        ]
    return examples


def _who(accounts: list[str], truth: Truth) -> str:
    kinds = Counter(truth.campaign.get(one) or truth.lookalike.get(one) or "ordinary" for one in accounts)
    return min(kinds.items(), key=lambda pair: (-pair[1], pair[0]))[0]


def _planted_share(engine: Engine, seen: Examined, planted: pa.Array) -> dict[int, float]:
    """Return the share of each group's exchanges that belong to a planted campaign."""
    rows = grouped_rows(engine, seen.sketched, seen.population, seen.judged.membership, ("exchange_id",))
    table = engine.arrow(rows.select("grp", "exchange_id"))
    hit = pc.is_in(table["exchange_id"], value_set=planted).to_numpy().astype(float)
    groups, code = np.unique(table["grp"].to_numpy(), return_inverse=True)
    return dict(zip(groups.tolist(), (np.bincount(code, hit) / np.bincount(code)).tolist(), strict=True))
