from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stillwatch.ingest.engine import Engine


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path) as made:
        yield made


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def exchange(i: int = 0, **other: Any) -> dict[str, Any]:
    """One good exchange, numbered; `other` replaces or adds values."""
    return {
        "exchange_id": f"e{i:05d}",
        "ts": f"2025-03-01T{i // 3600 % 24:02d}:{i // 60 % 60:02d}:{i % 60:02d}.250Z",
        "account_id": f"a{i % 7}",
        "model": "m-large",
        "prompt": f'Explain step {i}, "slowly",\nthen again',
        "input_tokens": 20 + i,
        "temperature": 0.7,
        "stream": True,
        "ip": f"10.0.{i // 250}.{i % 250}",
        "asn": 64500,
        "status": 200,
        "tools": ["search", "browse"],
    } | other


def write_ndjson(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path
