"""Alerts to a webhook: signed, repeated until they arrive, and without a word of any prompt or answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from stillwatch.apps.integrity.monitor_config import WebhookPart
from stillwatch.model import MissingDependency, UsageError

SECONDS = 20.0  # for one delivery
SIGNATURE, TIMESTAMP = "stillwatch-signature", "stillwatch-timestamp"


def signed_headers(body: bytes, key: bytes, at: int) -> dict[str, str]:
    """Return headers that tell a receiver who sent this, and when: HMAC-SHA256 over `timestamp.body`."""
    headers = {"content-type": "application/json", TIMESTAMP: str(at)}
    if key:
        headers[SIGNATURE] = "sha256=" + hmac.new(key, b"%d." % at + body, hashlib.sha256).hexdigest()
    return headers


def webhook_key(part: WebhookPart) -> bytes:
    """Return the key of the signature. Raises UsageError when its variable is named but not set."""
    key = os.environ.get(part.key_env, "") if part.key_env else ""
    if part.key_env and not key:
        raise UsageError(f"webhook.key_env: {part.key_env} is not set, and it should hold the key that signs alerts")
    return key.encode()


async def deliver(part: WebhookPart, alerts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Send alerts, each until it is taken or its tries are used up; return the ids of those that were taken."""
    try:
        import aiohttp
    except ImportError:
        raise MissingDependency("alerts need aiohttp; pip install 'stillwatch[integrity]'") from None
    key, taken = webhook_key(part), []
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session:
        for alert in alerts:
            body = json.dumps(alert, sort_keys=True).encode()
            for turn in range(part.tries):
                if turn:
                    await asyncio.sleep(2.0 ** (turn - 1))
                headers = signed_headers(body, key, int(time.time()))
                try:
                    async with session.post(part.url, data=body, headers=headers, allow_redirects=False) as answer:
                        done = 200 <= answer.status < 300
                except (aiohttp.ClientError, TimeoutError):
                    done = False
                if done:
                    taken.append(str(alert["id"]))
                    break
    return taken
