"""The fingerprint of a template that another provider can look for: hashes of its frame under a public seed, no text.

The sketches of a deployment are keyed with its secret, so nobody else can compare them. A fingerprint uses a seed that
everybody knows instead, and is therefore made sparingly: of a few shingles, none of which overlap, that nearly every
use of the template has (so what its slots hold stays here) and that hardly any other prompt has (so that a phrase of
the language is none). Whoever already has the wording can recognise it, which is its purpose; whoever can guess four
words in a row can confirm the guess, which is its limit (docs/why/051-a-fingerprint-with-a-public-seed.md).
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from stillwatch.model import UsageError
from stillwatch.sketch.templates import MIN_EXCHANGES, SHINGLE_TOKENS, TemplateCounts, key_prompts, shingle
from stillwatch.sketch.text import MAX_TOKENS, Hashes, SketchKey, tables, text_buffers, tokenise

PUBLIC = SketchKey.from_secret(b"stillwatch public template fingerprint 1")
SCHEME = "stillwatch-frame-1"  # the seed above, shingles of four tokens as sketch.templates makes them, 32 bits each
SUPPORT = 0.95  # share of a template's exchanges that have a shingle of its frame; the rest are typos and cut prompts
MOST, LEAST = 32, 4  # values of a fingerprint: enough to lose some, and too many to be met by chance
CONTAINED = 0.7  # share of the values that a prompt must have; a frame that was shortened or rephrased has fewer
LOG2_COUNTERS = 22
CROWD = 64  # fingerprints that may share a value: one that more have is a phrase, or a feed made to slow us down

Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, order=True)
class Fingerprint:
    """A template as others may know it: sorted distinct 32-bit hashes of shingles of its frame."""

    values: tuple[int, ...]

    @property
    def needed(self) -> int:
        """How many of the values a prompt must have."""
        return max(LEAST, int(np.ceil(CONTAINED * len(self.values))))

    def text(self) -> str:
        """Return the scheme and the values, as bundles carry them."""
        return f"{SCHEME}:{''.join(f'{value:08x}' for value in self.values)}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Read what `text` wrote. Raises UsageError for another scheme or a damaged one."""
        scheme, _, digits = text.partition(":")
        if scheme != SCHEME:
            raise UsageError(f"a fingerprint of scheme {scheme[:40]!r} cannot be matched; this version has {SCHEME}")
        if len(digits) % 8 or not LEAST * 8 <= len(digits) <= MOST * 8 or set(digits) - set("0123456789abcdef"):
            raise UsageError(
                f"a fingerprint has {LEAST} to {MOST} values of eight hexadecimal digits; this one does not"
            )
        values = tuple(int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
        if list(values) != sorted(set(values)):
            raise UsageError("a fingerprint's values are sorted and distinct; these are not")
        return cls(values)


@dataclass(frozen=True, slots=True)
class Draft:
    """What a fingerprint could be made of: frame shingles in the order of the template, and who uses it."""

    values: tuple[int, ...]
    places: tuple[int, ...]  # of each value in one use of the template
    exchanges: int
    rows: npt.NDArray[np.int64] = field(repr=False, compare=False)  # of the prompts that were given

    def settle(self, popular: frozenset[int]) -> Fingerprint | None:
        """Keep as many as do not overlap and are not popular, of more than MOST the smallest; None if too few."""
        chosen: list[int] = []
        free = 0  # the first place that does not overlap with one taken
        for place, value in sorted(zip(self.places, self.values, strict=True)):
            if value not in popular and place >= free:
                chosen.append(value)
                free = place + SHINGLE_TOKENS
        return Fingerprint(tuple(sorted(chosen)[:MOST])) if len(chosen) >= LEAST else None


@njit(nogil=True, cache=True)
def _list(buffers, tables, key, out):  # type: ignore[no-untyped-def]
    """Write (row, value, place) of each prompt's shingles; return how many. Call with no room to learn how much."""
    data, offsets, valid = buffers
    rows, values, places = out
    padded, exact = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    hashes = np.empty(MAX_TOKENS + 2, np.uint64)
    found = 0
    for row in range(valid.size):
        if not valid[row]:
            continue
        tokens = tokenise(data, offsets[row], offsets[row + 1], tables, key, padded[1:], exact)
        for at in range(shingle(padded, tokens, key, hashes)):
            if hashes[at] != 0:
                if found < rows.size:
                    rows[found] = row
                    values[found] = np.uint32(hashes[at] >> np.uint64(32))
                    places[found] = at
                found += 1
    return found


def draft(prompts: pa.Array, accounts: npt.NDArray[np.int64], least_accounts: int) -> list[Draft]:
    """Return a draft for each template that enough of the accounts use often enough, the most used first.

    `accounts` says who sent each prompt. Fewer than `least_accounts` would tell what single accounts ask.
    """
    counts = TemplateCounts(PUBLIC, LOG2_COUNTERS)
    counts.fold(prompts)
    keys: Hashes = key_prompts(counts, prompts).template_key
    drafts = []
    for key, uses in zip(*np.unique(keys, return_counts=True), strict=True):
        rows = np.flatnonzero(keys == key)
        if key and uses >= MIN_EXCHANGES and len(np.unique(accounts[rows])) >= least_accounts:
            drafts.append(_draft(prompts.take(pa.array(rows)), rows))
    return sorted((one for one in drafts if one.values), key=lambda one: (-one.exchanges, one.values))


def _draft(prompts: pa.Array, rows: npt.NDArray[np.int64]) -> Draft:
    buffers = text_buffers(prompts)
    size = int(_list(buffers, tables(), PUBLIC.words(), _room(0)))
    row, value, place = out = _room(size)
    _list(buffers, tables(), PUBLIC.words(), out)
    once = np.unique(np.stack([row, value.astype(np.int64)]), axis=1)
    distinct, uses = np.unique(once[1], return_counts=True)
    frame = distinct[uses >= SUPPORT * len(prompts)]
    own = np.isin(value, frame)
    fullest = int(np.bincount(row[own], minlength=1).argmax()) if own.any() else 0  # the first that has most of it
    here = own & (row == fullest)
    first = {int(v): int(p) for v, p in zip(value[here][::-1], place[here][::-1], strict=True)}
    return Draft(tuple(first), tuple(first.values()), len(prompts), rows)


def _room(size: int) -> tuple[npt.NDArray[np.int64], Words, npt.NDArray[np.int64]]:
    return np.empty(size, np.int64), np.empty(size, np.uint32), np.empty(size, np.int64)


@njit(nogil=True, cache=True)
def _look_up(buffers, tables, key, table, out):  # type: ignore[no-untyped-def]
    """For each prompt the fingerprint that it has the largest share of, if it has enough; and count values met."""
    data, offsets, valid = buffers
    slots, owners, seen, needed, sizes, salt, shift = table
    which, hits, met, score, touched = out
    padded, exact = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    hashes = np.empty(MAX_TOKENS + 2, np.uint64)
    mask = slots.size - 1
    for row in range(valid.size):
        which[row], hits[row] = -1, 0
        if not valid[row]:
            continue
        tokens = tokenise(data, offsets[row], offsets[row + 1], tables, key, padded[1:], exact)
        near = 0
        for at in range(shingle(padded, tokens, key, hashes)):
            value = np.int64(hashes[at] >> np.uint64(32))
            slot = np.int64((np.uint64(value) * salt) >> shift)
            while owners[slot] >= 0:
                if slots[slot] == value and seen[slot] != row + 1 and hashes[at] != 0:
                    seen[slot] = row + 1
                    met[slot] += 1
                    owner = owners[slot]
                    if score[owner] == 0:
                        touched[near] = owner
                        near += 1
                    score[owner] += 1
                slot = (slot + 1) & mask
        best = 0.0
        for at in range(near):
            owner = touched[at]
            share = score[owner] / sizes[owner]
            if score[owner] >= needed[owner] and (share > best or (share == best and owner < which[row])):
                best, which[row], hits[row] = share, owner, score[owner]
            score[owner] = 0


@dataclass(frozen=True, slots=True)
class Matches:
    """For each prompt the position of the fingerprint that it fills (-1: none), and how many values it has of it."""

    which: npt.NDArray[np.int32]
    hits: npt.NDArray[np.int32]


class Matcher:
    """Looks for many fingerprints at once: a prompt costs its own length, however many there are."""

    def __init__(self, fingerprints: Sequence[Fingerprint]) -> None:
        self.fingerprints = tuple(fingerprints)
        shared = Counter(value for one in self.fingerprints for value in one.values)
        entries = [(value, at) for at, one in enumerate(self.fingerprints) for value in one.values]
        entries = [(value, at) for value, at in entries if shared[value] <= CROWD]
        bits = max(10, (4 * len(entries)).bit_length())
        size, self._salt, self._shift = 1 << bits, secrets.randbits(64) | 1, 64 - bits  # salt: nobody can aim at a slot
        self._slots, self._owners = np.zeros(size, np.int64), np.full(size, -1, np.int64)
        for value, owner in entries:
            slot = (value * self._salt % 2**64) >> self._shift
            while self._owners[slot] >= 0:
                slot = (slot + 1) & (size - 1)
            self._slots[slot], self._owners[slot] = value, owner
        self._needed = np.array([one.needed for one in self.fingerprints], np.int32)
        self._sizes = np.array([len(one.values) for one in self.fingerprints], np.float64)

    def match(self, prompts: pa.Array | pa.ChunkedArray) -> Matches:
        """Say of each prompt which fingerprint it fills. A null fills none."""
        return self._run(prompts)[0]

    def popularity(self, prompts: pa.Array | pa.ChunkedArray) -> dict[int, int]:
        """Return how many of the prompts have each value of the fingerprints."""
        met = self._run(prompts)[1]
        held = np.flatnonzero(self._owners >= 0)
        return {int(value): int(count) for value, count in zip(self._slots[held], met[held], strict=True)}

    def _run(self, prompts: pa.Array | pa.ChunkedArray) -> tuple[Matches, npt.NDArray[np.int64]]:
        buffers = text_buffers(prompts)
        found = Matches(np.empty(buffers.valid.size, np.int32), np.empty(buffers.valid.size, np.int32))
        seen, met = np.zeros(self._slots.size, np.int64), np.zeros(self._slots.size, np.int64)  # zeros cost no time
        score, touched = np.zeros(len(self.fingerprints), np.int32), np.empty(len(self.fingerprints), np.int64)
        salt, shift = np.uint64(self._salt), np.uint64(self._shift)
        table = (self._slots, self._owners, seen, self._needed, self._sizes, salt, shift)
        _look_up(buffers, tables(), PUBLIC.words(), table, (found.which, found.hits, met, score, touched))
        return found, met
