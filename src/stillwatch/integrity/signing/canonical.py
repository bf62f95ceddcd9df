"""One text for equal JSON, and its digest: RFC 8785, with a way out for what RFC 8785 has no text for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from typing import Any

from stillwatch.model import MissingDependency

try:
    import rfc8785
except ImportError as error:
    raise MissingDependency("signed answers need rfc8785: pip install 'stillwatch[integrity]'") from error

Digest = str  # SHA-256, base64url without padding
URLSAFE = bytes.maketrans(b"+/", b"-_")
LARGEST = 2**53 - 1
_plainly = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def canonical(value: Any) -> bytes:
    """Return the one text of a JSON value: RFC 8785.

    Whole numbers beyond ±(2^53 − 1), NaN, and half a surrogate pair have none there. A value with such a thing is
    written in ASCII with sorted names instead, so that no digit of a long number can be changed unseen.
    """
    try:
        return _plainly(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def text_of(value: Any) -> str:
    """Return text as it is, and anything else by its canonical form."""
    return value if isinstance(value, str) else canonical(value).decode()


def bytes_of(text: str) -> bytes:
    """Return text as bytes; half a surrogate pair keeps its own three."""
    return text.encode("utf-8", "surrogatepass")


def encode(raw: bytes) -> str:
    """Return bytes in base64url without padding, as JOSE writes them."""
    return binascii.b2a_base64(raw, newline=False).translate(URLSAFE, b"=").decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64url. Raises ValueError."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def digest(raw: bytes) -> Digest:
    """Return the digest of bytes."""
    return encode(hashlib.sha256(raw).digest())


def digest_of(value: Any) -> Digest:
    """Return the digest of a JSON value's one text."""
    return digest(canonical(value))


def _is_plain(value: Any) -> bool:
    """Whether the encoder in C writes a value as RFC 8785 does: no fractions, no long numbers, names in ASCII."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return -LARGEST <= value <= LARGEST
    if kind is dict:
        for name, each in value.items():
            if type(name) is not str or not name.isascii() or not (type(each) is str or _is_plain(each)):
                return False
        return True
    if kind is list or kind is tuple:
        return all([type(each) is str or _is_plain(each) for each in value])  # noqa: C419 - a list is the faster
    return False
