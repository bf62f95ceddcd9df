"""The page of results from stored measurements: one section a part, the bars first."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from stillwatch.lab.evaluate.part import Bar, Part, table
from stillwatch.lab.evaluate.record import Measurement, stored
from stillwatch.lab.evaluate.roster import PARTS

FOLDER = "results"  # beside the page: measurements and pictures
WORDS = {True: "met", False: "**not met**", None: "not told by this measurement"}
OPENING = """# Results

How the detector does on traffic whose truth is known, because `stillwatch-lab` made it. Figures are of the *report*
split (other words, templates and parameters than anything was fitted on), with the seeds given in each section. P is
precision, R is recall; a bound says what the rate may be at most, with 95 % confidence. Misses and false accusations
are listed like everything else. Traffic is synthetic: no public log joins prompts, accounts, addresses and abuse.
"""


def render(folder: Path) -> dict[str, str]:
    """The page (`results.md`) and its pictures (`results/*.svg`) by name, from the measurements in a folder."""
    held = [(part, measured) for part in PARTS if (measured := stored(part.name, folder)) is not None]
    pages = {"results.md": _page(held)}
    for part, measured in held:
        pages |= {f"{FOLDER}/{name}": picture for name, picture in part.draw(measured.data).items()}
    return pages


def write(out: Path) -> list[Path]:
    """Write the page at `out` and the pictures in the folder beside it, from the measurements in that folder."""
    written = []
    for name, text in render(out.parent / FOLDER).items():
        path = out if name == "results.md" else out.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        written.append(path)
    return written


def _page(held: list[tuple[Part, Measurement]]) -> str:
    bars = [(part, bar) for part, measured in held for bar in part.bars(measured.data)]
    lacking = [f"`{part.name}`" for part in PARTS if part.name not in {one.name for one, _ in held}]
    text = [OPENING]
    if lacking:
        text.append(f"Not measured yet: {', '.join(lacking)}.\n")
    text.append(_bars(bars))
    text += [_section(part, measured) for part, measured in held]
    return "\n".join(text)


def _bars(bars: Iterable[tuple[Part, Bar]]) -> str:
    rows = [[bar.promise, bar.measured, WORDS[bar.met], f"`{part.name}`"] for part, bar in bars]
    said = "`stillwatch-lab results` measures everything on this page; `--part` measures one part.\n\n"
    return "## Bars\n\n" + said + table(("bar", "measured", "outcome", "part"), rows, words=4)


def _section(part: Part, measured: Measurement) -> str:
    seeds = ", ".join(map(str, measured.seeds))
    made = ", ".join(f"{name} {number}" for name, number in measured.versions.items())
    machine = f"{measured.machine.get('cpus', '?')} cores, {measured.machine.get('memory_gib', '?')} GiB"
    return (
        f"## {part.title}\n\n`{measured.command}`: split {measured.split}, seed {seeds}, {measured.size}; {machine}; "
        f"measured {measured.date} in {measured.seconds:,.0f} s.\n\n{part.tell(measured.data)}\nMade by "
        f"`{measured.command}` with {made}.\n"
    )
