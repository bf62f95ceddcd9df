"""A measurement as it is stored: the figures, and all that is needed to repeat them."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stillwatch.model import InputRefused

PACKAGES = ("stillwatch", "duckdb", "ibis-framework", "numba", "numpy", "pyarrow", "networkit", "scipy")
DIGITS = 6  # significant, of stored figures: more differ between machines


@dataclass(frozen=True, slots=True)
class Measurement:
    """One part of the results, with seed, split, size, versions, command and seconds."""

    part: str
    command: str
    split: str
    seeds: tuple[int, ...]
    size: str
    date: str
    seconds: float
    data: dict[str, Any]
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)


def versions() -> dict[str, str]:
    """What the figures were made with."""
    return {name: version(name) for name in PACKAGES} | {"python": platform.python_version()}


def machine() -> dict[str, Any]:
    """Cores and memory; nothing that tells whose machine it is."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpus": len(os.sched_getaffinity(0)), "memory_gib": round(memory), "system": platform.system()}


def store(measurement: Measurement, folder: Path) -> Path:
    """Write a part to `folder`/<part>.json."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{measurement.part}.json"
    text = json.dumps(_short(dataclasses.asdict(measurement)), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")
    return path


def stored(part: str, folder: Path) -> Measurement | None:
    """Read a part back; None when it was not measured."""
    path = folder / f"{part}.json"
    if not path.exists():
        return None
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Measurement(**held | {"seeds": tuple(held["seeds"])})
    except (ValueError, KeyError, TypeError) as error:
        mend = f"measure it again with `stillwatch-lab results --part {part}`"
        raise InputRefused(f"{path}: is no stored measurement ({error}); {mend}") from error


def _short(value: Any) -> Any:
    """Round floats, and say null for what is not a number."""
    if isinstance(value, dict):
        return {str(key): _short(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [_short(held) for held in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if value == value else None
    return value
