"""Objects a second that our TAXII server takes and gives, beside medallion and OpenTAXII on the same machine.

`python benchmarks/taxii.py [objects]`: so many indicators (100,000) are posted to our server in envelopes of 1,000 and
fetched in pages of 1,000, client and server on this machine's cores, and objects are counted as the client has parsed
them. The rivals are installed into environments of their own in a temporary folder, and get what they manage in
the time of `PATIENCE`; where one does not install or does not start, that is said.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BATCH = 1_000
PATIENCE = 60.0  # seconds for each of a rival's two parts
RIVAL_OBJECTS = 10_000
TAXII = "application/taxii+json;version=2.1"
COLLECTION = "11111111-1111-4111-8111-111111111111"
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
    port: int
    user: str
    password: str
    root: str = "root"
    collection: str = COLLECTION


@dataclass
class Result:
    """What one server did; None where it failed, with the reason."""

    name: str
    posted: float | None = None
    got: float | None = None
    said: str = ""


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
    """Post all, then fetch all; stop each part when patience ends, and count what was done until then."""
    result, client = Result(server.name), Client(server)
    try:
        done, begin = 0, time.perf_counter()
        for body in envelopes:
            client.post(body)
            done += body.count(b'"type": "indicator"')
            if time.perf_counter() - begin > patience:
                break
        result.posted = done / (time.perf_counter() - begin)
        got, begin = 0, time.perf_counter()
        for page in pages(client):
            got += page
            if time.perf_counter() - begin > patience:
                break
        result.got = got / (time.perf_counter() - begin)
        if got < done:
            result.said = f"{got:,} of {done:,} objects fetched"
    except (OSError, RuntimeError, http.client.HTTPException, ValueError) as error:
        result.said = f"{type(error).__name__}: {error}"
    finally:
        client.line.close()
    return result


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
    with started([*command, "serve", str(file)], folder, port):
        yield Server("stillwatch", port, "bench", made.stdout.strip())


@contextmanager
def started(line: list[str], folder: Path, port: int) -> Iterator[None]:
    """A process that listens on a port, ended afterwards."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(line, cwd=folder, stdout=log, stderr=log)
        try:
            for _ in range(600):
                if process.poll() is not None:
                    raise RuntimeError("it did not start: " + (folder / "log").read_text().strip()[-200:])
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield
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
    with started([str(programs / "medallion"), "--port", str(port), str(folder / "config.json")], folder, port):
        yield Server("medallion 3.0.0", port, "bench", "bench")
