"""A harvest through a gateway that runs: twins to whom the policy names, to all others what the teacher said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp", reason="needs stillwatch[gateway]")

from tests.apps.gateway.running import ALICE, BOB, CALLERS, Remembering, running, served, write_config
from tests.lab.provenance.by_heart import writer

from stillwatch.actions.decision import ALLOWED, ActionKind, Decision, Effect
from stillwatch.apps.gateway.apis.altering import Step
from stillwatch.apps.gateway.apis.twinning import Twinning
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import bare_parts
from stillwatch.apps.gateway.seams import Arrival
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import load_config
from stillwatch.lab.gateway.clients import Answered
from stillwatch.lab.provenance.asking import Ask, Asker, Got, content_of
from stillwatch.lab.provenance.story import LANGUAGE
from stillwatch.lab.provenance.upstream import Upstream
from stillwatch.lab.provenance.world import world
from stillwatch.provenance.twins.coins import serve

SECRET = b"k" * 32
NOUNS = world(1001, LANGUAGE).nouns
TWIN = Decision(ActionKind.SERVE_TWIN, Effect(twin=True), reason="wording")


class Names(Remembering):
    """Serves twins to one account."""

    def decide(self, arrival: Arrival) -> Decision:
        return TWIN if arrival.account_id == "alice" else ALLOWED


def alter(arrival: Arrival, decision: Decision, sealing: object) -> tuple[Step, ...]:
    del arrival, sealing
    return (Twinning(SECRET),) if decision.effect.twin else ()


def question(number: int) -> str:
    return f"what of the {NOUNS[number % len(NOUNS)]}?"


def asked(key: str, number: int) -> Ask:
    body = {"model": "m", "messages": [{"role": "user", "content": question(number)}]}
    return Ask("pool" if key == ALICE else "innocents", CALLERS[key].account_id, key, body, {})


async def harvest(url: str, told: list[Answered]) -> tuple[list[Got], list[Got]]:
    async with Asker(url, told.append) as asker:
        beside = (asked(BOB, number) for number in range(1_000))
        return await asker.ask_beside(beside, 50.0, asker.ask_all((asked(ALICE, each) for each in range(60)), 8))


def test_a_pool_gets_twins_in_the_order_of_its_questions_and_innocents_every_byte(tmp_path: Path) -> None:
    upstream, told, names = Upstream(writer(1), "token"), list[Answered](), Names()
    parts = replace(bare_parts(names, names, lambda key, _: CALLERS.get(key)), alter=alter, settled=as_decided)
    with served(upstream) as url:
        gateway = Gateway(load_config(write_config(tmp_path, url)), parts)
        with running(make_server(gateway)) as front:
            pool, innocent = asyncio.run(harvest(front, told))
    assert len(told) == len(pool) + len(innocent)
    assert all(each.served for each in told)
    assert innocent
    assert [each.raw.decode() for each in innocent] == [upstream.said[each.name] for each in innocent]
    assert not any(each.altered for each in innocent)
    said = [content_of(upstream.said[each.name]) for each in pool]
    assert [each.content for each in pool] == [serve(text, SECRET)[0] for text in said]
    assert all(f"{NOUNS[number]} " in text for number, text in enumerate(said))  # in the order of the questions
    assert all(each.altered == "wording=twin" for each in pool)
    assert [each.content for each in pool] != said
    assert sum(upstream.batches.values()) < len(told)  # some were answered together


def as_decided(decision: Decision, fields: Any) -> Decision:
    del fields
    return decision


def test_a_gateway_that_is_not_there_is_an_answer_that_failed() -> None:
    async def play() -> Got:
        async with Asker("http://127.0.0.1:9", lambda _: None) as asker:
            return await asker.ask(asked(BOB, 1))

    got = asyncio.run(play())
    assert (got.told.status, got.told.served, got.raw) == (0, False, b"")
    assert json.dumps(got.altered) == '""'
