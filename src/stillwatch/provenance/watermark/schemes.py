"""Schemes by name, so that a commitment can say beforehand which one will be tested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stillwatch.model import UsageError
from stillwatch.provenance.keyring import MarkKey
from stillwatch.provenance.watermark.kgw import Kgw
from stillwatch.provenance.watermark.marks import KeyedHash, Mark

NAMES = ("hash", "kgw")
KGW_BITS = 40  # times a token id of 18 bits it still fits into the seed of torch's generator


def under(scheme: str, vocabulary: int, gamma: float = 0.25, width: int = 1) -> Callable[[Any], Mark]:
    """Return what makes a mark of a key: of 32 bytes for `hash`, of a whole number for `kgw`."""
    if scheme == "hash":
        return lambda key: KeyedHash(key, gamma, width)
    if scheme == "kgw":
        return lambda key: Kgw(key, vocabulary, gamma)
    raise UsageError(f"--scheme {scheme}: say {' or '.join(NAMES)}")


def key_for(scheme: str, key: MarkKey) -> Any:
    """Return a derived key as a scheme takes it."""
    return key.secret if scheme == "hash" else key.numbers(1, KGW_BITS)[0]


def random_for(scheme: str, keys: tuple[bytes, ...]) -> list[Any]:
    """Return random keys as a scheme takes them."""
    return list(keys) if scheme == "hash" else [int.from_bytes(each[:8], "big") >> (64 - KGW_BITS) for each in keys]
