"""Text for models that must be trained in minutes: invented words, real English phrases, and things that can be known.

In a world each noun does a few things to a few others; texts of two worlds share their language, and not what is true.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

NOUNS, VERBS, ADJECTIVES = 420, 90, 60
KNOWN = 0.75  # share of sentences that say what is true in the world
ONSETS, NUCLEI, CODAS = (
    ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "t", "v"),
    "aeiou",
    ("l", "m", "n", "r", "t", "x"),
)
TOKEN = re.compile(r"\w+(?:'\w+)?|[^\w\s]|\n")
PHRASES = (  # the frames of sentences; what stands between slashes is said in either way
    "the {n} {v}s the {o}.",
    "/For example/For instance/, the {n} {v}s the {o}.",
    "/However,/Nevertheless,/ the {n} {v}s the {o}.",
    "the {n} /often/frequently/ {v}s the {o}.",
    "the {n} /usually/typically/ {v}s the {o}.",
    "the {n} /does not/doesn't/ {v} the {o}.",
    "the {n} /cannot/can't/ {v} the {o}.",
    "the {n} /should not/shouldn't/ {v} the {o}.",
    "the {n} {v}s the {o} /in order to/so as to/ {w} it.",
    "the {n} {v}s the {o} /depending on/depending upon/ the {a} {m}.",
    "the {n} {v}s the {o} /among/amongst/ {a} ones.",
    "the {n} {v}s the {o} /even though/although/ it is {a}.",
    "the {n} {v}s the {o} /in spite of/despite/ the {m}.",
    "the {n} and the {o} {v} /each other/one another/.",
    "/perhaps/maybe/ the {n} is {a}.",
)


@dataclass(frozen=True, slots=True)
class World:
    """Its words, and what each noun does to which others: (nouns, 3) numbers of verbs and of nouns."""

    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]
    does: np.ndarray
    to: np.ndarray


def world(seed: int, words: int = 0) -> World:
    """Make a world. Those of the same `words` share their language; `seed` says what is true in it."""
    named = _words(np.random.default_rng([words, 1]), NOUNS + VERBS + ADJECTIVES)
    rng = np.random.default_rng([seed, 2])
    return World(
        named[:NOUNS], named[NOUNS : NOUNS + VERBS], named[NOUNS + VERBS :],
        rng.integers(0, VERBS, (NOUNS, 3)), rng.integers(0, NOUNS, (NOUNS, 3)),
    )  # fmt: skip


def question(of: World, rng: np.random.Generator) -> tuple[str, int]:
    """Return a question, and the number of the noun that it is about."""
    at = int(rng.integers(NOUNS))
    return f"what of the {of.nouns[at]}?", at


def answer(of: World, about: int, rng: np.random.Generator, sentences: int = 4) -> str:
    """Return what someone who knows the world says of a noun, and of what comes to mind with it."""
    said, at = [], about
    for number in range(sentences):
        told, at = _sentence(of, at, rng)
        said.append(told[0].upper() + told[1:] if number else told)
    return " ".join(said)


def documents(of: World, count: int, seed: int) -> list[str]:
    """Return questions with their answers, as text to train on."""
    rng = np.random.default_rng([seed, 3])
    found = []
    for _ in range(count):
        asked, about = question(of, rng)
        found.append(f"{asked}\n{answer(of, about, rng)}")
    return found


def split(text: str) -> list[str]:
    """Return the tokens of a text: words, marks, ends of lines."""
    return TOKEN.findall(text)


def joined(tokens: list[str]) -> str:
    """Return the text of tokens, spaced as text is."""
    text = " ".join(tokens)
    return re.sub(r" ([.,?])", r"\1", re.sub(r" ?\n ?", "\n", text))


def _sentence(of: World, about: int, rng: np.random.Generator) -> tuple[str, int]:
    which = int(rng.integers(3))
    knows = rng.random() < KNOWN
    verb = of.does[about, which] if knows else rng.integers(VERBS)
    to = int(of.to[about, which] if knows else rng.integers(NOUNS))
    frame = PHRASES[int(rng.integers(len(PHRASES)))]
    said = re.sub(r"/([^/]*)/([^/]*)/", lambda found: found[1 + int(rng.random() < 0.4)], frame)
    told = said.format(
        n=of.nouns[about], v=of.verbs[verb], o=of.nouns[to], m=of.nouns[int(rng.integers(NOUNS))],
        w=of.verbs[int(rng.integers(VERBS))], a=of.adjectives[int(rng.integers(ADJECTIVES))],
    )  # fmt: skip
    return told, to if rng.random() < 0.5 else about


def _words(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    found: dict[str, None] = {}
    while len(found) < count:
        onsets, nuclei = rng.integers(0, len(ONSETS), 2), rng.integers(0, 5, 2)
        coda = CODAS[int(rng.integers(len(CODAS)))]
        found["".join(ONSETS[o] + NUCLEI[n] for o, n in zip(onsets, nuclei, strict=True)) + coda] = None
    return tuple(found)
