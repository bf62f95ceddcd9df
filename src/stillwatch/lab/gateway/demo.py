"""The demonstration of the gateway: an attack, its detection, a second pool that takes over, and innocents beside them.

What came before the start is a log of the lab that was laid into the gateway's exchange log as if it had recorded it:
nobody waits two weeks for a demonstration. All after that is real: processes, keys, SDKs, requests, time.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.console import Console

from stillwatch.apps.gateway.recording.compactor import Compactor
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.evaluate.failover import CAMPAIGN, LEAK
from stillwatch.lab.evaluate.tables import load
from stillwatch.lab.export import write_traffic
from stillwatch.lab.gateway import stage as stages
from stillwatch.lab.gateway.clients import Answered, Clients, Party
from stillwatch.lab.gateway.findings import Promise, found_table, ledger_verifies, planter, promises_table
from stillwatch.lab.gateway.history import Past, lay_down, split, write_accounts
from stillwatch.lab.gateway.stage import Stage
from stillwatch.lab.gateway.view import LINE_EVERY, Scene, watching
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.sketch.text import SketchKey

REQUEST = Request(
    20_000, 1_500, seed=321, split="report", scenarios=("b_agentic", "g_failover", "i_replay"), attack_share=1.0
)
FIRST, SECOND, INNOCENT = "first pool", "second pool", "innocents"
PATIENCE = 300.0  # seconds for the watcher's first verdicts; idle cores need a tenth of it
SOME = 1_000  # rows of each party, which is more than it has time for
AFTERWARDS = 8.0  # seconds that the first pool goes on after it was found
SECOND_POOL = 15.0  # seconds of the second pool
RATES = {FIRST: 4.0, SECOND: 8.0, INNOCENT: 8.0}  # requests a second


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demonstration came to."""

    scene: Scene
    past: Past
    before: int
    promises: tuple[Promise, ...]

    @property
    def held(self) -> bool:
        """Whether everything was as promised."""
        return all(each.held for each in self.promises)


def show(out: Path, console: Console, request: Request = REQUEST) -> Shown:
    """Play the demonstration in `out`, which is emptied first."""
    log, folder = out / "log", out / "gateway"
    for each in (log, folder):
        shutil.rmtree(each, ignore_errors=True)
    folder.mkdir(parents=True)
    console.print(f"composing {request.exchanges:,} exchanges of two weeks: the past of this gateway, made up")
    write_traffic(compose(request), log)
    truth, now = read_truth(log / "labels"), time.time_ns() // 1_000
    past = split(load(log), truth, now)
    write_accounts(past, folder / "accounts.parquet")
    stage = stages.prepare(folder, log / "licences.csv")
    before = lay_down(past, stage.places, now)
    console.print(f"{before:,} of them lie in its exchange log; from here on everything happens now")
    accounts = {row["account_id"] for party in (past.first, past.second, past.innocent) for row in party[:SOME]}
    keys = stage.issue_keys(sorted(accounts))
    scene = Scene()
    with stages.running(stage):
        _play(stage, scene, past, Clients(stage.url, keys), truth, console)
    promises = (*_stopped(scene), _kept(stage, scene, past), ledger_verifies(stage))
    return Shown(scene, past, before, promises)


def _play(stage: Stage, scene: Scene, past: Past, clients: Clients, truth: Truth, console: Console) -> None:
    scene.began = time.monotonic()
    parties = {
        name: Party(name, clients, rows[:SOME], RATES[name], scene.heard)
        for name, rows in ((FIRST, past.first), (SECOND, past.second), (INNOCENT, past.innocent))
    }
    started: list[Party] = []
    with watching(scene, console):
        try:
            for name in (FIRST, INNOCENT):
                parties[name].start()
                started.append(parties[name])
            scene.event("the first pool harvests, innocents work")
            look = _looker(stage, scene, truth, started)
            look(PATIENCE, lambda: _refused(scene, FIRST) > 0)
            look(AFTERWARDS, lambda: False)
            scene.event(f"a person approves {stage.approve_suspensions()} suspensions of whole campaigns")
            look(3.0, lambda: False)
            parties[FIRST].end()
            scene.event("the second pool takes over: accounts that never asked before")
            parties[SECOND].start()
            started.append(parties[SECOND])
            look(SECOND_POOL, lambda: False)
        finally:
            for party in started:
                party.end()
            clients.close()


