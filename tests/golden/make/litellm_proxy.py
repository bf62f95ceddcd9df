"""Golden spend logs, by the LiteLLM proxy run for real in front of a stand-in upstream.

In an environment of its own:

    pip install 'litellm[proxy]==1.106.2'
    python tests/golden/make/litellm_proxy.py

The proxy writes spend logs into PostgreSQL through Prisma, whose engine is not part of the package. So a callback of
the proxy makes each row with the function that its database writer calls,
`litellm.proxy.spend_tracking.spend_tracking_utils.get_logging_payload`, and writes it as `/spend/logs` answers: an
array of objects. Calls that failed are logged by another hook and are not among them. Accounts come from a custom
authentication, which is the proxy's own hook for it.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from upstream import serving

GOLDEN = Path(__file__).parents[1]
HOOKS = """
import json, os
from litellm.integrations.custom_logger import CustomLogger
from litellm.proxy._types import UserAPIKeyAuth, hash_token

async def authenticate(request, api_key):
    user = {"sk-golden-alice": "alice", "sk-golden-bob": "bob"}[api_key]
    return UserAPIKeyAuth(api_key=hash_token(api_key), user_id=user, team_id="team-1")

class Keeper(CustomLogger):
    async def async_log_success_event(self, kwargs, response_obj, start_time, end_time):
        self.keep(kwargs, response_obj, start_time, end_time)

    def keep(self, kwargs, response_obj, start_time, end_time):
        from litellm.proxy.spend_tracking.spend_tracking_utils import get_logging_payload
        row = get_logging_payload(kwargs, response_obj, start_time, end_time)
        with open(os.environ["GOLDEN_ROWS"], "a") as stream:
            stream.write(json.dumps(row, default=lambda value: value.isoformat()) + "\\n")

keeper = Keeper()
"""
CONFIG = """
model_list:
  - model_name: small
    litellm_params: {model: openai/gpt-4o-mini, api_base: UPSTREAM/v1, api_key: sk-upstream}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-5, api_base: UPSTREAM, api_key: sk-upstream}
  - model_name: embed
    litellm_params: {model: openai/text-embedding-3-small, api_base: UPSTREAM/v1, api_key: sk-upstream}
litellm_settings: {callbacks: [hooks.keeper], num_retries: 0}
router_settings: {num_retries: 0}
general_settings: {custom_auth: hooks.authenticate, store_prompts_in_spend_logs: true}
"""
SYSTEM = {"role": "system", "content": "You know geography."}
ASKED = {"role": "user", "content": "What is the capital of France?"}
TOOLS = [{"type": "function", "function": {"name": "lookup", "parameters": {"type": "object", "properties": {}}}}]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, serving() as upstream:
        folder = Path(name)
        (folder / "hooks.py").write_text(HOOKS)
        (folder / "config.yaml").write_text(CONFIG.replace("UPSTREAM", upstream))
        rows = folder / "rows.ndjson"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(Path(sys.executable).parent / "litellm"), "--config", "config.yaml", "--port", str(port)]
        master = "sk-" + secrets.token_hex(24)  # the proxy insists on one; nobody uses it
        environment = os.environ | {"GOLDEN_ROWS": str(rows), "LITELLM_MASTER_KEY": master}
        environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        with subprocess.Popen([*command, "--host", "127.0.0.1"], cwd=folder, env=environment) as proxy:
            try:
                ask(f"http://127.0.0.1:{port}")
                time.sleep(3)
            finally:
                proxy.terminate()
        kept = [json.loads(line) for line in rows.read_text().splitlines()]
    kept.sort(key=lambda row: row["startTime"])
    for row in kept:
        metadata = json.loads(row["metadata"])
        metadata.pop("model_map_information", None)  # a price list of several thousand characters
        row["metadata"] = json.dumps(metadata)
    (GOLDEN / "litellm-spend-logs.json").write_text(json.dumps(kept, indent=1) + "\n")
    print(len(kept), "rows:", [row["call_type"] for row in kept])


def ask(proxy: str) -> None:
    wait_for(proxy)
    chat = "/v1/chat/completions"
    post(proxy + chat, "alice", {"model": "small", "messages": [SYSTEM, ASKED], "temperature": 0.7, "max_tokens": 64})
    turns = [SYSTEM, ASKED, {"role": "assistant", "content": "Paris."}, {"role": "user", "content": "And of Chile?"}]
    post(proxy + chat, "bob", {"model": "small", "messages": turns, "tools": TOOLS, "user": "end-9"})
    post(proxy + chat, "bob", {"model": "small", "messages": [ASKED], "stream": True})
    post(
        proxy + "/v1/messages",
        "alice",
        {"model": "claude", "max_tokens": 32, "system": "Be brief.", "messages": [ASKED]},
    )
    post(proxy + "/v1/responses", "alice", {"model": "small", "instructions": "Be brief.", "input": ASKED["content"]})
    post(proxy + "/v1/embeddings", "alice", {"model": "embed", "input": "some words"})


def post(url: str, who: str, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer sk-golden-{who}", "User-Agent": "acme/2.1"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        print(url, error.code)


def wait_for(proxy: str) -> None:
    for _ in range(120):
        try:
            with urllib.request.urlopen(proxy + "/health/liveliness", timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise TimeoutError("the proxy did not start")


if __name__ == "__main__":
    main()
