"""Prompt text → what the exchange asks for: a written-out reasoning trace, a grader's verdict, a capability.

Harvesting has a purpose, and the purpose shows in what is asked: reasoning to imitate, judgements to reward with, one
narrow skill. One linear model over hashed words, word pairs and character runs answers in many languages at once; a
verdict never rests on it alone, because evaluation runs and audits ask for the same things.

Traces and rubrics are instructions, short beside the material that they travel with: their score is the highest of any
window of eight to sixteen words. A capability is a property of the whole text. All sums are sums of integers, so that
the answer does not depend on the machine, the batch or the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from stillwatch.sketch.text import (
    CHARACTER,
    DIGIT,
    IGNORED,
    SEPARATOR,
    WORD,
    _decode,
    distinct_texts,
    tables,
    text_buffers,
)

CAPABILITIES: tuple[str, ...] = (
    "other", "coding", "agentic", "reasoning", "data_analysis", "grading", "vision", "writing", "knowledge",
    "language", "extraction", "conversation", "safety",
)  # fmt: skip
OTHER = 0  # also the answer for no text at all
GRADING = CAPABILITIES.index("grading")  # what a rubric is read as
EVEN_ODDS = 500  # permille from which it is
TRACE, RUBRIC = len(CAPABILITIES), len(CAPABILITIES) + 1  # columns of the weights, after the capabilities
COLUMNS = 16  # one row of weights
OFFSET = 128
NO_SCORE = -(1 << 60)  # of a text that says nothing
MOST_LANES = 256  # numbers of up to 255 that a lane of 16 bits can hold

BUCKET_BITS = 17
HEAD_BYTES, TAIL_BYTES = 2048, 1536  # about 300 and 200 words: instructions stand at the ends of a long prompt
BLOCK = 16  # of half words: a word counts two, a character of an unspaced script one
WINDOW = 2  # blocks that one instruction may span; shorter ones need one
_BLOCKS = (HEAD_BYTES + TAIL_BYTES) // BLOCK + 2 * WINDOW + 2  # a word has at least two bytes with its space
_SEEN = 1024  # features remembered, to leave out repeats
_BUCKET_MASK = (1 << BUCKET_BITS) - 1
_FEATURES = 2 * (HEAD_BYTES + TAIL_BYTES) + 64  # no byte starts more than two features

WEIGHTS = Path(__file__).parent / "weights" / "intent.npz"


class Intent(NamedTuple):
    """What each exchange asks for: probabilities in permille, and an index into CAPABILITIES."""

    trace: npt.NDArray[np.uint16]
    rubric: npt.NDArray[np.uint16]
    capability: npt.NDArray[np.uint8]


class Weights(NamedTuple):
    """The model as the kernel takes it: one row a bucket, one column an answer; integers throughout."""

    table: npt.NDArray[np.int8]
    scale: npt.NDArray[np.int64]  # what one unit of each column is worth, so that columns compare
    bias: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]  # (2, 1000): the least score that is worth 1, 2, … 1000 permille
    lanes: npt.NDArray[np.uint64]  # the table again, for adding four answers at once: see `pack`


@dataclass(frozen=True, slots=True)
class IntentModel:
    """The trained weights, with what they were trained on and where they were measured to work."""

    weights: Weights
    corpus_hash: str
    trace_at: int
    """Permille from which at most 2 in 1,000 ordinary exchanges of unseen sources were read as traces."""
    rubric_at: int
    """The same for rubrics."""

    labels = CAPABILITIES

    @staticmethod
    @cache
    def load() -> IntentModel:
        """Return the weights that ship with stillwatch, read once."""
        return read_model(WEIGHTS)

    def read(self, prompt: pa.Array | pa.ChunkedArray, system: pa.Array | pa.ChunkedArray | None = None) -> Intent:
        """Read the intent of each exchange; see `read_intent`."""
        asked = _score(prompt, self.weights)
        if system is not None:
            asked = _combine(asked, _score_repeated(system, self.weights))
        return _conclude(asked, self.weights)


def read_model(path: Path) -> IntentModel:
    """Read weights that `stillwatch.lab.fit_intent` has written."""
    with np.load(path) as stored:
        weights = Weights(
            np.ascontiguousarray(stored["table"]),
            stored["scale"],
            stored["bias"],
            np.ascontiguousarray(stored["steps"]),
            pack(stored["table"]),
        )
        trace_at, rubric_at = (int(value) for value in stored["operating_points"])
        return IntentModel(weights, str(stored["corpus_hash"]), trace_at, rubric_at)


def pack(table: npt.NDArray[np.int8]) -> npt.NDArray[np.uint64]:
    """Return rows of sixteen small numbers as four words of four 16-bit lanes, each 128 more so that none is negative.

    A lane holds the sum of MOST_LANES numbers. Adding four words is several times as fast as adding sixteen numbers.
    """
    shifted = (table.astype(np.int16) + OFFSET).astype("<u2")
    return np.ascontiguousarray(shifted).view("<u8").astype(np.uint64)


def read_intent(prompt: pa.Array | pa.ChunkedArray, system: pa.Array | pa.ChunkedArray | None = None) -> Intent:
    """Read what each exchange asks for from its prompt and, where there is one, its system prompt.

    Trace and rubric are the higher of the two texts' answers. The capability is the prompt's; a system prompt adds half
    of its weight, and decides alone where the prompt says nothing. No text at all reads as 0, 0 and "other".
    """
    return IntentModel.load().read(prompt, system)


_PAIR, _SPREAD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
_START = np.uint64(0xCBF29CE484222325)
_IN_BRACKETS, _SKIP, _RUN = np.uint64(0x2545F4914F6CDD1D), np.uint64(0x5851F42D4C957F2D), np.uint64(0xDA942042E4DD58B5)
_SHIFT = np.uint64(64 - BUCKET_BITS)
_MIX = np.uint64(32)
_NONE = np.uint64(0)
_ZERO = np.uint64(48)
_FOUR = np.uint64(16)
_LOW = np.uint64(0xFFFF)


@njit(nogil=True, cache=True, inline="always")
def _emit(value, spot, out, count):  # type: ignore[no-untyped-def]
    """Store a feature, unless the same one stands less than a window before: repetition is not emphasis."""
    buckets, spots, seen = out
    value ^= value >> _MIX
    bucket = np.int64((value * _SPREAD) >> _SHIFT)
    stored = np.uint64(count)
    cell = np.uint64(bucket & (_SEEN - 1))
    near = seen[cell]
    if near & _BUCKET_MASK == bucket and spot - (near >> BUCKET_BITS) < WINDOW * BLOCK:
        return count
    seen[cell] = (spot << BUCKET_BITS) | bucket
    buckets[stored] = bucket
    spots[stored] = spot
    return count + 1


@njit(nogil=True, cache=True)
def _read_features(data, start, end, tables, out, count, spot):  # type: ignore[no-untyped-def]  # noqa: PLR0912, PLR0913, PLR0915 - one hot loop; records would cost its speed
    """Write the buckets of `data[start:end]` and where each is, in half words; return how many and the last spot."""
    letters, classes, folds = tables
    at, begun = start, start
    word = _START
    size_of_word = 0
    previous, earlier = _NONE, _NONE  # the two words before this one
    before, last = _NONE, _NONE  # the two characters before this one, in a script without spaces
    run = _NONE  # the last four letters of this word, 16 bits each
    in_digits = False
    while at <= end:
        kind = SEPARATOR
        code = _NONE
        here = at
        if at == end:
            at += 1
        else:
            byte = data[at]
            if byte < 128:
                at += 1
                letter = letters[byte]
                if letter > 1:
                    kind = WORD
                    code = np.uint64(letter)
                elif letter == 1:
                    kind = DIGIT
                elif byte == 39:  # an apostrophe neither ends a word nor belongs to it
                    continue
            else:
                point, size = _decode(data, at, end)
                at += size
                if point >= 0x20000:
                    kind = CHARACTER if point < 0x40000 else SEPARATOR
                    code = np.uint64(point)
                elif point >= 0:
                    kind = np.int64(classes[point])  # type: ignore[assignment]
                    code = np.uint64(folds[point])
                    if 0xAC00 <= point <= 0xD7A3:  # Hangul words inflect at their end: read by syllable, as Han is
                        kind = CHARACTER
                    elif point == 0x2019:
                        continue
        if kind == IGNORED:
            continue
        if kind == WORD or kind == DIGIT:  # noqa: SIM109  (numba knows no tuple membership of this kind)
            if kind == DIGIT:
                if in_digits:
                    continue
                code = _ZERO
            in_digits = kind == DIGIT
            if size_of_word == 0:
                begun = here
            word = (word ^ code) * _PAIR
            size_of_word += 1
            run = (run << _FOUR) | (code & _LOW)
            if size_of_word >= 4:
                count = _emit(run * _RUN, spot, out, count)
            before, last = _NONE, _NONE
            continue
        in_digits = False
        if size_of_word > 0:
            count = _emit(word, spot, out, count)
            if previous != _NONE:
                count = _emit((previous * _PAIR) ^ word, spot, out, count)
            if earlier != _NONE:
                count = _emit((earlier * _SKIP) ^ word, spot, out, count)
            if begun > start:
                opening = data[begun - 1]
                if opening == 60 or opening == 91 or opening == 123 or opening == 47:  # < [ { /
                    count = _emit(word ^ _IN_BRACKETS, spot, out, count)
            spot += 2
            earlier, previous = previous, word
            word, run = _START, _NONE
            size_of_word = 0
        if kind == CHARACTER:
            pair = (last * _PAIR) ^ (code * _SKIP)
            count = _emit(code * _SKIP, spot, out, count)
            if last != _NONE:
                count = _emit(pair, spot, out, count)
            if before != _NONE:
                count = _emit((before * _RUN) ^ (pair * _PAIR), spot, out, count)
            before, last = last, code
            spot += 1
            previous, earlier = _NONE, _NONE
        else:
            before, last = _NONE, _NONE
    return count, spot


@njit(nogil=True, cache=True)
def _read_ends(data, start, end, tables, out):  # type: ignore[no-untyped-def]
    """Read a text, or the two ends of a long one, which share no window."""
    start, end = max(start, 0), min(end, data.size)
    out[2][:] = -1
    if end - start <= HEAD_BYTES + TAIL_BYTES:
        count, _ = _read_features(data, start, end, tables, out, 0, 0)
        return count
    count, spot = _read_features(data, start, start + HEAD_BYTES, tables, out, 0, 0)
    spot = (spot // BLOCK + 1 + WINDOW) * BLOCK
    count, _ = _read_features(data, end - TAIL_BYTES, end, tables, out, count, spot)
    return count


@njit(nogil=True, cache=True)
def _isqrt16(value):  # type: ignore[no-untyped-def]
    """Return sixteen times the square root, rounded down: exact, where floats might differ between machines."""
    scaled = np.int64(value) * 256
    root = np.int64(np.sqrt(np.float64(scaled)))
    while root * root > scaled:
        root -= 1
    while (root + 1) * (root + 1) <= scaled:
        root += 1
    return root


@njit(nogil=True, cache=True)
def _drain(sums, added, into):  # type: ignore[no-untyped-def]
    """Add what the lanes hold to the sums of a block."""
    for word in range(4):
        for lane in range(4):
            part = np.int64((sums[word] >> np.uint64(16 * lane)) & _LOW)
            into[4 * word + lane] += np.int32(part - OFFSET * added)


@njit(nogil=True, cache=True)
def _add_up(buckets, spots, count, lanes, blocks):  # type: ignore[no-untyped-def]
    """Add the weights of every feature to its block. Spots ascend, so that one block is summed at a time."""
    begin = 0
    while begin < count:
        block = spots[begin] // BLOCK
        one, two, three, four = _NONE, _NONE, _NONE, _NONE
        at = begin
        while at < count and at - begin < MOST_LANES and spots[at] // BLOCK == block:
            bucket = np.uint64(buckets[at])
            one += lanes[bucket, 0]
            two += lanes[bucket, 1]
            three += lanes[bucket, 2]
            four += lanes[bucket, 3]
            at += 1
        _drain((one, two, three, four), at - begin, blocks[block])
        begin = at


@njit(nogil=True, cache=True)
def score_room():  # type: ignore[no-untyped-def]
    """Return the arrays that `score_text` works in; one set for each thread."""
    out = (np.empty(_FEATURES, np.int32), np.empty(_FEATURES, np.int32), np.empty(_SEEN, np.int64))
    return out, np.zeros((_BLOCKS, COLUMNS), np.int32), np.zeros(COLUMNS, np.int32)


@njit(nogil=True, cache=True)
def score_text(text, tables, weights, room, scores):  # type: ignore[no-untyped-def]
    """Score one text into sixteen numbers; `text` is (data, start, end), `weights` scale, bias, lanes.

    Returns the number of features read.
    """
    data, start, end = text
    scale, bias, lanes = weights
    out, blocks, sums = room
    count = _read_ends(data, start, end, tables, out)
    if count == 0:
        scores[:] = 0
        scores[TRACE] = scores[RUBRIC] = NO_SCORE
        return count
    buckets, spots, _ = out
    used = spots[count - 1] // BLOCK + 1
    blocks[:used] = 0
    _add_up(buckets, spots, count, lanes, blocks)
    root = _isqrt16(count)
    sums[:] = 0
    for block in range(used):
        for column in range(COLUMNS):
            sums[column] += blocks[block, column]
    for column in range(TRACE):
        scores[column] = sums[column] * scale[column] * 16 // root + bias[column]
    for column in range(TRACE, RUBRIC + 1):
        best = np.int64(NO_SCORE)
        for first in range(used):  # windows of one block and of two
            total = np.int64(blocks[first, column])
            best = max(best, total)
            if first + 1 < used:
                best = max(best, total + blocks[first + 1, column])
        scores[column] = best * scale[column] + bias[column]
    return count


@njit(nogil=True, cache=True)
def _score_texts(buffers, tables, weights, scores, counts):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    _, scale, bias, _, lanes = weights
    room = score_room()
    for row in range(valid.size):
        if valid[row]:
            text = (data, offsets[row], offsets[row + 1])
            counts[row] = score_text(text, tables, (scale, bias, lanes), room, scores[row])
        else:
            counts[row] = 0
            scores[row, :] = 0
            scores[row, TRACE] = scores[row, RUBRIC] = NO_SCORE


@njit(nogil=True, cache=True)
def conclude_one(prompt, system, steps, out):  # type: ignore[no-untyped-def]
    """Write trace, rubric (permille) and capability of one exchange; each text is (scores, features).

    What `_combine` and `_conclude` say of a row; a system prompt that is missing has no features.
    """
    values, features = prompt
    others, more = system
    top, capability = np.int64(NO_SCORE), 0
    for column in range(TRACE):
        value = others[column] if features == 0 else values[column] + others[column] // 2
        if value > top:
            top, capability = value, column
    for at in range(2):
        score = max(values[TRACE + at], others[TRACE + at])
        out[at] = np.searchsorted(steps[at], score, side="right")
    if out[1] >= EVEN_ODDS:
        capability = GRADING
    out[2] = OTHER if features + more == 0 else capability


class _Scores(NamedTuple):
    values: npt.NDArray[np.int64]
    features: npt.NDArray[np.int64]


def _score(array: pa.Array | pa.ChunkedArray, weights: Weights) -> _Scores:
    buffers = text_buffers(array)
    rows = buffers.valid.size
    scores = _Scores(np.empty((rows, COLUMNS), np.int64), np.empty(rows, np.int64))
    _score_texts(buffers, tables(), weights, scores.values, scores.features)
    return scores


def _score_repeated(array: pa.Array | pa.ChunkedArray, weights: Weights) -> _Scores:
    """Do what `_score` does for a column whose texts repeat: each is read once."""
    texts, place = distinct_texts(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)
    scores = _score(texts, weights)
    return _Scores(scores.values[place], scores.features[place])


def _combine(prompt: _Scores, system: _Scores) -> _Scores:
    values = np.maximum(prompt.values, system.values)
    silent = (prompt.features == 0)[:, None]
    told = prompt.values[:, :TRACE] + system.values[:, :TRACE] // 2
    values[:, :TRACE] = np.where(silent, system.values[:, :TRACE], told)
    return _Scores(values, prompt.features + system.features)


def _conclude(scores: _Scores, weights: Weights) -> Intent:
    trace, rubric = (
        np.searchsorted(weights.steps[at], scores.values[:, column], side="right").astype(np.uint16)
        for at, column in enumerate((TRACE, RUBRIC))
    )
    capability = scores.values[:, :TRACE].argmax(axis=1).astype(np.uint8) if len(trace) else np.empty(0, np.uint8)
    capability[rubric >= EVEN_ODDS] = GRADING
    capability[scores.features == 0] = OTHER
    return Intent(trace, rubric, capability)


@njit(nogil=True, cache=True)
def _list_features(buffers, tables, starts, buckets, spots):  # type: ignore[no-untyped-def]
    data, offsets, valid = buffers
    out = (np.empty(_FEATURES, np.int32), np.empty(_FEATURES, np.int32), np.empty(_SEEN, np.int64))
    total = 0
    for row in range(valid.size):
        count = _read_ends(data, offsets[row], offsets[row + 1], tables, out) if valid[row] else 0
        buckets[total : total + count] = out[0][:count]
        spots[total : total + count] = out[1][:count]
        total += count
        starts[row + 1] = total
    return total


class Features(NamedTuple):
    """The buckets of each text, as the model is trained on them: row i has `buckets[starts[i]:starts[i + 1]]`."""

    starts: npt.NDArray[np.int64]
    buckets: npt.NDArray[np.int32]
    spots: npt.NDArray[np.int32]


def list_features(array: pa.Array | pa.ChunkedArray) -> Features:
    """Return what the kernel reads in each text; training and scoring share this one reader."""
    buffers: Any = text_buffers(array)
    room = int(np.minimum(2 * np.diff(buffers.offsets) + 64, _FEATURES).sum())
    starts = np.zeros(buffers.valid.size + 1, np.int64)
    buckets, spots = np.empty(room, np.int32), np.empty(room, np.int32)
    total = _list_features(buffers, tables(), starts, buckets, spots)
    return Features(starts, buckets[:total], spots[:total])
