"""Prompt text → keyed token hashes, straight over Arrow buffers; the text itself goes no further than this module.

A token is a word (letters and marks, case and width folded, accents dropped, digit runs masked), a character window in
scripts that are written without spaces, or one symbol such as an emoji. Every token has two hashes: the masked one,
in which each run of digits reads "0", finds templates; the exact one, in which digits count, tells fills apart.

The hashes are *keyed, not a MAC*: a secret seed and a secret multiplier drive a multiplicative hash with a strong
finaliser. Whoever holds a stolen sketch but not the key cannot look prompts up in a dictionary, and two deployments'
sketches cannot be joined. Whoever can choose prompts *and* read the hashes may be able to work the key out; hashes
are therefore internal and never part of what is shared.
"""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

from stillwatch.model import UsageError

HEAD_TOKENS = 768  # of a longer prompt the first 768 and the last 256 tokens are looked at one by one:
TAIL_TOKENS = 256  # frames stand at the ends, and the cost of a 100 kB document stays that of reading its bytes
MAX_TOKENS = HEAD_TOKENS + TAIL_TOKENS
TOPIC_BUCKETS = 32

SEPARATOR, DIGIT, WORD, CHARACTER, IGNORED, SYMBOL = range(6)

Hashes = npt.NDArray[np.int64]

# Scripts written without spaces: Thai to Tibetan, Myanmar, Khmer, Tai Lue, kana, Han, Tangut.
_UNSPACED = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x2E80, 0x2FDF), (0x3005, 0x3007),
    (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF), (0x17000, 0x18CFF), (0x1AFF0, 0x1B16F),
)  # fmt: skip
# Accents, vowel points and stretching marks that writers add or leave out at will, and variation selectors.
_OPTIONAL_MARKS = (
    (0x0300, 0x036F), (0x0591, 0x05C7), (0x0610, 0x061A), (0x0640, 0x0640), (0x064B, 0x065F), (0x0670, 0x0670),
    (0xFE00, 0xFE0F),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SketchKey:
    """The deployment's secret, as two 64-bit words. Sketches of different keys have nothing in common."""

    low: int
    high: int

    @classmethod
    def from_secret(cls, secret: bytes) -> SketchKey:
        """Derive the key from a secret of any length."""
        digest = hashlib.blake2b(secret, digest_size=16, person=b"stillwatch-key").digest()
        return cls(int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little"))

    def words(self) -> Any:
        """Return the seed and the (odd) multiplier as the kernels take them."""
        return np.uint64(self.low), np.uint64(self.high | 1)


class Tables(NamedTuple):
    """How to read a code point: `ascii` gives 0 separator, 1 digit or the folded letter; the rest is planes 0 and 1."""

    ascii: npt.NDArray[np.uint8]
    classes: npt.NDArray[np.uint8]
    folds: npt.NDArray[np.uint32]


class TextBuffers(NamedTuple):
    """A string column as the kernels take it."""

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    for low, high in ranges:  # noqa: SIM110 - asked 250,000 times by every process: twice as fast as any()
        if low <= code <= high:
            return True
    return False


def _fold(char: str) -> str:
    """Return the plain lower-case character that this one is a form of: full-width, mathematical, accented, circled."""
    bare = unicodedata.normalize("NFKD", char)
    if len(bare) > 1 and all(_within(ord(mark), _OPTIONAL_MARKS) for mark in bare[1:]):
        char = bare[0]
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).casefold())
    first = folded[:1] or char
    digit = unicodedata.digit(first, None)
    return first if digit is None else str(digit)


def _classify(char: str) -> int:
    code, category = ord(char), unicodedata.category(char)
    if category == "Cf" or _within(code, _OPTIONAL_MARKS):
        return IGNORED
    if category == "Nd":
        return DIGIT
    if category[0] in "LM" or category in ("Nl", "No", "Cn"):  # Cn: letters of a later Unicode than this Python's
        return CHARACTER if _within(code, _UNSPACED) else WORD
    if category in ("So", "Sm") and code > 127:
        return SYMBOL
    return SEPARATOR


