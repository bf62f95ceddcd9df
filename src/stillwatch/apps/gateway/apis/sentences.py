"""A trace of reasoning as sentences: where they end, which are self-talk, and which one concludes."""

from __future__ import annotations

import re
from collections.abc import Sequence

END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+|\n+")
PARAGRAPH = re.compile(r"\n\s*\n")
FILLER = re.compile(
    r"(?:(?:h+m+|wait|okay|ok|alright|well|oh|ah|right|actually|hold on|so|now|yeah)\s*(?:[,.…!:]+|$)\s*)+(?:so\s+)?",
    re.I,
)
SELF_TALK = re.compile(
    r"(?:let me|let's|let us|i(?:'ll| will| should| need to| want to| have to| must| am going to|'m going to))\s+"
    r"(?:just\s+)?(?:think|see|look|check|re-?check|verify|double[- ]check|reconsider|re-?read|start|begin|try|go|"
    r"figure|work|be careful|make sure|step back|break|recall|summari[sz]e)\b[^0-9=]*"
    r"|(?:is that right|does that make sense|is this correct|what else|what now|am i sure|did i miss)\b[^0-9=]*"
    r"|(?:that|this) (?:seems|looks|sounds) (?:right|fine|good|correct|plausible|reasonable)\b[^0-9=]*"
    r"|i think (?:that's|this is|that is) (?:it|right|correct)\b[^0-9=]*",
    re.I,
)
CONCLUDES = re.compile(
    r"\b(?:so|thus|therefore|hence|consequently|in conclusion|in total|altogether|overall|finally|final answer|"
    r"the answer|the result|the solution|this means|which means|we conclude|it follows)\b|^(?:答案|因此|所以|故)",
    re.I,
)
LONGEST_TALK = 14  # words: a longer sentence says more than that somebody thinks


def sentences_in(text: str) -> list[str]:
    """Return the sentences and lines of a text, without the space between them."""
    return [each.strip() for each in END.split(text) if each and each.strip()]


def without_self_talk(sentences: Sequence[str]) -> list[str]:
    """Return sentences without what only says that somebody thinks. Whatever holds a figure stays."""
    bare = (FILLER.sub("", each, count=1) if FILLER.match(each) else each for each in sentences)
    return [_capital(each) for each in bare if each.strip() and not _is_talk(each)]


def conclusion_of(sentences: Sequence[str]) -> int:
    """Return the place of the sentence that concludes: the last that says so, else the last."""
    said = (at for at in reversed(range(len(sentences))) if CONCLUDES.search(sentences[at]))
    return next(said, len(sentences) - 1)


def _is_talk(sentence: str) -> bool:
    return len(sentence.split()) <= LONGEST_TALK and SELF_TALK.fullmatch(sentence.strip()) is not None


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
