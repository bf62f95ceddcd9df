"""A TAXII 2.1 client that reads one collection page by page, keeps bytes, and is never handed more than it asked for.

`taxii2-client` parses what it gets, however much that is, and hands out dictionaries: neither the bytes of an object
nor a bound on memory survive (docs/why/054-what-partners-say.md). So this one is ours, over http.client.
"""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from stillwatch.model import StillwatchError

TAXII = "application/taxii+json;version=2.1"
TRIES = 5
LONGEST_PAUSE = 300.0
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
PATIENCE = 60  # seconds without a byte


class Unreachable(StillwatchError):
    """A collection that could not be read; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer, not yet opened."""

    body: bytes
    reached: str  # X-TAXII-Date-Added-Last


@dataclass(frozen=True, slots=True)
class Collection:
    """One collection of a partner's, and what we are known by there. `pause` waits; tests hand one that does not."""

    root: str
    collection: str
    user: str = ""
    token: str = field(default="", repr=False)
    ca_file: str = ""
    longest: int = 67_108_864
    pause: Callable[[float], None] = lambda _: None

    def page(self, limit: int, added_after: str, next_: str) -> Page | None:
        """Return one page of objects; None where the server does not know `next_` any more.

        Raises Unreachable when the server refuses, or fails TRIES times.
        """
        query = {"limit": str(limit)}
        query |= {"added_after": added_after} if added_after else {}
        query |= {"next": next_} if next_ else {}
        why = ""
        for attempt in range(TRIES):
            if attempt:
                self.pause(self._wait(attempt, why))
            try:
                status, headers, body = self._get(query)
            except (OSError, http.client.HTTPException) as error:
                why = type(error).__name__
                continue
            if status == 200:
                return Page(body, headers.get("x-taxii-date-added-last", ""))
            if next_ and status in (400, 404, 410):
                return None
            why = f"HTTP {status} {headers.get('retry-after', '')}".strip()
            if status not in TRANSIENT:
                break
        raise Unreachable(f"{self.root}: collection {self.collection}: {why}; look at its URL, user and token")

    def _wait(self, attempt: int, why: str) -> float:
        """Twice as long each time, or as long as the server says."""
        words = why.split()  # HTTP, status, and seconds to wait where the server said some
        told = float(words[2]) if len(words) == 3 and words[2].isdigit() else 0.0
        return min(max(told, 2.0**attempt), LONGEST_PAUSE)

    def _get(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(self.root)
        path = f"{url.path.rstrip('/')}/collections/{quote(self.collection, safe='')}/objects/?{urlencode(query)}"
        line = self._connection(url.scheme, url.hostname or "", url.port)
        try:
            line.request("GET", path, headers={"Accept": TAXII, "Accept-Encoding": "identity", **self._who()})
            found = line.getresponse()
            headers = {name.lower(): value for name, value in found.getheaders()}
            if headers.get("content-encoding", "identity").lower() != "identity":
                raise Unreachable(f"{self.root}: answers are compressed unasked; they are not read")
            body = found.read(self.longest + 1)
        finally:
            line.close()
        if len(body) > self.longest:
            raise Unreachable(f"{self.root}: a page is longer than {self.longest:,} bytes; lower limits.page")
        return found.status, headers, body

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=PATIENCE)
        trust = ssl.create_default_context(cafile=self.ca_file or None)
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=trust)

    def _who(self) -> dict[str, str]:
        if not self.token:
            return {}
        if not self.user:
            return {"Authorization": f"Bearer {self.token}"}
        return {"Authorization": "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()}
