"""Keys of marks: one for each campaign or class of accounts and each term of it, all derived from one secret.

A key that could be chosen after looking at the suspect would find whatever is looked for. So a key's commitment goes
into the ledger before anything is served under it, and a test says which commitment its key opens.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stillwatch.model import InputRefused, UsageError

FORMAT = "stillwatch keyring 1"
COMMITMENT = b"stillwatch commitment of a mark's key 1\0"
DERIVATION = b"stillwatch mark key 1"
LEAST_SECRET = 32  # bytes
SCOPE = re.compile(r"(campaign|class|deployment):[!-~]{1,120}")
PURPOSES = ("twins", "watermark")
Append = Callable[[str, str, dict[str, Any]], int]  # kind, subject, body → index of the entry


@dataclass(frozen=True, slots=True)
class Term:
    """A key's use in time: one epoch of one scope, for one purpose, from a moment on (µs since 1970, UTC)."""

    scope: str
    purpose: str
    epoch: int
    begins: int


@dataclass(frozen=True, slots=True)
class MarkKey:
    """One derived key. It shows its commitment, never itself."""

    term: Term
    secret: bytes = field(repr=False)

    @property
    def commitment(self) -> str:
        """What is published before use: SHA-256 over the term and the key, in hexadecimal."""
        told = f"{self.term.scope}\0{self.term.purpose}\0{self.term.epoch}\0".encode()
        return hashlib.sha256(COMMITMENT + told + self.secret).hexdigest()

    def numbers(self, count: int, bits: int) -> tuple[int, ...]:
        """Return whole numbers for a scheme that takes such keys: KGW one of 40 bits, SynthID thirty of 31."""
        return tuple(
            int.from_bytes(_expand(self.secret, f"number {at}".encode())[:8], "big") >> (64 - bits)
            for at in range(count)
        )


@dataclass(frozen=True, slots=True)
class Keyring:
    """A secret, and the log of the terms that began under it, in their order."""

    secret: bytes = field(repr=False)
    terms: tuple[Term, ...] = ()

    def __post_init__(self) -> None:
        if len(self.secret) < LEAST_SECRET:
            raise UsageError(f"the secret of a keyring has {len(self.secret)} bytes; it needs {LEAST_SECRET}")

    def key(self, scope: str, purpose: str, epoch: int | None = None) -> MarkKey:
        """Return the key of a term; of the last one unless an epoch is said. Raises UsageError where none began."""
        found = [each for each in self.terms if (each.scope, each.purpose) == (scope, purpose)]
        held = [each for each in found if epoch is None or each.epoch == epoch]
        if not held:
            raise UsageError(f"no key for {purpose} of {scope} began{'' if epoch is None else f' in epoch {epoch}'}")
        return _derive(self.secret, held[-1])

    def rotated(self, scope: str, purpose: str, now: int) -> Keyring:
        """Return the keyring with a new term, which begins now (µs since 1970). Raises UsageError for a wrong name."""
        if not SCOPE.fullmatch(scope):
            raise UsageError(f"{scope!r}: say campaign:ID, class:NAME or deployment:NAME")
        if purpose not in PURPOSES:
            raise UsageError(f"{purpose!r}: say {' or '.join(PURPOSES)}")
        epochs = [each.epoch for each in self.terms if (each.scope, each.purpose) == (scope, purpose)]
        return Keyring(self.secret, (*self.terms, Term(scope, purpose, max(epochs, default=0) + 1, now)))

    def all_keys(self) -> Iterator[MarkKey]:
        """Yield the key of each term."""
        for term in self.terms:
            yield _derive(self.secret, term)


def commit(key: MarkKey, append: Append, method: Mapping[str, Any]) -> int:
    """Publish a key's commitment, and how it will be tested, before anything is served under it.

    `append` writes to a ledger and returns the entry's number. `method` is what a test may not choose afterwards.
    """
    return append("mark-committed", key.term.scope, commitment_of(key, method))


def commitment_of(key: MarkKey, method: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the ledger keeps of a key: its term, its commitment, and the method. No part of the key."""
    return {
        "scope": key.term.scope,
        "purpose": key.term.purpose,
        "epoch": key.term.epoch,
        "begins": key.term.begins,
        "commitment": key.commitment,
        "method": dict(method),
    }


def opens(key: MarkKey, published: Mapping[str, Any]) -> bool:
    """Say whether a key is the one that a published commitment was made of."""
    told = published.get("commitment")
    return isinstance(told, str) and hmac.compare_digest(told, key.commitment)


def new_secret() -> bytes:
    """Return a secret from the system's random source, for a new keyring."""
    return secrets.token_bytes(LEAST_SECRET)


def write_keyring(ring: Keyring) -> dict[str, Any]:
    """Return what a keyring's file holds: the secret too, so it is readable by its owner alone."""
    terms = [
        {"scope": each.scope, "purpose": each.purpose, "epoch": each.epoch, "begins": each.begins}
        for each in ring.terms
    ]
    return {"format": FORMAT, "secret": ring.secret.hex(), "terms": terms}


def read_keyring(told: Any) -> Keyring:
    """Return the keyring of a file's JSON. Raises InputRefused, which never shows the secret."""
    try:
        if told["format"] != FORMAT:
            raise ValueError
        terms = tuple(
            Term(str(each["scope"]), str(each["purpose"]), int(each["epoch"]), int(each["begins"]))
            for each in told["terms"]
        )
        return Keyring(bytes.fromhex(told["secret"]), terms)
    except (KeyError, TypeError, ValueError):
        raise InputRefused("no keyring of this version; `stillwatch provenance new-key` makes one") from None


def _derive(secret: bytes, term: Term) -> MarkKey:
    told = f"{term.purpose}\0{term.scope}\0{term.epoch}".encode()
    return MarkKey(term, _expand(secret, DERIVATION + b"\0" + told))


def _expand(secret: bytes, told: bytes) -> bytes:
    """HKDF-Expand (RFC 5869, section 2.3) to one block of SHA-256; the secret is uniform, so nothing is extracted."""
    return hmac.new(secret, told + b"\x01", hashlib.sha256).digest()
