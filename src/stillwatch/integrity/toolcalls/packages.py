"""Packages that a text asks to install, and where from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

ECOSYSTEMS = {
    "pypi": r"(?:python[\d.]* +-m +)?pip[\d.]* +(?:install|download)|uv +(?:add|pip +install|tool +install)|uvx"
    r"|pipx +(?:install|run)|poetry +add|conda +install",
    "npm": r"npm +(?:install|i|add|exec)|npx|yarn +(?:global +)?add|pnpm +(?:add|dlx)|bunx?(?: +add)?",
    "cargo": r"cargo +(?:add|install)",
    "gem": r"gem +install|bundle +add",
    "go": r"go +(?:get|install)",
    "apt": r"apt(?:-get)? +(?:-\S+ +)*install|apk +add|dnf +install|yum +install|brew +install",
}
_INSTALLS = {
    name: re.compile(rf"(?<![\w./-])(?:{words})\b(?P<rest>[^\n;&|]*)", re.I) for name, words in ECOSYSTEMS.items()
}
_ELSEWHERE = re.compile(
    r"^(?:-i|-f|--(?:extra-)?index-url|--index|--find-links|--registry|--source|--trusted-host)(?:=|$)"
)
_TAKES_VALUE = {"-i", "-f", "-r", "-c", "-t", "--index-url", "--extra-index-url", "--find-links", "--registry"}
_TAKES_VALUE |= {"--source", "--trusted-host", "--requirement", "--constraint", "--target", "--index"}
_BY_FILE = {"-r", "--requirement"}


@dataclass(frozen=True, slots=True)
class Install:
    """One thing that would be installed: a package's name, or why it has none that could be looked up."""

    ecosystem: str
    package: str  # "" when it has no plain name
    oddity: str = ""


def installs_in(text: str) -> Iterator[Install]:
    """Yield every package that the text, read as command lines, would install."""
    for ecosystem, pattern in _INSTALLS.items():
        for found in pattern.finditer(text):
            yield from _packages(ecosystem, found["rest"])


def near_miss(package: str, known: frozenset[str]) -> str:
    """Return a listed package whose name is but one or two letters away, or nothing: the mark of a typosquat."""
    close = [each for each in sorted(known) if 0 < _distance(package, each) <= (1 if len(each) < 6 else 2)]
    return close[0] if close else ""


def normal_name(ecosystem: str, package: str) -> str:
    """Return a package's name as its registry compares it."""
    return re.sub(r"[-_.]+", "-", package).lower() if ecosystem == "pypi" else package.lower()


def _packages(ecosystem: str, rest: str) -> Iterator[Install]:
    try:
        words = shlex.split(rest, comments=True)
    except ValueError:
        yield Install(ecosystem, "", "its words cannot be told apart")
        return
    skip = False
    for place, word in enumerate(words):
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _TAKES_VALUE
            if _ELSEWHERE.match(word):
                yield Install(ecosystem, "", "it names a registry of its own")
            if word in _BY_FILE and place + 1 < len(words):
                yield Install(ecosystem, "", "what it installs stands in a file")
        elif (
            "://" in word
            or word.startswith(("git+", "file:", "./", "/", "../"))
            or word.endswith((".whl", ".tgz", ".gz"))
        ):
            yield Install(ecosystem, "", "it comes from an address, not from a registry")
        else:
            yield Install(ecosystem, normal_name(ecosystem, _bare(ecosystem, word)))


def _bare(ecosystem: str, word: str) -> str:
    """A name without version and extras."""
    if ecosystem == "npm":
        return word[0] + word[1:].split("@")[0]
    return re.split(r"[\[<>=!~;@ ]", word, maxsplit=1)[0]


def _distance(one: str, other: str) -> int:
    """Letters to insert, drop, change or swap with a neighbour (Damerau); stops counting at 3."""
    if abs(len(one) - len(other)) > 2:
        return 3
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, start=1):
        row = [i]
        for j, mark in enumerate(other, start=1):
            best = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (letter != mark))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == mark:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return min(rows[-1][-1], 3)
