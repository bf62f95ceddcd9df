"""Is every route guarded? Sends each one a request that stillwatch refuses anywhere, through whatever stands before it.

    python -m stillwatch.apps.gateway.plugs.probe http://127.0.0.1:4000 --key sk-… --model small

The request never reaches a model where it is refused. Where a route is not guarded it does, and costs one short answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stillwatch.apps.gateway.plugs.underway import PROBE

ASKED = {"role": "user", "content": PROBE}
TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class Found:
    """What a route did with the request."""

    route: str
    guarded: bool
    status: int
    note: str = ""


def requests(model: str, embedding_model: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and body of a request for every route."""
    for stream in (False, True):
        more: dict[str, Any] = {"stream": True} if stream else {}
        yield "/v1/chat/completions", {"model": model, "messages": [ASKED], "max_tokens": 1} | more
        yield "/v1/messages", {"model": model, "messages": [ASKED], "max_tokens": 1} | more
        yield "/v1/responses", {"model": model, "input": PROBE, "max_output_tokens": 16} | more
    if embedding_model:
        yield "/v1/embeddings", {"model": embedding_model, "input": PROBE}


def probe(url: str, key: str, model: str, embedding_model: str = "") -> list[Found]:
    """Return what each route of a server did."""
    return [_try(url.rstrip("/"), key, path, body) for path, body in requests(model, embedding_model)]


def _try(url: str, key: str, path: str, body: dict[str, Any]) -> Found:
    route = f"{path} {'stream' if body.get('stream') else 'json'}"
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}", "x-api-key": key}
    asked = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
            answer.read()
            return Found(route, False, answer.status, "it was answered")
    except urllib.error.HTTPError as error:
        with error:
            said = error.read()
        if error.code == 403 and b"self-test" in said:
            return Found(route, True, 403)
        return Found(route, False, error.code, "it was refused, but not by stillwatch")
    except OSError as error:
        return Found(route, False, 0, f"it cannot be reached: {error}")


def main(given: Sequence[str] | None = None) -> int:
    """Probe a server; return 0 when every route is guarded, else 1."""
    parser = argparse.ArgumentParser(description="Is every route guarded?")
    parser.add_argument("url")
    parser.add_argument("--key", default=os.environ.get("OPENAI_API_KEY", ""), help="or OPENAI_API_KEY")
    parser.add_argument("--model", required=True)
    parser.add_argument("--embedding-model", default="")
    options = parser.parse_args(given)
    found = probe(options.url, options.key, options.model, options.embedding_model)
    for each in found:
        print(f"{'guarded' if each.guarded else 'UNGUARDED':10} {each.route:30} {each.status} {each.note}".rstrip())
    return 0 if all(each.guarded for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
