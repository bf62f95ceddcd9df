"""One's own set, made ready for one run: capped, padded, shuffled, and committed to."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from secrets import SystemRandom

from stillwatch.sharing.private.group import DOMAIN, POINT, ExchangeRefused, hash_to_point, multiply, random_points

STEP = 1_024  # sizes are padded to a multiple: who sees 1,024 cannot tell 3 from 1,000
CAP = 100_000  # elements of a set, padding not counted

_CHANCE = SystemRandom()


@dataclass(frozen=True, slots=True)
class OwnSet:
    """Elements in the order in which they are sent; a slot with None is padding."""

    slots: tuple[bytes | None, ...] = field(repr=False)
    commitment: bytes

    @property
    def size(self) -> int:
        """What the other side sees of the size."""
        return len(self.slots)

    @property
    def elements(self) -> int:
        """How many there really are."""
        return sum(slot is not None for slot in self.slots)


def prepare(elements: Iterable[bytes], salt: bytes, step: int = STEP, cap: int = CAP) -> OwnSet:
    """Make a set ready: each element once, in a random order, among padding up to the next step.

    `salt` makes the commitment unguessable; whoever keeps it can show later what the set was. Raises ExchangeRefused
    for more than `cap` elements.
    """
    own = sorted(set(elements))
    if len(own) > cap:
        raise ExchangeRefused(f"the own set has {len(own):,} elements, {cap:,} are allowed; send the strongest ones")
    slots: list[bytes | None] = [*own, *[None] * (padded(len(own), step) - len(own))]
    _CHANCE.shuffle(slots)
    return OwnSet(tuple(slots), commit(own, salt))


def padded(count: int, step: int) -> int:
    """Return the size that is shown for a set: the next multiple of the step, and never none."""
    return max(1, -(-count // step)) * step


def commit(elements: Iterable[bytes], salt: bytes) -> bytes:
    """Return the root of a Merkle tree over the sorted elements, each hidden by the salt."""
    level = [hmac.digest(salt, DOMAIN + b"|leaf|" + one, "sha256") for one in sorted(set(elements))]
    level = level or [hmac.digest(salt, DOMAIN + b"|empty|", "sha256")]
    while len(level) > 1:
        pairs = [b"".join(level[at : at + 2]) for at in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + pair).digest() for pair in pairs]
    return level[0]


def mask(own: OwnSet, key: bytes, context: bytes) -> bytes:
    """Return the message that hides the set: each element's point times the key, and random points as padding."""
    real = [hash_to_point(context, slot) for slot in own.slots if slot is not None]
    hidden = multiply(key, b"".join(real))
    points = iter([hidden[at : at + POINT] for at in range(0, len(hidden), POINT)])
    dummies = iter(random_points(own.size - len(real)))
    return b"".join([next(dummies) if slot is None else next(points) for slot in own.slots])


def shuffled(points: list[bytes]) -> list[bytes]:
    """Return the same points in an order that tells nothing."""
    mixed = list(points)
    _CHANCE.shuffle(mixed)
    return mixed
