"""Planted actors are named where two families of traits show them, and nobody is where evidence is shuffled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.attribution.actors import OWNER, POOL, UNKNOWN, read_actors
from stillwatch.lab.actors import Planted, plant_actors
from stillwatch.lab.attribution import Looked, answers, look, measure, shuffled
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

pytestmark = pytest.mark.slow
SEED = 5


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    out = tmp_path_factory.mktemp("actors")
    request = Request(exchanges=25_000, accounts=1_600, seed=SEED, scenarios=("d_pool", "a_reasoning", "c_coding"))
    write_traffic(compose(request), out / "traffic")
    return plant_actors(out / "traffic", out / "planted", SEED)


@pytest.fixture(scope="module")
def looked(planted: Planted) -> Looked:
    return look(planted, SEED, strangers=20)


@pytest.fixture(scope="module")
def measured(looked: Looked) -> dict:
    return measure(looked, SEED, draws=200)


def test_the_right_actor_comes_first_wherever_two_families_of_its_traits_show(measured):
    told = [one for role in (POOL, OWNER) for one in measured["right"][role]]
    sure = [one for one in told if len(one["families"]) >= 2 and one["campaign"]]
    assert len(sure) >= 6
    assert all(one["right"] and one["p"] > 0.5 for one in sure), sure


def test_one_family_of_traits_leaves_it_unknown(measured):
    told = [one for role in (POOL, OWNER) for one in measured["right"][role] if len(one["families"]) < 2]
    assert all(one["first"] == UNKNOWN for one in told)


def test_owners_of_one_pool_have_one_pool_operator_and_are_told_apart(looked):
    own = [at for at, label in enumerate(looked.labels) if label.endswith("-pool")]
    leaders = {role: {answers(looked, looked.matched[at])[role][0].operator for at in own} for role in (POOL, OWNER)}
    assert len(own) >= 2
    assert leaders[POOL] == {looked.planted.pool_of["D1-pool"]}
    assert len(leaders[OWNER]) == len({looked.labels[at] for at in own})


@pytest.mark.parametrize("null", ["shuffled apart", "strangers", "not listed"])
def test_unknown_stays_where_there_is_nothing_to_know(measured, null):
    assert measured["unknown stays"][null]["share"] >= 0.95


def test_a_shuffle_apart_leaves_no_actor_two_families_of_another(looked):
    owners = shuffled(looked, np.random.default_rng(1), apart=True)
    moved: dict[tuple[str, str], set[str]] = {}
    for (actor, trait), owner in zip(looked.traits, owners, strict=True):
        family = "harness" if trait.kind in ("tool", "persona") else trait.kind
        moved.setdefault((actor, owner), set()).add(family)
    calendar, infrastructure = {"silent-days", "active-hours"}, {"asn", "prefix"}
    assert all(len(own) == 1 or own <= calendar or own <= infrastructure for own in moved.values())
    assert all(actor != owner for actor, owner in moved)


def test_detection_writes_both_layers_and_no_persona(planted, tmp_path):
    sources = [planted.folder / name for name in ("exchanges.parquet", "accounts.parquet")]
    run = sw.detect(*sources, settings=sw.Settings(actors=planted.actors, secret=b"s"))
    folder = sw.write_run(run, tmp_path / "run")
    rows = pq.read_table(folder / "campaigns.parquet")["operator_hypotheses"].to_pylist()
    assert rows
    for own in rows:
        for role in (POOL, OWNER):
            layer = [one for one in own if one["role"] == role]
            assert sum(one["p"] for one in layer) == pytest.approx(1.0)
            assert UNKNOWN in {one["operator"] for one in layer}
    assert run.manifest["known_actors"] == len(read_actors(planted.actors))
    told = json.loads((folder / "campaigns.json").read_text(encoding="utf-8"))
    assert any(len(one["attribution"]) > 2 for one in told)
    for path in folder.iterdir():
        assert b"careful assistant" not in path.read_bytes(), path.name


def test_planting_is_the_same_for_one_seed(planted, tmp_path):
    again = plant_actors(Path(planted.folder).parent / "traffic", tmp_path / "again", SEED)
    assert again.actors.read_bytes() == planted.actors.read_bytes()
    assert pq.read_table(again.folder / "exchanges.parquet").equals(pq.read_table(planted.folder / "exchanges.parquet"))
