"""Two providers, each with a half of one campaign, and a log full of look-alikes that a partner may try to harm."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stillwatch.apps.detect import Settings, detect
from stillwatch.apps.run import Run
from stillwatch.apps.share.cases import case_of
from stillwatch.apps.share.gather import Sources, gather, protected_accounts
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.sharing.author import Author
from stillwatch.sharing.feeds.wanted import read_wanted
from stillwatch.sharing.leaving import decide
from stillwatch.sharing.stix import bundle
from stillwatch.sharing.taxii.times import read_time
from stillwatch.sharing.terms import Producer, Terms
from stillwatch.sharing.tlp import Tlp
from stillwatch.sketch.fingerprints import draft
from tests.apps.taxii.running import CAMPAIGNS, running
from tests.sharing.feeds.made import bundle as pack
from tests.sharing.feeds.made import feeds, indicator
from tests.sharing.feeds.test_taxii import COLLECTION

CAMPAIGN = "F-burst"
STRANGERS = 90  # of 256 accounts that are neither of the campaign nor a look-alike
JUNK = 10_000  # indicators of a feed that lists every address of the log, and others
ACCUSED = ("suspect", "distillation")
END = read_time("2026-09-21T00:00:00Z") or 0  # of the log


@dataclass(frozen=True)
class World:
    """Two folders of logs, licences, and who each account is."""

    halves: tuple[Path, Path]
    licences: Path
    campaign: dict[str, str | None]
    lookalike: dict[str, str | None]

    def detect(self, at: int, *intel: Path) -> Run:
        half = self.halves[at]
        settings = Settings(secret=b"a secret of sixteen", intel=intel)
        return detect([half / "exchanges.parquet"], half / "accounts.parquet", self.licences, settings)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    from stillwatch.lab.compose import Request, compose
    from stillwatch.lab.export import write_traffic

    out = tmp_path_factory.mktemp("world")
    write_traffic(compose(Request(exchanges=24_000, accounts=1_800, seed=3)), out)
    labels = pq.read_table(out / "labels" / "accounts.parquet").to_pylist()
    campaign = {row["account_id"]: row["campaign"] for row in labels}
    lookalike = {row["account_id"]: row["lookalike"] for row in labels}

    def half_of(account: str) -> int | None:
        if campaign[account] not in (None, CAMPAIGN):
            return None
        digest = hashlib.sha256(account.encode()).digest()
        if campaign[account] is None and lookalike[account] is None and digest[1] >= STRANGERS:
            return None
        return hashlib.sha256(f"3{account}".encode()).digest()[0] % 2

    halves = (out / "north", out / "south")
    for name in ("exchanges", "accounts"):
        table = pq.read_table(out / f"{name}.parquet")
        side = [half_of(account) for account in table["account_id"].to_pylist()]
        for at, half in enumerate(halves):
            half.mkdir(exist_ok=True)
            pq.write_table(table.filter(pa.array([each == at for each in side])), half / f"{name}.parquet")
    return World(halves, out / "licences.csv", campaign, lookalike)


@pytest.fixture(scope="module")
def alone(world: World) -> tuple[Run, Run]:
    return world.detect(0), world.detect(1)


def verdicts(run: Run) -> dict[str, str]:
    table = run.verdicts
    return dict(zip(table["account_id"].to_pylist(), table["verdict"].to_pylist(), strict=True))


def accused(run: Run) -> set[str]:
    return {account for account, verdict in verdicts(run).items() if verdict in ACCUSED}


def found(run: Run, world: World) -> list[str]:
    """The verdicts on groups that are mostly of the campaign."""
    return [
        story.campaign.verdict.value
        for story in run.stories
        if sum(world.campaign[name] == CAMPAIGN for name in story.campaign.members) > len(story.campaign.members) / 2
    ]


def shared(run: Run, world: World, at: int) -> list[dict[str, Any]]:
    """What one provider tells the other of what it suspects."""
    half, objects = world.halves[at], {}
    with Engine() as engine:
        log = read_exchanges([half / "exchanges.parquet"], engine)
        accounts, terms = read_accounts(half / "accounts.parquet", engine), read_licences(world.licences, engine)
        guarded = protected_accounts(engine, accounts, terms, None)
        known = gather(engine, Sources(run, log, accounts, guarded))
    on = Terms(Producer(f"Provider {at}"), Tlp.AMBER_STRICT, "the other", suspicions=True)
    for story in run.stories:
        if story.campaign.verdict.value in ACCUSED:
            leaving = decide(case_of(run, story.campaign.campaign_id, known), on, b"another of sixteen bytes")
            objects |= {each["id"]: each for each in bundle(leaving)["objects"]}
    return list(objects.values())


def identity(at: int) -> str:
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return Author(f"Provider {at}", Tlp.AMBER_STRICT, moment, moment).identity


@pytest.mark.slow
def test_a_campaign_that_each_of_two_providers_only_suspects_is_found_at_both_after_an_exchange(
    world: World, alone: tuple[Run, Run], tmp_path: Path
) -> None:
    for run in alone:
        assert found(run, world) == ["suspect"]
    with running(tmp_path) as server:
        for at, run in enumerate(alone):
            server["north"].post(CAMPAIGNS, *shared(run, world, at))
        (tmp_path / "token").write_text(server["north"].token)
        for at in (0, 1):
            folder = tmp_path / f"provider-{at}"
            folder.mkdir()
            hub = (
                f'ours = ["{identity(at)}"]\n[[partner]]\nname = "hub"\nreliability = "B"\n[[partner.source]]\n'
                f'type = "taxii"\nurl = "http://127.0.0.1:{server.port}/hub/"\ncollection = "{COLLECTION}"\n'
                f'user = "north"\ntoken_file = "{tmp_path / "token"}"\n'
            )
            with feeds(folder, hub) as one:
                assert one.pull()[0].trouble == ""
                kept = one.store.folder
            run = world.detect(at, kept)
            assert found(run, world) == ["distillation"]
            assert not [name for name in accused(run) if world.campaign[name] is None]
            told = [term for story in run.stories for term in story.evidence if term.family == "reported"]
            assert {term.grade.value for term in told} == {"reported"}
            assert run.manifest["reported"]["values"] >= 1
            before = {story.campaign.campaign_id: story.campaign.p for story in alone[at].stories}
            assert {story.campaign.p for story in run.stories} <= set(before.values())  # p is of one's own evidence


@pytest.mark.slow
def test_poisoned_feeds_accuse_nobody(world: World, alone: tuple[Run, Run], tmp_path: Path) -> None:
    log = pq.read_table(world.halves[0] / "exchanges.parquet")
    poison(tmp_path, world, log)
    partners = "".join(
        f'[[partner]]\nname = "{name}"\nreliability = "A"\nown = true\n[[partner.source]]\ntype = "{form}"\n'
        f'path = "{name}.{form}"\nkind = "{kind}"\n'
        for name, form, kind in (
            ("customer", "list", "address"), ("nat", "list", "address"), ("junk", "list", "address"),
            ("clients", "csv", ""), ("wide", "stix", ""), ("templates", "stix", ""),
        )
    )  # fmt: skip
    with feeds(tmp_path, partners) as one:
        done = {each.partner: each for each in one.pull(END)}
        assert done["junk"].new == JUNK
        assert (done["wide"].new, done["wide"].refused) == (0, 1)
        assert done["templates"].new >= 3
        folder = one.store.folder
    run = world.detect(0, folder)
    assert run.manifest["reported"]["values"] > 100
    assert accused(run) == accused(alone[0])
    assert found(run, world) == ["suspect"]
    before, after = verdicts(alone[0]), verdicts(run)
    rose = [name for name in after if after[name] != before[name] and world.campaign[name] is None]
    assert rose == []


def poison(folder: Path, world: World, log: pa.Table) -> None:
    """What a partner who means harm would report of this very log."""

    def rows(*kinds: str) -> pa.Table:
        return log.filter(pa.array([world.lookalike[name] in kinds for name in log["account_id"].to_pylist()]))

    def public(values: list[Any]) -> list[str]:
        return sorted({str(value) for value in values if value})

    chance = np.random.default_rng(1)
    (folder / "customer.list").write_text("\n".join(public(rows("company", "small-firm")["ip"].to_pylist())))
    (folder / "nat.list").write_text("\n".join(public(rows("campus", "remote-class", "vpn")["ip"].to_pylist())))
    junk = {f"{a}.{b}.{c}.{d}" for a, b, c, d in chance.integers(1, 255, (JUNK, 4)) if a in range(20, 100)}
    every = public(log["ip"].to_pylist())
    while len(junk) < JUNK - len(every):
        a, b, c, d = chance.integers(1, 255, 4)
        junk.add(f"{20 + a % 70}.{b}.{c}.{d}")
    (folder / "junk.list").write_text("\n".join([*every, *sorted(junk)][:JUNK]))
    popular = [f"{value},client" for value in public(log["tls_fingerprint"].to_pylist())]
    popular += [f"{value},asn" for value in public(log["asn"].to_pylist())]
    (folder / "clients.csv").write_text("\n".join(["value,kind", *popular]))
    (folder / "wide.stix").write_bytes(pack(indicator("[ipv4-addr:value ISSUBSET '1.0.0.0/0']")))
    (folder / "templates.stix").write_bytes(pack(*templates(rows)))


def templates(rows: Any) -> Iterator[dict[str, Any]]:
    """The templates of look-alikes, as fingerprints that hold: the worst that a partner can report of them."""
    number = 500
    for kind in ("worksheet", "template-tool", "benchmark-harness", "starter-kit", "agent-tool", "judge", "hackathon"):
        own = rows(kind)
        accounts = own["account_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        for each in draft(own["prompt"].cast(pa.large_string()).combine_chunks(), accounts, 1):
            mark = each.settle(frozenset())
            if mark is not None:
                number += 1
                name = "x-stillwatch-prompt-template"
                pattern = f"[{name}:scheme = 'stillwatch-frame-1' AND {name}:sketch = '{mark.text()}']"
                held = {"valid_until": "2027-01-01T00:00:00Z", "valid_from": "2020-01-01T00:00:00Z"}
                yield indicator(pattern, number, confidence=100, **held)


@pytest.mark.slow
def test_without_reports_nothing_of_them_is_written(world: World, alone: tuple[Run, Run]) -> None:
    manifest = json.dumps(alone[0].manifest, default=str)
    assert "reported" not in manifest


def test_what_we_said_ourselves_is_no_news(tmp_path: Path) -> None:
    from tests.sharing.feeds.made import AUTHOR, NOW, partner

    (tmp_path / "b.json").write_bytes(pack(indicator(), indicator(number=2, created_by_ref="")))
    with feeds(tmp_path, f'ours = ["{AUTHOR}"]\n' + partner("stix", "b.json", own=False)) as one:
        one.pull()
        assert read_wanted([one.store.folder], NOW).values == ()
