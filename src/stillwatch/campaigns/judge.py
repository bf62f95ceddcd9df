"""Sketches to judged groups: group by frame, weigh, merge what one scheduler runs, weigh again, keep the stronger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from stillwatch.campaigns.apart import Findings, ask_apart
from stillwatch.campaigns.weigh import Assessment, Bars, Calibration, Weights, assess, findings_of
from stillwatch.ingest.engine import Engine
from stillwatch.links.pools import find_pools
from stillwatch.links.workloads import group_by_frame, merge_workloads
from stillwatch.model import Axis, VerdictKind
from stillwatch.signals.base import Signal
from stillwatch.sketch.exchanges import SketchedExchanges
from stillwatch.sketch.groups import GroupSketch, Membership, sketch_groups
from stillwatch.sketch.population import Ints, Population

Progress = Callable[[str], None]
MANY = 2_000  # groups from which further processes pay
SEVERITY = {kind: rank for rank, kind in enumerate(VerdictKind)}


@dataclass(frozen=True, slots=True)
class Rules:
    """By what groups are judged: the roster, the bars of each verdict, and what a frame needs to be merged at all."""

    roster: tuple[Signal, ...]
    bars: Mapping[VerdictKind, Bars]
    calibration: Calibration
    merging: Bars
    weights: Weights = field(default_factory=dict)

    def worth_merging(self, one: Assessment) -> bool:
        """Whether a frame looks enough like a part of a workload to be compared with others."""
        return (
            one.group.common.sum() > 0  # what a pool's accounts fill each alone says nothing of the owner
            and one.bits[Axis.COORDINATION] >= self.merging.coordination
            and one.bits[Axis.EXTRACTION] >= self.merging.extraction
            and one.beyond_content >= self.merging.beyond_content
            and one.families >= self.merging.families
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """Every assessed group, the atoms that each is made of, and each account's pool."""

    assessments: tuple[Assessment, ...]
    membership: Membership
    pools: Ints


def judge(
    engine: Engine, exchanges: SketchedExchanges, population: Population, rules: Rules, progress: Progress
) -> Judged:
    """Judge every group of accounts that has a frame or a pool in common."""
    pools = find_pools(population)
    first = group_by_frame(population, pools)
    groups = sketch_groups(engine, exchanges, population, first)
    progress(f"weighing {len(groups)} groups")
    alone = _weigh(groups, population, rules, engine.threads)
    merged = merge_workloads([one.group for one in alone if rules.worth_merging(one)], first, pools)
    roots = np.unique(merged.group[merged.group != first.group])
    part = _of_groups(merged, roots)
    together = _weigh(sketch_groups(engine, exchanges, population, part), population, rules, engine.threads)
    number, weaker = merged.group.copy(), []
    for one in together:
        atoms = merged.group == one.group.group
        joined = set(np.unique(first.group[atoms]).tolist())
        parts = [other for other in alone if other.group.group in joined]
        if _strength(one) < max(_strength(other) for other in parts):
            number[atoms] = first.group[atoms]  # a merger that weakens the case joined strangers: it is undone
            weaker.append(one.group.group)
    kept = [one for one in together if one.group.group not in weaker]
    standing = set(np.unique(number).tolist()) - {one.group.group for one in kept}
    kept += [one for one in alone if one.group.group in standing]
    membership = Membership(number, merged.account, merged.frame, merged.exchanges)
    return Judged(tuple(sorted(kept, key=lambda one: one.group.group)), membership, pools)


def _weigh(groups: Sequence[GroupSketch], population: Population, rules: Rules, workers: int) -> list[Assessment]:
    hopeless = min(bar.coordination for bar in (*rules.bars.values(), rules.merging))

    def ask(group: GroupSketch) -> Findings:
        return findings_of(group, population, rules.roster, hopeless, rules.weights)

    found = ask_apart(groups, ask, rules.roster, workers) if len(groups) >= MANY else map(ask, groups)
    pairs = zip(groups, found, strict=True)
    return [assess(group, population, findings, rules.bars, rules.calibration) for group, findings in pairs]


def _of_groups(membership: Membership, groups: Ints) -> Membership:
    chosen = np.isin(membership.group, groups)
    return Membership(
        membership.group[chosen], membership.account[chosen], membership.frame[chosen], membership.exchanges[chosen]
    )


def _strength(one: Assessment) -> tuple[int, int]:
    """Verdict first; among equals, tied members, so that parts of one campaign stay together."""
    return SEVERITY[one.verdict], int(one.tied.sum()) if one.verdict is VerdictKind.DISTILLATION else 0
