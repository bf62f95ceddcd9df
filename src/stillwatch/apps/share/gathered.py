"""What a second look at the log found out about each campaign's marks: kept beside the run, private to its owner."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.apps.disk import fsync
from stillwatch.model import InputRefused, StillwatchError
from stillwatch.sharing.case import Kind, Shown
from stillwatch.sketch.fingerprints import Fingerprint

FORMAT = "stillwatch-gathered-1"


@dataclass(frozen=True, slots=True)
class Gathered:
    """By campaign, every value that several of its accounts show, and who else does."""

    shown: Mapping[str, tuple[Shown, ...]]

    def of(self, campaign: str) -> tuple[Shown, ...]:
        """Return what a campaign shows."""
        return self.shown.get(campaign, ())


def write_gathered(gathered: Gathered, path: Path) -> None:
    """Write the file; it holds addresses and payment fingerprints, so only its owner may read it."""
    told = {"format": FORMAT, "campaigns": {name: [_row(one) for one in own] for name, own in gathered.shown.items()}}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(told, file, ensure_ascii=False, indent=2)
        file.write("\n")
    fsync(partial)
    partial.replace(path)


def read_gathered(path: Path) -> Gathered:
    """Read what `write_gathered` wrote. Raises InputRefused for anything else."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["format"] != FORMAT:
            raise InputRefused(f"{path}: has another format; make it anew with `stillwatch share gather`")
        return Gathered({name: tuple(_shown(row) for row in rows) for name, rows in told["campaigns"].items()})
    except OSError as error:
        raise InputRefused(f"{path}: cannot be read ({error.strerror or type(error).__name__})") from None
    except (ValueError, KeyError, TypeError, AttributeError, StillwatchError) as error:
        if isinstance(error, InputRefused):
            raise
        raise InputRefused(f"{path}: is no output of `stillwatch share gather` ({type(error).__name__})") from None


def _row(one: Shown) -> dict[str, Any]:
    value = one.value.text() if isinstance(one.value, Fingerprint) else one.value
    return {"kind": one.kind.value, "value": value, "members": one.members, "exchanges": one.exchanges,
            "outsiders": one.outsiders, "protected": one.protected}  # fmt: skip


def _shown(row: dict[str, Any]) -> Shown:
    kind = Kind(row["kind"])
    value = Fingerprint.parse(row["value"]) if kind is Kind.TEMPLATE else str(row["value"])
    numbers = (row["members"], row["exchanges"], row["outsiders"], row["protected"])
    if not all(isinstance(each, int) or each is None for each in numbers) or row["members"] is None:
        raise ValueError
    return Shown(kind, value, *numbers)
