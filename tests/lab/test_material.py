"""Published material: rhythms follow the windows, splits share no source, threads do not show."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic
from stillwatch.lab.grammar import grammar_of
from stillwatch.lab.material import OWN, Material, material_of, settled_name
from stillwatch.lab.material.address_space import KINDS
from stillwatch.lab.material.ranges import country_of, ranges
from stillwatch.lab.material.rates import WINDOW, Rates, regroup
from stillwatch.lab.published import data_folder
from stillwatch.lab.rhythm import EVENING, SERVICE, moments
from stillwatch.lab.roster import newcomers
from stillwatch.lab.stacks import own_stacks
from stillwatch.lab.world import DAY, HOUR, World
from stillwatch.model import MissingDependency

SMALL = Request(exchanges=6_000, accounts=500, seed=3)


@pytest.fixture(scope="module")
def folder() -> Path:
    try:
        found = data_folder()
    except MissingDependency as absent:
        pytest.skip(str(absent))
    if settled_name("auto") != "real":
        pytest.skip(f"{found}: has no traffic/ and infra/")
    return found


def world_with(rates: Rates) -> World:
    return World(5, "tuning", 14 * DAY, grammar_of("tuning"), material=replace(OWN, rates=rates))


def one_client(share: np.ndarray, variation: float = 1.0) -> Rates:
    return Rates((share / share.sum())[None, :], np.full((1, len(share)), variation))


def sent(world: World, profile: int, zone: int, rows: int) -> np.ndarray:
    rng = world.chance("test")
    who = newcomers(world, rng, 20)
    who["profile"], who["zone"], who["since"], who["until"] = profile, zone, world.start, world.end
    return moments(world, rng, who, rng.integers(0, 20, rows)) - world.start


def test_a_service_asks_when_its_client_did() -> None:
    share = np.ones(2_016)
    share[500:600] = 40.0
    when = sent(world_with(one_client(share)), SERVICE, 0, 30_000) // WINDOW
    inside = ((when >= 500) & (when < 600)).mean()
    assert inside == pytest.approx(4_000 / (4_000 + 1_916), abs=0.03)


def test_people_keep_a_clients_clock_in_their_own_zone() -> None:
    share = np.tile(np.repeat([1.0, 9.0], 72), 14)  # a client of the hours after noon
    world = world_with(one_client(share))
    at_home, far = (sent(world, EVENING, zone, 20_000) // HOUR % 24 for zone in (0, -6))
    assert (at_home >= 12).mean() > 0.85
    assert ((far + 18) % 24 >= 12).mean() > 0.85


def test_nobody_asks_before_the_first_or_after_the_last_day() -> None:
    world = world_with(one_client(np.ones(2_016)))
    rng = world.chance("test")
    who = newcomers(world, rng, 10)
    who["profile"], who["since"], who["until"] = SERVICE, world.start + 3 * DAY, world.start + 5 * DAY
    when = moments(world, rng, who, rng.integers(0, 10, 4_000)) - world.start
    assert (when >= 3 * DAY).all()
    assert (when <= 5 * DAY).all()


@pytest.mark.parametrize("variation", [0.4, 1.0, 4.0])
def test_gaps_within_a_window_vary_as_measured(variation: float) -> None:
    rng = np.random.default_rng(8)
    place = rng.random(20_000) * 20  # a thousand in each window
    account = np.zeros(20_000, np.int64)
    moved = regroup(rng, account, place, np.full(20_000, variation))
    assert (np.bincount(moved.astype(int)) == np.bincount(place.astype(int))).all()
    gaps = np.diff(np.sort(moved))
    assert gaps.std() / gaps.mean() == pytest.approx(variation, rel=0.15)


def test_auto_is_real_only_where_all_of_the_material_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STILLWATCH_DATA", str(tmp_path))
    assert settled_name("auto") == "own"
    (tmp_path / "prompts").mkdir()
    assert settled_name("auto") == "own"
    assert settled_name("real") == "real"
    with pytest.raises(MissingDependency, match="traffic"):
        material_of("tuning", "real")
    for name in ("traffic", "infra"):
        (tmp_path / name).mkdir()
    assert settled_name("auto") == "real"


def test_the_splits_share_no_source(folder: Path) -> None:
    tuning, report = (material_of(split, "real") for split in ("tuning", "report"))

    def drawn(material: Material) -> tuple[set[object], ...]:
        assert material.networks
        assert material.stacks
        assert material.rates
        assert material.lengths
        return (
            set(material.networks.asns.tolist()),
            set(material.stacks.agents) - set(own_stacks().agents),
            set(material.disposable),
            set(map(bytes, material.rates.share)),
        )

    for ours, theirs in zip(drawn(tuning), drawn(report), strict=True):
        assert len(ours) > 20
        assert not ours & theirs
    assert not {name for name in tuning.sources if "one half" not in name} & {
        name for name in report.sources if "servegen" in name or "azure" in name
    }


@pytest.mark.parametrize("split", ["tuning", "report"])
def test_networks_are_where_their_system_is(folder: Path, split: str) -> None:
    networks, table = material_of(split, "real").networks, ranges(folder / "infra")
    assert networks
    assert set(networks.kinds) == set(KINDS)
    four = np.flatnonzero(networks.base >= 0)
    for address in (networks.base[four], networks.base[four] + (1 << networks.bits[four]) - 1):
        at = np.searchsorted(table.first, address, side="right") - 1
        assert (table.asn[at] == networks.asns[four]).all()
    at_home = country_of(folder / "infra", networks.base[four]) == np.array(networks.countries)[four]
    assert at_home.mean() > 0.95  # a range may go on beyond a border; its first address says where it is


def digest(path: Path) -> dict[str, str]:
    files = sorted(each for each in path.rglob("*") if each.is_file())
    return {str(each.relative_to(path)): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def test_real_traffic_is_the_same_for_any_number_of_threads(folder: Path, tmp_path: Path) -> None:
    for threads in (1, 3):
        out = tmp_path / str(threads)
        write_traffic(compose(replace(SMALL, prompts="real"), threads), out, threads=threads)
    assert digest(tmp_path / "1") == digest(tmp_path / "3")
    told = json.loads((tmp_path / "1" / "labels" / "traffic.json").read_text())
    assert told["material"]["name"] == "real"
    assert "servegen_m-small" in told["material"]["sources"]
    log = pq.read_table(tmp_path / "1" / "exchanges.parquet")
    assert set(log["asn"].to_pylist()) <= set(material_of("tuning", "real").networks.asns.tolist())  # type: ignore[union-attr]


def share_of_the_busiest(prompts: str, seed: int) -> float:
    """What part of the ordinary accounts' exchanges the busiest hundredth of them sends."""
    group = compose(Request(60_000, 4_000, seed=seed, split="report", prompts=prompts)).group
    ordinary = (group.accounts["campaign"] < 0) & (group.accounts["lookalike"] < 0)
    volume = np.sort(np.bincount(group.column("account"), minlength=len(group.accounts))[ordinary])[::-1]
    return float(volume[: len(volume) // 100].sum() / volume.sum())


def test_a_few_ordinary_accounts_send_much_and_with_real_rates_more(folder: Path) -> None:
    # means over seeds: one draw of twenty accounts says little of the tail it is from
    real, own = (np.mean([share_of_the_busiest(prompts, seed) for seed in (11, 12, 13)]) for prompts in ("real", "own"))
    assert 0.25 < real < 0.6
    assert real > own
