"""What a watermark is to its tests: for each context of tokens and each key, the tokens that are favoured."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

Array = np.ndarray[Any, Any]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1, MIX_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
PERSON = b"stillwatch-mark1"
METHOD = {  # what is committed to before anything is marked
    "plan": "watermark 1",
    "test": "open and closed: distinct pairs; compared: excess over unmarked text of the teacher; soft: mass",
}


class Mark(Protocol):
    """A scheme under one key. `width` tokens of context decide; a share `gamma` of all tokens is favoured."""

    @property
    def gamma(self) -> float:
        """Share of tokens that is favoured."""

    @property
    def width(self) -> int:
        """Tokens of context that decide."""

    def favoured(self, contexts: Array, tokens: Array) -> Array:
        """Return which tokens are favoured behind their contexts: (n, width) and (n,) whole numbers to (n,) bool."""

    def lists(self, contexts: Array, vocabulary: int) -> Array:
        """Return what is favoured behind each context: (n, width) to (n, vocabulary) bool."""


@dataclass(frozen=True, slots=True)
class KeyedHash:
    """A keyed hash of context and token, without any framework: favoured is what falls under a share of its range.

    BLAKE2b with the key makes a seed of each context; SplitMix64 (Steele et al., OOPSLA 2014) spreads it over tokens.
    Unlike on a list of fixed length, each token is favoured on its own, so the count of favoured ones is binomial.
    """

    key: bytes
    gamma: float = 0.25
    width: int = 1

    def __repr__(self) -> str:
        return f"KeyedHash(gamma={self.gamma}, width={self.width})"

    def favoured(self, contexts: Array, tokens: Array) -> Array:
        """Return which tokens are favoured behind their contexts. Shapes as in `Mark`."""
        distinct, at = np.unique(
            np.asarray(contexts, np.int64).reshape(len(tokens), self.width), axis=0, return_inverse=True
        )
        seeds = np.array([self._seed(each) for each in distinct], np.uint64)
        return _mix(seeds[at.ravel()], np.asarray(tokens, np.uint64)) < self._bar()

    def lists(self, contexts: Array, vocabulary: int) -> Array:
        """Return what is favoured behind each context. Shapes as in `Mark`."""
        rows = np.asarray(contexts, np.int64).reshape(-1, self.width)
        seeds = np.array([self._seed(each) for each in rows], np.uint64)
        return _mix(seeds[:, None], np.arange(vocabulary, dtype=np.uint64)[None, :]) < self._bar()

    def _seed(self, context: Array) -> int:
        told = np.asarray(context, "<i8").tobytes()
        return int.from_bytes(hashlib.blake2b(told, key=self.key[:64], person=PERSON, digest_size=8).digest(), "little")

    def _bar(self) -> np.uint64:
        return np.uint64(int(self.gamma * 2**64))


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distinct pairs of a context and the token behind it: (n, width) and (n,) whole numbers."""

    contexts: Array
    tokens: Array

    def __len__(self) -> int:
        return len(self.tokens)


def pairs_of(tokens: Array, width: int) -> Pairs:
    """Return every context of a text and the token behind it, in order and with repeats: (n,) to n − width pairs."""
    held = np.asarray(tokens, np.int64)
    if len(held) <= width:
        return Pairs(np.empty((0, width), np.int64), np.empty(0, np.int64))
    return Pairs(np.lib.stride_tricks.sliding_window_view(held, width)[:-1], held[width:])


def unique(pairs: Pairs, known: Pairs | None = None) -> Pairs:
    """Return each pair once, without those of `known`.

    A repeated pair is one observation however often it stands, or a text that repeats itself would convict anybody
    (Fernandez et al., "Three Bricks", 2023, section 3.3). What stands in the prompt may be copied from there.
    """
    found = np.unique(rows(pairs), axis=0)
    kept = found if known is None else without(found, rows(known))
    return Pairs(kept[:, :-1], kept[:, -1])


def rows(pairs: Pairs) -> Array:
    """Return pairs as rows of context and token: (n, width + 1)."""
    return np.column_stack([pairs.contexts, pairs.tokens])


def without(found: Array, known: Array) -> Array:
    """Return the rows of one array that are not among those of another, repeats kept: (n, width) to (m, width)."""
    if not len(found) or not len(known):
        return found
    told = {each.tobytes() for each in np.ascontiguousarray(known)}
    return found[[each.tobytes() not in told for each in np.ascontiguousarray(found)]]


def together(several: list[Pairs], width: int) -> Pairs:
    """Return the pairs of several texts as one."""
    if not several:
        return Pairs(np.empty((0, width), np.int64), np.empty(0, np.int64))
    return Pairs(np.concatenate([each.contexts for each in several]), np.concatenate([each.tokens for each in several]))


def _mix(seeds: Array, tokens: Array) -> Array:
    with np.errstate(over="ignore"):
        held = seeds + (tokens + np.uint64(1)) * GOLDEN
        held = (held ^ (held >> np.uint64(30))) * MIX_1
        held = (held ^ (held >> np.uint64(27))) * MIX_2
        return held ^ (held >> np.uint64(31))
