"""One command that measures everything, part by part, and writes the page."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stillwatch.lab.evaluate.bench import Bench
from stillwatch.lab.evaluate.page import FOLDER, write
from stillwatch.lab.evaluate.part import Part
from stillwatch.lab.evaluate.plan import SEEDS, SPLIT, Plan
from stillwatch.lab.evaluate.record import Measurement, machine, store, versions
from stillwatch.lab.evaluate.roster import PARTS
from stillwatch.model import UsageError


def chosen(names: Sequence[str]) -> tuple[Part, ...]:
    """The parts of these names, in the order of the page; when none is named all but those that must be asked for."""
    known = {part.name for part in PARTS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UsageError(f"no part {unknown[0]!r}; there are {', '.join(part.name for part in PARTS)}")
    return tuple(part for part in PARTS if part.name in names or (not names and not part.asked))


def measure(plan: Plan, parts: Sequence[Part], out: Path, say: Callable[[str], None] = lambda _: None) -> None:
    """Measure parts, store each as soon as it is there, and write the page after each: a killed run loses one part.

    A part that fails does not keep the others from being measured; the first failure is raised in the end.
    """
    failed: list[Exception] = []
    with tempfile.TemporaryDirectory(prefix="stillwatch-results-") as folder:
        bench = Bench(Path(folder), say)
        for part in parts:
            try:
                measured = _measured(part, bench, plan)
            except Exception as error:  # whatever it is, an hour of other parts is worth more; it is raised below
                say(f"{part.name}: failed, {type(error).__name__}: {error}")
                failed.append(error)
                continue
            say(f"{part.name}: {measured.seconds:.0f} s")
            store(measured, out.parent / FOLDER)
            write(out)
    if failed:
        raise failed[0]


def _measured(part: Part, bench: Bench, plan: Plan) -> Measurement:
    began = time.perf_counter()
    data = part.measure(bench, plan)
    return Measurement(
        part=part.name,
        command=command(part, plan),
        split=SPLIT,
        seeds=plan.seeds[: part.seeds],
        size=part.size(plan),
        date=plan.date,
        seconds=round(time.perf_counter() - began, 1),
        data=data,
        versions=versions(),
        machine=machine(),
    )


def command(part: Part, plan: Plan) -> str:
    """What to type for the same figures."""
    words = ["stillwatch-lab results --part", part.name]
    if plan.quick:
        words.append("--quick")
    if plan.seeds != (SEEDS[:1] if plan.quick else SEEDS):
        words += [f"--seed {seed}" for seed in plan.seeds]
    if not plan.quick and plan.exchanges != Plan().exchanges:
        words.append(f"--exchanges {plan.exchanges}")
    if not plan.quick and plan.scale != Plan().scale:
        words.append(f"--scale {plan.scale:g}")
    return " ".join(words)
