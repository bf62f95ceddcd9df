"""What a request and its account show, under the names that the index has for it.

A value is known by a keyed hash, so that whoever copies an index learns no address and no card from it. The same texts
are made of an arriving request here as the sketch makes of a row of the log.
"""

from __future__ import annotations

import hashlib
import re

from stillwatch.apps.gateway.live.facts import AccountFacts
from stillwatch.apps.gateway.seams import Arrival
from stillwatch.sketch.one import RequestSketch
from stillwatch.sketch.text import SketchKey

CONTENT, INFRASTRUCTURE, FUNDING, ARTEFACT = 1, 2, 4, 8  # families, as bits of a set
FAMILY = {
    "frame": CONTENT, "ip": INFRASTRUCTURE, "prefix": INFRASTRUCTURE, "stack_asn": INFRASTRUCTURE,
    "payment_fingerprint": FUNDING, "phone_hash": FUNDING, "signup_ip": FUNDING, "email_domain": FUNDING,
    "artefact": ARTEFACT,
}  # fmt: skip
KINDS = tuple(FAMILY)
ACCOUNT, FILLER = "account", "filler"  # names that are no indicators
REMEMBERED = 1 << 17  # values
_SIX, _FOUR = re.compile(r"^([0-9a-f]*:[0-9a-f]*:[0-9a-f]*)"), re.compile(r"^(\d+\.\d+\.\d+)\.")
_MAPPED = "::ffff:"


class Namer:
    """Gives values their names, 64-bit keyed hashes; those that come again are remembered."""

    def __init__(self, key: SketchKey) -> None:
        self._secret = key.low.to_bytes(8, "little") + key.high.to_bytes(8, "little")
        self._known: dict[tuple[str, str | int], int] = {}

    def __call__(self, kind: str, value: str | int) -> int:
        """Return the name of a value of a kind; never 0."""
        name = self._known.get((kind, value))
        if name is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            text = f"{kind}\x1f{value}".encode("utf-8", "replace")
            digest = hashlib.blake2b(text, digest_size=8, key=self._secret, person=b"live-index").digest()
            name = self._known[kind, value] = int.from_bytes(digest, "little", signed=True) or 1
        return name


def plain_address(address: str) -> str:
    """The spelling of an address by which equal ones compare equal, as logs are read."""
    text = address.strip().lower()
    return text[len(_MAPPED) :] if text.startswith(_MAPPED) and "." in text else text


def prefix(address: str) -> str | None:
    """The /24 of an IPv4 address, or the first groups of an IPv6 one, as the sketch cuts it."""
    found = (_SIX if ":" in address else _FOUR).match(address)
    return found[1] or None if found else None


def shown_by_request(sketch: RequestSketch, arrival: Arrival) -> list[tuple[str, str | int]]:
    """Kind and value of everything a request shows."""
    shown: list[tuple[str, str | int]] = [("frame", key) for key in (sketch.template_key, sketch.system_key) if key]
    if arrival.ip:
        address = plain_address(arrival.ip)
        shown.append(("ip", address))
        network = prefix(address)
        if network:
            shown.append(("prefix", network))
    tls, agent = arrival.tls_fingerprint, arrival.user_agent
    if tls is not None or agent is not None:
        asn = "" if arrival.asn is None else arrival.asn
        shown.append(("stack_asn", f"{tls or ''}|{agent or ''}|{asn}"))
    shown += [("artefact", handle) for handle in arrival.artefacts_in]
    return shown


def shown_by_account(facts: AccountFacts | None) -> list[tuple[str, str | int]]:
    """Kind and value of everything an account was registered with."""
    if facts is None:
        return []
    told = (
        ("payment_fingerprint", facts.payment_fingerprint),
        ("phone_hash", facts.phone_hash),
        ("signup_ip", facts.signup_ip and plain_address(facts.signup_ip)),
        ("email_domain", facts.email_domain),
    )
    return [(kind, value) for kind, value in told if value]
