"""The whole story: a teacher is trained and harvested through the gateway, students are trained and tested."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from stillwatch.lab.provenance import gate, promised
from stillwatch.lab.provenance.models import use_cores
from stillwatch.lab.provenance.phases import KINDS
from stillwatch.lab.provenance.story import Size, Story
from stillwatch.lab.provenance.teaching import words_for
from stillwatch.lab.students.measured import Measured, measure

LESSONS, HELD = 4_000, 300  # of the small students that countermeasures are measured by


def tell(out: Path, size: Size, seeds: Sequence[int], console: Console) -> list[dict[str, Any]]:
    """Tell the story of each seed; return what each came to, which is written to `results.json` too."""
    use_cores()
    found = []
    for seed in seeds:
        story = Story(out, size, seed, lambda text: console.print(text, highlight=False))
        gathered = gather(story, words_for(story), console)
        found.append(story.report() | {"gateway": gathered})
    (out / "results.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    return found


def gather(story: Story, upstream: tuple[str, ...], console: Console) -> dict[str, Any]:
    """Harvest the teacher through the gateway, unless that is kept; return what came of it. `upstream` serves it."""
    path = story.kept / "gateway.json"
    if not path.exists():
        if upstream == words_for(story):
            story.teacher()  # trained before it is served
        began = time.monotonic()
        played = gate.harvest(gate.Order(story.kept / "gateway", story.questions(), upstream, story.ring), console)
        for kind in KINDS:
            pairs = zip(played.order.questions, played.came[kind].pool, strict=True)
            story.keep(kind, [(asked, got.content) for asked, got in pairs if got.told.served])
        told = {
            "past": played.before,
            "campaign": played.campaign,
            "counts": [asdict(each) for each in promised.counts(played)],
            "promises": [asdict(each) for each in promised.promises(played, story.twins_key.secret)],
        }
        story.spent("through the gateway", time.monotonic() - began)
        path.write_text(json.dumps(told), encoding="utf-8")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def countermeasures(out: Path) -> list[Measured]:
    """Return what students learn from what each countermeasure serves, and what operators do about it."""
    path = out / "countermeasures.json"
    if not path.exists():
        found = [asdict(each) for each in measure((1,), LESSONS, HELD)]
        path.write_text(json.dumps(found), encoding="utf-8")
    return [Measured(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
