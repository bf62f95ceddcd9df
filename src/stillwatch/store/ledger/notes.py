"""Signed checkpoints: C2SP signed-note and tlog-checkpoint, which witnesses and other logs' tools read as well.

A checkpoint is three lines (whose log, how many entries, their root) under an Ed25519 signature. Keys are written as
Go's tools write them: `name+id+key` for everyone, `PRIVATE+KEY+name+id+key` for the signer alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

from stillwatch.model import InputRefused, MissingDependency, UsageError
from stillwatch.store.ledger.tree import SIZE

ED25519 = b"\x01"
DASH = "— "
MOST_SIGNATURES, LONGEST = 100, 1 << 20  # the bounds of Go's reader, and of ours
NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")
NAME = re.compile(r"[^\s+]+")


class NotVouched(InputRefused):
    """A checkpoint that the log's key did not sign as it stands: altered, forged, or of another log."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Whom to believe: checks a log's checkpoints."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that mark this key's signatures."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.raw).decode()}"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """Signs a log's checkpoints; to be kept from whoever can write to the database."""

    name: str
    seed: bytes = field(repr=False)

    @property
    def public(self) -> PublicKey:
        """The half that others get."""
        private = _ed25519().Ed25519PrivateKey.from_private_bytes(self.seed)
        return PublicKey(self.name, private.public_key().public_bytes_raw())

    def written(self) -> str:
        """Return the text to keep in a file that only the signer reads."""
        return f"PRIVATE+KEY+{self.name}+{self.public.id.hex()}+{base64.b64encode(ED25519 + self.seed).decode()}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log holds at one moment."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def make_key(name: str, seed: bytes) -> SigningKey:
    """Return the key of a log. The name is the log's origin: a domain and path of yours, without a scheme."""
    if not NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name of a log; give one such as example.com/stillwatch, without spaces or +")
    return SigningKey(name, seed)


def read_public_key(text: str) -> PublicKey:
    """Read `name+id+key`. Raises UsageError."""
    name, raw, told = _read_key(text.strip(), "a public key is written name+id+key")
    key = PublicKey(name, raw)
    if key.id.hex() != told:
        raise UsageError(f"the public key of {name} does not fit its id; a character of it is wrong")
    return key


def read_signing_key(text: str) -> SigningKey:
    """Read `PRIVATE+KEY+name+id+key`. Raises UsageError, which never quotes it."""
    start, _, rest = text.strip().partition("PRIVATE+KEY+")
    if start or not rest:
        raise UsageError("a signing key is written PRIVATE+KEY+name+id+key; make one with `stillwatch ledger key`")
    name, seed, told = _read_key(rest, "a signing key is written PRIVATE+KEY+name+id+key")
    key = SigningKey(name, seed)
    if key.public.id.hex() != told:
        raise UsageError(f"the signing key of {name} does not fit its id; a character of it is wrong")
    return key


def sign_checkpoint(size: int, root: bytes, key: SigningKey) -> str:
    """Return the signed note over a log of that size and root."""
    text = str(Checkpoint(key.name, size, root))
    private = _ed25519().Ed25519PrivateKey.from_private_bytes(key.seed)
    signature = base64.b64encode(key.public.id + private.sign(text.encode())).decode()
    return f"{text}\n{DASH}{key.name} {signature}\n"


def read_checkpoint(note: str, key: PublicKey | None) -> Checkpoint:
    """Return what a note says, once the key's signature on it holds; without a key, nobody has vouched for it.

    Raises InputRefused for a note that is none, and NotVouched for one that the key does not vouch for.
    """
    text, signatures = _open(note)
    checkpoint = _read_text(text)
    if key is None:
        return checkpoint
    ours = [raw for name, raw in signatures if name == key.name and raw[:4] == key.id]
    if not ours:
        raise NotVouched(f"the checkpoint has no signature of {key.name} by that key")
    if not all(_signed(key, text, raw[4:]) for raw in ours):
        raise NotVouched(f"the checkpoint's signature of {key.name} is wrong: it was altered, or forged")
    if checkpoint.origin != key.name:
        raise NotVouched(f"the checkpoint is of the log {checkpoint.origin}, not of {key.name}")
    return checkpoint


def _open(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    if len(note) > LONGEST or any(each < " " and each != "\n" for each in note):
        raise InputRefused("no checkpoint: it is too long, or holds control characters")
    text, gap, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    if not gap or lines[-1] or not 2 <= len(lines) <= MOST_SIGNATURES + 1:
        raise InputRefused("no checkpoint: three lines, an empty one and a line for each signature were expected")
    return text + "\n", [_read_signature(line) for line in lines[:-1]]


def _read_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(DASH).partition(" ")
    raw = _decode(encoded)
    if not line.startswith(DASH) or not NAME.fullmatch(name) or raw is None or len(raw) < 5:
        raise InputRefused("no checkpoint: a line after the empty one is no signature")
    return name, raw


def _read_text(text: str) -> Checkpoint:
    origin, size, root, *_ = [*text.split("\n"), "", "", ""]
    raw = _decode(root)
    if not origin or not NUMBER.fullmatch(size) or raw is None or len(raw) != SIZE:
        raise InputRefused("no checkpoint: its lines are not a log's name, a size and a root")
    return Checkpoint(origin, int(size), raw)


def _read_key(text: str, expected: str) -> tuple[str, bytes, str]:
    name, _, rest = text.partition("+")
    told, _, encoded = rest.partition("+")
    raw = _decode(encoded)
    if not NAME.fullmatch(name) or raw is None or len(raw) != 33 or raw[:1] != ED25519:
        raise UsageError(f"{expected}, with a key of Ed25519")
    return name, raw[1:], told


def _decode(text: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None  # one text for one value


def _signed(key: PublicKey, text: str, signature: bytes) -> bool:
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, text.encode())
    except InvalidSignature:
        return False
    return True


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise MissingDependency("checkpoints need cryptography: pip install 'stillwatch[gateway]'") from None
    return ed25519
