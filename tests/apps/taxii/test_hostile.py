"""Bodies made to exhaust the server: refused with a reason, in bounded memory, by a process that goes on."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stillwatch.sharing.taxii.operating import add_partner, open_server
from stillwatch.sharing.taxii.settings import read_settings
from stillwatch.sharing.taxii.words import TAXII
from tests.apps.taxii.running import INBOX, Client, Reply, free_port
from tests.sharing.taxii.made import settings_file, stix

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Process:
    """A server in a process of its own, with the default limits on lengths."""

    pid: int
    client: Client

    def peak(self) -> int:
        """The most memory that it ever held, in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("hostile")
    port = free_port()
    file = settings_file(folder, port=port)
    file.write_text(file.read_text().replace("content_length = 1000000\nobject_length = 100000\nobjects = 2000\n", ""))
    settings = read_settings(file)
    database, key = open_server(settings)
    token = add_partner(database, key, "north", None)
    database.close()
    started = subprocess.Popen([sys.executable, "-m", "stillwatch.apps.cli", "taxii", "serve", str(file)])
    try:
        _wait(started, port)
        yield Process(started.pid, Client(port, "north", token))
    finally:
        started.terminate()
        assert started.wait(120) == 0


def _wait(started: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        assert started.poll() is None, "the server did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the server did not listen")


def post(process: Process, body: bytes) -> Reply:
    return process.client.ask("POST", INBOX + "objects/", body)


def refusals(reply: Reply) -> list[str]:
    return [each["message"] for each in reply.json().get("failures", ())]


def test_a_hundred_megabytes_are_refused_by_their_header_alone(process: Process) -> None:
    line = http.client.HTTPConnection("127.0.0.1", process.client.port, timeout=60)
    line.putrequest("POST", INBOX + "objects/")
    headers = {"Accept": TAXII, "Content-Type": TAXII, "Authorization": process.client.basic()}
    for name, value in {**headers, "Content-Length": str(100 * MEGABYTE)}.items():
        line.putheader(name, value)
    line.endheaders()
    line.send(b'{"objects": [{"a": "')  # and no more of it
    found = line.getresponse()
    assert found.status == 413
    assert "at most 10,485,760 bytes" in json.loads(found.read())["description"]
    line.close()


def test_a_hundred_megabytes_in_chunks_are_refused_on_the_way(process: Process) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", process.client.port), timeout=60) as line:
        head = f"POST {INBOX}objects/ HTTP/1.1\r\nHost: x\r\nAuthorization: {process.client.basic()}\r\n"
        line.sendall(f"{head}Content-Type: {TAXII}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        chunk = b"100000\r\n" + b" " * MEGABYTE + b"\r\n"
        try:
            for _ in range(100):
                line.sendall(chunk)
                sent += MEGABYTE
        except OSError:
            pass  # refused and hung up
        line.settimeout(5)
        try:
            answer = line.recv(65_536)
        except OSError:
            answer = b""
    assert sent < 100 * MEGABYTE or answer.startswith(b"HTTP/1.1 413")
    assert process.client.get("/taxii2/").status == 200


def test_one_object_of_nine_megabytes_is_refused_and_its_neighbour_stored(process: Process) -> None:
    huge, small = stix("campaign", description="x" * 9 * MEGABYTE), stix()
    found = process.client.post(INBOX, huge, small)
    assert found.json()["success_count"] == 1
    assert "at most 1,048,576" in refusals(found)[0]


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":['])
def test_nesting_without_end_is_refused(process: Process, opening: bytes) -> None:
    found = post(process, b'{"objects": [' + opening * (9 * MEGABYTE // len(opening)))
    assert found.status == 422
    assert found.json()["description"]


def test_nesting_beyond_the_limit_is_refused_object_by_object(process: Process) -> None:
    deep: dict[str, object] = {}
    for _ in range(100):
        deep = {"a": deep}
    found = process.client.post(INBOX, stix("campaign", extensions=deep), stix())
    assert (found.json()["success_count"], refusals(found)) == (1, ["it nests deeper than 32 levels"])


@pytest.mark.parametrize("element", [b"[]", b"{}", b"1.5", b'"ab"', b"-1"])
def test_small_bytes_that_become_large_values_stay_within_bounds(process: Process, element: bytes) -> None:
    body = b'{"objects": [{"a": [' + b",".join([element] * (9 * MEGABYTE // (len(element) + 1))) + b"]}]}"
    found = post(process, body)
    assert found.status == 422 or (found.status == 202 and found.json()["failure_count"] == 1)


def test_a_compressed_body_is_not_unpacked(process: Process) -> None:
    import gzip

    body = gzip.compress(b'{"objects": [' + b" " * 20 * MEGABYTE + b"]}", 1)
    found = process.client.ask("POST", INBOX + "objects/", body, {"Content-Encoding": "gzip"})
    assert found.status == 415


def test_rings_of_references_are_stored_and_served(process: Process) -> None:
    notes = [stix("note", number=place + 1, content="x") for place in range(400)]
    for place, note in enumerate(notes):
        note["object_refs"] = [notes[(place + 1) % 400]["id"], notes[(place * 7 + 3) % 400]["id"]]
        note["object_refs"] = [each for each in note["object_refs"] if each != note["id"]]
    assert process.client.post(INBOX, *notes).json()["success_count"] == 400
    notes[0]["object_marking_refs"] = ["marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"]
    notes[0]["modified"] = "2026-02-01T00:00:00.000Z"
    assert process.client.post(INBOX, notes[0]).json()["success_count"] == 1


@pytest.mark.parametrize(
    "pattern",
    ["[" * 10_000, "[a:b MATCHES '" + "(a+)+" * 100 + "$']", "[a:b = '" + "x" * 20_000 + "']", "(" * 31 + "[a:b = 1]"],
)
def test_hostile_patterns_are_refused(process: Process, pattern: str) -> None:
    found = process.client.post(INBOX, stix(pattern=pattern))
    assert found.json()["failure_count"] == 1
    assert refusals(found)[0].startswith("'pattern' ")


def test_keys_that_stand_twice_do_not_slip_a_marking_past_the_server(process: Process) -> None:
    body = json.dumps({"objects": [stix(number=9, mark="clear")]})
    body = body.replace('"type"', '"object_marking_refs": ["x"], "type"')
    assert refusals(post(process, body.encode())) == ["it has a key twice"]


def test_the_server_is_up_and_its_memory_was_bounded(process: Process) -> None:
    """Runs last in this file: everything above was sent to this one process."""
    assert process.client.post(INBOX, stix()).json()["success_count"] == 1
    assert process.peak() < 500 * MEGABYTE
