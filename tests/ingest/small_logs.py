"""Small logs that tests write and read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from stillwatch.ingest.engine import Engine
from stillwatch.ingest.records import Ingested


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


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: ";".join(v) if isinstance(v, list) else v for k, v in row.items()})
    return path


def ids(engine: Engine, ingested: Ingested) -> list[str]:
    return engine.arrow(ingested.table.select("exchange_id"))["exchange_id"].to_pylist()


def column(engine: Engine, ingested: Ingested, name: str) -> list[Any]:
    return engine.arrow(ingested.table.select(name))[name].to_pylist()


def why(ingested: Ingested) -> list[tuple[int, str]]:
    return [(row["row"], row["field"]) for row in ingested.rejected.to_pylist()]
