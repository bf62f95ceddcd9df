"""Who it may be: two questions, each with its ranked answers and unknown among them, as bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stillwatch.attribution.actors import OWNER, POOL, UNKNOWN
from stillwatch.model import Hypothesis

MOST_ANSWERS = 5  # of each question; the rest is in campaigns.json
QUESTIONS = {POOL: "Who runs the accounts", OWNER: "Who ordered the work"}


@dataclass(frozen=True, slots=True)
class Layer:
    """One question: the answers by probability, and what they say together in a sentence."""

    question: str
    role: str
    gist: str
    answers: tuple[Hypothesis, ...]
    left_out: int


def write_layers(hypotheses: Sequence[Hypothesis]) -> tuple[Layer, ...]:
    """Return the layers that a campaign's hypotheses answer; none for a run without any."""
    return tuple(
        _layer(role, question, own)
        for role, question in QUESTIONS.items()
        if (own := [one for one in hypotheses if one.role == role])
    )


def _layer(role: str, question: str, own: Sequence[Hypothesis]) -> Layer:
    first = own[0]
    if len(own) == 1:
        gist = "Unknown."
    elif first.operator == UNKNOWN:
        gist = f"Unknown; the nearest of those known is {own[1].name}."
    else:
        gist = f"{first.name} fits best of those known; it may still be somebody else."
    return Layer(question, role, gist, tuple(own[:MOST_ANSWERS]), max(len(own) - MOST_ANSWERS, 0))
