"""The main job: an exchange log in, explained campaigns out."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.actions.policy import Policy
from stillwatch.apps.run import Run
from stillwatch.apps.state import About, fold_window, next_state
from stillwatch.apps.tell import Told, tell
from stillwatch.attribution.actors import read_actors
from stillwatch.attribution.context import mark
from stillwatch.attribution.keyed import Keyed, key_actors
from stillwatch.campaigns.describe import describe, members_of
from stillwatch.campaigns.judge import Judged, judge
from stillwatch.campaigns.weigh import Assessment
from stillwatch.ingest.engine import ALONE, MEMORY, THREADS, Engine
from stillwatch.ingest.enrich import Enrichment, fill, read_references
from stillwatch.ingest.read import NO_FIELDS, Ingested, read_accounts, read_exchanges, read_licences
from stillwatch.model import Family, UsageError, VerdictKind
from stillwatch.signals.base import Signal
from stillwatch.signals.roster import ROSTER
from stillwatch.sketch.exchanges import SketchedExchanges, sketch_exchanges
from stillwatch.sketch.licences import apply_licences
from stillwatch.sketch.population import Population, summarise_accounts
from stillwatch.sketch.registered import register_templates
from stillwatch.sketch.reported import match_reported
from stillwatch.sketch.text import SketchKey

DEFAULT_SECRET = b"stillwatch default key: set STILLWATCH_SECRET"
Progress = Callable[[str], None]
Fold = tuple[Path | None, Path]  # folders of the last state, None at first, and of the next
Look = Callable[[Engine, "Examined", Run], None]  # whoever wants to see a run with what it was made of


@dataclass(frozen=True, slots=True)
class Settings:
    """How to run: everything that is not data. `secret` keys the sketches; `scratch` holds text while it is read."""

    fields: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None  # of the exchange log; None: what each file looks like
    policy: Policy = field(default_factory=Policy)
    roster: tuple[Signal, ...] = ROSTER
    secret: bytes = b""
    engine: str = "duckdb"  # or spark
    spark_master: str = ""  # empty: STILLWATCH_SPARK_MASTER, then spark-defaults, then every core of this machine
    spark_conf: Mapping[str, str] = field(default_factory=dict)
    threads: int = THREADS
    memory: str = MEMORY
    scratch: Path | None = None
    previous: Path | None = None  # output folder of an earlier run: campaigns keep their ids
    state: Path | None = None  # folder of what was seen so far: the log is added to it, and all of it is judged
    templates: Path | None = None  # public templates, one a line or NDJSON with `text`
    actors: Path | None = None  # known actors, TOML (docs/reference/actors.md)
    intel: tuple[Path, ...] = ()  # folders of feeds and STIX bundles: what partners reported
    enrich: tuple[Path, ...] = ()  # reference files: systems and countries of addresses, lists of networks and domains
    progress: Progress = lambda _: None


def detect(exchanges: Any, accounts: Any = None, licences: Any = None, settings: Settings | None = None) -> Run:
    """Say which accounts are coordinated distillation campaigns, why, and how sure that is.

    `exchanges`, `accounts` and `licences` are paths, globs, folders, Arrow tables, pandas or polars frames, or Ibis
    tables with the columns of the input contract. Returns a `Run`; nothing is written outside the scratch folder.
    Raises UsageError for a wrong call and InputRefused when an input cannot be read at all.
    """
    chosen = settings or Settings()
    if chosen.previous is not None and not (chosen.previous / "campaigns.json").is_file():
        raise UsageError(f"previous run {chosen.previous}: no campaigns.json there; give an output folder of detect")
    if chosen.engine == "spark" and (chosen.state is not None or chosen.enrich):
        raise UsageError(ALONE)
    if chosen.state is None:
        return detect_in((exchanges, accounts, licences), chosen, None)
    with next_state(chosen.state) as fold:
        return detect_in((exchanges, accounts, licences), chosen, fold)


def detect_in(
    sources: tuple[Any, Any, Any], chosen: Settings, fold: Fold | None, look: Look = lambda _engine, _seen, _run: None
) -> Run:
    """Do what `detect` does; with `fold`, over what the state in its first folder holds too, left in the second.

    `look` is shown the run while the engine still holds what it was made of.
    """
    clock = _Clock(chosen.progress)
    with open_engine(chosen) as engine:
        seen = examine(engine, sources, chosen, clock.lap, fold)
        run = _conclude(engine, seen, chosen)
        look(engine, seen, run)
        clock.lap("describe")
    manifest = _manifest(seen, chosen, run) | {"timings": clock.laps}
    rejected = [*(part.rejected for part in seen.inputs), seen.enrichment.rejected]
    return dataclasses.replace(run, rejected=pa.concat_tables(rejected), manifest=manifest)


def open_engine(settings: Settings) -> Engine:
    """Return the engine that the settings name, to be closed by whoever asked. Raises UsageError, MissingDependency."""
    if settings.engine == "duckdb":
        return Engine(settings.scratch, threads=settings.threads, memory=settings.memory)
    if settings.engine == "spark":
        from stillwatch.ingest.spark.engine import SparkEngine  # here: its parts take time to load

        master = settings.spark_master or os.environ.get("STILLWATCH_SPARK_MASTER", "")
        return SparkEngine(
            settings.scratch,
            threads=settings.threads,
            memory=settings.memory,
            master=master,
            conf=settings.spark_conf,
        )
    raise UsageError(f"engine is {settings.engine!r}; this version has duckdb and spark")


@dataclass(frozen=True, slots=True)
class Examined:
    """A log read, sketched and judged, before anything is told: what a calibration needs too."""

    inputs: tuple[Ingested, ...]  # the exchange log first
    sketched: SketchedExchanges
    population: Population
    judged: Judged
    key: SketchKey
    keyed: Keyed
    enrichment: Enrichment
    filled: Mapping[str, int]  # cells of the log that reference files filled
    state: About | None = None  # where the log was folded into one


def examine(
    engine: Engine,
    sources: tuple[Any, Any, Any],
    settings: Settings,
    lap: Callable[[str], None] = lambda _: None,
    fold: Fold | None = None,
) -> Examined:
    """Read exchanges, accounts and licences (`sources`; the last two may be None), sketch and judge them.

    With `fold`, the exchanges are added to the state in its first folder, as a new one in its second; all are judged.
    """
    exchanges, accounts, licences = sources
    actors = () if settings.actors is None else read_actors(settings.actors)  # first: errors there cost nothing
    enrichment = read_references(settings.enrich)
    log, filled = fill(read_exchanges(exchanges, engine, settings.fields, settings.format), enrichment, engine)
    account_rows = None if accounts is None else read_accounts(accounts, engine, NO_FIELDS)
    licence_rows = None if licences is None else read_licences(licences, engine, NO_FIELDS)
    lap("ingest")
    key = SketchKey.from_secret(settings.secret or os.environb.get(b"STILLWATCH_SECRET", b"") or DEFAULT_SECRET)
    state = None
    if fold is None:
        sketched, learned = sketch_exchanges(engine, log, key)
    else:
        sketched, learned, state = fold_window(engine, log, key, *fold)
    lap("sketch")
    population = _population(engine, sketched, account_rows, licence_rows)
    if settings.templates is not None:
        public = register_templates(settings.templates, learned.prompts)
        population = dataclasses.replace(population, public_templates=public)
    if settings.intel:
        population = _with_reports(engine, log, sketched, population, settings.intel)
    keyed = key_actors(engine, log, sketched, actors, key, learned)
    lap("accounts")
    judged = judge(engine, sketched, population, settings.policy.rules(settings.roster), settings.progress)
    lap("judge")
    inputs = tuple(part for part in (log, account_rows, licence_rows) if part is not None)
    return Examined(inputs, sketched, population, judged, key, keyed, enrichment, filled, state)


def campaigns_of(judged: Judged) -> list[Assessment]:
    """Return the groups that a run tells of, in the order of its stories."""
    found = [one for one in judged.assessments if one.verdict is not VerdictKind.CLEAR]
    return sorted(found, key=lambda one: (-one.p, -one.group.exchanges, one.group.group))


def _conclude(engine: Engine, seen: Examined, settings: Settings) -> Run:
    campaigns = campaigns_of(seen.judged)
    members = members_of(campaigns, seen.judged.membership)
    facts, flagged = describe(engine, seen.sketched, seen.population, members)
    cleared = [one for one in seen.judged.assessments if one.verdict is VerdictKind.CLEAR]
    marked = mark(seen.population, seen.enrichment.lists)
    told = Told(
        seen.population, campaigns, seen.judged.membership, seen.judged.pools, cleared, seen.key, seen.keyed, marked
    )
    return tell(told, facts, flagged, settings.policy, settings.previous)


def _population(
    engine: Engine, sketched: SketchedExchanges, accounts: Ingested | None, licences: Ingested | None
) -> Population:
    table = None if accounts is None else engine.arrow(accounts.table)
    present = frozenset[str]() if accounts is None else accounts.present - {"account_id"}
    if accounts is not None:
        present |= accounts.named & {"org_id"}  # a column of nothing but nulls says that nobody declares anything
    population = summarise_accounts(engine, sketched, table, present)
    return apply_licences(engine, sketched, population, None if licences is None else engine.arrow(licences.table))


def _with_reports(
    engine: Engine, log: Ingested, sketched: SketchedExchanges, population: Population, intel: tuple[Path, ...]
) -> Population:
    """Add what partners reported, as it held when the log ended: a log of last month is judged by last month."""
    from stillwatch.sharing.feeds.wanted import read_wanted  # here: it needs an optional package

    wanted = read_wanted(intel, population.end)
    return dataclasses.replace(population, reported=match_reported(engine, log, sketched, population, wanted))


def _asked(settings: Settings) -> list[Signal]:
    """Return the signals that a run asks: those about what partners say only where something of theirs was given."""
    return [signal for signal in settings.roster if settings.intel or signal.family is not Family.REPORTED]


def _manifest(seen: Examined, settings: Settings, run: Run) -> dict[str, Any]:
    population, inputs = seen.population, seen.inputs
    missing = {signal.name: signal.missing(population.present) for signal in _asked(settings)}
    packages = ["stillwatch", "duckdb", "ibis-framework", "numba", "numpy", "pyarrow", "networkit"]
    packages += ["pyspark"] if settings.engine == "spark" else []
    log = inputs[0]
    return {
        "stillwatch": version("stillwatch"),
        "versions": {name: version(name) for name in packages} | {"python": platform.python_version()},
        "engine": settings.engine,
        "period": {"from": _iso(population.start), "until": _iso(population.end)} if population.size else None,
        "accounts": population.size,
        "exchanges": log.rows_kept if seen.state is None else seen.state.exchanges,
        "windows": [] if seen.state is None else list(seen.state.windows),
        "campaigns": run.campaigns.num_rows,
        "rows": {
            "read": sum(part.rows_read for part in inputs),
            "kept": sum(part.rows_kept for part in inputs),
            "rejected": sum(part.rejected.num_rows for part in inputs),
        },
        "inputs": [dataclasses.asdict(file) for part in inputs for file in part.inputs],
        "enrichment": {"files": seen.enrichment.described(), "filled": dict(seen.filled)},
        "signals_evaluated": [name for name, lacking in missing.items() if not lacking],
        "signals_not_evaluated": [
            {"signal": name, "reason": f"the input has no {' and no '.join(lacking).replace('|', ' or ')}"}
            for name, lacking in missing.items()
            if lacking
        ],
        "sketch_key": "secret of the deployment" if _has_secret(settings) else "default: set STILLWATCH_SECRET",
        "calibration": settings.policy.calibration.source,
        "went_quiet": list(run.manifest["went_quiet"]),
        "previous_run": None if settings.previous is None else settings.previous.name,
        "lineage": run.manifest["lineage"],
        "known_actors": len(seen.keyed.actors),
    } | ({"reported": _reported(population)} if population.reported is not None else {})


def _reported(population: Population) -> dict[str, int]:
    """How many values of partners the log shows, and how many accounts show one."""
    told = population.reported
    assert told is not None
    return {"values": len(told.kind), "accounts": len(np.unique(told.edges.account))}


def _has_secret(settings: Settings) -> bool:
    return bool(settings.secret or os.environ.get("STILLWATCH_SECRET"))


def _iso(moment: int) -> str:
    return np.datetime_as_string(np.datetime64(moment, "us"), unit="s") + "Z"


class _Clock:
    """Wall seconds of each stage, for the manifest: the only place where a run looks at the time."""

    def __init__(self, progress: Progress) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()
        self._progress = progress

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.laps[stage] = round(now - self._last, 2)
        self._last = now
        self._progress(stage)
