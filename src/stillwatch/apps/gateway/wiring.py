"""Where the gateway is put together: what each worker is built of, and what runs beside the workers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stillwatch.actions.acts import Acts
from stillwatch.actions.attributes import Attributes
from stillwatch.actions.budgets import Budgets, LocalBudgets
from stillwatch.actions.decision import Decision
from stillwatch.actions.desk import Desk
from stillwatch.actions.policy_file import read_policy
from stillwatch.apps.gateway import beside, logs
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.handles import Sealing
from stillwatch.apps.gateway.apis.naming import Names, Owner, names_of
from stillwatch.apps.gateway.apis.refusals import announce, refuse
from stillwatch.apps.gateway.apis.rewriters import rewriters
from stillwatch.apps.gateway.apis.steps import steps_for
from stillwatch.apps.gateway.callers import KeyRing
from stillwatch.apps.gateway.live.decider import LiveDecider, Wiring
from stillwatch.apps.gateway.live.publishing import Follower
from stillwatch.apps.gateway.metrics import Metrics
from stillwatch.apps.gateway.parts import Alter, Parts, Passage, Watched, now_micros
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.plane import Plane
from stillwatch.apps.gateway.recording.counted import numbers_of
from stillwatch.apps.gateway.recording.spool import Spool
from stillwatch.apps.gateway.registers import load_accounts, read_access, stamp
from stillwatch.apps.gateway.seams import Arrival, Outcome
from stillwatch.apps.gateway.serving.supervisor import Background, Program
from stillwatch.apps.gateway.settings import Config, Signing
from stillwatch.apps.gateway.twins import Twins
from stillwatch.provenance.twins.rules import METHOD
from stillwatch.sketch.text import SketchKey
from stillwatch.store.commitments import committed
from stillwatch.store.database import Store, open_store
from stillwatch.store.keys import hash_digest, hash_key, key_hashes
from stillwatch.store.policies import record_policy

if TYPE_CHECKING:
    from stillwatch.apps.gateway.signing.answers import AnswerSigning

TICK = 0.5  # seconds between two looks at what is shared
SHIPPED = "shadow"  # the policy without one of the operator's: a dry run
logger = logging.getLogger("stillwatch.gateway")


@dataclass(frozen=True, slots=True)
class Deciding:
    """What decides in one process, with what it reads and where it writes."""

    places: Places
    store: Store
    desk: Desk
    plane: Plane
    follower: Follower
    decider: LiveDecider
    spool: Spool
    stack: ExitStack


def build_parts(config: Config, clock: Callable[[], float] = time.time) -> Parts:
    """Return what one worker needs: who may call, what is decided, what is kept. `clock` is what policies count by."""
    deciding = build_deciding(config, clock)
    secret = deciding.places.secret
    keys = KeyRing(lambda: key_hashes(deciding.store), lambda key: hash_key(key, secret))
    metrics = watched_metrics(deciding)
    twins = Twins(config.twins, lambda: committed(deciding.store, METHOD))
    metrics.source(lambda: {"twins_uncommitted": float(twins.uncommitted)})
    steps = _steps(config, twins)
    requests = logs.RequestLog(config.logs.sample)

    def observe(arrival: Arrival, decision: Decision, outcome: Outcome, passage: Passage) -> None:
        action = decision.action.value
        metrics.request(arrival.endpoint, outcome.status, action, passage.added, passage.deciding)
        if passage.broken:
            metrics.count("upstream_errors_total", label=passage.broken)
        requests.request(arrival, decision, outcome, (passage.whole, passage.added))

    signing = None if config.signing is None else open_signing(config.signing, deciding.places, deciding.stack)
    return Parts(
        decider=deciding.decider,
        recorder=deciding.spool,
        find_key=keys.find,
        refuse=refuse,
        announce=announce,
        alter=steps,
        settled=twins.settled,
        organisation=lambda account: getattr(deciding.plane.facts(account), "organisation", ""),
        observe=observe,
        unkept=deciding.spool.refusal,
        checks=checks(deciding) | dict(signing.checks if signing is not None else {}),
        watched=(
            *watched(config, deciding),
            Watched("gateway keys", lambda: deciding.plane.seen, keys.load),
            *watched_twins(config, deciding, twins),
            *(signing.watched if signing is not None else ()),
        ),
        signing=signing,
        close=deciding.stack.close,
    )


def build_deciding(config: Config, clock: Callable[[], float] = time.time) -> Deciding:
    """Open everything that a decision and its record need; `stack` closes it all."""
    places, stack = Places.of(config), ExitStack()
    try:
        store = stack.enter_context(open_store(places.database, places.secret))
        acts = Acts()
        plane = Plane(store, acts)
        desk = Desk(read_policy(places.policy or SHIPPED), _budgets(config, stack), read_access(config), acts, clock)
        _record_policy(store, desk, places)
        follower = Follower(places.index, SketchKey.from_secret(places.secret), _tell)
        follower.check()
        decider = LiveDecider(
            follower,
            Wiring(_noting(desk, plane), plane.facts, plane.approved, lambda _, d, o: _settle(desk, d, o)),
        )
        spool = Spool(places.recording).start()
        stack.callback(spool.close)
        _renew(stack, [follower.check, lambda: plane.refresh(desk), *_exchanges(desk)])
        return Deciding(places, store, desk, plane, follower, decider, spool, stack)
    except BaseException:
        stack.close()
        raise


def open_signing(told: Signing, places: Places, stack: ExitStack) -> AnswerSigning:
    """Return what signs answers in one worker. Raises where there are no keys, or a package is missing."""
    from stillwatch.apps.gateway.signing.answers import AnswerSigning  # here: others need no package of it
    from stillwatch.apps.gateway.signing.receipts import Receipts

    receipts = Receipts(places.receipts) if told.ledger else None
    if receipts is not None:
        stack.callback(receipts.close)
    return AnswerSigning(told.keys, told.headers, receipts)


def checks(deciding: Deciding) -> dict[str, Callable[[], str]]:
    """Return what readiness asks."""
    return {
        "recording": deciding.spool.ready,
        "control plane": lambda: deciding.plane.failure,
        "index": lambda: "the newest index cannot be read" if deciding.follower.failing else "",
    }


def watched(config: Config, deciding: Deciding) -> tuple[Watched, ...]:
    """Return the files that are loaded again when they change."""
    places, desk = deciding.places, deciding.desk

    def policy() -> None:
        desk.replace_policy(read_policy(places.policy or SHIPPED))
        _record_policy(deciding.store, desk, places)

    return (
        Watched("policy", lambda: stamp(places.policy), policy),
        Watched(
            "licences and declared uses",
            lambda: (stamp(config.licences), stamp(config.declared)),
            lambda: desk.replace_access(read_access(config)),
        ),
    )


def watched_twins(config: Config, deciding: Deciding, twins: Twins) -> tuple[Watched, ...]:
    """Return the keys of twins, loaded again when their file changes, or the ledger in which they are committed."""
    if config.twins is None:
        return ()
    return (Watched("twins", lambda: (stamp(config.twins), deciding.plane.seen), twins.load),)


def naming(deciding: Deciding) -> tuple[Names, Watched]:
    """Return what stands for handles and keys where others ask for the decision: the same as in the relay.

    A key that the gateway gave out is its account's; any other stands for itself, as in the relay's pass-through.
    """
    secret = deciding.places.secret
    keys = KeyRing(lambda: key_hashes(deciding.store), lambda digest: hash_digest(digest, secret))

    def find(digest: str, now: int) -> Owner | None:
        caller = keys.find(digest, now)
        return None if caller is None else (caller.account_id, caller.api_key_id)

    return names_of(secret, find), Watched("gateway keys", lambda: deciding.plane.seen, keys.load)


def watched_metrics(deciding: Deciding) -> Metrics:
    """Return this process's metrics, asking every part for its numbers."""
    metrics = Metrics(deciding.places.metrics)
    follower = deciding.follower

    def numbers() -> dict[str, float | Mapping[str, float]]:
        index = follower.known.index
        return {
            "policy_errors_total": float(sum(deciding.desk.failures.values()) + deciding.decider.errors.count),
            "in_flight": float(deciding.decider.underway),
            "index_version": float(index.version),
            "index_timestamp_seconds": index.until / 1e6,
        }

    metrics.source(numbers)
    metrics.source(numbers_of(deciding.spool))
    deciding.stack.callback(metrics.close)
    return metrics.start()


