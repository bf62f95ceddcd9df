"""Objects a second that our TAXII server takes and gives, beside medallion and OpenTAXII on the same machine.

`python benchmarks/taxii.py [objects [ours]]`: so many indicators (100,000) are posted to our server in envelopes of
1,000 and fetched in pages of 1,000, client and server on this machine, and objects are counted as the client has
parsed them. The rivals are installed into environments of their own in a temporary folder, and get what they manage in
the time of `PATIENCE`; where one does not install or does not start, that is said. With `ours` they are left out.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

BATCH = 1_000
PATIENCE = 60.0  # seconds for each of a rival's two parts
RIVAL = 10_000  # objects
TAXII = "application/taxii+json;version=2.1"
COLLECTION = "11111111-1111-4111-8111-111111111111"
ERRORS = (OSError, RuntimeError, http.client.HTTPException, ValueError)
SETTINGS = """
title = "Benchmark"
base_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
[[root]]
name = "root"
title = "Root"
[[collection]]
root = "root"
alias = "all"
title = "All"
id = "{collection}"
[[partner]]
name = "bench"
clearance = "red"
read = ["root/all"]
write = ["root/all"]
"""


@dataclass(frozen=True)
class Server:
    """Where a server listens, and who asks."""

    name: str
    pid: int
    port: int
    user: str
    password: str
    root: str = "root"
    collection: str = COLLECTION
    fill: Callable[[list[bytes]], None] | None = None  # stores objects by the server's own code, where posting fails


@dataclass(frozen=True)
class Speed:
    """Objects a second as the client saw them, and microseconds of the server's processor for each.

    The second hardly depends on what else the machine does meanwhile.
    """

    rate: float
    cpu: float


@dataclass
class Result:
    """What one server did in a second; None where it failed, and what was said of that."""

    name: str
    posted: Speed | None = None
    got: Speed | None = None
    said: list[str] = field(default_factory=list)


class Client:
    """One connection that is kept open."""

    def __init__(self, server: Server) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        secret = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
        self.headers = {"Accept": TAXII, "Authorization": f"Basic {secret}"}
        self.path = f"/{server.root}/collections/{server.collection}/objects/"

    def post(self, body: bytes) -> None:
        self.line.request("POST", self.path, body, {**self.headers, "Content-Type": TAXII})
        answer = self.line.getresponse()
        told = answer.read()
        if answer.status != 202:
            raise RuntimeError(f"POST answered {answer.status}")
        if json.loads(told)["failure_count"]:
            raise RuntimeError("POST refused objects")

    def get(self, more: str) -> tuple[dict[str, object], str]:
        self.line.request("GET", f"{self.path}?limit={BATCH}{more}", headers=self.headers)
        answer = self.line.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET answered {answer.status}")
        return json.loads(body), answer.headers.get("X-TAXII-Date-Added-Last", "")


def indicators(count: int) -> list[bytes]:
    """Envelopes of so many indicators in all."""
    envelopes = []
    for start in range(0, count, BATCH):
        objects = [indicator(number) for number in range(start, min(start + BATCH, count))]
        envelopes.append(json.dumps({"objects": objects}).encode())
    return envelopes


def indicator(number: int) -> dict[str, object]:
    """An indicator as campaigns give rise to: an address, its reason and its end."""
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.UUID(int=number, version=4)}",
        "created_by_ref": "identity--00000000-0000-4000-8000-000000000001",
        "created": "2026-01-01T00:00:00.000Z",
        "modified": "2026-01-01T00:00:00.000Z",
        "name": f"Egress of a pool: {address}",
        "indicator_types": ["malicious-activity"],
        "pattern": f"[ipv4-addr:value = '{address}']",
        "pattern_type": "stix",
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2026-03-01T00:00:00Z",
        "confidence": 70,
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
    }


def measure(server: Server, envelopes: list[bytes], patience: float) -> Result:
    """Post all, then fetch all; each part ends with patience, and what was done until then counts."""
    result, client = Result(server.name), Client(server)
    try:
        result.posted = timed((post(client, body) for body in envelopes), patience, server.pid)
    except ERRORS as error:
        result.said.append(f"{type(error).__name__}: {error}")
        client = Client(server)
        if server.fill is not None:
            server.fill(envelopes)
    try:
        result.got = timed(pages(client), patience, server.pid)
    except ERRORS as error:
        result.said.append(f"{type(error).__name__}: {error}")
    client.line.close()
    return result


def timed(parts: Iterator[int], patience: float, pid: int) -> Speed:
    """How fast parts are, which say how many objects they were."""
    done, begin, before = 0, time.perf_counter(), processor(pid)
    for part in parts:
        done += part
        if time.perf_counter() - begin > patience:
            break
    seconds, used = time.perf_counter() - begin, processor(pid) - before
    return Speed(done / seconds, used / max(done, 1) * 1e6)


def processor(pid: int) -> float:
    """Seconds of processor that a process and its children have used; nothing where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor(int(child)) for child in children)


