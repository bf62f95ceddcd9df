"""Rule numbers and seeds in, Arrow strings out: the kernel that writes the prompts.

A text is a function of (rule, seed, author), so any chunk can be written alone, in any order, and gives the same bytes.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from stillwatch.lab.chance import Array
from stillwatch.lab.grammar import AUTHOR, LITERAL, MAYBE, NUMBER, PLACE, SAME, Grammar
from stillwatch.lab.kernels import hex_letters, mix1

DEPTH = 24  # nesting of slots; the corpus stays below ten


@numba.njit(cache=True, nogil=True)
def _put(value, out, at):  # type: ignore[no-untyped-def]
    """Write a non-negative number in decimal; return how many digits it has."""
    digits = 1
    rest = value
    while rest >= 10:
        rest //= 10
        digits += 1
    if at >= 0:
        for place in range(digits):
            out[at + digits - 1 - place] = 48 + value % 10
            value //= 10
    return digits


@numba.njit(inline="always")
def _copy(text, first, size, out, at):  # type: ignore[no-untyped-def]
    """Write literal bytes, unless only their length is asked for; return it."""
    if at >= 0:
        for byte in range(size):
            out[at + byte] = text[first + byte]
    return size


@numba.njit(cache=True, nogil=True)
def _walk(rule, seed, author, tables, out, at):  # type: ignore[no-untyped-def]
    """Expand one rule depth-first into out[at:]; with at < 0 only measure. Returns the length in bytes."""
    (rule_first, alternative_first, operations, text), (here, last, chance) = tables
    written = 0
    level = 0
    pick = mix1(seed)
    alternatives = rule_first[rule + 1] - rule_first[rule]
    alternative = rule_first[rule] + np.int64(pick % np.uint64(alternatives))
    here[0], last[0], chance[0] = alternative_first[alternative], alternative_first[alternative + 1], pick
    while level >= 0:
        if here[level] == last[level]:
            level -= 1
            continue
        step = operations[here[level]]
        kind, first, second = step[0], step[1], step[2]
        here[level] += 1
        if kind == LITERAL:
            written += _copy(text, first, second, out, at + written if at >= 0 else at)
            continue
        chance[level] = mix1(chance[level])
        draw = chance[level]
        if kind == NUMBER:
            number = first + np.int64(draw % np.uint64(second - first + 1))
            written += _put(number, out, at + written if at >= 0 else at)
            continue
        if kind == MAYBE and draw & np.uint64(1 << 40):
            continue
        if kind == SAME:
            draw = mix1(seed ^ mix1(np.uint64(first)))
        elif kind == AUTHOR:
            draw = mix1(author ^ mix1(np.uint64(first)))
        elif kind == PLACE:
            draw = mix1(author ^ mix1(np.uint64(here[level]) << np.uint64(20)))
        alternatives = rule_first[first + 1] - rule_first[first]
        alternative = rule_first[first] + np.int64(draw % np.uint64(alternatives))
        begin, end = alternative_first[alternative], alternative_first[alternative + 1]
        if end - begin == 1 and operations[begin, 0] == LITERAL:  # a mere word: written at once
            word, size = operations[begin, 1], operations[begin, 2]
            written += _copy(text, word, size, out, at + written if at >= 0 else at)
            continue
        level += 1
        here[level], last[level] = begin, end
        chance[level] = mix1(draw ^ np.uint64(0xD1B54A32D192ED03))
    return written


@numba.njit(cache=True, nogil=True)
def _measure(rules, seeds, authors, grammar):  # type: ignore[no-untyped-def]
    offsets = np.zeros(len(rules) + 1, np.int64)
    nothing = np.empty(0, np.uint8)
    tables = (grammar, (np.empty(DEPTH, np.int64), np.empty(DEPTH, np.int64), np.empty(DEPTH, np.uint64)))
    for row in range(len(rules)):
        size = 0
        if rules[row] >= 0:
            size = _walk(np.int64(rules[row]), seeds[row], authors[row], tables, nothing, -1)
        offsets[row + 1] = offsets[row] + size
    return offsets


@numba.njit(cache=True, nogil=True)
def _write(rules, seeds, authors, grammar, offsets):  # type: ignore[no-untyped-def]
    out = np.empty(offsets[-1], np.uint8)
    tables = (grammar, (np.empty(DEPTH, np.int64), np.empty(DEPTH, np.int64), np.empty(DEPTH, np.uint64)))
    for row in range(len(rules)):
        if rules[row] >= 0:
            _walk(np.int64(rules[row]), seeds[row], authors[row], tables, out, offsets[row])
    return out


def measure(grammar: Grammar, rules: Array, seeds: Array, authors: Array) -> Array:
    """Where each text would start and end, without writing it."""
    flat = (grammar.rule_first, grammar.alternative_first, grammar.operations, grammar.text)
    return _measure(rules.astype(np.int64), seeds, authors, flat)


def write(grammar: Grammar, rules: Array, seeds: Array, authors: Array, offsets: Array | None = None) -> pa.Array:
    """One string a row; null where the rule is -1. `offsets` are those of `measure`, where they are at hand."""
    rules = rules.astype(np.int64)
    offsets = measure(grammar, rules, seeds, authors) if offsets is None else offsets
    flat = (grammar.rule_first, grammar.alternative_first, grammar.operations, grammar.text)
    return strings(_write(rules, seeds, authors, flat, offsets), offsets, rules >= 0)


def hex_names(prefix: str, numbers: Array, digits: int = 16) -> pa.Array:
    """`prefix` and hexadecimal digits of a hash of each number: names that tell nothing."""
    head = np.frombuffer(prefix.encode(), np.uint8)
    letters = hex_letters(head, np.asarray(numbers).astype(np.uint64, copy=False), digits)
    width = len(head) + digits
    return strings(letters, np.arange(0, width * len(numbers) + 1, width, dtype=np.int32), None)


def strings(letters: Array, offsets: Array, present: Array | None) -> pa.Array:
    """Arrow strings over raw bytes; 32-bit offsets, which a chunk never exceeds."""
    validity = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32, copy=False)), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
