"""The real SDKs of OpenAI and Anthropic, made to check every answer: `client = wrap(OpenAI(), keys="keys.json")`.

The SDK's own HTTP client tells of each answer through its hooks, so nothing of the SDK is replaced, and what is checked
is what came over the wire. An answer in JSON reaches the SDK only once it holds. Of a stream each event passes at once
and its end only once all of it holds; with `hold=True` nothing of it passes before.
"""

from __future__ import annotations

import json
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from stillwatch.integrity.signing.canonical import encode
from stillwatch.integrity.signing.checking import Check, Checker, Expected, Fault, Problem, Rules
from stillwatch.integrity.signing.keys import PublicKeys, read_public
from stillwatch.integrity.signing.reading import endpoint_at
from stillwatch.integrity.signing.received import Received
from stillwatch.integrity.signing.replay import Seen
from stillwatch.model import InputRefused, UsageError

NONCE = "stillwatch-nonce"  # header of a request; the receipt repeats it
FETCH = 60.0  # seconds that published keys may take
Client = TypeVar("Client")
OnCheck = Callable[[Check], None]


class NotVerified(InputRefused):
    """An answer that is not what its signer said, or that nobody signed. `check` says what is wrong, by name."""

    def __init__(self, check: Check) -> None:
        super().__init__("; ".join(f"{each.fault}: {each.because}" for each in check.problems))
        self.check = check


@dataclass(frozen=True, slots=True)
class Wrapping:
    """What a wrapped client does with what it finds."""

    checker: Checker
    on_check: OnCheck | None = None  # gets every check, and decides; without it what is not genuine raises
    hold: bool = False
    error: type[NotVerified] = NotVerified


def wrap(
    client: Client,
    keys: str | Path | Mapping[str, Any] | PublicKeys,
    *,
    on_check: OnCheck | None = None,
    hold: bool = False,
    rules: Rules | None = None,
) -> Client:
    """Return a client of the `openai` or `anthropic` SDK that checks each answer; it is the same client.

    `keys` is a file, the published JWKS as an object, or a URL, which is read once, here. An answer that does not hold
    raises NotVerified; with `on_check`, that gets every check instead and may raise. Without `rules`, answers must be
    younger than ten minutes, and none is taken twice.
    """
    told = rules or Rules()
    if told.now is None:
        told = replace(told, now=lambda: time.time_ns() // 1_000)
    wrapping = Wrapping(Checker(load_keys(keys), told, Seen()), on_check, hold, _error_of(client))
    http = getattr(client, "_client", None)
    hooks = getattr(http, "event_hooks", None)
    if http is None or hooks is None:
        raise UsageError(f"wrap: a {type(client).__name__} is no client of the openai or anthropic SDK")
    library = _library_of(http)
    is_async = issubclass(type(http), library.AsyncClient)
    ask, answer = (_async_hooks if is_async else _hooks)(wrapping, library)
    http.event_hooks = {"request": [*hooks["request"], ask], "response": [*hooks["response"], answer]}
    return client


def load_keys(keys: str | Path | Mapping[str, Any] | PublicKeys) -> PublicKeys:
    """Return published keys from a file, a URL, or an object. Raises InputRefused."""
    if isinstance(keys, PublicKeys):
        return keys
    if isinstance(keys, Mapping):
        return read_public(json.dumps(keys), "keys")
    if str(keys).startswith(("http://", "https://")):
        return read_public(_fetch(str(keys)), str(keys))
    try:
        return read_public(Path(keys).read_text(encoding="utf-8"), str(keys))
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            f"{keys}: cannot be read ({type(error).__name__}); give the file of published keys"
        ) from None


def _error_of(client: Any) -> type[NotVerified]:
    """NotVerified as an error of the SDK's own, too: others it takes for a broken connection, and asks again."""
    roots = [each.__module__.partition(".")[0] for each in type(client).__mro__]
    for root, name in (("openai", "OpenAIError"), ("anthropic", "AnthropicError")):
        if root in roots:
            return type(
                "NotVerified", (NotVerified, getattr(import_module(root), name)), {"__doc__": NotVerified.__doc__}
            )
    return NotVerified


def _library_of(http: Any) -> Any:
    """The HTTP library whose client the SDK uses: httpx, or what followed it."""
    names = [each.__module__.partition(".")[0] for each in type(http).__mro__]
    return import_module(next(name for name in names if name.startswith("httpx")))