def program(config: Config) -> Program:
    """Return what `stillwatch gateway` runs."""
    asked = {
        "admin": config.admin,
        "decide": config.decide,
        "envoy": config.envoy,
        "accounts": config.accounts,
        "receipts": config.signing if config.signing is not None and config.signing.ledger else None,
    }
    background = tuple(each for each in BACKGROUND if each.name not in asked or asked[each.name] is not None)
    return Program(build_parts, background, beside.prepare_logs)


def check(config: Config) -> None:
    """Build everything once and drop it, so that what is wrong is said before anything is served.

    The accounts come into the control plane here, before the first request.
    """
    places = Places.of(config)
    with open_store(places.database, places.secret) as store:
        load_accounts(config, store)
    beside.check(config)
    build_parts(config).close()


BACKGROUND: tuple[Background, ...] = (
    Background("compactor", beside.compact),
    Background("watcher", beside.watch),
    Background("accounts", beside.follow_accounts),
    Background("receipts", beside.enter_receipts),
    Background("admin", beside.serve_admin_api),
    Background("decide", beside.serve_decide),
    Background("envoy", beside.serve_envoy),
)


def _steps(config: Config, twins: Twins) -> Alter:
    written = rewriters({"summary": config.reasoning.summariser, "reformulated": config.reasoning.reformulator})

    def steps(arrival: Arrival, decision: Decision, sealing: Sealing) -> tuple[Step, ...]:
        del arrival
        return (*steps_for(decision.effect, sealing, written), *twins.steps(decision))

    return steps


