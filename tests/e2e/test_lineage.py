"""Weekly runs over one log: ids stay, owners of one pool stay apart, and a banned campaign is known again."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.lab.compose import Request, compose
from stillwatch.lab.export import write_traffic

pytestmark = pytest.mark.slow
WEEKS = 5


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of five weeks with a pool of three owners and a campaign that is banned at half time, cut by week."""
    out = tmp_path_factory.mktemp("weeks")
    request = Request(
        exchanges=50_000, accounts=2_500, seed=3, days=7 * WEEKS, scenarios=("d_pool", "g_failover"), attack_share=0.3
    )
    write_traffic(compose(request), out / "all")
    log = pq.read_table(out / "all" / "exchanges.parquet")
    first = pc.min(log["ts"]).as_py().replace(hour=0, minute=0, second=0, microsecond=0)
    for week in range(WEEKS):
        low, high = (pc.greater_equal(log["ts"], first + dt.timedelta(weeks=week + step)) for step in (0, 1))
        pq.write_table(log.filter(pc.and_(low, pc.invert(high))), out / f"week{week}.parquet")
    return out


def detect(weeks: Path, week: int, previous: Path | None, secret: bytes = b"key") -> Path:
    settings = sw.Settings(previous=previous, secret=secret)
    run = sw.detect(weeks / f"week{week}.parquet", weeks / "all" / "accounts.parquet", settings=settings)
    return sw.write_run(run, weeks / f"run{week}-{previous.name if previous else 'first'}-{secret.decode()}")


def ids(weeks: Path, folder: Path) -> dict[str, str]:
    """Planted campaign → the id of the found campaign that most of its flagged exchanges are in."""
    truth = pq.read_table(weeks / "all" / "labels" / "exchanges.parquet", columns=["exchange_id", "campaign"])
    label = dict(zip(truth["exchange_id"].to_pylist(), truth["campaign"].to_pylist(), strict=True))
    votes: dict[str, Counter[str]] = {}
    flagged = pq.read_table(folder / "flagged.parquet")
    for exchange, campaign in zip(flagged["exchange_id"].to_pylist(), flagged["campaign_id"].to_pylist(), strict=True):
        if label[exchange]:
            votes.setdefault(label[exchange], Counter())[campaign] += 1
    return {name: own.most_common(1)[0][0] for name, own in votes.items() if own.total() >= 30}


@pytest.fixture(scope="module")
def chain(weeks: Path) -> list[Path]:
    folders: list[Path] = []
    for week in range(WEEKS):
        folders.append(detect(weeks, week, folders[-1] if folders else None))
    return folders


def test_ids_stay_over_five_weekly_runs_and_are_never_shared(weeks, chain):
    seen: dict[str, set[str]] = {}
    for folder in chain:
        found = ids(weeks, folder)
        assert len(set(found.values())) == len(found)
        for label, name in found.items():
            seen.setdefault(label, set()).add(name)
    assert len(seen) >= 3
    assert all(len(names) == 1 for names in seen.values()), seen


def test_a_banned_campaign_keeps_its_id_under_new_accounts(weeks, chain):
    before, after = chain[1], detect(weeks, 3, chain[1])
    label = "G-failover"
    assert ids(weeks, after)[label] == ids(weeks, before)[label]
    story = next(one for one in sw.read_run(after).stories if one.campaign.campaign_id == ids(weeks, after)[label])
    earlier = next(one for one in sw.read_run(before).stories if one.campaign.campaign_id == story.campaign.campaign_id)
    assert not set(story.campaign.members) & set(earlier.campaign.members)
    assert story.campaign.status == "returned"
    assert any("it returned" in claim.text for claim in story.campaign.claims)


def test_with_another_secret_only_accounts_tell_and_the_run_says_so(weeks, chain):
    run = sw.read_run(detect(weeks, 3, chain[1], secret=b"other"))
    assert "sketch key" in run.manifest["lineage"]
    assert ids(weeks, weeks / f"run3-{chain[1].name}-other")["G-failover"] != ids(weeks, chain[1])["G-failover"]
    steady = {one.campaign.campaign_id for one in run.stories if one.campaign.status in ("steady", "grew")}
    assert steady


def test_a_chain_gives_the_same_record_each_time(weeks, chain):
    again = detect(weeks, 1, chain[0], secret=b"key")
    assert (again / "lineage.json").read_bytes() == (chain[1] / "lineage.json").read_bytes()
