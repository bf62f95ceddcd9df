"""A Spark session for one run: found or started, quiet, and with the few settings that results depend on."""

from __future__ import annotations

import contextlib
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stillwatch.model import MissingDependency, UsageError

LOCAL = "local[*]"
PANDAS_3 = "PySpark does not yet fully support pandas"  # nothing here reaches Spark as a pandas frame: all is Arrow
PER_CORE = 3  # shuffle partitions for each core: enough that one slow task is not waited for
# what an expression means must not depend on how a cluster happens to be configured
MEANING = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # a number that does not fit is an error, not another number
    "spark.sql.caseSensitive": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.mapKeyDedupPolicy": "LAST_WIN",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
}
# what a session gets that is started here, where neither the user nor spark-defaults says otherwise
USUAL = {
    "spark.app.name": "stillwatch",
    "spark.ui.showConsoleProgress": "false",
    "spark.rdd.compress": "true",  # kept rows lie on the workers' disks
    "spark.sql.adaptive.enabled": "true",
}


@dataclass(slots=True)
class Session:
    """A Spark session, whether it was started here, and the settings to put back when the run is over."""

    spark: Any
    started: bool
    before: dict[str, str | None] = field(default_factory=dict)

    @property
    def cores(self) -> int:
        """Return the cores of the workers that have come so far."""
        return max(int(self.spark.sparkContext.defaultParallelism), 1)

    def close(self) -> None:
        """Stop the session if it was started here; put its settings back if it was not."""
        if self.started:
            self.spark.stop()
            return
        for name, value in self.before.items():
            if value is None:
                self.spark.conf.unset(name)
            else:
                self.spark.conf.set(name, value)


def open_session(master: str, conf: Mapping[str, str], log: Path) -> Session:
    """Take the session that is active in this process, or start one; what Spark says while it runs goes to `log`.

    An empty `master` means spark-defaults' or spark-submit's, and else this machine. Raises MissingDependency where
    pyspark or Java is missing, UsageError where no session can be had.
    """
    if os.environ.get("SPARK_REMOTE"):
        raise UsageError(
            "SPARK_REMOTE is set, but Spark Connect has no broadcast variables; unset it and name a master"
        )
    pyspark = import_pyspark()
    active = pyspark.sql.SparkSession.getActiveSession()
    if active is not None:
        session = Session(active, started=False)
    else:
        session = Session(_start(pyspark, master, conf, log), started=True)
    _mean(session, conf)
    return session


def import_pyspark() -> Any:
    """Return pyspark. Raises MissingDependency, saying what to install."""
    try:
        import pyspark.sql  # here: only who asks for Spark needs it
    except ImportError as error:
        raise MissingDependency(
            "--engine spark needs pyspark 4 and Java 17 or 21: pip install 'stillwatch[spark]', or say --engine duckdb"
        ) from error
    warnings.filterwarnings("ignore", message=PANDAS_3, category=FutureWarning)
    return pyspark


def _start(pyspark: Any, master: str, conf: Mapping[str, str], log: Path) -> Any:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # or workers here would take whichever python3 is first
    known = pyspark.SparkConf()
    for name, value in USUAL.items():
        known.setIfMissing(name, value)
    for name, value in conf.items():
        known.set(name, value)
    if master:
        known.setMaster(master)
    known.setIfMissing("spark.master", LOCAL)
    if known.get("spark.master").startswith("local"):
        known.setIfMissing("spark.driver.host", "127.0.0.1")  # nothing outside this machine takes part
        known.setIfMissing("spark.driver.bindAddress", "127.0.0.1")
    try:
        with _talk_into(log):
            return pyspark.sql.SparkSession.builder.config(conf=known).getOrCreate()
    except Exception as error:
        raise why_not(error, known.get("spark.master"), log) from None


def why_not(error: Exception, master: str, log: Path) -> Exception:
    """Return the error of a session that could not be started, from what Spark wrote to its log."""
    said = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if any(words in said for words in ("JAVA_HOME is not set", "java: No such file", "java: command not found")):
        return MissingDependency("--engine spark needs Java 17 or 21: install a JRE, or set JAVA_HOME to one")
    lines = [line for line in (said or str(error)).splitlines() if line.strip()]
    telling = [line for line in lines if "Exception" in line or "Error" in line] or lines[-1:]
    return UsageError(
        f"no Spark session on {master}: {telling[0].strip()[:300]}; check --spark-master and --spark-conf"
    )


@contextlib.contextmanager
def _talk_into(log: Path) -> Iterator[None]:
    """Let what is started here write its talk to a file; the Java process keeps it when this one takes stderr back."""
    if os.environ.get("STILLWATCH_DEBUG"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _mean(session: Session, conf: Mapping[str, str]) -> None:
    wanted = dict(MEANING)
    known = dict(session.spark.sparkContext.getConf().getAll())
    # of a cluster's workers none may have come yet: there, Spark's own number stands until the user sets one
    if known["spark.master"].startswith("local") and "spark.sql.shuffle.partitions" not in {*conf, *known}:
        wanted["spark.sql.shuffle.partitions"] = str(PER_CORE * session.cores)
    for name, value in wanted.items():
        session.before[name] = session.spark.conf.get(name, None)
        session.spark.conf.set(name, value)
