"""Where a request comes from. What a header says is believed only when a trusted proxy sent it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple

from stillwatch.apps.gateway.settings import Authentication
from stillwatch.ingest.adapters.base import first_address

FOR = re.compile(r'(?:^|[;,])\s*for="?([^;,"]+)"?', re.IGNORECASE)
MOST_PEERS = 10_000  # addresses whose trust is remembered


class Origin(NamedTuple):
    """The client's address, and what a trusted proxy told about it."""

    ip: str | None = None
    tls_fingerprint: str | None = None
    asn: int | None = None
    country: str | None = None


class Origins:
    """Tells the origin of requests."""

    def __init__(self, told: Authentication) -> None:
        self._trusted = [ipaddress.ip_network(each) for each in told.trusted_proxies]
        self._header = told.client_header.encode()
        self._tls, self._asn, self._country = (
            each.lower().encode() for each in (told.tls_header, told.asn_header, told.country_header)
        )
        self._known: dict[str, bool] = {}
        self.consumed = frozenset(each for each in (self._tls, self._asn, self._country) if each)

    def of(
        self, peer: tuple[str, int] | None, headers: Mapping[bytes, bytes], raw: list[tuple[bytes, bytes]]
    ) -> Origin:
        """Return the origin of a request that came over a connection from `peer`."""
        ip = peer[0] if peer else None
        if ip is None or not self._trusted or not self._trusts(ip):
            return Origin(ip)
        chain = b",".join(value for name, value in raw if name == self._header).decode("latin-1")
        asn = headers.get(self._asn, b"").decode("latin-1").upper().removeprefix("AS")
        country = headers.get(self._country, b"").decode("latin-1").upper()
        return Origin(
            self._client(chain, ip),
            headers.get(self._tls, b"").decode("latin-1") or None,
            int(asn) if asn.isascii() and asn.isdigit() and len(asn) <= 10 else None,
            country if len(country) == 2 and country.isascii() and country.isalpha() else None,
        )

    def _client(self, chain: str, peer: str) -> str:
        """The last address that is no trusted proxy: what stands before it, the client may have invented."""
        told = FOR.findall(chain) if self._header == b"forwarded" else chain.split(",")
        client = peer
        for each in reversed(told):
            address = first_address(each.strip())
            try:
                client = str(ipaddress.ip_address(address))
            except ValueError:
                return client
            if not self._trusts(client):
                return client
        return client

    def _trusts(self, ip: str) -> bool:
        known = self._known.get(ip)
        if known is None:
            try:
                address = ipaddress.ip_address(ip)
            except ValueError:
                return False
            known = any(address in network for network in self._trusted)
            if len(self._known) < MOST_PEERS:
                self._known[ip] = known
        return known
