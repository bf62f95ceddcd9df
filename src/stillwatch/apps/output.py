"""A run as a folder: written whole or not at all, and read back as the same run.

Files go to a hidden folder beside OUT, reach the disk, and take OUT's place by renaming. A killed run leaves OUT as it
was; what it left beside OUT is cleared by the next one. One run gives the same bytes each time, but for the `timings`
of `manifest.json`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.json as pj
import pyarrow.parquet as pq

from stillwatch.apps import schemas
from stillwatch.apps.disk import alone_in, fsync, settle
from stillwatch.apps.lineage_file import LINEAGE, lineage_rows, read_lineage
from stillwatch.apps.report import render_report
from stillwatch.apps.run import AttributeEdge, Run, Story, TimelineBar
from stillwatch.ingest.write import write_rejections
from stillwatch.model import (
    Axis,
    Campaign,
    Claim,
    Evidence,
    Family,
    Grade,
    Hypothesis,
    InputRefused,
    Share,
    UsageError,
    VerdictKind,
)

TABLES = {
    "verdicts": schemas.VERDICTS,
    "campaigns": schemas.CAMPAIGNS,
    "evidence": schemas.EVIDENCE,
    "flagged": schemas.FLAGGED,
}
MANIFEST = "manifest.json"
FILES = (
    *(f"{name}.parquet" for name in TABLES), "campaigns.json", LINEAGE, "report.html", "rejected.ndjson", MANIFEST,
)  # fmt: skip
MEND = "give --out a new folder or that of an earlier run"
_SHARES = ("capabilities", "models", "channels", "countries", "asns")


def write_run(run: Run, out: str | Path) -> Path:
    """Write a run's folder, in place of an earlier run's, and return its path.

    Raises UsageError when `out` holds something else, or cannot be written.
    """
    return _fill(lambda folder: _write_files(run, folder), out)


def copy_run(folder: str | Path, out: str | Path) -> Path:
    """Put a copy of a run's folder at `out`, as `write_run` would have written it there. Raises what that raises."""
    source = Path(folder)

    def copy(partial: Path) -> None:
        for name in FILES:
            shutil.copyfile(source / name, partial / name)

    return _fill(copy, out)


def _fill(write: Callable[[Path], None], out: str | Path) -> Path:
    out = Path(os.path.abspath(out))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with alone_in(out.parent):
            _clear_leftovers(out)
            check_out(out)
            partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
            try:
                write(partial)
                settle(partial)
                _take_place(partial, out)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UsageError(f"{out}: cannot be written ({reason}); mend that or give another --out") from error
    return out


def check_out(out: str | Path) -> None:
    """Refuse a place that a run may not take: anything but nothing, an empty folder or an earlier run."""
    out = Path(out)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise UsageError(f"{out}: is not a folder; {MEND}")
    if os.path.ismount(out):
        raise UsageError(f"{out}: is a mount point, which cannot be replaced as a whole; give --out a folder inside it")
    held = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if held and not _is_run(out):
        raise UsageError(f"{out}: holds {held[0]!r} and no run; {MEND}")
    foreign = [name for name in held if name not in FILES]
    if foreign:
        raise UsageError(f"{out}: holds {foreign[0]!r} beside an earlier run, which would be lost; move it away")


