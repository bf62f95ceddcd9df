"""What a demonstration found, and what it promised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq
from rich.table import Table

from stillwatch.apps.gateway.places import Places
from stillwatch.lab.gateway.stage import Stage
from stillwatch.lab.gateway.view import Scene
from stillwatch.lab.truth import Truth


@dataclass(frozen=True, slots=True)
class Promise:
    """Something that must hold, and what came of it."""

    what: str
    came: str
    held: bool


def members(places: Places, campaign_id: str) -> list[str]:
    """Return the accounts of a campaign by the watcher's last window."""
    run = places.run / "verdicts.parquet"
    rows = pq.read_table(run, columns=["account_id", "campaign_id"]).to_pylist() if run.exists() else []
    return [row["account_id"] for row in rows if row["campaign_id"] == campaign_id]


def planter(places: Places, truth: Truth) -> Callable[[str], str]:
    """Return what says as what most accounts of a campaign were planted."""

    def planted(campaign_id: str) -> str:
        names = Counter(truth.campaign.get(each) for each in members(places, campaign_id))
        return names.most_common(1)[0][0] or "nobody" if names else "unknown"

    return planted


def ledger_verifies(stage: Stage) -> Promise:
    """Run `stillwatch ledger verify`."""
    sound, told = stage.verify_ledger()
    return Promise("stillwatch ledger verify", told.splitlines()[0] if told else "says nothing", sound)


def found_table(scene: Scene) -> Table:
    """Return the campaigns that were found, and when."""
    found = Table(title="What was found, and when", title_justify="left")
    for name in ("campaign", "planted as", "accounts", "p", "after"):
        found.add_column(name, justify="left" if name in ("campaign", "planted as") else "right")
    for each in scene.campaigns.values():
        figures = (str(each["members"]), f"{each['p']:.3f}", f"{each['at']:.1f} s")
        found.add_row(each["campaign_id"], each["planted"], *figures)
    return found


def promises_table(promises: Sequence[Promise]) -> Table:
    """Return what was promised, and what came of it."""
    table = Table(title="What was promised", title_justify="left")
    for name in ("promise", "came to", ""):
        table.add_column(name)
    for one in promises:
        table.add_row(one.what, one.came, "held" if one.held else "BROKEN")
    return table
