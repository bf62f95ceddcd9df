"""Which prompts fill one template, told from a constant-size count of their shingles.

Harvesting needs coverage, so it loops over the slots of a fixed frame: the frame's shingles all come back, each as
often as the template is used, while the fills do not. Pass 1 counts shingles (four tokens in a row) in a count sketch
that merges by addition. Pass 2 finds each prompt's frame and names it by the smallest hash in it (the template key),
and hashes what the slots hold (the fill hash).

How a frame is told from other text that is frequent, such as phrases of the language and fills that are used again: it
stands at an end of the prompt, or its pieces have one count wherever they stand. What that costs:
* a rarer frame behind a popular preamble names the prompt only from MIN_SPECIFIC shingles on; a shorter one is taken
  for a categorical slot, and a categorical slot with values longer than that gives one key for each value;
* near-copies of a template (one per language, say) may share a key, as their common wording is a frame too;
* a template without four literal words in a row cannot be seen, and one seen fewer than MIN_EXCHANGES times is not one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from stillwatch.model import InputRefused, UsageError
from stillwatch.sketch.text import (
    MAX_TOKENS,
    Hashes,
    SketchKey,
    distinct_texts,
    hash_tokens,
    mix,
    number_token,
    tables,
    text_buffers,
    tokenise,
)

SHINGLE_TOKENS = 4
MIN_EXCHANGES = 30  # a frame seen less often is not yet a template
_FORMAT = 1

SEEN_SLOTS = 4096  # > 2 × MAX_TOKENS: the set of one prompt's buckets never fills up, and fits a level-1 cache


@njit(nogil=True, cache=True)
def shingle(padded, tokens, key, out):  # type: ignore[no-untyped-def]
    """Hash the shingles of start, tokens, end; return how many. Start and end marks make a frame at either end known.

    A shingle with fewer than two words, or of one word again and again, is 0 and counts as nothing: a matrix and a list
    of prices have "0 0 0 0" in common, and are not one template.
    """
    seed, multiplier = key
    number = number_token(key)
    padded[0] = mix(seed ^ multiplier)
    padded[tokens + 1] = mix(seed + multiplier)
    if tokens == 0:
        return 0
    if tokens == 1:
        out[0] = mix((padded[0] * multiplier ^ padded[1]) * multiplier ^ padded[2])
        return 1
    for at in range(tokens - 1):
        first, second, third, fourth = padded[at], padded[at + 1], padded[at + 2], padded[at + 3]
        numbers = (first == number) + (second == number) + (third == number) + (fourth == number)
        if numbers > 2 or (second == third and (first == second or third == fourth)):
            out[at] = np.uint64(0)
        else:
            out[at] = mix((((first * multiplier + second) * multiplier + third) * multiplier) + fourth)
    return tokens - 1


@njit(nogil=True, cache=True)
def _count(buffers, times, tables, key, sketch):  # type: ignore[no-untyped-def]
    """Count every shingle once a prompt, so that "ha ha ha ha" is one; return (prompts, shingles).

    `times` says how often each prompt stands for itself; empty: once.
    """
    data, offsets, valid = buffers
    counters, shift = sketch
    padded, exact = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    masked = padded[1:]
    hashes, buckets = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 2, np.int64)
    seen = np.full(SEEN_SLOTS, -1, np.int64)  # a row number and a bucket together, so that it need not be cleared
    prompts, shingles = np.int64(0), np.int64(0)
    for row in range(valid.size):
        if not valid[row]:
            continue
        often = times[row] if times.size else np.int64(1)
        tokens = tokenise(data, offsets[row], offsets[row + 1], tables, key, masked, exact)
        length = shingle(padded, tokens, key, hashes)
        fresh = 0
        for at in range(length):
            if hashes[at] == 0:
                continue
            bucket = np.int64(hashes[at] >> shift)
            mark = (np.int64(row) << 32) | bucket
            slot = bucket & (SEEN_SLOTS - 1)
            while seen[slot] != mark and seen[slot] >> 32 == row:
                slot = (slot + 1) & (SEEN_SLOTS - 1)
            if seen[slot] != mark:
                seen[slot] = mark
                buckets[fresh] = bucket
                fresh += 1
        for at in range(fresh):  # a loop of its own: the processor overlaps the cache misses
            counters[buckets[at]] += often
        prompts += often
        shingles += often * fresh
    return prompts, shingles


class TemplateCounts:
    """A count sketch of the shingles of all prompts. Integers: merging is exact, in any order and over any split."""

    def __init__(self, key: SketchKey, log2_size: int = 24) -> None:
        if not 8 <= log2_size <= 31:
            raise UsageError(f"log2_size is {log2_size}; a sketch has 2^8 to 2^31 counters")
        self.key = key
        self.log2_size = log2_size
        self.counters: npt.NDArray[np.int32] = np.zeros(1 << log2_size, np.int32)
        self.prompts = 0
        self.shingles = 0

    def fold(self, array: pa.Array | pa.ChunkedArray) -> None:
        """Count the shingles of a column of prompts; nulls are passed over."""
        self._fold(array, np.zeros(0, np.int64))

    def fold_repeated(self, array: pa.Array) -> None:
        """Do what `fold` does for a column whose texts repeat, such as system prompts: each is read once."""
        texts, place = distinct_texts(array)
        self._fold(texts, np.bincount(place, minlength=len(texts)))

    def _fold(self, array: pa.Array | pa.ChunkedArray, times: npt.NDArray[np.int64]) -> None:
        sketch = (self.counters, np.uint64(64 - self.log2_size))
        prompts, shingles = _count(text_buffers(array), times, tables(), self.key.words(), sketch)
        self.prompts += int(prompts)
        self.shingles += int(shingles)

    def merge(self, other: TemplateCounts) -> None:
        """Add the counts of another sketch made with the same key and size."""
        if (other.key, other.log2_size) != (self.key, self.log2_size):
            raise UsageError("these sketches differ in key or size; only sketches made with the same settings merge")
        self.counters += other.counters
        self.prompts += other.prompts
        self.shingles += other.shingles

    @property
    def load(self) -> int:
        """The count that a bucket has from other shingles, on average."""
        return round(self.shingles / (1 << self.log2_size))

    @property
    def slack(self) -> int:
        """How far a count may stray from the true one because shingles share buckets: four standard deviations."""
        return 1 + math.ceil(4 * math.sqrt(self.shingles / (1 << self.log2_size)))

    def as_kernels_take_it(self) -> tuple[Any, ...]:
        """Return counters, shift, load, threshold and slack."""
        threshold = MIN_EXCHANGES + self.slack
        return self.counters, np.uint64(64 - self.log2_size), self.load, threshold, self.slack

    def save(self, path: Path) -> None:
        """Write the sketch. The key is not written, only a check word derived from it."""
        with path.open("wb") as file:
            np.savez(  # not compressed: that takes ten times as long as the rest of a small window
                file,
                counters=self.counters,
                about=np.array([_FORMAT, self.log2_size, self.prompts, self.shingles, check_word(self.key)], np.int64),
            )

    @classmethod
    def load_from(cls, path: Path, key: SketchKey) -> TemplateCounts:
        """Read a sketch written with `save`; refuse one of another key."""
        try:
            with np.load(path, allow_pickle=False) as saved:
                about, counters = saved["about"], saved["counters"]
            version, log2_size, prompts, shingles, check = (int(value) for value in about)
        except (OSError, KeyError, ValueError) as problem:
            raise InputRefused(f"{path} is not a template sketch: {problem}") from problem
        if version != _FORMAT or counters.dtype != np.int32 or counters.size != 1 << log2_size:
            raise InputRefused(f"{path} is a template sketch of another format; make it anew with this version")
        if check != check_word(key):
            raise UsageError(f"{path} was made with another key; use the secret that made it")
        counts = cls(key, log2_size)
        counts.counters[:] = counters
        counts.prompts, counts.shingles = prompts, shingles
        return counts


def check_word(key: SketchKey) -> int:
    """Return a number that tells two keys apart and gives neither away."""
    return SketchKey.from_secret(f"check {key.low:x} {key.high:x}".encode()).low >> 1


@dataclass(frozen=True, slots=True)
class TemplateKeys:
    """For each prompt: its template (0: none), what it fills it with, and the share of its tokens in the frame."""

    template_key: Hashes
    fill_hash: Hashes
    frame_permille: npt.NDArray[np.int16]


# What makes a frame, in shingles. Tuned on generator and application templates filled with tool-use tasks, and compared
# on judge and harness templates (benchmarks/sketch.py, with and without --tune).
MIN_RUN = 6  # at one level, counted from an end of the prompt (5: twice the collisions among people)
MIN_EVEN = 2  # enough if equally common: "summarise the following text"; "what is the" thins out word by word
MIN_SPECIFIC = 8  # by which a rarer frame shows itself behind a popular one; a categorical slot's value is shorter
MIN_LEAD = 11  # unbroken at the start, though at no level: families of templates that share part of their wording
MIN_INNER = 5  # pairs of neighbours at one level, where no end of the prompt vouches for the frame
FRONT_LEAD = 8  # of two frames the one at the start names the prompt, unless it is shorter by more than this
POPULAR = 8  # a frame at the start this many times as common as one at the end is a preamble that strangers share


@njit(nogil=True, cache=True)
def _near(one, other):  # type: ignore[no-untyped-def]
    """Whether two counts can be of one frame: within a factor of 1.5."""
    return 2 * one <= 3 * other and 2 * other <= 3 * one


@njit(nogil=True, cache=True)
def _even(count, level, slack):  # type: ignore[no-untyped-def]
    """Whether a count is the level but for shared buckets (two standard deviations) and one use in 128 elsewhere."""
    return abs(count - level) <= slack // 2 + (level >> 7)


@njit(nogil=True, cache=True)
def _tight(count, level, slack):  # type: ignore[no-untyped-def]
    """Whether a count is the level itself, but for other uses of the same words and for shared buckets."""
    return level - level // 16 - slack <= count <= level + level // 8 + slack


@njit(nogil=True, cache=True)
def _is_frame(size, even, at_end, before):  # type: ignore[no-untyped-def]
    """Whether a plateau is long enough, or short but even and at the very end of the prompt.

    Behind another frame (`before` is its size) it must be longer, and even: a fill that is used again wanders.
    """
    if before:
        return size >= MIN_SPECIFIC and 2 * even >= size
    return size >= MIN_RUN or (at_end and even >= MIN_EVEN)


@njit(nogil=True, cache=True)
def _find_plateau(counts, length, threshold, slack, backwards):  # type: ignore[no-untyped-def]
    """Walk in from one end of the prompt and return the frame that stands there: (level, size, from, to); size 0: none.

    The least count so far bounds how many prompts share everything from that end up to here. Over a frame it stays
    level; in natural text it decays. A second, lower level is a rarer frame behind a popular one, unless it lasts to
    the other end: then it is a fill that is used again.
    """
    level, size, first, last = np.int64(0), 0, 0, 0
    now, now_size, now_even, now_first, now_last, above = np.int64(0), 0, 0, 0, 0, 0
    least = np.int64(1) << 40
    begun = 0
    if length > 1 and not backwards and threshold <= counts[0] < counts[1] and not _near(counts[0], counts[1]):
        begun = 1  # the frame stands inside other prompts too, so that its first shingle, with the start mark, is rarer
    start = length - 1 - begun if backwards else begun
    walked = begun
    while walked < length:
        at = length - 1 - walked if backwards else walked
        count = counts[at]
        if count < threshold:
            break
        least = min(least, count)
        if walked == begun or not _near(least, now):
            if _is_frame(now_size, now_even, now_first == start, size):
                level, size, first, last = now, now_size, now_first, now_last
            now, now_size, now_even, above = least, 0, 0, 0
        if _near(count, now):
            if now_size == 0:
                now_first = at
            now_size += 1
            now_even += _even(count, now, slack)
            now_last = at
            above = 0
        else:
            above += 1
            if above == MIN_RUN and now_size < MIN_RUN:
                now_size, now_even = 0, 0
        walked += 1
    used_again = walked == length and size > 0
    if _is_frame(now_size, now_even, now_first == start, size) and not used_again:
        level, size, first, last = now, now_size, now_first, now_last
    return level, size, min(first, last), max(first, last) + 1


@njit(nogil=True, cache=True)
def _mass(counts, length, level, slack):  # type: ignore[no-untyped-def]
    """Count the neighbours that are both at this very level, over the whole prompt."""
    mass, before = 0, False
    for at in range(length):
        here = _even(counts[at], level, slack)
        mass += here and before
        before = here
    return mass


@njit(nogil=True, cache=True)
def _find_inner(counts, length, threshold, slack):  # type: ignore[no-untyped-def]
    """Return the level with the greatest mass and its longest stretch: (level, mass, from, to); mass 0: none.

    Where no end of the prompt vouches for a frame, evenness must: all pieces of a frame come equally often, while the
    counts along a fill that is used again, or along a popular phrase, wander.
    """
    level, mass = np.int64(0), MIN_INNER - 1
    for at in range(1, length):
        count = counts[at]
        if count >= threshold and count != level and _even(counts[at - 1], count, slack):
            here = _mass(counts, length, count, slack)
            if here > mass or (here == mass and count > level):
                level, mass = count, here
    if level == 0:
        return 0, 0, 0, 1
    longest, first, last = 0, 0, 0
    at = 0
    while at < length:
        begin, size = at, 0
        while at < length and (counts[at] >= level or _even(counts[at], level, slack)):
            size += _even(counts[at], level, slack)
            at += 1
        if size > longest:
            longest, first, last = size, begin, at
        at += 1
    return level, mass, first, last


@njit(nogil=True, cache=True)
def _find_lead(counts, length, threshold):  # type: ignore[no-untyped-def]
    """Return the middle of a long unbroken stretch at the start, whatever its levels: (level, size, from, to).

    So look the members of a family of templates that share more or less of their wording.
    """
    size = 0
    while size < min(length, MIN_LEAD) and counts[size] >= threshold:
        size += 1
    if size < MIN_LEAD:
        return 0, 0, 0, 1
    return counts[size // 2], size, size // 2, size // 2 + 1


@njit(nogil=True, cache=True)
def _is_repeated(counts, length, threshold):  # type: ignore[no-untyped-def]
    """Whether every shingle is frequent: a frame with a fill that is used again, of which the frame is more common."""
    return counts[:length].min() >= threshold


@njit(nogil=True, cache=True)
def _find_frame(counts, length, threshold, slack):  # type: ignore[no-untyped-def]
    """Return the frame's naming stretch: (level, size, from, to); size 0: the prompt has no template."""
    front = _find_plateau(counts, length, threshold, slack, False)
    back = _find_plateau(counts, length, threshold, slack, True)
    if front[1] == 0 and back[1] == 0:
        lead = _find_lead(counts, length, threshold)
        if lead[1]:
            return lead
        return _find_inner(counts, length, threshold, slack)
    if front[1] == 0:
        return back
    if back[1] == 0:
        return front
    if _is_repeated(counts, length, threshold):
        return front if front[0] > back[0] else back
    if back[1] >= MIN_SPECIFIC and front[0] >= POPULAR * back[0]:
        return back
    lead = FRONT_LEAD if front[1] >= MIN_RUN else 0
    return front if front[1] + lead >= back[1] else back