def _noting(desk: Desk, plane: Plane) -> Callable[[Attributes], Decision]:
    def decide(attributes: Attributes) -> Decision:
        decision = desk.decide(attributes)
        if decision.rule or decision.proposes:
            plane.note(desk, decision, attributes)
        return decision

    return decide


def _settle(desk: Desk, decision: Decision, outcome: Outcome) -> None:
    desk.settle(decision, outcome.input_tokens, outcome.output_tokens)


def _budgets(config: Config, stack: ExitStack) -> Budgets:
    if config.budgets is None:
        return LocalBudgets()
    from stillwatch.actions.shared_budgets import SharedBudgets, connect  # here: it needs the client of Redis

    shared = SharedBudgets(connect(config.budgets.url), config.budgets.lost, config.budgets.nodes)
    stack.callback(shared.close)
    return shared


def _exchanges(desk: Desk) -> list[Callable[[], object]]:
    exchange = getattr(desk.budgets, "exchange", None)
    return [] if exchange is None else [lambda: exchange(time.time())]


def _record_policy(store: Store, desk: Desk, places: Places) -> None:
    text = "" if places.policy is None else Path(places.policy).read_text(encoding="utf-8")
    record_policy(store, desk.engine.policy.digest, text or f"shipped: {SHIPPED}", now_micros(), "gateway")


def _renew(stack: ExitStack, tasks: list[Callable[[], object]]) -> None:
    """Do these every half a second, in a thread of their own, so that no request waits for a database or a disk."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(TICK):
            for task in tasks:
                try:
                    task()
                except Exception as error:  # the next round tries again
                    logger.error("renewal-failed", extra={"kind": type(error).__name__})

    thread = threading.Thread(target=work, name="stillwatch-renewal", daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    stack.callback(end)


def _tell(message: str) -> None:
    logger.warning("index", extra={"detail": message})