def _fetch(url: str) -> str:
    from urllib.error import URLError
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=FETCH) as answer:
            body: bytes = answer.read(1 << 20)
            return body.decode("utf-8")
    except (URLError, OSError, ValueError) as error:
        raise InputRefused(f"{url}: cannot be fetched ({type(error).__name__}); give a file of the keys") from None


def _hooks(wrapping: Wrapping, library: Any) -> tuple[Any, Any]:
    class Checked(library.SyncByteStream):
        def __init__(self, inner: Any, watch: Watch) -> None:
            self._inner, self._watch = inner, watch

        def __iter__(self) -> Iterator[bytes]:
            for piece in self._inner:
                yield from self._watch.feed(piece)
            yield from self._watch.end()

        def close(self) -> None:
            self._inner.close()

    def answered(response: Any) -> None:
        watch = watch_of(wrapping, response)
        if watch is not None:
            response.stream = Checked(response.stream, watch)

    return note, answered


def _async_hooks(wrapping: Wrapping, library: Any) -> tuple[Any, Any]:
    class Checked(library.AsyncByteStream):
        def __init__(self, inner: Any, watch: Watch) -> None:
            self._inner, self._watch = inner, watch

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._inner:
                for each in self._watch.feed(piece):
                    yield each
            for each in self._watch.end():
                yield each

        async def aclose(self) -> None:
            await self._inner.aclose()

    async def asked(request: Any) -> None:
        note(request)

    async def answered(response: Any) -> None:
        watch = watch_of(wrapping, response)
        if watch is not None:
            response.stream = Checked(response.stream, watch)

    return asked, answered


def note(request: Any) -> None:
    """Give a request a nonce, which no earlier answer can repeat, and ask for an answer that can be read."""
    if _endpoint(request) is not None:
        request.headers[NONCE] = encode(secrets.token_bytes(16))
        request.headers["accept-encoding"] = "identity"


def watch_of(wrapping: Wrapping, response: Any) -> Watch | None:
    """Return what reads an answer on its way; None for what is no answer of a model."""
    endpoint = _endpoint(response.request)
    if endpoint is None or not 200 <= response.status_code < 300:
        return None
    try:
        asked = json.loads(response.request.content)
    except (ValueError, RecursionError):
        return None
    expected = Expected(asked, response.request.headers.get(NONCE, ""))
    stream = response.headers.get("content-type", "").startswith("text/event-stream")
    received = Received(stream, endpoint)
    return Watch(wrapping, received, expected, response.headers.get("content-encoding", "identity").lower())


class Watch:
    """Reads one answer on its way to the SDK, and lets pass what may pass."""

    def __init__(self, wrapping: Wrapping, received: Received, expected: Expected, encoding: str) -> None:
        self._wrapping, self._received, self._expected = wrapping, received, expected
        self._held: list[bytes] = []
        self._plain: list[bytes] = []  # of an answer in JSON
        self._inflate = _inflater(encoding)
        self._readable = encoding in ("identity", "", "gzip", "deflate")
        self._done = False

    def feed(self, piece: bytes) -> list[bytes]:
        """Take a piece; return those that may pass now. Raises NotVerified."""
        plain = piece if self._inflate is None else self._inflate.decompress(piece)
        if self._readable and not self._done:
            self._take(plain)
        if not self._done and (self._wrapping.hold or not self._received.stream):
            self._held.append(piece)
            return []
        released, self._held = [*self._held, piece], []
        return released

    def end(self) -> list[bytes]:
        """The answer is over; return what may pass now. Raises NotVerified."""
        if not self._done:
            if self._received.stream:
                self._received.end()
            else:
                self._received.whole(b"".join(self._plain))
            self._decide()
        released, self._held = self._held, []
        return released

    def _take(self, plain: bytes) -> None:
        if not self._received.stream:
            self._plain.append(plain)
            return
        self._received.feed(plain)
        if self._received.over or self._received.broken:  # SDKs may read no further than to here
            self._decide()

    def _decide(self) -> None:
        self._done = True
        if self._readable:
            check = self._wrapping.checker.check(self._received, self._expected)
        else:
            check = Check((Problem(Fault.UNREADABLE, "it is compressed in a way that is not read here"),))
        if self._wrapping.on_check is not None:
            self._wrapping.on_check(check)
        elif not check.genuine:
            raise self._wrapping.error(check)


def _inflater(encoding: str) -> Any:
    return zlib.decompressobj(wbits=47) if encoding in ("gzip", "deflate") else None


def _endpoint(request: Any) -> str | None:
    return endpoint_at(request.method, request.url.path)
