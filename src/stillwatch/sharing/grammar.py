"""What a value must look like to leave: whatever has another form may be anything, a customer's name included."""

from __future__ import annotations

import ipaddress
import re

from stillwatch.sharing.case import Kind

DOCUMENTATION = tuple(
    ipaddress.ip_network(each) for each in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)  # belong to nobody, so that examples can be exported
LEAST_BITS = {4: 20, 6: 32}  # a wider network is whole countries' and never an indicator
JA4 = re.compile(r"[tqd][0-9]{2}[di][0-9]{4}[a-z0-9]{2}_[0-9a-f]{12}_[0-9a-f]{12}")
JA3 = re.compile(r"[0-9a-f]{32}")
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
PRODUCT = r"[A-Za-z][A-Za-z0-9_.+-]{0,39}/[0-9][A-Za-z0-9_.+-]{0,23}"
USER_AGENT = re.compile(rf"{PRODUCT}( {PRODUCT}){{0,5}}")  # products with versions; comments name machines and people
MOST_ASN = (1 << 32) - 1


def address(text: str) -> str | None:
    """Return an address as everybody writes it; None if it is none, or one that only means something inside."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(found) if means_the_same_everywhere(found) else None


def means_the_same_everywhere(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Say whether an address is somebody's on the public network, or an example."""
    example = any(found in each for each in DOCUMENTATION if each.version == found.version)
    return example or (found.is_global and not found.is_multicast)


def prefix(text: str) -> str | None:
    """Return a network as everybody writes it; None if it is none, too wide, or inside."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        return None
    if found.prefixlen < LEAST_BITS[found.version] or address(str(found.network_address)) is None:
        return None
    return str(found)


def well_formed(kind: Kind, value: str) -> str | None:
    """Return a value in its one spelling; None if it has not the form of its kind."""
    match kind:
        case Kind.ADDRESS:
            return address(value)
        case Kind.PREFIX:
            return prefix(value)
        case Kind.ASN:
            return value if value.isascii() and value.isdigit() and 0 < int(value) <= MOST_ASN else None
        case Kind.CLIENT:
            return value if JA4.fullmatch(value) or JA3.fullmatch(value) else None
        case Kind.MAIL_DOMAIN:
            return value.lower() if DOMAIN.fullmatch(value.lower()) else None
        case Kind.USER_AGENT:
            return value if USER_AGENT.fullmatch(value) else None
        case _:
            return None
