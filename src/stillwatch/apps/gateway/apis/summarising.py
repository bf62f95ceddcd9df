"""A short summary in place of reasoning, by rule: where it sets out, what it comes to, and little between.

Extractive and deterministic: every sentence of it stands in the reasoning, and the same reasoning gives the same
summary. Middle sentences are taken by how common their words are (SumBasic; Nenkova and Vanderwende 2005, section 2).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from stillwatch.apps.gateway.apis.sentences import conclusion_of, sentences_in, without_self_talk

ENDS = 2  # sentences that are always kept: the first, and the one that concludes
MORE_FROM = (13, 61)  # of this many sentences on, one more is kept
LONGEST = 280  # characters of a sentence of it
WORD = re.compile(r"[^\W\d_]{4,}")


def summarise(text: str) -> str:
    """Return a summary of two to four sentences; a text that is no longer than that comes back as it is."""
    told = sentences_in(text)
    if len(told) <= ENDS and all(len(each) <= LONGEST for each in told):
        return text
    told = without_self_talk(told) or told
    last = conclusion_of(told)
    kept = {0, last} | set(_central(told[1:last], sum(len(told) >= many for many in MORE_FROM)))
    return " ".join(_shortened(told[at]) for at in sorted(kept))


def _central(between: Sequence[str], count: int) -> list[int]:
    """Return the places (from 1) of the sentences whose words are the most common ones."""
    words = [[word.lower() for word in WORD.findall(each)] for each in between]
    often = Counter(word for each in words for word in set(each))
    weights = [sum(often[word] for word in each) / len(each) if each else 0.0 for each in words]
    best = sorted(range(len(between)), key=lambda at: (-weights[at], at))
    return [at + 1 for at in best[:count]]


def _shortened(sentence: str) -> str:
    return sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST].rsplit(' ', 1)[0]} …"
