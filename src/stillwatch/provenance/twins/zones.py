"""Where a text is never altered: code, quotes, links, headings, tables, formulas, whatever is between brackets."""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r" {0,3}(```+|~~~+)")
PROTECTED_LINE = re.compile(r"    |\t| {0,3}>| {0,3}\||#{1,6} ")
CLOSERS = {'"': '"', "“": "”", "«": "»", "„": "“", "`": "`", "$": "$", "[": "]", "{": "}", "<": ">"}
SINGLE = {"'": "'", "‘": "’"}  # quotes that are apostrophes too
OPENERS = frozenset(CLOSERS) | frozenset(SINGLE)


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch that is passed on as it is, until its end is seen."""

    end: re.Pattern[str]


PARAGRAPH = r"|(?=\n[ \t]*\n)"  # a quote that is never closed ends with its paragraph
LINE = Zone(re.compile(r"(?=\n)"))
BY_CLOSER = {each: Zone(re.compile(re.escape(each) + PARAGRAPH)) for each in CLOSERS.values()}
BY_APOSTROPHE = {each: Zone(re.compile(re.escape(each) + r"(?![\w'’])" + PARAGRAPH)) for each in SINGLE.values()}


def at_line(text: str, at: int) -> tuple[Zone | None, int]:
    """Return the zone that a line opens by how it begins, and how many characters open it."""
    fence = FENCE.match(text, at)
    if fence:
        mark = fence[1]
        end = re.compile(rf"\n {{0,3}}{re.escape(mark)}{re.escape(mark[0])}*[ \t]*(?=\n|\Z)")
        return Zone(end), fence.end() - at
    line = PROTECTED_LINE.match(text, at)
    return (LINE, line.end() - at) if line else (None, 0)


def at_mark(text: str, at: int, before: str) -> Zone | None:
    """Return the zone that a mark inside a line opens; none for an apostrophe. `before` is the character before it."""
    mark = text[at]
    if mark in SINGLE:
        return None if before.isalnum() else BY_APOSTROPHE[SINGLE[mark]]
    if mark == "<" and not (text[at + 1 : at + 2].isalpha() or text[at + 1 : at + 2] in ("/", "!")):
        return None
    return BY_CLOSER[CLOSERS[mark]]
