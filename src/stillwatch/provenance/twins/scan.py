"""Walks over a text, whole or in pieces, and puts at each site the rendering that it is told.

A site is the same whichever rendering stands there, and so is its unit: the rule and the word before it. So who knows
the key can say later what was served, from the text alone, and a text that is rendered twice stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from stillwatch.provenance.twins.rules import ASKING, BULLETS, PHRASES, Rule, Where
from stillwatch.provenance.twins.zones import OPENERS, Zone, at_line, at_mark

BY_PHRASE: dict[str, tuple[Rule, int]] = {
    phrase: (rule, at) for rule in PHRASES for at, phrase in enumerate((rule.first, rule.second))
}
ANY_PHRASE = re.compile("|".join(map(re.escape, sorted(BY_PHRASE, key=len, reverse=True))), re.I | re.A)
STOPS = re.compile("[" + re.escape("".join(sorted(OPENERS))) + r"\n]|(?<![\w'’./\\@#&-])(?=[A-Za-z])")
BEHIND = re.compile(r"(?:[.;:!?)]|,)?(?=\s|\Z)")  # what may stand behind a phrase
NEXT_WORD = re.compile(r" ([a-z]{2,16})(?=[\s,.;:!?)'’]|\Z)")
INSIDE_WORD = re.compile(r"[\w'’./\\@#&-]")  # before a phrase, it makes it a part of something else
STARTS = re.compile(r"(?:\A|[.!?:]\s+|\n\s*(?:[-*] +|\d+\. +)?|\A[-*] +)\Z")
LAST_WORD = re.compile(r"(\w+)\W*\Z")
BULLET = re.compile(r"([-*]) {1,4}(?=[^\s*_-])")
MARKS = "-*"
LOOK = max(map(len, BY_PHRASE)) + 20  # characters ahead that decide about a site
BACK = 64  # characters behind that do
Choose = Callable[[str, int], int]  # unit, the rendering that stands there → the one to put


@dataclass(frozen=True, slots=True)
class Site:
    """A place where a text can be said in two ways."""

    unit: str
    rule: str
    stands: int  # 0 or 1: the rendering that the text had
    put: int  # the one it has now
    at: int  # where it begins in the text that came out
    renderings: tuple[str, str]


class Scanner:
    """Feed it a text in pieces; it gives the rendered text, at most `LOOK` characters late."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.sites: list[Site] = []
        self._held = ""  # not decided about yet
        self._before = ""  # the last of the text as it came
        self._sent = 0
        self._line_starts = True
        self._zone: Zone | None = None
        self._word_since_site = True
        self._flipped: bool | None = None  # of the list that the text is in
        self._out: list[str] = []

    def feed(self, text: str) -> str:
        """Return what can be sent on."""
        self._held += text
        return self._advance(len(self._held) - LOOK)

    def close(self) -> str:
        """Return the rest, at the end of the text."""
        return self._advance(len(self._held))

    def _advance(self, limit: int) -> str:
        at = 0
        while at < limit:
            at = self._step(at, limit)
        self._before = (self._before + self._held[:at])[-BACK:] if at else self._before
        self._held = self._held[at:]
        out, self._out = "".join(self._out), []
        return out

    def _step(self, at: int, limit: int) -> int:
        """Decide about the text from a place on; return where to go on."""
        if self._zone is not None:
            return self._through_zone(at, limit)
        if self._line_starts:
            self._line_starts = False
            return self._open_line(at)
        found = STOPS.search(self._held, at)
        if found is None or found.start() >= limit:
            return self._copy(at, limit)
        if found.start() > at:
            return self._copy(at, found.start())
        mark = self._held[at]
        if mark == "\n":
            self._line_starts = True
            return self._copy(at, at + 1)
        if mark in OPENERS:
            self._zone = at_mark(self._held, at, self._tail(at)[-1:])
            return self._copy(at, at + 1)
        return self._phrase(at) or self._copy(at, at + 1)

    def _through_zone(self, at: int, limit: int) -> int:
        assert self._zone is not None
        found = self._zone.end.search(self._held, at)
        if found is None or found.start() >= limit:
            return self._copy(at, limit)
        self._zone = None
        self._line_starts = False
        return self._copy(at, found.end()) if found.end() > at else at

    def _open_line(self, at: int) -> int:
        held = self._held
        bullet = BULLET.match(held, at)
        if bullet:
            return self._bullet(at, bullet[1])
        blank_or_indented = held[at : at + 1] in ("", "\n", " ", "\t")
        if not blank_or_indented:
            self._flipped = None
        self._zone, length = at_line(held, at)
        return self._copy(at, at + length) if length else at

    def _bullet(self, at: int, mark: str) -> int:
        if self._flipped is None:
            stands = MARKS.index(mark)
            unit = self._unit(BULLETS, at)
            put = stands if unit is None else self._choose(unit, stands)
            self._flipped = put != stands
            if unit is not None:
                self.sites.append(Site(unit, BULLETS, stands, put, self._sent, ("-", "*")))
        shown = MARKS[MARKS.index(mark) ^ self._flipped]
        self._put(shown)
        return at + 1

    def _phrase(self, at: int) -> int | None:
        found = ANY_PHRASE.match(self._held, at)
        if found is None or INSIDE_WORD.fullmatch(self._tail(at)[-1:]):
            return None
        told = found[0]
        rule, stands = BY_PHRASE[told.lower()]
        capital = told[:1].isupper()
        if told[1:] != told[1:].lower() or not self._fits(rule, capital, at, found.end()):
            return None
        unit = self._unit(rule.name, at)
        if unit is None:
            return None
        first, second = ((each[0].upper() + each[1:]) if capital else each for each in (rule.first, rule.second))
        put = self._choose(unit, stands)
        self.sites.append(Site(unit, rule.name, stands, put, self._sent, (first, second)))
        self._put((first, second)[put])
        self._word_since_site = False
        return found.end()

    def _fits(self, rule: Rule, capital: bool, at: int, end: int) -> bool:
        if not BEHIND.match(self._held, end):
            return False
        if capital and (rule.where in (Where.INSIDE, Where.NEGATION) or not STARTS.search(self._tail(at))):
            return False
        if rule.where is Where.START:
            return capital
        if rule.where is Where.NEGATION:
            word = NEXT_WORD.match(self._held, end)
            return word is not None and word[1] not in ASKING
        return True

    def _unit(self, rule: str, at: int) -> str | None:
        """The rule and the word before; none where that word is a site's own, which has two renderings."""
        if not self._word_since_site:
            return None
        word = LAST_WORD.search(self._tail(at))
        return f"{rule}|{word[1].casefold() if word else ''}"

    def _tail(self, at: int) -> str:
        return (self._before + self._held[max(0, at - BACK) : at])[-BACK:]

    def _copy(self, start: int, end: int) -> int:
        text = self._held[start:end]
        if not self._word_since_site and any(map(str.isalnum, text)):
            self._word_since_site = True
        self._put(text)
        return end

    def _put(self, text: str) -> None:
        self._out.append(text)
        self._sent += len(text)


def render(text: str, choose: Choose) -> tuple[str, tuple[Site, ...]]:
    """Return a text with the renderings that `choose` says, and its sites."""
    scanner = Scanner(choose)
    out = scanner.feed(text) + scanner.close()
    return out, tuple(scanner.sites)


def keep(unit: str, stands: int) -> int:
    """Choose what stands there: to find sites and alter nothing."""
    del unit
    return stands


def sites_of(text: str) -> tuple[Site, ...]:
    """Return the sites of a text as it is."""
    return render(text, keep)[1]
