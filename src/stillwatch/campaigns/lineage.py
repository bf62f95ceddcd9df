"""The history of every campaign over a chain of runs: what each run hands on to the next.

A record is carried from run to run, so that a campaign that went quiet is known again when it comes back under new
accounts. It holds account ids and marks, which are keyed hashes: no text, and nothing that can be looked up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from stillwatch.campaigns.identity import Named, Status, Traces, name_campaigns

KEPT = dt.timedelta(weeks=26)  # how long a campaign that went quiet is remembered
MOST_QUIET = 500  # campaigns that are remembered though quiet, latest first: a record must not grow for ever
MOST_STEPS = 104  # steps of a history: two years of weeks
GONE = (Status.QUIET, Status.ABSORBED)
BY_MEMBERS = "by accounts only: the sketch key is not that of the earlier run, so marks cannot be compared"


@dataclass(frozen=True, slots=True)
class Step:
    """One campaign in one run: the end of that run's log, what had become of it, and its size then."""

    until: dt.datetime
    status: Status
    accounts: int
    exchanges: int


@dataclass(frozen=True, slots=True)
class Record:
    """One campaign over all runs."""

    campaign_id: str
    status: Status
    last_seen: dt.datetime
    traces: Traces = field(repr=False)
    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    because: str = ""
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Lineage:
    """The record of a chain of runs. `check` tells whether two records' marks were made with one key."""

    check: str = ""
    records: tuple[Record, ...] = ()  # by id
    note: str = ""

    def of(self, campaign_id: str) -> Record | None:
        """Return one campaign's record."""
        return next((one for one in self.records if one.campaign_id == campaign_id), None)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One campaign as this run found it."""

    traces: Traces
    exchanges: int
    last_seen: dt.datetime


def continue_lineage(
    before: Lineage, found: Sequence[Sighting], until: dt.datetime, check: str
) -> tuple[Lineage, list[Named], tuple[str, ...]]:
    """Return the record after this run, a name for each campaign found, and the ids that went quiet in it.

    `until` is the end of the run's log: what is long past is forgotten by it, never by a clock.
    """
    comparable = before.check in ("", check)
    earlier = {one.campaign_id: one.traces for one in before.records if one.status is not Status.ABSORBED}
    if not comparable:
        earlier = {name: replace(traces, marks={}) for name, traces in earlier.items()}
    quiet = {one.campaign_id for one in before.records if one.status is Status.QUIET}
    names, gone = name_campaigns([one.traces for one in found], earlier, quiet)
    records = {one.campaign_id: one for one in before.records}
    for name, sighting in zip(names, found, strict=True):
        records[name.campaign_id] = _seen(records.get(name.campaign_id), name, sighting, until)
    for name in names:
        _tell_parents(records, name, until)
    for campaign_id in gone:
        records[campaign_id] = _gone(records[campaign_id], Status.QUIET, until)
    kept = _prune(records.values(), until)
    return Lineage(check, kept, "" if comparable else BY_MEMBERS), names, gone


def _seen(before: Record | None, name: Named, sighting: Sighting, until: dt.datetime) -> Record:
    step = Step(until, name.status, len(sighting.traces.members), sighting.exchanges)
    if before is None:
        traces = sighting.traces
        return Record(
            name.campaign_id, name.status, sighting.last_seen, traces, name.parents, (), name.because, (step,)
        )
    return replace(
        before,
        status=name.status,
        last_seen=max(before.last_seen, sighting.last_seen),
        traces=sighting.traces,
        parents=tuple(dict.fromkeys((*before.parents, *name.parents))),
        because=name.because,
        steps=_append(before.steps, step),
    )


def _tell_parents(records: dict[str, Record], name: Named, until: dt.datetime) -> None:
    for parent in name.parents:
        known = records[parent]
        if name.status is Status.MERGED:
            known = _gone(known, Status.ABSORBED, until)
        records[parent] = replace(known, children=tuple(dict.fromkeys((*known.children, name.campaign_id))))


def _gone(record: Record, status: Status, until: dt.datetime) -> Record:
    return replace(record, status=status, steps=_append(record.steps, Step(until, status, 0, 0)))


def _append(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """Add a step; a run over the same log again takes the place of the last one."""
    if steps and steps[-1].until == step.until:
        steps = steps[:-1]
    first, rest = (*steps, step)[:1], (*steps, step)[1:]
    return first + rest[-(MOST_STEPS - 1) :]  # the birth stays


def _prune(records: Iterable[Record], until: dt.datetime) -> tuple[Record, ...]:
    every = list(records)
    live = [one for one in every if one.status not in GONE]
    past = [one for one in every if one.status in GONE and one.last_seen >= until - KEPT]
    past.sort(key=lambda one: (one.last_seen, one.campaign_id), reverse=True)
    return tuple(sorted([*live, *past[:MOST_QUIET]], key=lambda one: one.campaign_id))
