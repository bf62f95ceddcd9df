"""Keys that sign answers: made, rotated with an overlap, revoked; and the half of them that everyone gets, as a JWKS.

Moments are seconds since 1970, UTC, as JOSE counts them.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stillwatch.integrity.signing.canonical import decode, encode
from stillwatch.model import InputRefused, MissingDependency, UsageError

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as error:
    raise MissingDependency("signed answers need cryptography: pip install 'stillwatch[integrity]'") from error

WELL_KNOWN = "/.well-known/stillwatch/answer-keys.json"
ISSUER = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_/-]{0,199}")


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that answers may be signed by, and when."""

    kid: str
    x: bytes
    not_before: int
    not_after: int | None = None  # None: until it is rotated
    revoked_at: int | None = None
    revoked_because: str = ""

    def jwk(self) -> dict[str, Any]:
        """Return it as a JWK."""
        told: dict[str, Any] = {"kty": "OKP", "crv": "Ed25519", "alg": "Ed25519", "use": "sig", "kid": self.kid}
        told |= {"x": encode(self.x), "not_before": self.not_before}
        if self.not_after is not None:
            told["not_after"] = self.not_after
        if self.revoked_at is not None:
            told |= {"revoked_at": self.revoked_at, "revoked_because": self.revoked_because}
        return told


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key with the half that only the signer has."""

    public: PublicKey
    seed: bytes = field(repr=False)

    def private(self) -> Ed25519PrivateKey:
        """Return what signs."""
        return Ed25519PrivateKey.from_private_bytes(self.seed)


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Whom to believe: the keys of one issuer, by their ids."""

    issuer: str
    keys: Mapping[str, PublicKey]

    def jwks(self) -> dict[str, Any]:
        """Return them as they are published."""
        return {"issuer": self.issuer, "keys": [each.jwk() for each in self.keys.values()]}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Every key of an issuer, oldest first; the newest that may sign does."""

    issuer: str
    keys: tuple[SigningKey, ...]

    def public(self) -> PublicKeys:
        """Return the halves that everyone gets."""
        return PublicKeys(self.issuer, {each.public.kid: each.public for each in self.keys})

    def signer(self, now: int) -> SigningKey:
        """Return the key that signs at a moment. Raises UsageError where none may."""
        for each in reversed(self.keys):
            told = each.public
            if told.revoked_at is None and told.not_before <= now and (told.not_after is None or now < told.not_after):
                return each
        raise UsageError("no key may sign answers now; make one by `stillwatch answer-keys rotate`")


def new_ring(issuer: str, now: int) -> KeyRing:
    """Return a ring with one new key. The issuer is a name of yours that clients know, such as a domain."""
    if not ISSUER.fullmatch(issuer):
        raise UsageError(f"{issuer!r} is no name of an issuer; give one such as api.example.com")
    return KeyRing(issuer, (_new_key(now),))


def rotate(ring: KeyRing, now: int, begins_in: int, overlap: int) -> KeyRing:
    """Return the ring with a new key that signs from `begins_in` seconds on; others end `overlap` seconds after that.

    Publish the new key before it signs: clients keep the published keys for a while.
    """
    begins = now + begins_in
    ends = begins + overlap
    older = tuple(
        each
        if each.public.not_after is not None and each.public.not_after <= ends
        else replace(each, public=replace(each.public, not_after=ends))
        for each in ring.keys
    )
    return KeyRing(ring.issuer, (*older, _new_key(begins)))


def revoke(ring: KeyRing, kid: str, now: int, because: str) -> KeyRing:
    """Return the ring with a key that is believed no longer, whenever it signed: who stole it can write any time."""
    if kid not in ring.public().keys:
        raise UsageError(f"no key {kid!r}; `stillwatch answer-keys show` lists them")
    changed = [
        replace(each, public=replace(each.public, revoked_at=now, revoked_because=because))
        if each.public.kid == kid and each.public.revoked_at is None
        else each
        for each in ring.keys
    ]
    return KeyRing(ring.issuer, tuple(changed))


def read_ring(path: Path) -> KeyRing:
    """Read the signer's file. Errors never quote it."""
    told = _object(_read(path), str(path))
    try:
        keys = [SigningKey(_public(each), decode(each["d"])) for each in told["keys"]]
        issuer = str(told["issuer"])
        sound = all(len(each.seed) == 32 for each in keys) and bool(keys)
        sound = sound and all(each.private().public_key().public_bytes_raw() == each.public.x for each in keys)
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise InputRefused(f"{path}: holds no keys that sign answers; make them by `stillwatch answer-keys new`")
    return KeyRing(issuer, tuple(keys))


def write_ring(ring: KeyRing, path: Path, *, new: bool = False) -> None:
    """Write the signer's file, for its owner's eyes alone, whole or not at all. With `new` no file is replaced."""
    told = {"issuer": ring.issuer, "keys": [{**each.public.jwk(), "d": encode(each.seed)} for each in ring.keys]}
    beside = path if new else path.with_name(path.name + ".new")
    try:
        if not new:
            beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=2) + "\n")
        if not new:
            beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; keys are never replaced by new ones") from None


def read_public(text: str, name: str) -> PublicKeys:
    """Read published keys; `name` stands in the error."""
    told = _object(text, name)
    try:
        keys = [_public(each) for each in told["keys"] if each.get("crv") == "Ed25519"]
        return PublicKeys(str(told.get("issuer", "")), {each.kid: each for each in keys})
    except (KeyError, TypeError, ValueError, AttributeError):
        raise InputRefused(f"{name}: holds no published answer keys; a JWKS is expected") from None


def _public(told: Mapping[str, Any]) -> PublicKey:
    x = decode(told["x"])
    if told["crv"] != "Ed25519" or len(x) != 32 or not isinstance(told["kid"], str):
        raise ValueError
    return PublicKey(
        told["kid"],
        x,
        int(told.get("not_before", 0)),
        _moment(told.get("not_after")),
        _moment(told.get("revoked_at")),
        str(told.get("revoked_because", "")),
    )


def _moment(told: Any) -> int | None:
    return None if told is None else int(told)


def _new_key(begins: int) -> SigningKey:
    seed = secrets.token_bytes(32)
    x = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    first, *rest = secrets.token_bytes(9)
    kid = encode(bytes((first & 0x7F, *rest)))  # begins with a letter: a command would take a dash for an option
    return SigningKey(PublicKey(kid, x, begins), seed)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(f"{path}: cannot be read ({type(error).__name__}); name the file of the keys") from None


def _object(text: str, name: str) -> dict[str, Any]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise InputRefused(f"{name}: is no JSON object; a JWKS is expected")
    return told
