"""What is never asked about, never answered and never believed: one's own, one's customers', and what everybody uses.

The list beats whatever partners agree on. A line is a network, an address, a mail domain, or `KIND VALUE`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stillwatch.model import InputRefused
from stillwatch.sharing.private.indicators import KINDS, Indicator, normalise

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AllowList:
    """Indicators and networks that accuse nobody."""

    indicators: frozenset[Indicator] = frozenset()
    networks: tuple[Network, ...] = ()

    def covers(self, indicator: Indicator) -> bool:
        """Whether an indicator is on the list, or an address lies within a network of it."""
        if indicator in self.indicators:
            return True
        if indicator.kind != "address":
            return False
        own = ipaddress.ip_network(indicator.value)
        return any(net.version == own.version and own.subnet_of(net) for net in self.networks)  # type: ignore[arg-type]


def read_allow_list(path: Path) -> AllowList:
    """Return the list that a file holds, one entry a line; `#` begins a comment. Raises InputRefused with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise InputRefused(f"{path}: cannot be read; give a text file with one entry a line") from error
    return parse_allow_list(lines, str(path))


def parse_allow_list(lines: Iterable[str], name: str = "allow-list") -> AllowList:
    """Return the list that these lines hold."""
    indicators, networks = set[Indicator](), list[Network]()
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        entry = _entry(text)
        if entry is None:
            raise InputRefused(f"{name}:{number}: {text[:60]!r} is no network, mail domain, or KIND VALUE")
        if isinstance(entry, Indicator):
            indicators.add(entry)
        else:
            networks.append(entry)
    return AllowList(frozenset(indicators), tuple(networks))


def _entry(text: str) -> Indicator | Network | None:
    kind, _, value = text.partition(" ")
    if value:
        return normalise(kind, value) if kind in KINDS else None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return normalise("mail-domain", text)
