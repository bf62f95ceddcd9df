"""Secrets in a text: those that the operator named, in every usual disguise, and what looks like a credential."""

from __future__ import annotations

import base64
import binascii
import re
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import suppress

SHAPES = {
    "a key of a cloud account": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a model provider's key": r"\bsk-[A-Za-z0-9_-]{20,}",
    "a code host's token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_\w{30,}|glpat-[\w-]{20,})",
    "a chat service's token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "a signed web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "a wallet's key": r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64}(?![0-9a-fA-F])",
    "a password in a URL": r"[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@",
}
_SHAPES = {name: re.compile(shape) for name, shape in SHAPES.items()}
_WORDS = re.compile(r"[A-Za-z0-9+/_-]{12,}")
PRINTED = 0.8  # share of letters that a reader can print, above which bytes are taken for text
LEAST = 6  # letters of a known secret below which it would be found everywhere
DEPTH = 3  # encodings around each other that are taken off


def secrets_in(text: str, known: Sequence[str] = ()) -> list[str]:
    """Return what kinds of secret a text holds, in words, and never the secret."""
    found = []
    for seen in _undisguised(text):
        folded = _squeezed(seen)
        if any(len(each) >= LEAST and _squeezed(each) in folded for each in known):
            found.append("a secret that the operator named")
        if any(len(each) >= LEAST and _squeezed(each)[::-1] in folded for each in known):
            found.append("a secret that the operator named, reversed")
        found += [name for name, shape in _SHAPES.items() if shape.search(seen)]
    return list(dict.fromkeys(found))


def _squeezed(text: str) -> str:
    """Without case and what parts a secret into pieces."""
    return re.sub(r"[\s\"'`+\\,.|_:;-]+", "", text).casefold()


def _undisguised(text: str, depth: int = DEPTH) -> Iterator[str]:
    """The text, and what its parts are once decoded from URL escapes, hexadecimal and base64."""
    yield text
    if not depth:
        return
    plain = urllib.parse.unquote_plus(text)
    if plain != text:
        yield from _undisguised(plain, depth - 1)
    for word in _WORDS.findall(text):
        for decoded in _decoded(word):
            yield from _undisguised(decoded, depth - 1)


def _decoded(word: str) -> Iterator[str]:
    """What a word is in base64 and in hexadecimal, wherever in it they begin."""
    for part in {word, *word.split("/")}:
        for start in range(4):
            yield from _from_base64(part[start:])
        for start in range(2):
            yield from _from_hexadecimal(part[start:])


def _from_base64(word: str) -> Iterator[str]:
    bare = word.translate({ord("-"): "+", ord("_"): "/"})
    with suppress(binascii.Error, ValueError):
        yield from _printable(base64.b64decode(bare[: len(bare) - (len(bare) % 4 == 1)] + "=" * (-len(bare) % 4 % 3)))


def _from_hexadecimal(word: str) -> Iterator[str]:
    found = re.match(r"(?:[0-9a-fA-F]{2})+", word)
    if found:
        yield from _printable(bytes.fromhex(found[0]))


def _printable(raw: bytes) -> Iterator[str]:
    plain = sum(32 <= byte < 127 for byte in raw)
    if plain >= max(LEAST, PRINTED * len(raw)):
        yield raw.decode("latin-1")
