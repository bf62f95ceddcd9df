"""Reasoning told anew, by rule: without self-talk, and each conclusion before what leads to it.

What a reader needs stays; what a student model imitates, the order in which steps follow, does not. After PART,
information-preserving reformulation of reasoning traces (arXiv 2510.11545, section 3), whose two moves these are; the
paper has a small model make them, and a deployment can put one in this place.
"""

from __future__ import annotations

from collections.abc import Sequence

from stillwatch.apps.gateway.apis.sentences import PARAGRAPH, conclusion_of, sentences_in, without_self_talk


def reformulate(text: str) -> str:
    """Return reasoning without self-talk, the conclusion first, in each paragraph and of the whole."""
    told = [without_self_talk(sentences_in(each)) for each in PARAGRAPH.split(text)]
    told = [_conclusion_first(each) for each in told if each]
    if not told:
        return text
    between = "\n" if _is_of_lines(text) else " "
    parts = [between.join(each) for each in told]
    made = "\n\n".join(_first(parts, conclusion_of(parts)))
    return text if made == text.strip() else made


def _conclusion_first(sentences: Sequence[str]) -> list[str]:
    return _first(sentences, conclusion_of(sentences))


def _first(texts: Sequence[str], at: int) -> list[str]:
    return [texts[at], *texts[:at], *texts[at + 1 :]]


def _is_of_lines(text: str) -> bool:
    """Whether each step stands on a line of its own."""
    return "\n" in PARAGRAPH.sub(" ", text.strip())
