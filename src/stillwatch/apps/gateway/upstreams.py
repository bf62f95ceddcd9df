"""Where a request goes: the first upstream that speaks its API and serves its model; and the client for upstreams."""

from __future__ import annotations

import fnmatch
import re
import ssl
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from stillwatch.apps.gateway.apis.endpoints import ANTHROPIC
from stillwatch.apps.gateway.apis.errors import Refused
from stillwatch.apps.gateway.headers import CREDENTIALS, REQUEST_ENDS_HERE, Raw, onward
from stillwatch.apps.gateway.settings import Config, Timeouts, Upstream
from stillwatch.model import UsageError

MOST_REMEMBERED = 10_000  # routes and addresses; a client may invent any number of models
AUTOMATIC = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")  # which aiohttp would add of its own


@dataclass(frozen=True, slots=True)
class Route:
    """One upstream, made ready."""

    told: Upstream
    models: re.Pattern[str]
    given: tuple[tuple[str, str], ...]  # headers set on every request; a key of the provider among them
    dropped: frozenset[bytes]
    tls: ssl.SSLContext | bool

    @property
    def holds_key(self) -> bool:
        """Whether the gateway's own key is used there, which all accounts then share."""
        return self.told.key is not None


class Routes:
    """All upstreams, in the order of the file."""

    def __init__(self, config: Config, consumed: frozenset[bytes]) -> None:
        self._routes = [_route(each, consumed) for each in config.upstreams]
        self._keyed = {each.told.name: _key_headers(each.told) for each in self._routes}
        self._known: dict[tuple[str, str], Route] = {}
        self._urls: dict[tuple[str, str, bytes], URL] = {}

    def find(self, api: str, model: str) -> Route:
        """Return where a model is served; a Refused when it is nowhere."""
        known = self._known.get((api, model))
        if known is not None:
            return known
        for route in self._routes:
            if api in route.told.apis and (not model or route.models.fullmatch(model)):
                if len(self._known) < MOST_REMEMBERED and len(model) < 200:
                    self._known[api, model] = route
                return route
        raise Refused(404, "model_not_found", "No upstream of this gateway serves the model by this API.")

    def url(self, route: Route, path: str, query: bytes) -> URL:
        """Return the address of a path upstream, with the query as it came."""
        key = (route.told.name, path, query)
        known = self._urls.get(key)
        if known is None:
            asked = f"?{query.decode('ascii', 'replace')}" if query else ""
            known = URL(f"{route.told.url}{path}{asked}", encoded=True)
            if len(self._urls) < MOST_REMEMBERED and len(query) < 200:
                self._urls[key] = known
        return known

    def headers(self, route: Route, api: str, raw: Raw, given: dict[bytes, bytes]) -> CIMultiDict[str]:
        """Return the headers of the request upstream: the client's, and the upstream's own."""
        made = onward(raw, given, route.dropped)
        for name, value in self._keyed[route.told.name].get(api, ()):
            made[name] = value
        for name, value in route.given:
            made[name] = value
        return made


def _route(told: Upstream, consumed: frozenset[bytes]) -> Route:
    dropped = REQUEST_ENDS_HERE | consumed | (CREDENTIALS if told.key is not None else frozenset())
    tls: ssl.SSLContext | bool = True
    if told.ca_file is not None:
        try:
            tls = ssl.create_default_context(cafile=str(told.ca_file))
        except (OSError, ssl.SSLError) as error:
            raise UsageError(f"{told.ca_file}: holds no certificates in PEM ({type(error).__name__})") from error
    models = re.compile("|".join(fnmatch.translate(each) for each in told.models))
    return Route(told, models, tuple(told.headers.items()), dropped, tls)


def _key_headers(told: Upstream) -> dict[str, tuple[tuple[str, str], ...]]:
    if told.key is None:
        return {}
    key = told.key.read(f"key for upstream {told.name}")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"the key for upstream {told.name} holds letters that no header may; put the key alone there")
    shown = dict.fromkeys(told.apis, ("authorization", f"Bearer {key}"))
    if ANTHROPIC in shown:
        shown[ANTHROPIC] = ("x-api-key", key)
    return {api: (header,) for api, header in shown.items()}


def open_session(timeouts: Timeouts) -> aiohttp.ClientSession:
    """Return the client for all upstreams. It retries nothing, follows nothing, and keeps no cookie."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=timeouts.keep_alive, ttl_dns_cache=30)
    session: Any = aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=AUTOMATIC,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect, sock_read=timeouts.first_byte),
        max_line_size=32_768,
        max_field_size=32_768,
    )
    return session