@njit(nogil=True, cache=True)
def _cover(counts, length, frame, covered, tokens):  # type: ignore[no-untyped-def]
    """Mark the tokens that belong to the frame; return how many.

    They are those of every unbroken stretch of shingles that are at least as common as the frame, if it named the
    frame or has two shingles at its level: a popular phrase inside a fill is no part of the frame.
    """
    level, _, named, _ = frame
    covered[:tokens] = 0
    floor = (2 * level + 2) // 3
    at = 0
    while at < length:
        if counts[at] < floor:
            at += 1
            continue
        begin, near = at, 0
        while at < length and counts[at] >= floor:
            near += _near(counts[at], level)
            at += 1
        if near >= 2 or begin <= named < at:
            for token in range(max(begin - 1, 0), min(at + 2, tokens)):
                covered[token] = 1
    total = 0
    for token in range(tokens):
        total += covered[token]
    return total


@njit(nogil=True, cache=True)
def _name(hashes, counts, length, frame, slack):  # type: ignore[no-untyped-def]
    """Return the smallest hash of the naming stretch; end marks are left out, as a preamble would move them."""
    level, _, begin, end = frame
    name = np.uint64(0xFFFFFFFFFFFFFFFF)
    for at in range(max(begin, 1), min(end, length - 1)):
        if _tight(counts[at], level, slack):
            name = min(name, hashes[at])
    if name == np.uint64(0xFFFFFFFFFFFFFFFF):
        name = hashes[begin]
    return np.int64(name) if name != 0 else np.int64(1)