@cache
def tables() -> Tables:
    """Build the tables once, from the Unicode data of this Python."""
    classes, folds = np.zeros(0x20000, np.uint8), np.zeros(0x20000, np.uint32)
    for code in range(0x20000):
        char = chr(code)
        plain = 0xAC00 <= code <= 0xD7FF or (char.lower() == char and unicodedata.is_normalized("NFKD", char))
        if plain and unicodedata.category(char) != "Nd":  # Hangul syllables decompose, but are no form of another
            classes[code], folds[code] = _classify(char), code
            continue
        kind, folded = _classify(char), _fold(char)
        classes[code] = kind if kind in (IGNORED, SYMBOL) else _classify(folded)
        folds[code] = ord(folded)
    letters = np.where(classes[:128] == WORD, folds[:128], classes[:128] == DIGIT).astype(np.uint8)
    return Tables(np.concatenate([letters, np.zeros(128, np.uint8)]), classes, folds)


def text_buffers(array: pa.Array | pa.ChunkedArray) -> TextBuffers:
    """Return the buffers of a column of text, without a copy of the text where Arrow already has one."""
    if isinstance(array, pa.ChunkedArray):
        array = array.cast(pa.large_string()).combine_chunks()  # large: chunks may hold over 2 GB together
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type) or pa.types.is_string_view(array.type):
        array = array.cast(pa.large_string())
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise UsageError(f"a column of text is needed, not {array.type}; cast it to string")
    width = np.dtype(np.int64 if pa.types.is_large_string(array.type) else np.int32)
    rows = len(array)
    _, offsets, data = array.buffers()
    starts = np.zeros(rows + 1, np.int64)
    if rows:
        starts[:] = np.frombuffer(offsets, width, rows + 1, array.offset * width.itemsize)
    text = np.frombuffer(data if data is not None and data.size else b"\0", np.uint8)
    valid = np.ones(rows, np.bool_)
    if array.null_count:
        valid[:] = pc.is_valid(array).to_numpy(zero_copy_only=False)
    return TextBuffers(text, starts, valid)


