"""The public namespace: what is in it, what it costs, and that every kind of input gives one answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibis
import polars as pl
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

import stillwatch as sw
from stillwatch.ingest.columns import LICENCE_COLUMNS

PUBLIC = {
    "AttributeEdge", "Axis", "Bars", "Calibration", "Campaign", "Claim", "Evidence", "Explanation", "Family", "Grade",
    "Hypothesis", "InputRefused", "MissingDependency", "Policy", "Rejection", "Run", "Settings", "Share",
    "StillwatchError", "Story", "Support", "TimelineBar", "UsageError", "VerdictKind", "__version__", "detect",
    "explain", "read_run", "validate", "write_run",
}  # fmt: skip


def read_with_ibis(path: Path) -> Any:
    return ibis.duckdb.connect().read_parquet(path)


def read_with_pandas(path: Path) -> Any:
    return pq.read_table(path).to_pandas()


KINDS: dict[str, Callable[[Path], Any]] = {
    "a path as text": str,
    "a list of paths": lambda path: [path],
    "a glob": lambda path: str(path.parent / "exch*.parquet"),
    "arrow": pq.read_table,
    "pandas": read_with_pandas,
    "polars": pl.read_parquet,
    "ibis": read_with_ibis,
}


def test_the_namespace_is_exactly_this() -> None:
    assert set(sw.__all__) == PUBLIC
    assert sw.__all__ == sorted(sw.__all__)
    assert dir(sw) == sw.__all__


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_name_is_there_and_explains_itself(name: str) -> None:
    assert name == "__version__" or getattr(sw, name).__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'detekt'"):
        _ = sw.detekt  # type: ignore[attr-defined]


def test_every_error_of_ours_has_one_root() -> None:
    for error in (sw.UsageError, sw.InputRefused, sw.MissingDependency):
        assert issubclass(error, sw.StillwatchError)


def test_the_import_loads_no_engine() -> None:
    heavy = "{'numba', 'duckdb', 'ibis', 'pandas', 'pyarrow', 'networkit'}"
    line = f"import sys, stillwatch; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", line], check=True)


@pytest.fixture(scope="module")
def from_paths(small_run: sw.Run) -> sw.Run:
    """The run that every other kind of input must repeat."""
    return small_run


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_same_run(kind: str, small_traffic: Path, from_paths: sw.Run) -> None:
    read = KINDS[kind]
    accounts = small_traffic / "accounts.parquet"
    in_memory = kind not in {"a path as text", "a list of paths", "a glob"}
    text = pc.ConvertOptions(column_types={column.name: "string" for column in LICENCE_COLUMNS})
    licences = pc.read_csv(small_traffic / "licences.csv", convert_options=text)
    run = sw.detect(
        read(small_traffic / "exchanges.parquet"),
        accounts=read(accounts) if in_memory else accounts,
        licences=licences if in_memory else small_traffic / "licences.csv",
    )
    assert run.campaigns.num_rows
    for table in ("verdicts", "campaigns", "evidence", "flagged"):
        assert getattr(run, table).equals(getattr(from_paths, table)), table


@pytest.mark.slow
def test_a_run_hands_out_pandas_frames(from_paths: sw.Run) -> None:
    frame = from_paths.frame("campaigns")
    assert frame["campaign_id"].tolist() == from_paths.campaigns["campaign_id"].to_pylist()


def test_an_unknown_engine_is_refused(small_traffic: Path) -> None:
    with pytest.raises(sw.UsageError, match="this version has duckdb and spark"):
        sw.detect(small_traffic / "exchanges.parquet", settings=sw.Settings(engine="polars"))
