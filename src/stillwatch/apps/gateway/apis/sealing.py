"""Opaque handles sealed for one account and one conversation, under a key of the deployment; nothing is remembered.

A seal is AES-SIV (RFC 5297), which is deterministic: one handle, told several times in one stream, is sealed alike.
Inside stand whom it was given to, of which conversation, the handle itself, and the texts beside it that were altered.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

MARK, ID_MARK = "sw1_", "resp_sw1_"
DOMAIN = [b"stillwatch-handle-1"]
TAG = 9  # bytes that stand for an account, an organisation or a turn
LONGEST_TEXTS = 8 << 20  # bytes of the texts inside
LONG = 24  # characters from which a last line is a turn's own


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a handle is given to, and in which conversation."""

    account: bytes
    organisation: bytes = b""  # none is declared
    turns: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a seal holds."""

    place: Place
    handle: str = field(repr=False)
    texts: tuple[str, ...] | None = field(default=None, repr=False)  # as the upstream told them


class _Inside(msgspec.Struct, array_like=True):
    account: bytes
    organisation: bytes
    turns: tuple[bytes, ...]
    handle: str
    texts: bytes = b""


class Sealer:
    """Seals and opens. Who has no key of the deployment can do neither."""

    def __init__(self, secret: bytes) -> None:
        self._siv = AESSIV(hashlib.blake2b(secret, person=b"stillwatch-seal").digest())
        self._key = hashlib.blake2b(secret, person=b"stillwatch-turn").digest()
        self._encode, self._decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(_Inside).decode
        self._texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode

    def tag(self, kind: str, text: str) -> bytes:
        """Return what stands for an account, an organisation or a turn; nothing for an empty one."""
        told = f"{kind}\0{text}".encode("utf-8", "replace")
        return hashlib.blake2b(told, key=self._key, digest_size=TAG).digest() if text else b""

    def turns(self, texts: Iterable[str], given: bool = False) -> frozenset[bytes]:
        """Return what stands for turns of a conversation: for each as a whole, and for its lines.

        With `given` what goes into a seal: of the lines the longest and the last alone. Clients add lines to a turn,
        and take them away again.
        """
        known: set[str] = set()
        for text in texts:
            lines = [line for each in text.splitlines() if (line := " ".join(each.split()))]
            known.add(" ".join(lines))
            known |= (
                {max(lines, key=len), *(each for each in lines[-1:] if len(each) >= LONG)}
                if given and lines
                else {*lines}
            )
        return frozenset(self.tag("turn", each) for each in known if each)

    def seal(self, place: Place, handle: str, texts: Iterable[str] | None = None) -> str:
        """Return a handle sealed for a place; with texts to be given back beside it."""
        held = b"" if texts is None else zlib.compress(self._encode(tuple(texts)), 6)
        inside = _Inside(place.account, place.organisation, tuple(sorted(place.turns)), handle, held)
        made = base64.urlsafe_b64encode(self._siv.encrypt(self._encode(inside), DOMAIN))
        return MARK + made.rstrip(b"=").decode()

    def open(self, told: str) -> Sealed | None:
        """Return what a seal holds; None for one that is damaged, forged, or of another deployment."""
        text = told.removeprefix("resp_").removeprefix(MARK)
        try:
            made = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            inside = self._decode(self._siv.decrypt(made, DOMAIN))
            texts = self._texts(_inflated(inside.texts)) if inside.texts else None
        except (binascii.Error, ValueError, InvalidTag, msgspec.DecodeError, zlib.error):
            return None
        return Sealed(Place(inside.account, inside.organisation, frozenset(inside.turns)), inside.handle, texts)


def is_sealed(handle: str) -> bool:
    """Say whether a handle looks like one of our seals."""
    return handle.startswith((MARK, ID_MARK))


def _inflated(held: bytes) -> bytes:
    return zlib.decompressobj().decompress(held, LONGEST_TEXTS)