def distinct_texts(array: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return each text of a column once, a null last, and for each row the place of its text; for texts that repeat."""
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    texts = encoded.dictionary.cast(pa.large_string())
    place = pc.fill_null(encoded.indices, len(texts)).to_numpy(zero_copy_only=False).astype(np.int64)
    return pa.concat_arrays([texts, pa.nulls(1, texts.type)]), place


_C1, _C2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_S1, _S2 = np.uint64(33), np.uint64(29)
_DIGIT_RUN = np.uint64(48)
_HAS_DIGITS = np.uint64(1)  # the lowest bit of an exact hash says whether the token has digits
_PLAIN = np.uint64(0xFFFFFFFFFFFFFFFE)


@njit(nogil=True, cache=True, inline="always")
def mix(value):  # type: ignore[no-untyped-def]
    """Spread every bit of a word over the whole word (the finaliser of MurmurHash3)."""
    value ^= value >> _S1
    value *= _C1
    value ^= value >> _S2
    value *= _C2
    return value ^ (value >> _S1)


@njit(nogil=True, cache=True)
def _decode(data, at, end):  # type: ignore[no-untyped-def]
    """Read one non-ASCII code point; return it with its length in bytes, or (-1, 1) where the bytes are not UTF-8."""
    lead = np.int64(data[at])
    size = 2 if lead < 0xE0 else (3 if lead < 0xF0 else 4)
    if lead < 0xC2 or lead > 0xF4 or at + size > end:
        return np.int64(-1), 1
    code = lead & (0xFF >> (size + 1))
    for step in range(1, size):
        following = np.int64(data[at + step])
        if following & 0xC0 != 0x80:
            return np.int64(-1), 1
        code = (code << 6) | (following & 0x3F)
    overlong = (size == 3 and code < 0x800) or (size == 4 and code < 0x10000)
    if overlong or code > 0x10FFFF or (0xD800 <= code <= 0xDFFF):
        return np.int64(-1), 1
    return code, size


@njit(nogil=True, cache=True)
def _put(masked, exact, count, token, own):  # type: ignore[no-untyped-def]
    """Store a token; past the cap the tail's oldest token leaves, and its hash goes into the last cell of `exact`."""
    at = count if count < HEAD_TOKENS else HEAD_TOKENS + (count - HEAD_TOKENS) % TAIL_TOKENS
    if count >= MAX_TOKENS:
        exact[MAX_TOKENS] = mix(exact[MAX_TOKENS] ^ exact[at])
    masked[at] = token
    exact[at] = own
    return count + 1


@njit(nogil=True, cache=True)
def number_token(key):  # type: ignore[no-untyped-def]
    """Return the masked token of every plain number."""
    seed, multiplier = key
    return mix((seed ^ _DIGIT_RUN) * multiplier)


@njit(nogil=True, cache=True)
def tokenise(data, start, end, tables, key, masked, exact):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0913, PLR0915 - one hot loop; records would cost its speed
    """Write the token hashes of `data[start:end]` in order into `masked` and `exact`; return how many there are."""
    letters, classes, folds = tables
    seed, multiplier = key
    nothing = np.uint64(0)
    exact[MAX_TOKENS] = nothing
    start, end = max(start, 0), min(end, data.size)
    at, count = start, 0
    word, digits = seed, nothing
    in_word, in_digits = False, False
    before, last = nothing, nothing  # the two characters before this one, in a script without spaces
    while at < end:
        byte = data[at]
        code = np.uint64(byte)
        if byte < 128:
            at += 1
            letter = letters[byte]
            if letter > 1:
                word = (word ^ np.uint64(letter)) * multiplier
                in_word, in_digits = True, False
                continue
            kind = np.int64(letter)
        else:
            point, size = _decode(data, at, end)
            at += size
            if point < 0:
                kind = np.int64(SEPARATOR)
            elif point < 0x20000:
                kind = np.int64(classes[point])
                code = np.uint64(folds[point])
            else:
                rare = IGNORED if 0xE0000 <= point < 0xF0000 else SEPARATOR
                kind = np.int64(CHARACTER if point < 0x40000 else rare)
                code = np.uint64(point)
            if kind == IGNORED:
                continue
            if kind == WORD:
                word = (word ^ code) * multiplier
                in_word, in_digits = True, False
                continue
        if kind == DIGIT:
            digits = (digits ^ code ^ seed) * multiplier
            if not in_digits:
                word = (word ^ _DIGIT_RUN) * multiplier
            in_word, in_digits = True, True
            continue
        if in_word:
            token = mix(word)
            count = _put(
                masked, exact, count, token, token & _PLAIN if digits == nothing else mix(token ^ digits) | _HAS_DIGITS
            )
            word, digits = seed, nothing
            in_word, in_digits = False, False
            before, last = nothing, nothing
        if kind == CHARACTER:
            window = (((seed ^ before) * multiplier ^ last) * multiplier ^ code) * multiplier
            count = _put(masked, exact, count, mix(window), mix((seed ^ code) * multiplier) & _PLAIN)
            before, last = last, code
        elif kind == SYMBOL:
            token = mix((seed ^ code) * multiplier)
            count = _put(masked, exact, count, token, token & _PLAIN)
            before, last = nothing, nothing
    if in_word:
        token = mix(word)
        count = _put(
            masked, exact, count, token, token & _PLAIN if digits == nothing else mix(token ^ digits) | _HAS_DIGITS
        )
    if count > MAX_TOKENS:
        turn = HEAD_TOKENS + (count - HEAD_TOKENS) % TAIL_TOKENS  # where the tail's oldest token lies
        for tokens in (masked, exact):
            tail = np.concatenate((tokens[turn:MAX_TOKENS], tokens[HEAD_TOKENS:turn]))
            tokens[HEAD_TOKENS:MAX_TOKENS] = tail
        count = MAX_TOKENS
    return count


@njit(nogil=True, cache=True)
def hash_tokens(exact, covered, count, key):  # type: ignore[no-untyped-def]
    """Return the order-sensitive hash of what is not covered, and of digits everywhere; never 0.

    The last cell of `exact` stands for the middle that was cut from a long prompt.
    """
    seed, multiplier = key
    state = seed ^ exact[MAX_TOKENS]
    for at in range(count):
        if covered[at] == 0 or exact[at] & _HAS_DIGITS:
            state = (state ^ exact[at]) * multiplier
            state ^= state >> _S1
    result = np.int64(mix(state))
    return result if result != 0 else np.int64(1)


@njit(nogil=True, cache=True)
def hash_bytes(data, start, end, key):  # type: ignore[no-untyped-def]
    """Return the keyed hash of `data[start:end]`, byte for byte; never 0."""
    seed, multiplier = key
    state = seed ^ (np.uint64(end - start) * multiplier)
    for at in range(max(start, 0), min(end, data.size)):
        state = (state ^ np.uint64(data[at])) * multiplier
        state ^= state >> _S1
    result = np.int64(mix(state))
    return result if result != 0 else np.int64(1)


@njit(nogil=True, cache=True)
def _hash_values(buffers, key, out):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    for row in range(out.size):
        out[row] = hash_bytes(data, offsets[row], offsets[row + 1], key) if valid[row] else 0


@njit(nogil=True, cache=True)
def _hash_texts(buffers, tables, key, out):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    masked, exact = np.empty(MAX_TOKENS, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    covered = np.zeros(MAX_TOKENS, np.uint8)
    for row in range(out.size):
        out[row] = 0
        if valid[row]:
            count = tokenise(data, offsets[row], offsets[row + 1], tables, key, masked, exact)
            out[row] = hash_tokens(exact, covered, count, key)


@njit(nogil=True, cache=True)
def _count_topics(buffers, tables, key, out):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    masked, exact = np.empty(MAX_TOKENS, np.uint64), np.empty(MAX_TOKENS + 1, np.uint64)
    sums = np.zeros(TOPIC_BUCKETS, np.int64)
    for row in range(valid.size):
        if not valid[row]:
            continue
        sums[:] = 0
        for at in range(tokenise(data, offsets[row], offsets[row + 1], tables, key, masked, exact)):
            token = masked[at]
            bucket = np.int64(token % np.uint64(TOPIC_BUCKETS))
            sums[bucket] += np.int64(1) if token >> np.uint64(63) else np.int64(-1)
        for column in range(TOPIC_BUCKETS):
            out[row * TOPIC_BUCKETS + column] = min(max(sums[column], -127), 127)


def hash_strings(array: pa.Array | pa.ChunkedArray, key: SketchKey) -> Hashes:
    """Return the keyed hash of each whole value, byte for byte; a null is 0 and nothing else is."""
    buffers = text_buffers(array)
    out = np.empty(buffers.valid.size, np.int64)
    _hash_values(buffers, key.words(), out)
    return out


def hash_text(array: pa.Array | pa.ChunkedArray, key: SketchKey) -> Hashes:
    """Return the keyed hash of each text's tokens: case, width, accents, punctuation do not matter, digits do."""
    buffers = text_buffers(array)
    out = np.empty(buffers.valid.size, np.int64)
    _hash_texts(buffers, tables(), key.words(), out)
    return out


def topics(array: pa.Array | pa.ChunkedArray, key: SketchKey) -> pa.FixedSizeListArray:
    """Return each text's bag of words as 32 signed feature-hash counts, clipped to int8; a null gives zeros."""
    buffers = text_buffers(array)
    out = np.zeros(buffers.valid.size * TOPIC_BUCKETS, np.int8)
    _count_topics(buffers, tables(), key.words(), out)
    return pa.FixedSizeListArray.from_arrays(pa.array(out), TOPIC_BUCKETS)
