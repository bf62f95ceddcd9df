"""Rule numbers and seeds in, Arrow strings out: the kernel that writes the prompts.

A text is a function of (rule, seed, author), so any chunk can be written alone, in any order, and gives the same bytes.
"""

from __future__ import annotations

import numba
import numpy as np
import pyarrow as pa

from stillwatch.lab.chance import Array, mix
from stillwatch.lab.grammar import AUTHOR, LITERAL, MAYBE, NUMBER, PLACE, SAME, Grammar

DEPTH = 24  # nesting of slots; the corpus stays below ten
_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@numba.njit(cache=True, inline="always")
def _mix(z):  # type: ignore[no-untyped-def]
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@numba.njit(cache=True)
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


@numba.njit(cache=True)
def _walk(rule, seed, author, grammar, out, at):  # type: ignore[no-untyped-def]
    """Expand one rule depth-first into out[at:]; with at < 0 only measure. Returns the length in bytes."""
    rule_first, alternative_first, operations, text = grammar
    here = np.empty(DEPTH, np.int64)
    last = np.empty(DEPTH, np.int64)
    chance = np.empty(DEPTH, np.uint64)
    written = 0
    level = 0
    pick = _mix(seed)
    alternatives = rule_first[rule + 1] - rule_first[rule]
    alternative = rule_first[rule] + np.int64(pick % np.uint64(alternatives))
    here[0], last[0], chance[0] = alternative_first[alternative], alternative_first[alternative + 1], pick
    while level >= 0:
        if here[level] == last[level]:
            level -= 1
            continue
        kind, first, second = operations[here[level]]
        here[level] += 1
        if kind == LITERAL:
            if at >= 0:
                for byte in range(second):
                    out[at + written + byte] = text[first + byte]
            written += second
            continue
        chance[level] = _mix(chance[level])
        draw = chance[level]
        if kind == NUMBER:
            number = first + np.int64(draw % np.uint64(second - first + 1))
            written += _put(number, out, at + written if at >= 0 else at)
            continue
        if kind == MAYBE and draw & np.uint64(1 << 40):
            continue
        if kind == SAME:
            draw = _mix(seed ^ _mix(np.uint64(first)))
        elif kind == AUTHOR:
            draw = _mix(author ^ _mix(np.uint64(first)))
        elif kind == PLACE:
            draw = _mix(author ^ _mix(np.uint64(here[level]) << np.uint64(20)))
        alternatives = rule_first[first + 1] - rule_first[first]
        alternative = rule_first[first] + np.int64(draw % np.uint64(alternatives))
        level += 1
        here[level], last[level] = alternative_first[alternative], alternative_first[alternative + 1]
        chance[level] = _mix(draw ^ np.uint64(0xD1B54A32D192ED03))
    return written


@numba.njit(cache=True)
def _measure(rules, seeds, authors, grammar):  # type: ignore[no-untyped-def]
    offsets = np.zeros(len(rules) + 1, np.int64)
    nothing = np.empty(0, np.uint8)
    for row in range(len(rules)):
        size = 0
        if rules[row] >= 0:
            size = _walk(np.int64(rules[row]), seeds[row], authors[row], grammar, nothing, -1)
        offsets[row + 1] = offsets[row] + size
    return offsets


@numba.njit(cache=True)
def _write(rules, seeds, authors, grammar, offsets):  # type: ignore[no-untyped-def]
    out = np.empty(offsets[-1], np.uint8)
    for row in range(len(rules)):
        if rules[row] >= 0:
            _walk(np.int64(rules[row]), seeds[row], authors[row], grammar, out, offsets[row])
    return out


def measure(grammar: Grammar, rules: Array, seeds: Array, authors: Array) -> Array:
    """Where each text would start and end, without writing it."""
    flat = (grammar.rule_first, grammar.alternative_first, grammar.operations, grammar.text)
    return _measure(rules.astype(np.int64), seeds, authors, flat)


def write(grammar: Grammar, rules: Array, seeds: Array, authors: Array) -> pa.Array:
    """One string a row; null where the rule is -1."""
    rules = rules.astype(np.int64)
    offsets = measure(grammar, rules, seeds, authors)
    flat = (grammar.rule_first, grammar.alternative_first, grammar.operations, grammar.text)
    return _strings(_write(rules, seeds, authors, flat, offsets), offsets, rules >= 0)


def hex_names(prefix: str, numbers: Array, digits: int = 16) -> pa.Array:
    """`prefix` and hexadecimal digits of a hash of each number: names that tell nothing."""
    nibbles = (mix(numbers)[:, None] >> np.arange(0, 4 * digits, 4, dtype=np.uint64)) & np.uint64(15)
    head = np.frombuffer(prefix.encode(), np.uint8)
    letters = np.empty((len(numbers), len(head) + digits), np.uint8)
    letters[:, : len(head)] = head
    letters[:, len(head) :] = _HEX[nibbles.astype(np.int64)]
    return _strings(letters.reshape(-1), np.arange(len(numbers) + 1) * letters.shape[1], None)


def _strings(letters: Array, offsets: Array, present: Array | None) -> pa.Array:
    """Arrow strings over raw bytes; 32-bit offsets, which a chunk never exceeds."""
    validity = None if present is None else pa.py_buffer(np.packbits(present, bitorder="little"))
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
