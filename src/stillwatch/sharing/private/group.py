"""The group in which sets are compared: ristretto255 of libsodium, by `rbcl`. Points travel as 32 bytes each.

The group has prime order, so no point has a small one; the identity and everything that is no canonical point are
refused where they are multiplied. The map from a hash to a point is libsodium's, not that of RFC 9380.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, partial
from types import ModuleType

from stillwatch.model import MissingDependency, StillwatchError

POINT = 32  # bytes
TOGETHER = 4_096  # points that one call multiplies, and one process where there are several
DOMAIN = b"stillwatch-psi-v1-ristretto255-sha512"

Spread = Callable[[Callable[[bytes], bytes], Iterable[bytes]], Iterable[bytes]]  # `map`, or an executor's


class ExchangeRefused(StillwatchError):
    """A message of the other side, or an own set, that a private comparison does not go on with; says why."""


@cache
def _library() -> ModuleType:
    try:
        return importlib.import_module("rbcl")
    except ModuleNotFoundError as error:
        raise MissingDependency("comparing privately needs rbcl: pip install 'stillwatch[sharing]'") from error


def new_key() -> bytes:
    """Return a fresh secret scalar. One run, one key: a key that is used twice links two runs."""
    return bytes(_library().crypto_core_ristretto255_scalar_random())


def random_points(count: int) -> list[bytes]:
    """Return points that stand for nothing, and look like masked ones."""
    draw = _library().crypto_core_ristretto255_random
    return [draw() for _ in range(count)]


def hash_to_point(context: bytes, element: bytes) -> bytes:
    """Return the element's point in one run: `context` is different in every run."""
    digest = hashlib.sha512(DOMAIN + b"|element|" + context + element).digest()
    return bytes(_library().crypto_core_ristretto255_from_hash(digest))


def multiply(key: bytes, points: bytes, spread: Spread = map) -> bytes:
    """Return each point times the key, in order; `spread` may be `Executor.map`, to use several processes.

    Raises ExchangeRefused for a point that is none, or is the identity.
    """
    parts = (points[at : at + TOGETHER * POINT] for at in range(0, len(points), TOGETHER * POINT))
    return b"".join(spread(partial(_multiply_part, key), parts))


def _multiply_part(key: bytes, points: bytes) -> bytes:
    times = _library().crypto_scalarmult_ristretto255
    try:
        return b"".join([times(key, point) for point in split(points)])
    except (RuntimeError, ValueError) as error:
        raise ExchangeRefused("a masked element is no point of the group, or is the identity") from error


def split(points: bytes) -> Iterator[bytes]:
    """Yield each point of a message."""
    return (points[at : at + POINT] for at in range(0, len(points), POINT))


def check_points(points: bytes, expected: int) -> None:
    """Refuse a message that has another size than was announced, or holds an element twice."""
    if len(points) != expected * POINT:
        raise ExchangeRefused(f"{len(points):,} bytes came, {expected * POINT:,} were announced")
    if len(set(split(points))) != expected:
        raise ExchangeRefused("an element came twice; a set holds each element once")


def joined(points: Sequence[bytes]) -> bytes:
    """Return points as one message."""
    return b"".join(points)
