"""One private comparison, step by step: messages in and out as bytes, and frozen records between them.

asker                                            answerer
greet ── Hello ──────────────────────────────►   welcome
      ◄────────────────────────────── Welcome
send  ── a·H(x), shuffled ───────────────────►   answer
      ◄─ b·a·H(x), shuffled again; b·H(y) ──
count ── a·b·H(y), shuffled again ───────────►   tally        both know how many, neither knows which
                    (both consent)
reveal── places of y in common ──────────────►   reveal
      ◄──────────── places of x in common ──   learn        both know which

Semi-honest: each side learns no more as long as both follow the steps. What a side puts into its set is its own word.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from stillwatch.sharing.private.group import (
    POINT,
    ExchangeRefused,
    Spread,
    check_points,
    joined,
    multiply,
    new_key,
    split,
)
from stillwatch.sharing.private.messages import NONCE, VERSION, Hello, Welcome, context_of
from stillwatch.sharing.private.own_set import OwnSet, mask, shuffled

PLACE = 4  # bytes of one place in a set


@dataclass(frozen=True, slots=True)
class Asking:
    """The asker after its greeting."""

    own: OwnSet
    hello: Hello
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """The asker after sending its masked set."""

    asking: Asking
    welcome: Welcome
    masked: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answering:
    """The answerer after its welcome."""

    own: OwnSet
    hello: Hello
    welcome: Welcome
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """The answerer after masking the asker's elements again: these, in the order in which they came."""

    answering: Answering
    doubled: tuple[bytes, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Counted:
    """Either side once it knows how many are in common, and at which of the other's places they stand."""

    own: OwnSet
    count: int
    theirs: tuple[int, ...] = field(repr=False)  # places in the other side's message: tell them on consent only


def greet(own: OwnSet, family: str) -> Asking:
    """Begin a comparison with a fresh key and nonce."""
    hello = Hello(VERSION, family, secrets.token_hex(NONCE), own.size, own.commitment.hex())
    return Asking(own, hello, new_key())


def welcome(own: OwnSet, hello: Hello) -> Answering:
    """Take part in a comparison with a fresh key and nonce."""
    reply = Welcome(VERSION, secrets.token_hex(16), secrets.token_hex(NONCE), own.size, own.commitment.hex())
    return Answering(own, hello, reply, new_key())


def send(asking: Asking, reply: Welcome) -> Sent:
    """Return the asker's state; `.masked` is the message."""
    return Sent(asking, reply, mask(asking.own, asking.key, context_of(asking.hello, reply)))


def answer(answering: Answering, masked: bytes, spread: Spread = map) -> tuple[Answered, bytes]:
    """Mask the asker's elements again. Returns the state and the message: these, shuffled, then the own masked set."""
    check_points(masked, answering.hello.size)
    doubled = list(split(multiply(answering.key, masked, spread)))
    own = mask(answering.own, answering.key, context_of(answering.hello, answering.welcome))
    return Answered(answering, tuple(doubled)), joined(shuffled(doubled)) + own


def count(sent: Sent, message: bytes, spread: Spread = map) -> tuple[Counted, bytes]:
    """Return how many are in common, and the message by which the answerer counts too."""
    mine, theirs = sent.asking.own.size, sent.welcome.size
    if len(message) != (mine + theirs) * POINT:
        raise ExchangeRefused(f"{len(message):,} bytes came, {(mine + theirs) * POINT:,} were expected")
    again, masked = message[: mine * POINT], message[mine * POINT :]
    check_points(again, mine)
    check_points(masked, theirs)
    doubled = list(split(multiply(sent.asking.key, masked, spread)))
    common = set(split(again)) & set(doubled)
    places = tuple(at for at, point in enumerate(doubled) if point in common)
    return Counted(sent.asking.own, len(common), places), joined(shuffled(doubled))


def tally(answered: Answered, message: bytes) -> Counted:
    """Return how many are in common, from the answerer's own elements masked by both and shuffled."""
    check_points(message, answered.answering.own.size)
    common = set(split(message)) & set(answered.doubled)
    places = tuple(at for at, point in enumerate(answered.doubled) if point in common)
    return Counted(answered.answering.own, len(common), places)


def reveal(counted: Counted) -> bytes:
    """Return the message that tells the other side which of its elements are in common. Only after both consented."""
    return struct.pack(f">{len(counted.theirs)}I", *counted.theirs)


def learn(counted: Counted, message: bytes) -> tuple[bytes, ...]:
    """Return one's own elements in common, from the other side's message.

    Raises ExchangeRefused where it does not fit what was counted: another number, a place twice, a place of padding.
    """
    if len(message) != counted.count * PLACE:
        raise ExchangeRefused(f"{len(message) // PLACE:,} places were told, {counted.count:,} were counted")
    places: Sequence[int] = struct.unpack(f">{counted.count}I", message)
    if len(set(places)) != counted.count or max(places, default=0) >= counted.own.size:
        raise ExchangeRefused("a place was told twice, or is none of the set")
    found = tuple(slot for at in sorted(places) if (slot := counted.own.slots[at]) is not None)
    if len(found) != counted.count:
        raise ExchangeRefused("a place of padding was told as one in common")
    return found
