"""Two providers each see half of everything: after both asked, campaigns are found that neither could be sure of.

Accounts of a planted log are dealt to two providers, who detect alone, each with its half. Then each asks the other by
private comparison, over HTTP, about each of its campaigns.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.apps.corroborate.asking import Asking, Told, corroborate
from stillwatch.apps.corroborate.config import read_partners
from stillwatch.apps.corroborate.index import build_index
from stillwatch.lab.truth import Truth, read_truth
from stillwatch.model import VerdictKind
from tests.apps.corroborate.partners import STEP, running, write_config, write_partners

pytestmark = pytest.mark.slow
PROVIDERS = ("east", "west")
FOUND = {VerdictKind.SUSPECT, VerdictKind.DISTILLATION}


@dataclass
class Asked:
    """One provider's campaign: who is in it by the labels, and what the other provider made of it."""

    provider: str
    of: str  # the planted campaign or the look-alike of most members
    guilty: bool
    told: Told


def half(table: pa.Table, provider: str) -> pa.Table:
    side = PROVIDERS.index(provider)
    accounts = table["account_id"].to_pylist()
    return table.filter(pa.array([hashlib.sha256(one.encode()).digest()[0] % 2 == side for one in accounts]))


def named(truth: Truth, members: tuple[str, ...]) -> tuple[str, bool]:
    names = [(truth.campaign.get(one) or truth.lookalike.get(one) or "ordinary") for one in members]
    most = Counter(names).most_common(1)[0][0]
    return most, any(truth.campaign.get(one) for one in members)


@pytest.fixture(scope="module")
def asked(small_traffic: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Asked]:
    folder = tmp_path_factory.mktemp("providers")
    runs = {}
    log, accounts = (pq.read_table(small_traffic / f"{name}.parquet") for name in ("exchanges", "accounts"))
    for provider in PROVIDERS:
        own, who = half(log, provider), half(accounts, provider)
        run = sw.detect(own, accounts=who, licences=small_traffic / "licences.csv")
        index = build_index(run, own, who)
        write_config(folder / provider, index, sessions_per_hour=500, elements_per_day=10**9, reveal="never")
        runs[provider] = run
    truth, found = read_truth(small_traffic / "labels"), []
    for provider, other in zip(PROVIDERS, PROVIDERS[::-1], strict=True):
        with running(folder / other / "serve.toml") as url:
            partners = read_partners(write_partners(folder / provider / "asks", {other: url}))
            for story in runs[provider].stories:
                asking, index = Asking(partners, padding=STEP), folder / provider / "indicators.parquet"
                told = corroborate(story.campaign, index, asking, folder / provider / "asked")
                found.append(Asked(provider, *named(truth, story.campaign.members), told))
    return found


def test_a_campaign_that_neither_provider_finds_alone_is_found_at_both_after_they_asked(asked: list[Asked]) -> None:
    """Found, as `detect` counts it: `suspect` or graver. Alone both have nothing of it beyond `watch`."""
    before: dict[str, dict[str, set[VerdictKind]]] = {}
    after: dict[str, dict[str, set[VerdictKind]]] = {}
    for one in (each for each in asked if each.guilty):
        before.setdefault(one.of, {}).setdefault(one.provider, set()).add(one.told.result.before)
        after.setdefault(one.of, {}).setdefault(one.provider, set()).add(one.told.result.after)
    unseen = {name for name, sides in before.items() if list(sides.values()) == [{VerdictKind.WATCH}] * 2}
    found = {name for name in unseen if all(verdicts & FOUND for verdicts in after[name].values())}
    assert "H-relay" in found
    assert found < unseen, "some share nothing across the two: if all are found, the comparison is not what finds them"


def test_one_provider_s_suspect_becomes_distillation_with_the_other_s_help(asked: list[Asked]) -> None:
    steps = {(one.of, one.told.result.before.value, one.told.result.after.value) for one in asked if one.guilty}
    assert ("A-reasoning", "suspect", "distillation") in steps


def test_no_look_alike_is_raised_though_some_are_watched_by_both(asked: list[Asked]) -> None:
    innocent = [one for one in asked if not one.guilty]
    watched = Counter(one.of for one in innocent)
    assert [name for name, count in watched.items() if count >= 2], "no look-alike is watched by both: proves nothing"
    assert [one.of for one in innocent if one.told.result.raised] == []


def test_no_provider_learnt_which_indicators_the_other_has(asked: list[Asked]) -> None:
    outcomes = [outcome for one in asked for outcome in one.told.outcomes]
    assert outcomes
    assert all(one.revealed is None for one in outcomes)
    assert not [one.told.failures for one in asked if one.told.failures]
