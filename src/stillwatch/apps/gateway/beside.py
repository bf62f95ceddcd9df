"""What runs beside the workers, each in a process of its own: compactor, watcher, accounts, and three small servers."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
import time
from typing import Any

import stillwatch as sw
from stillwatch.apps.gateway import logs
from stillwatch.apps.gateway.live.watching import LivePlan, this_world, watch_gateway
from stillwatch.apps.gateway.metrics import Metrics
from stillwatch.apps.gateway.parts import Watched
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.recording.counted import count_rounds
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.service import compactor_process
from stillwatch.apps.gateway.recording.sketched import drop_text_of_folded
from stillwatch.apps.gateway.recording.texts import Texts
from stillwatch.apps.gateway.registers import load_accounts, stamp
from stillwatch.apps.gateway.settings import Config, host_and_port
from stillwatch.apps.run import Run
from stillwatch.apps.watch.watcher import Verdicts
from stillwatch.model import UsageError, VerdictKind
from stillwatch.sketch.text import SketchKey
from stillwatch.store.database import open_store
from stillwatch.store.verdicts import CampaignVerdict, record_verdicts

SECOND = 1_000_000  # µs
LOOK = 2.0  # seconds between two looks at the table of accounts
WATCHER = "watcher"
LEAST_TOKEN = 16  # characters
logger = logging.getLogger("stillwatch.gateway")


def prepare_logs(config: Config) -> None:
    """Set up the logs of a process, as configured."""
    if config.logs.format == "json":
        logs.configure(config.logs.level)
    else:
        logging.basicConfig(
            level=config.logs.level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )


def check(config: Config) -> None:
    """Raise UsageError for what the servers beside the workers could not start with."""
    if config.decide is not None and len(config.decide.token.read("token of the decide API")) < LEAST_TOKEN:
        raise UsageError(f"decide.token: is shorter than {LEAST_TOKEN} characters; give it a longer one")
    if config.envoy is not None:
        from stillwatch.apps.gateway.plugs import envoy  # noqa: F401 - its packages are there, or it says which is not


def compact(config: Config) -> None:
    """Turn what workers write into segments, until told to end."""
    places = Places.of(config)
    metrics = Metrics(places.metrics).start()

    try:
        compactor_process(places.recording, places.secret, count_rounds(metrics))
    finally:
        metrics.close()


def watch(config: Config) -> None:
    """Fold each window into the state, publish what follows from it, until told to end."""
    places = Places.of(config)
    metrics = Metrics(places.metrics).start()

    def verdicts(each: Verdicts) -> None:
        metrics.gauge("watcher_delay_seconds", each.delay)
        campaigns = each.run.campaigns.num_rows
        logger.info("window", extra={"count": each.segment.rows, "seconds": round(each.delay, 3), "state": campaigns})

    try:
        watch_gateway(live_plan(config, places), this_world(_tell, verdicts))
    finally:
        metrics.close()


def live_plan(config: Config, places: Places) -> LivePlan:
    """Return what the watcher of a configuration does."""
    texts = Texts(places.recording, SketchKey.from_secret(places.secret))
    return LivePlan(
        segments=Layout(places.recording.folder).make().waiting,
        state=places.live,
        out=places.run,
        index=places.index,
        accounts=lambda: None if config.accounts is None else str(config.accounts),
        licences=lambda: None if config.licences is None else str(config.licences),
        record=lambda run: record_run(places, run),
        after_fold=drop_text_of_folded(texts, places.live),
        settings=sw.Settings(secret=places.secret, templates=config.templates),
        every=int(config.live.window * SECOND),
    )


def record_run(places: Places, run: Run) -> None:
    """Bring a run's verdicts into the control plane; the ledger hears of what changed."""
    with open_store(places.database, places.secret) as store:
        record_verdicts(store, verdicts_of(run), time.time_ns() // 1_000, WATCHER)


def verdicts_of(run: Run) -> list[CampaignVerdict]:
    """Return each campaign of a run with its members."""
    members: dict[str, set[str]] = {}
    for row in run.verdicts.select(["account_id", "campaign_id"]).to_pylist():
        if row["campaign_id"] is not None:
            members.setdefault(row["campaign_id"], set()).add(row["account_id"])
    return [
        CampaignVerdict(
            campaign_id=row["campaign_id"],
            verdict=VerdictKind(row["verdict"]),
            p=row["p"],
            coordination_bits=row["coordination_bits"],
            extraction_bits=row["extraction_bits"],
            deception_bits=row["deception_bits"],
            exchanges=row["exchanges"],
            members=frozenset(members.get(row["campaign_id"], ())),
        )
        for row in run.campaigns.to_pylist()
    ]


def follow_accounts(config: Config) -> None:
    """Bring the table of accounts into the control plane whenever its file changes."""
    places, seen = Places.of(config), stamp(config.accounts)
    while True:
        time.sleep(LOOK)
        now = stamp(config.accounts)
        if now is None or now == seen:
            continue
        try:
            with open_store(places.database, places.secret) as store:
                logger.info("accounts-read", extra={"count": load_accounts(config, store)})
            seen = now
        except Exception as error:  # a file that is being written: the next look tries again
            logger.error("accounts-not-read", extra={"kind": type(error).__name__, "why": str(error)})


def enter_receipts(config: Config) -> None:
    """Enter the receipts of signed answers into the ledger, some at a time, until told to end."""
    from stillwatch.apps.gateway.signing.receipts import enter_waiting

    places = Places.of(config)
    while True:
        try:
            with open_store(places.database, places.secret) as store:
                while True:
                    if enter_waiting(store, places.receipts) == 0:
                        time.sleep(LOOK)
        except Exception as error:  # the database is away: the receipts wait in their files
            logger.error("receipts-not-entered", extra={"kind": type(error).__name__})
            time.sleep(LOOK)


def serve_admin_api(config: Config) -> None:
    """Serve the admin API."""
    from stillwatch.apps.gateway.operating import Operating
    from stillwatch.apps.gateway.serving.admin_process import serve_admin

    if config.admin is not None:
        places = Places.of(config)
        with open_store(places.database, places.secret) as store:
            serve_admin(config.admin, Operating(store, places))


def serve_decide(config: Config) -> None:
    """Serve the decide API, with a decider and a record of its own."""
    import uvicorn

    from stillwatch.apps.gateway.plugs.decide import decide_api
    from stillwatch.apps.gateway.serving.supervisor import bind
    from stillwatch.apps.gateway.wiring import build_deciding, naming, watched_metrics

    assert config.decide is not None
    deciding = build_deciding(config)
    watched_metrics(deciding)
    token = config.decide.token.read("token of the decide API")
    names, keys = naming(deciding)
    app = decide_api(deciding.decider, deciding.spool, token=token, names=names)
    told = uvicorn.Config(app, ws="none", log_config=None, access_log=False, server_header=False, lifespan="on")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    with deciding.stack, renewing(config, deciding, keys):
        uvicorn.Server(told).run(sockets=[bind(config.decide.listen)])


def serve_envoy(config: Config) -> None:
    """Serve Envoy's filter and its access log over gRPC."""
    from stillwatch.apps.gateway.plugs.envoy import Options, serve
    from stillwatch.apps.gateway.plugs.underway import Underway
    from stillwatch.apps.gateway.wiring import build_deciding, naming, watched_metrics

    assert config.envoy is not None
    deciding = build_deciding(config)
    watched_metrics(deciding)
    host, port = host_and_port(config.envoy.listen)
    names, keys = naming(deciding)
    underway = Underway(deciding.decider, deciding.spool)

    async def run() -> None:
        server, _ = await serve(underway, f"{host}:{port}", Options(names))
        over = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        await over.wait()
        await server.stop(5)
        underway.close()

    with deciding.stack, renewing(config, deciding, keys):
        asyncio.run(run())


class renewing:
    """Load what `watched` names again when it changes, in a thread, while the block runs."""

    def __init__(self, config: Config, deciding: Any, *more: Watched) -> None:
        from stillwatch.apps.gateway.wiring import watched

        self._watched = (*watched(config, deciding), *more)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stillwatch-watched", daemon=True)

    def __enter__(self) -> renewing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        from stillwatch.apps.gateway.app import load

        seen = {each.name: each.version() for each in self._watched}
        while not self._over.wait(1.0):
            for each in self._watched:
                found = each.version()
                if found is not None and found != seen[each.name]:
                    seen[each.name] = found
                    load(each)


def _tell(message: str) -> None:
    logger.info("watcher", extra={"detail": message})
