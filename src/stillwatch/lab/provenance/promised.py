"""What a harvest through the gateway must have come to, and what each party got."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from stillwatch.lab.gateway.findings import Promise, ledger_verifies, members
from stillwatch.lab.provenance.asking import Got, content_of
from stillwatch.lab.provenance.gate import Played
from stillwatch.lab.provenance.phases import KINDS, TWINS, Came
from stillwatch.lab.truth import Truth
from stillwatch.provenance.twins.coins import serve

LEAST_TWINS = 0.95  # of the pool's answers: an account or two may not be tied to the others yet


@dataclass(frozen=True, slots=True)
class Counted:
    """Answers of one phase to one party."""

    phase: str
    party: str
    asked: int
    refused: int
    altered: int
    changed: int  # whose bytes are not those that the teacher sent
    seconds: float

    @staticmethod
    def of(kind: str, party: str, came: Came, got: Sequence[Got]) -> Counted:
        """Count what a party got."""
        return Counted(
            kind, party, len(got), sum(each.told.refused for each in got), sum(bool(each.altered) for each in got),
            sum(_changed(each, came) for each in got), came.seconds,
        )  # fmt: skip


def counts(played: Played) -> Iterator[Counted]:
    """Count what each party got in each phase."""
    for kind in KINDS:
        came = played.came[kind]
        yield Counted.of(kind, "the pool", came, came.pool)
        yield Counted.of(kind, "innocents", came, came.innocent)


def promises(played: Played, secret: bytes) -> Iterator[Promise]:
    """Yield what must hold; `secret` is the key of the twins."""
    found, every = played.campaign, list(counts(played))
    pool = [each for each in every if each.party == "the pool"]
    innocent = [each for each in every if each.party == "innocents"]
    asked = sum(each.asked for each in innocent)
    when = f"{found['members']} accounts after {found['at']:.1f} s" if found else "not found"
    yield Promise("the pool is found as a campaign by the running watcher", when, found is not None)
    inside = _inside(played)
    yield Promise("its members are accounts of the pool alone", f"{inside[0]} of it, {inside[1]} others", not inside[1])
    refused, altered = sum(each.refused for each in innocent), sum(each.changed or each.altered for each in innocent)
    yield Promise("no innocent is refused", f"{refused} of {asked}", asked > 0 and not refused)
    yield Promise("innocents get what the teacher said, byte for byte", f"all but {altered} of {asked}", not altered)
    early = sum(each.altered + each.changed for each in pool if each.phase != TWINS)
    yield Promise("nothing is altered before the policy is in force", f"{early} answers", not early)
    late = played.came[TWINS]
    twins = [each for each in late.pool if each.altered]
    share = len(twins) / max(len(late.pool), 1)
    yield Promise("the pool gets twins once it is", f"{len(twins)} of {len(late.pool)}", share >= LEAST_TWINS)
    wrong = sum(not _is_twin(each, late, secret) for each in twins)
    yield Promise("each is the twin that its key picks of what the teacher said", f"{wrong} are not", not wrong)
    yield _committed(played)
    odd = [each for each in played.scene.answers if not each.served and not each.refused]
    yield Promise("nothing else goes wrong", f"{len(odd)} of {len(played.scene.answers)} answers", not odd)
    yield ledger_verifies(played.stage)


def counts_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what each party got as a table."""
    table = Table(title="What came through the gateway", title_justify="left")
    for name in ("phase", "who", "answers", "a second", "refused", "announced as altered", "other bytes"):
        table.add_column(name, justify="left" if name in ("phase", "who") else "right")
    for row in rows:
        each = Counted(**row)
        told = (each.asked, each.asked / each.seconds, each.refused, each.altered, each.changed)
        table.add_row(each.phase, each.party, *(f"{number:,.0f}" for number in told))
    return table


def _committed(played: Played) -> Promise:
    """Every key stood in the ledger before the clients began."""
    lines = (played.stage.folder / "commitments.ndjson").read_text(encoding="utf-8").splitlines()
    entries = [json.loads(each)["entry"] for each in lines]
    told = f"entries {', '.join(map(str, entries))}"
    return Promise(
        "its key stood in the ledger before the gateway started", told, bool(entries) and None not in entries
    )


def _inside(played: Played) -> tuple[int, int]:
    """How many members of the campaign are of the pool, and how many are innocent, by the last window."""
    found = played.campaign
    held = members(played.stage.places, str(found["campaign_id"])) if found else []
    truth: Truth = played.truth
    innocent = sum(truth.innocent(each) for each in held)
    return len(held) - innocent, innocent


def _changed(got: Got, came: Came) -> bool:
    return got.told.served and got.raw.decode() != came.said.get(got.name)


def _is_twin(got: Got, came: Came, secret: bytes) -> bool:
    return got.content == serve(content_of(came.said[got.name]), secret)[0]
