"""A gateway under replay: its processes, its compactor, and its watcher, which concludes when it is told to."""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.actions.policy_file import SHIPPED
from stillwatch.apps.gateway.beside import live_plan
from stillwatch.apps.gateway.live.publishing import read_published
from stillwatch.apps.gateway.live.watching import prepare
from stillwatch.apps.gateway.places import Places
from stillwatch.apps.gateway.recording.layout import Layout
from stillwatch.apps.gateway.recording.service import Round, keep_compacting
from stillwatch.apps.gateway.registers import load_accounts
from stillwatch.apps.gateway.scrape import exposition
from stillwatch.apps.gateway.settings import Config, load_config
from stillwatch.apps.watch.outages import Outages
from stillwatch.apps.watch.watcher import Watcher
from stillwatch.lab.evaluate.tables import Tables, until
from stillwatch.lab.gateway.program import serve_gateway, serve_upstream
from stillwatch.lab.gateway.sending import Came, send_rows
from stillwatch.lab.gateway.wording import ASN, COUNTRY, TLS
from stillwatch.model import StillwatchError
from stillwatch.store.database import open_store

PATIENCE = 300.0  # seconds for a process to start, a segment to be written, an index to be taken up
INDEX_VERSION = "stillwatch_gateway_index_version"
CONFIG = """
data = "data"
secret = {{ file = "secret" }}
policy = "{policy}"
accounts = "{log}/accounts.parquet"
licences = "{log}/licences.csv"
[[upstreams]]
name = "lab"
url = "http://127.0.0.1:{upstream}"
apis = ["openai", "anthropic"]
key = {{ file = "provider" }}
channel = "first-party"
[authentication]
trusted_proxies = ["127.0.0.1/32"]
tls_header = "{tls}"
asn_header = "{asn}"
country_header = "{country}"
[recording]
rotate_seconds = 0.5
slow_seconds = 60
text_max_age = 86400
"""


@dataclass
class LogGateway:
    """A gateway that lives in the time of a log. Made by `replaying`."""

    config: Config
    tables: Tables
    address: tuple[str, int]
    came: list[Came] = field(default_factory=list)
    _compacted: int = 0

    def send(self, rows: pa.Table) -> list[Came]:
        """Send rows of the log; return what came of each, once all are in segments."""
        moments = rows["ts"].cast(pa.int64()).to_pylist()
        came = send_rows(self.address, list(zip(moments, rows.to_pylist(), strict=True)))
        self.came += came
        await_that(lambda: self._compacted >= len(self.came), "all exchanges in segments")
        return came

    def conclude(self, end: int) -> None:
        """Let the watcher fold what was recorded as one window that ends at `end`; wait until its index is in use."""
        places = Places.of(self.config)
        plan, store, source = prepare(
            replace(
                live_plan(self.config, places), every=end, lateness=0, accounts=lambda: until(self.tables, end).accounts
            )
        )
        for each in Watcher(plan, store, lambda: end).sweep(end, Outages(1)):
            source.folded(each.segment.until, each.waiting)
        published = read_published(places.index)
        wanted = 0 if published is None else int(published["version"])
        await_that(lambda: self.index_version() >= wanted, "the new index in use")

    def index_version(self) -> int:
        """Return which index the gateway decides by."""
        text, _ = exposition(Places.of(self.config).metrics)
        found = [line for line in text.decode().splitlines() if line.startswith(f"{INDEX_VERSION} ")]
        return int(float(found[0].split()[1])) if found else -1

    def recorded(self) -> list[str]:
        """Return the names of all exchanges in segments."""
        layout = Layout(Places.of(self.config).recording.folder)
        files = [path for folder in (layout.waiting, layout.segments) for path in folder.rglob("*.parquet")]
        return [name for path in files for name in pq.read_table(path, columns=["exchange_id"])[0].to_pylist()]

    def told(self, round_: Round) -> None:
        """Hear of a round of the compactor."""
        self._compacted += round_.swept.exchanges


@contextmanager
def replaying(folder: Path, log: Path, tables: Tables) -> Iterator[LogGateway]:
    """Run a gateway in `folder` for a log, under the shipped enforcing policy."""
    (folder / "secret").write_text("a secret of the lab")
    (folder / "provider").write_text("sk-lab")
    upstream, port = free_port(), free_port()
    path = folder / "gateway.toml"
    told = {"policy": SHIPPED / "enforcing.yaml", "log": log.resolve(), "upstream": upstream}
    path.write_text(CONFIG.format(tls=TLS, asn=ASN, country=COUNTRY, **told), encoding="utf-8")
    config = load_config(path)
    places = Places.of(config)
    with open_store(places.database, places.secret) as store:
        load_accounts(config, store)
    with (
        process_of(serve_upstream, f"127.0.0.1:{upstream}"),
        process_of(serve_gateway, config, f"127.0.0.1:{port}"),
    ):
        await_port(upstream)
        await_port(port)
        gateway = LogGateway(config, tables, ("127.0.0.1", port))
        with compacting(places, gateway.told):
            yield gateway


@contextmanager
def compacting(places: Places, told: Callable[[Round], None]) -> Iterator[None]:
    """Run the compactor in a thread while the block runs."""
    stop = threading.Event()
    arguments = (places.recording, places.secret, stop, told)
    thread = threading.Thread(target=keep_compacting, args=arguments, name="compactor")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def process_of(target: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Run a function in a process of its own, and end that afterwards."""
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.terminate()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def await_that(holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Wait until something holds."""
    until_ = time.monotonic() + patience
    while not holds():
        if time.monotonic() > until_:
            raise StillwatchError(f"waited {patience:.0f} s for {what}; it did not come")
        time.sleep(0.05)


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_port(port: int) -> None:
    """Wait until somebody listens on a port."""

    def listens() -> bool:
        with contextlib.closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    await_that(listens, f"somebody who listens on port {port}")
