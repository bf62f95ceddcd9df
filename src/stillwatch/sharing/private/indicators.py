"""What can be compared: typed indicators in one spelling, so that equal ones are equal bytes on both sides.

Two sides of a comparison must spell alike: an address as its owner writes it, a v6 address as its /64, a mail domain in
lower case and ASCII. A payment instrument or a phone number is a keyed hash already; both sides need one key for it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from stillwatch.sharing.grammar import means_the_same_everywhere

V6_PREFIX = 64  # a v6 customer has all of it: the address alone changes by the hour
LONGEST = 256  # characters of a value
_JA = re.compile(r"[0-9a-z_]{10,64}")
_KEYED = re.compile(r"[0-9A-Za-z_:.\-]{12,128}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of indicator: its family, the column it comes from, and what its values look like."""

    family: str  # infrastructure, funding
    column: str
    spelling: str
    normal: Callable[[str], str | None]


@dataclass(frozen=True, slots=True, order=True)
class Indicator:
    """One value of one kind, in its one spelling."""

    kind: str
    value: str

    def to_bytes(self) -> bytes:
        """Return what is hashed: kinds never collide."""
        return f"{self.kind}\x00{self.value}".encode()


def normalise(kind: str, value: str) -> Indicator | None:
    """Return a value as an indicator, or None for one that is none of its kind: it is left out, not guessed at."""
    text = value.strip()
    if not text or len(text) > LONGEST:
        return None
    spelled = KINDS[kind].normal(text)
    return None if spelled is None else Indicator(kind, spelled)


def from_bytes(element: bytes) -> Indicator:
    """Return the indicator that was hashed."""
    kind, _, value = element.decode().partition("\x00")
    return Indicator(kind, value)


def _address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            if not means_the_same_everywhere(address):
                return None
            return str(ipaddress.ip_network((address, V6_PREFIX), strict=False))
        address = address.ipv4_mapped
    return str(address) if means_the_same_everywhere(address) else None


def _stack(text: str) -> str | None:
    number, _, fingerprint = text.lower().removeprefix("as").partition("|")
    if not number.isascii() or not number.isdecimal() or not 0 < int(number) < 2**32 or not _JA.fullmatch(fingerprint):
        return None
    return f"{int(number)}|{fingerprint}"


def _keyed(text: str) -> str | None:
    return text if _KEYED.fullmatch(text) else None


def _domain(text: str) -> str | None:
    try:
        name = text.lower().rstrip(".").encode("idna").decode()
    except UnicodeError:
        return None
    labels = name.split(".")
    return name if len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels) else None


KINDS: Mapping[str, Kind] = {
    "address": Kind("infrastructure", "ip, signup_ip", "v4 address, or the /64 of a v6 address", _address),
    "client": Kind(
        "infrastructure", "asn, tls_fingerprint", "number of the system and JA4 or JA3, a bar between", _stack
    ),
    "payment": Kind("funding", "payment_fingerprint", "keyed hash, 12 to 128 characters", _keyed),
    "phone": Kind("funding", "phone_hash", "keyed hash, 12 to 128 characters", _keyed),
    "mail-domain": Kind("infrastructure", "email_domain", "lower case, IDNA", _domain),
}
