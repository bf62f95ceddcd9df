"""A model API as a client sees it: OpenAI's or Anthropic's shape, asked with a key from the environment."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from stillwatch.integrity.audit.answers import Answer, read_answer
from stillwatch.model import InputRefused, MissingDependency, UsageError

if TYPE_CHECKING:
    import aiohttp

OPENAI, ANTHROPIC = "openai", "anthropic"
KEYS = {"api.openai.com": "OPENAI_API_KEY", "api.anthropic.com": "ANTHROPIC_API_KEY"}  # whose key goes there unasked
PATHS = {OPENAI: "/chat/completions", ANTHROPIC: "/messages"}
TRIES = 4
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
LONGEST_WAIT = 60.0  # seconds
SECONDS = 120.0  # for one answer


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and what for. `url` ends before `/chat/completions` or `/messages`."""

    url: str
    model: str
    shape: str = OPENAI
    key_env: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)  # set in each request's body; None takes one out

    @property
    def address(self) -> str:
        """The full URL that is asked."""
        base, path = self.url.rstrip("/"), PATHS[self.shape]
        return base if base.endswith(path) else base + path

    @property
    def key_name(self) -> str:
        """The environment variable that holds the key, or nothing."""
        return self.key_env or KEYS.get(urlsplit(self.url).hostname or "", "")

    def headers(self) -> dict[str, str]:
        """Return the headers of each request, with the key. Raises UsageError when a named variable is not set.

        A provider's usual variable is read for the provider's own host alone: its key must not reach a reseller.
        """
        name = self.key_name
        key = os.environ.get(name, "") if name else ""
        if not key and self.key_env:
            raise UsageError(f"{name}: no such environment variable is set, and it should hold the key of {self.url}")
        if not key.isascii() or not key.isprintable():
            raise UsageError(f"{name}: holds letters that no header may; put the key alone there")
        if self.shape == ANTHROPIC:
            return {"anthropic-version": "2023-06-01", **({"x-api-key": key} if key else {})}
        return {"authorization": f"Bearer {key}"} if key else {}


@dataclass(frozen=True, slots=True)
class Question:
    """One request: a prompt and how its answer is drawn."""

    prompt: str
    temperature: float = 1.0
    max_tokens: int = 64
    tools: Sequence[Mapping[str, Any]] = ()  # name, description, schema
    logprobs: bool = False


def body_of(endpoint: Endpoint, question: Question) -> dict[str, Any]:
    """Return a request's body in the endpoint's shape."""
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [{"role": "user", "content": question.prompt}],
        "temperature": question.temperature,
        "max_tokens": question.max_tokens,
    }
    if question.tools:
        body["tools"] = [_tool(endpoint.shape, tool) for tool in question.tools]
    if question.logprobs and endpoint.shape == OPENAI:
        body |= {"logprobs": True, "top_logprobs": 5}
    body |= endpoint.fields
    return {name: value for name, value in body.items() if value is not None}


@asynccontextmanager
async def asking(endpoint: Endpoint, at_once: int = 4) -> AsyncIterator[Callable[[Question], Any]]:
    """Yield a coroutine function that asks one question: its Answer, or None when the endpoint gave none.

    Raises UsageError when the key is missing or refused, InputRefused when nothing like an answer comes back.
    """
    gate = asyncio.Semaphore(at_once)
    async with _session(endpoint) as session:

        async def ask(question: Question) -> Answer | None:
            async with gate:
                return await _ask(session, endpoint, question)

        yield ask


@asynccontextmanager
async def post(endpoint: Endpoint) -> AsyncIterator[Callable[[dict[str, Any]], Any]]:
    """Yield a coroutine function that sends a body of one's own and returns what came back, read as JSON.

    Raises InputRefused when nothing came back, or no JSON.
    """
    async with _session(endpoint) as session:

        async def send(body: dict[str, Any]) -> Any:
            told = await _post(session, endpoint, body)
            try:
                return json.loads(told[0]) if told else None
            except ValueError:
                raise InputRefused(f"{endpoint.address}: answered 200 with a body that is no JSON") from None

        yield send


@asynccontextmanager
async def _session(endpoint: Endpoint) -> AsyncIterator[aiohttp.ClientSession]:
    try:
        import aiohttp
    except ImportError:
        raise MissingDependency("audits need aiohttp; pip install 'stillwatch[integrity]'") from None
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(
        headers=endpoint.headers(), timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield session


async def _ask(session: aiohttp.ClientSession, endpoint: Endpoint, question: Question) -> Answer | None:
    told = await _post(session, endpoint, body_of(endpoint, question))
    return None if told is None else _read(endpoint, *told)


async def _post(session: aiohttp.ClientSession, endpoint: Endpoint, body: dict[str, Any]) -> tuple[bytes, float] | None:
    """What came back and after how many seconds; None when nothing did though it was asked again."""
    import aiohttp

    for turn in range(TRIES):
        start = time.monotonic()
        try:
            async with session.post(endpoint.address, json=body, allow_redirects=False) as told:
                raw = await told.read()
                status, wait = told.status, told.headers.get("retry-after", "")
        except (aiohttp.ClientError, TimeoutError):
            status, raw, wait = 0, b"", ""
        if status == 200:
            return raw, time.monotonic() - start
        if status and status not in AGAIN:
            _refuse(endpoint, status)
        if turn + 1 < TRIES:
            await asyncio.sleep(_pause(wait, turn))
    return None


def _read(endpoint: Endpoint, raw: bytes, seconds: float) -> Answer:
    try:
        return read_answer(endpoint.shape, json.loads(raw), seconds)
    except ValueError:
        raise InputRefused(
            f"{endpoint.address}: answered 200 with a body that is not an answer in {endpoint.shape}'s shape; "
            "say --shape openai or --shape anthropic"
        ) from None


def _refuse(endpoint: Endpoint, status: int) -> None:
    """Say what a status means; the body is not shown, since it may quote the request or the key."""
    key = f"check {endpoint.key_name}" if endpoint.key_name else "say with --key-env which variable holds its key"
    hint = {
        401: key,
        403: f"{key}, or ask for access to the model",
        404: "check the URL, which ends before /chat/completions or /messages, and the model's name",
        400: "it may want other fields: see --set",
    }.get(status, "nothing was concluded")
    raise UsageError(f"{endpoint.address}: answered with status {status}; {hint}")


def _pause(told: str, turn: int) -> float:
    """Seconds to wait before asking again: as the endpoint says, else 1, 2, 4."""
    try:
        return min(max(float(told), 0.0), LONGEST_WAIT)
    except ValueError:
        return float(2**turn)


def _tool(shape: str, tool: Mapping[str, Any]) -> dict[str, Any]:
    about = {"name": tool["name"], "description": tool.get("description", "")}
    if shape == ANTHROPIC:
        return {**about, "input_schema": tool["schema"]}
    return {"type": "function", "function": {**about, "parameters": tool["schema"]}}
