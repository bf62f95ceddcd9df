"""The harvest: the teacher behind `stillwatch gateway`, accounts of a pool that harvest it, innocents beside them.

What came before the start is a log of the lab, laid into the gateway's exchange log as if it had recorded it. The pool
of that log goes on: its accounts ask the teacher, first while the gateway only looks, then while the teacher samples
under its mark, then under a policy that serves twins to members of a campaign.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from stillwatch.apps.provenance.files import store_keyring
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evaluate.failover import CAMPAIGN
from stillwatch.lab.evaluate.tables import load
from stillwatch.lab.export import write_traffic
from stillwatch.lab.gateway import stage as stages
from stillwatch.lab.gateway.findings import planter
from stillwatch.lab.gateway.history import Past, lay_down, split, write_accounts
from stillwatch.lab.gateway.stage import OPERATOR, SECRETS, Setting, Stage, stillwatch
from stillwatch.lab.gateway.view import LINE_EVERY, Scene, watching
from stillwatch.lab.provenance.asking import Asker
from stillwatch.lab.provenance.phases import MARKED, PLAIN, TWINS, Came, Crowd, Teacher, await_twins, run_phase
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.model import StillwatchError
from stillwatch.provenance.keyring import Keyring
from stillwatch.store.database import open_store

REQUEST = Request(12_000, 900, seed=321, split="report", scenarios=("g_failover",), attack_share=1.0)
POLICY = Path(__file__).with_name("policy.yaml")
PATIENCE = 300.0  # seconds for the watcher's first verdicts
LOOK_EVERY = 0.5  # seconds
INNOCENTS = 400  # requests of the log that innocents make again


@dataclass(frozen=True, slots=True)
class Order:
    """What is harvested of whom, where, and under which keys."""

    folder: Path
    questions: Sequence[str]
    upstream: tuple[str, ...]  # words for python that serve the teacher
    ring: Keyring
    request: Request = REQUEST


@dataclass
class Played:
    """All that happened."""

    order: Order
    stage: Stage
    past: Past
    truth: Truth
    before: int  # exchanges of the past
    scene: Scene = field(default_factory=Scene)
    came: dict[str, Came] = field(default_factory=dict)

    @property
    def campaign(self) -> dict[str, object] | None:
        """Return the campaign that the pool was found as."""
        found = [each for each in self.scene.campaigns.values() if each["planted"] == CAMPAIGN]
        return found[0] if found else None


def harvest(order: Order, console: Console) -> Played:
    """Run the gateway and harvest it in `order.folder`, which is emptied first."""
    played = _prepared(order)
    console.print(f"{played.before:,} exchanges of two weeks, made up, lie in the gateway's exchange log")
    with stages.running(played.stage), watching(played.scene, console):
        asyncio.run(_play(played))
    return played


def commit_keys(stage: Stage, keyring: Path) -> None:
    """Enter the commitments of the keys into the ledger, before anything is served under them."""
    places, secret = stage.places, {"STILLWATCH_SECRET": SECRETS["LAB_SECRET"]}
    with open_store(places.database, places.secret):  # the ledger is there before the gateway starts
        words = [*stillwatch(), "provenance", "commitments", str(keyring), "--enter"]
        words += ["--ledger", places.database, "--by", OPERATOR]
        done = subprocess.run(words, capture_output=True, text=True, check=True, env=os.environ | SECRETS | secret)
    (stage.folder / "commitments.ndjson").write_text(done.stdout, encoding="utf-8")


def put_policy(folder: Path, enforce: bool) -> None:
    """Put the policy in force, or have it only look."""
    told = POLICY.read_text(encoding="utf-8")
    beside = folder / "policy.new"
    beside.write_text(told if enforce else told.replace("mode: enforce", "mode: shadow"), encoding="utf-8")
    beside.replace(folder / "policy.yaml")


def _prepared(order: Order) -> Played:
    log, folder = order.folder / "log", order.folder / "gateway"
    shutil.rmtree(order.folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_traffic(compose(order.request), log)
    truth, now = read_truth(log / "labels"), time.time_ns() // 1_000
    past = split(load(log), truth, now)
    write_accounts(past, folder / "accounts.parquet")
    store_keyring(order.ring, folder / "keyring.json", new=True)
    put_policy(folder, enforce=False)
    setting = Setting(order.upstream, folder / "policy.yaml", 'twins = "keyring.json"')
    stage = stages.prepare(folder, log / "licences.csv", setting)
    commit_keys(stage, folder / "keyring.json")
    return Played(order, stage, past, truth, lay_down(past, stage.places, now))


async def _play(played: Played) -> None:
    scene, stage, asked = played.scene, played.stage, played.order.questions
    accounts = {row["account_id"] for row in (*played.past.first, *played.past.innocent[:INNOCENTS])}
    crowd = Crowd(played.past, await asyncio.to_thread(stage.issue_keys, sorted(accounts)), INNOCENTS)
    teacher = Teacher(stage.upstream)
    looking = asyncio.create_task(_look(played))
    scene.began = time.monotonic()

    async def phase(kind: str) -> None:
        played.came[kind] = await run_phase(asker, crowd, teacher, asked, kind)
        scene.event(f"{kind}: {len(asked):,} questions asked in {played.came[kind].seconds:.0f} s")

    try:
        async with Asker(stage.url, scene.heard) as asker:
            await phase(PLAIN)
            await _until(lambda: played.campaign is not None, looking)
            await phase(MARKED)
            put_policy(stage.folder, enforce=True)
            scene.event("the policy is in force: members of a campaign get twins")
            await await_twins(asker, crowd, asked[0])
            await phase(TWINS)
    finally:
        looking.cancel()


async def _look(played: Played) -> None:
    """Look twice a second which campaigns the watcher found."""
    scene, planted, told = played.scene, planter(played.stage.places, played.truth), 0.0
    while True:
        scene.found(await asyncio.to_thread(played.stage.campaigns), planted)
        scene.delay = await asyncio.to_thread(played.stage.delay)
        if time.monotonic() - told >= LINE_EVERY:
            told = time.monotonic()
            scene.say(scene.line())
        await asyncio.sleep(LOOK_EVERY)


async def _until(holds: Callable[[], bool], looking: asyncio.Task[None]) -> None:
    until = time.monotonic() + PATIENCE
    while not holds():
        if looking.done():
            await looking  # which raises what went wrong
        if time.monotonic() > until:
            raise StillwatchError(f"waited {PATIENCE:.0f} s for the campaign; the watcher did not find it")
        await asyncio.sleep(LOOK_EVERY)