def post(client: Client, body: bytes) -> int:
    client.post(body)
    return body.count(b'"type": "indicator"')


def pages(client: Client) -> Iterator[int]:
    """Sizes of pages, by `next` where a server gives one, else by date."""
    more = ""
    while True:
        envelope, last = client.get(more)
        objects = envelope.get("objects", [])
        yield len(objects)  # type: ignore[arg-type]
        if not envelope.get("more"):
            return
        more = f"&next={envelope['next']}" if envelope.get("next") else f"&added_after={last}"


@contextmanager
def ours(folder: Path) -> Iterator[Server]:
    port = free_port()
    file = folder / "taxii.toml"
    file.write_text(SETTINGS.format(port=port, collection=COLLECTION))
    command = [sys.executable, "-m", "stillwatch.apps.cli", "taxii"]
    made = subprocess.run([*command, "partner", "add", str(file), "bench"], capture_output=True, text=True, check=True)
    with started([*command, "serve", str(file)], folder, port) as pid:
        yield Server("stillwatch", pid, port, "bench", made.stdout.strip())


@contextmanager
def started(line: list[str], folder: Path, port: int, given: dict[str, str] | None = None) -> Iterator[int]:
    """A process that listens on a port, ended afterwards; its number."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=log, env=given)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise RuntimeError("it did not start: " + (folder / "log").read_text().strip()[-200:])
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, packages: list[str]) -> Path:
    """An environment of its own with these packages; the folder of its programs."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError("it does not install: " + done.stderr.strip().splitlines()[-1][:200])
    return folder / "bin"


@contextmanager
def medallion(folder: Path) -> Iterator[Server]:
    """Its own server over its memory backend, which is what it starts as unless a MongoDB is at hand."""
    programs = environment(folder / "env", ["medallion==3.0.0", "flask<2.3", "werkzeug<2.3", "setuptools<81"])
    information = {"title": "Root", "versions": [TAXII], "max_content_length": 100_000_000}
    collection: dict[str, object] = {"id": COLLECTION, "title": "All", "can_read": True, "can_write": True}
    collection |= {"media_types": [TAXII], "objects": [], "manifest": []}
    data = {
        "/discovery": {"title": "Benchmark", "api_roots": ["http://127.0.0.1/root/"]},
        "root": {
            "information": information,
            "status": [],
            "collections": [{**collection, "objects": [], "manifest": []}],
        },
    }
    (folder / "data.json").write_text(json.dumps(data))
    backend = {"module": "medallion.backends.memory_backend", "module_class": "MemoryBackend"}
    config = {
        "backend": {**backend, "filename": str(folder / "data.json")},
        "users": {"bench": "bench"},
        "taxii": {"max_page_size": BATCH},
    }
    (folder / "config.json").write_text(json.dumps(config))
    port = free_port()
    with started([str(programs / "medallion"), "--port", str(port), str(folder / "config.json")], folder, port) as pid:
        yield Server("medallion 3.0.0", pid, port, "bench", "bench")