@njit(nogil=True, cache=True)
def key_room():  # type: ignore[no-untyped-def]
    """Return the arrays that `key_text` works in; one set for each thread."""
    padded, exact = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    hashes, counts = np.empty(MAX_TOKENS + 2, np.uint64), np.empty(MAX_TOKENS + 2, np.int64)
    return padded, exact, hashes, counts, np.zeros(MAX_TOKENS, np.uint8)


@njit(nogil=True, cache=True)
def key_text(text, tables, key, sketch, room):  # type: ignore[no-untyped-def]
    """Return one prompt's template key, fill hash and permille of tokens in the frame; `text` is (data, start, end)."""
    data, start, end = text
    counters, shift, load, threshold, slack = sketch
    padded, exact, hashes, counts, covered = room
    template, permille = np.int64(0), np.int64(0)
    tokens = tokenise(data, start, end, tables, key, padded[1:], exact)
    length = shingle(padded, tokens, key, hashes)
    for at in range(length):
        counts[at] = counters[np.int64(hashes[at] >> shift)] - load if hashes[at] != 0 else 0
    frame = _find_frame(counts, length, threshold, slack)
    covered[:tokens] = 0
    if frame[1] > 0:
        template = _name(hashes, counts, length, frame, slack)
        share = _cover(counts, length, frame, covered, tokens)
        permille = np.int64(share * 1000 // tokens)
        if share == tokens:  # nothing is left to call a fill: the whole prompt is it
            covered[:tokens] = 0
    return template, hash_tokens(exact, covered, tokens, key), permille


@njit(nogil=True, cache=True)
def _key_rows(buffers, tables, key, sketch, out):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    template_key, fill_hash, frame_permille = out
    room = key_room()
    for row in range(valid.size):
        template_key[row], fill_hash[row], frame_permille[row] = 0, 0, 0
        if valid[row]:
            text = (data, offsets[row], offsets[row + 1])
            template_key[row], fill_hash[row], frame_permille[row] = key_text(text, tables, key, sketch, room)


def key_prompts(counts: TemplateCounts, array: pa.Array | pa.ChunkedArray) -> TemplateKeys:
    """Give every prompt its template key and fill hash, by what the counts say is a frame. A null gets zeros."""
    buffers = text_buffers(array)
    rows = buffers.valid.size
    keys = TemplateKeys(np.empty(rows, np.int64), np.empty(rows, np.int64), np.empty(rows, np.int16))
    into = (keys.template_key, keys.fill_hash, keys.frame_permille)
    _key_rows(buffers, tables(), counts.key.words(), counts.as_kernels_take_it(), into)
    return keys