def _looker(
    stage: Stage, scene: Scene, truth: Truth, parties: Sequence[Party]
) -> Callable[[float, Callable[[], bool]], None]:
    """Return what looks at the gateway twice a second, until something holds, a client fails, or time is over."""
    told, planted = [0.0], planter(stage.places, truth)

    def look(seconds: float, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not holds():
            time.sleep(0.5)
            for party in parties:
                if party.error is not None:
                    raise party.error
            scene.found(stage.campaigns(), planted)
            scene.delay = stage.delay()
            if time.monotonic() - told[0] >= LINE_EVERY:
                told[0] = time.monotonic()
                scene.say(scene.line())

    return look


def _refused(scene: Scene, party: str) -> int:
    return sum(each.refused for each in scene.answers if each.party == party)


def _stopped(scene: Scene) -> Sequence[Promise]:
    second = [each for each in scene.answers if each.party == SECOND]
    innocent = [each for each in scene.answers if each.party == INNOCENT]
    odd = [each for each in scene.answers if not each.served and not each.refused]
    first: dict[str, Answered] = {}
    for each in second:
        first.setdefault(each.account_id, each)
    leaked, denied = sum(each.served for each in second), sum(each.refused for each in innocent)
    stopped = sum(each.refused for each in first.values())
    found = [each for each in scene.campaigns.values() if each["planted"] == CAMPAIGN]
    when = f"after {found[0]['at']:.1f} s" if found else "not found"
    return (
        Promise("the campaign is found by the running watcher", when, bool(found)),
        Promise(
            "accounts of the second pool are decided on their first request",
            f"{stopped} of {len(first)}",
            bool(first) and stopped >= (1 - LEAK) * len(first),
        ),
        Promise(
            "at most 1 % of the second pool's exchanges leak",
            f"{leaked} of {len(second)}",
            bool(second) and leaked <= LEAK * len(second),
        ),
        Promise("no innocent is refused", f"{denied} of {len(innocent)}", bool(innocent) and not denied),
        Promise("nothing else goes wrong", f"{len(odd)} of {len(scene.answers)} answers", not odd),
    )


def _kept(stage: Stage, scene: Scene, past: Past) -> Promise:
    """Every acknowledged exchange is in the exchange log once."""
    places = stage.places
    with Compactor(places.recording, SketchKey.from_secret(places.secret)) as compactor:
        compactor.sweep()  # what workers wrote last, while the gateway's own compactor ended
    layout = Layout(places.recording.folder)
    files = [path for folder in (layout.waiting, layout.segments) for path in folder.rglob("*.parquet")]
    old = set(past.rows["exchange_id"].to_pylist())
    rows = [row for path in files for row in pq.read_table(path, columns=["exchange_id", "account_id"]).to_pylist()]
    fresh = [row for row in rows if row["exchange_id"] not in old]
    kept, asked = Counter(row["account_id"] for row in fresh), Counter(each.account_id for each in scene.answers)
    once = len({row["exchange_id"] for row in fresh}) == len(fresh)
    told = f"{len(fresh)} recorded, {len(scene.answers)} acknowledged"
    return Promise("every acknowledged exchange is recorded once", told, once and kept == asked)


def print_shown(shown: Shown, console: Console) -> None:
    """Say what was found when, and what became of each promise."""
    classes = {shown.past.classes[each.account_id] for each in shown.scene.answers if each.party == INNOCENT}
    console.print(found_table(shown.scene), promises_table(shown.promises))
    console.print(f"innocents were of {len(classes)} kinds: {', '.join(sorted(classes))}", highlight=False)
    console.print(
        f"the past ({shown.before:,} exchanges) was composed by the lab and laid into the exchange log; "
        f"{len(shown.scene.answers)} requests were sent live by the SDKs",
        highlight=False,
    )