OPENTAXII = """
domain: "127.0.0.1"
support_basic_auth: yes
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters: {{db_connection: "sqlite:///{folder}/auth.db", create_tables: yes, secret: bench, token_ttl_secs: 9999}}
taxii1:
taxii2:
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {{db_connection: "sqlite:///{folder}/data.db", create_tables: yes}}
  title: "Benchmark"
  max_content_length: 209715200
logging: {{opentaxii: error, root: error}}
"""
MAKE = """
from opentaxii.cli import app
with app.app_context():
    api = app.taxii_server.servers.taxii2.persistence.api
    root = api.add_api_root(title="Root", is_public=True)
    made = api.add_collection(api_root_id=root.id, title="All", is_public=True, is_public_write=True)
    app.taxii_server.auth.api.create_account(username="bench", password="bench")
    print(root.id, made.id)
"""
FILL = """
import json, sys
from opentaxii.cli import app
with app.app_context():
    api = app.taxii_server.servers.taxii2.persistence.api
    for line in sys.stdin:
        api.add_objects(sys.argv[1], sys.argv[2], json.loads(line)["objects"])
"""


@contextmanager
def opentaxii(folder: Path) -> Iterator[Server]:
    """The released version under gunicorn with one worker, on SQLite, with versions of its dependencies that run."""
    pins = ["sqlalchemy<2", "marshmallow<4", "flask<2.3", "werkzeug<2.3", "setuptools<81"]
    programs = environment(folder / "env", ["opentaxii==0.9.3", "gunicorn", *pins])
    (folder / "opentaxii.yml").write_text(OPENTAXII.format(folder=folder))
    given = {**os.environ, "OPENTAXII_CONFIG": str(folder / "opentaxii.yml")}
    given.pop("PYTHONPATH", None)

    def script(code: str, *words: str, told: bytes = b"") -> str:
        line = [str(programs / "python"), "-c", code, *words]
        done = subprocess.run(line, input=told, capture_output=True, env=given, cwd=folder, check=False)
        if done.returncode:
            raise RuntimeError("it cannot be set up: " + done.stderr.decode().strip().splitlines()[-1][:200])
        return done.stdout.decode().strip().splitlines()[-1] if done.stdout else ""

    root, collection = script(MAKE).split()
    port = free_port()
    serve = [str(programs / "gunicorn"), "--timeout", "300", "--bind", f"127.0.0.1:{port}", "opentaxii.http:app"]
    with started(serve, folder, port, given) as pid:
        fill = partial(script, FILL, root, collection)
        yield Server(
            "OpenTAXII 0.9.3",
            pid,
            port,
            "bench",
            "bench",
            f"taxii2/{root}",
            collection,
            lambda envelopes: fill(told=b"\n".join(envelopes)) and None,
        )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    results = []
    servers = [(ours, count, 600.0), (medallion, RIVAL, PATIENCE), (opentaxii, RIVAL, PATIENCE)]
    for serve, objects, patience in servers[:1] if "ours" in sys.argv else servers:
        with tempfile.TemporaryDirectory() as folder:
            try:
                with serve(Path(folder)) as server:
                    results.append(measure(server, indicators(objects), patience))
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                results.append(Result(serve.__name__, said=[f"skipped: {error}"]))
    tell(results)


def tell(results: list[Result]) -> None:
    """A table, with ours divided by theirs."""
    print("| server | POST, objects/s | ours ÷ theirs | CPU, µs | GET, objects/s | ours ÷ theirs | CPU, µs | |")
    print("|---|---|---|---|---|---|---|---|")
    for each in results:
        cells = [each.name]
        for mine, found in ((results[0].posted, each.posted), (results[0].got, each.got)):
            cells += [rate(found), "" if each is results[0] else ratio(mine, found), cpu(found)]
        print("| " + " | ".join([*cells, "; ".join(each.said)]) + " |")


def rate(found: Speed | None) -> str:
    return "failed" if found is None else f"{found.rate:,.0f}"


def ratio(mine: Speed | None, theirs: Speed | None) -> str:
    return f"{mine.rate / theirs.rate:,.0f}" if mine and theirs else ""


def cpu(found: Speed | None) -> str:
    return "" if found is None else f"{found.cpu:,.0f}"


if __name__ == "__main__":
    main()