def read_run(folder: str | Path) -> Run:
    """Return the run that a folder holds. Raises InputRefused when it holds none, or one that is damaged."""
    folder = Path(folder)
    if not _is_run(folder):
        raise InputRefused(f"{folder}: is no output folder of `stillwatch detect`; it has no {MANIFEST} of ours")
    try:
        tables = {name: pq.read_table(folder / f"{name}.parquet").cast(schema) for name, schema in TABLES.items()}
        told = json.loads((folder / "campaigns.json").read_text(encoding="utf-8"))
        return Run(
            **tables,
            rejected=_read_rejections(folder / "rejected.ndjson"),
            manifest=json.loads((folder / MANIFEST).read_text(encoding="utf-8")),
            stories=_read_stories(told, tables["evidence"]),
            lineage=read_lineage(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise InputRefused(f"{folder}: is damaged ({type(error).__name__}); run `stillwatch detect` again") from error


def _is_run(folder: Path) -> bool:
    try:
        return "stillwatch" in json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def _write_files(run: Run, folder: Path) -> None:
    for name, schema in TABLES.items():
        table = getattr(run, name).cast(schema).combine_chunks()  # one chunk: pages must not depend on how it was built
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    rows = {row["campaign_id"]: row for row in run.campaigns.to_pylist()}
    _write_json(folder / "campaigns.json", [_story_row(rows[one.campaign.campaign_id], one) for one in run.stories])
    _write_json(folder / LINEAGE, lineage_rows(run.lineage))
    (folder / "report.html").write_text(render_report(run), encoding="utf-8", newline="\n")
    write_rejections(run.rejected, folder / "rejected.ndjson")
    _write_json(folder / MANIFEST, run.manifest)  # last: a folder with it is whole


def _write_json(path: Path, data: Any) -> None:
    text = json.dumps(data, ensure_ascii=False, indent=2, allow_nan=False, default=dt.datetime.isoformat)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _story_row(row: dict[str, Any], story: Story) -> dict[str, Any]:
    """A campaign as `campaigns.json` tells it: the columns of campaigns.parquet, then what only a story holds."""
    campaign = story.campaign
    return row | {
        "claims": [dataclasses.asdict(claim) for claim in campaign.claims],
        "overturn": campaign.overturn,
        "actions": campaign.actions,
        "members": campaign.members,
        "timeline": [dataclasses.asdict(bar) for bar in story.timeline],
        "ties": [dataclasses.asdict(edge) for edge in story.edges],
        "attribution": [dataclasses.asdict(one) for one in story.hypotheses],
        "capability_days": [
            {"day": day.isoformat(), "capability": capability, "exchanges": exchanges}
            for day, capability, exchanges in story.capability_days
        ],
    }


def _read_stories(told: list[dict[str, Any]], evidence: pa.Table) -> tuple[Story, ...]:
    terms: dict[str, list[Evidence]] = {}
    for row in evidence.to_pylist():
        term = row | {"axis": Axis(row["axis"]), "family": Family(row["family"]), "exchanges": tuple(row["exchanges"])}
        terms.setdefault(row["subject_id"], []).append(Evidence(**term))
    return tuple(
        Story(
            _campaign(row),
            tuple(terms.get(row["campaign_id"], ())),
            tuple(TimelineBar(**bar | {"start": dt.datetime.fromisoformat(bar["start"])}) for bar in row["timeline"]),
            tuple(AttributeEdge(**tie) for tie in row["ties"]),
            tuple(_hypothesis(one) for one in row.get("attribution", ())),  # runs of version 0.1 have none
            tuple(
                (dt.date.fromisoformat(one["day"]), one["capability"], one["exchanges"])
                for one in row.get("capability_days", ())
            ),
        )
        for row in told
    )


def _campaign(row: dict[str, Any]) -> Campaign:
    known = {field.name for field in dataclasses.fields(Campaign)}
    values: dict[str, Any] = {name: value for name, value in row.items() if name in known}
    values |= {name: tuple(Share(**share) for share in row[name]) for name in _SHARES}
    values |= {name: tuple(row[name]) for name in ("overturn", "actions", "members")}
    values |= {name: dt.datetime.fromisoformat(row[name]) for name in ("first_seen", "last_seen")}
    values["claims"] = tuple(Claim(claim["text"], Grade(claim["grade"])) for claim in row["claims"])
    return Campaign(**values | {"verdict": VerdictKind(row["verdict"])})


def _hypothesis(row: dict[str, Any]) -> Hypothesis:
    because = tuple(Claim(claim["text"], Grade(claim["grade"])) for claim in row["because"])
    return Hypothesis(**row | {"grade": Grade(row["grade"]), "because": because})


def _read_rejections(path: Path) -> pa.Table:
    if not path.stat().st_size:
        return schemas.REJECTED.empty_table()
    return pj.read_json(path, parse_options=pj.ParseOptions(explicit_schema=schemas.REJECTED))


def _clear_leftovers(out: Path) -> None:
    """Finish or undo what a killed run left; nobody else is at work here, so whatever is found is left over."""
    replaced = sorted(out.parent.glob(f".{_literal(out.name)}.replaced-*"))
    if replaced and not out.exists():  # killed between the two renamings: the earlier run comes back
        replaced.pop().rename(out)
    for folder in (*replaced, *out.parent.glob(f".{_literal(out.name)}.partial-*")):
        shutil.rmtree(folder, ignore_errors=True)


def _literal(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _take_place(partial: Path, out: Path) -> None:
    replaced = out.parent / f".{out.name}.replaced-{partial.name.rpartition('-')[2]}"
    if out.exists():
        out.rename(replaced)
    try:
        partial.rename(out)
    except OSError:
        if replaced.exists():
            replaced.rename(out)
        raise
    fsync(out.parent)
    shutil.rmtree(replaced, ignore_errors=True)
