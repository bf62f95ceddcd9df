"""Hypotheses about who it is, as others may read them: unknown stays unknown, and nobody is named by a local name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stillwatch.attribution.actors import UNKNOWN
from stillwatch.model import Grade, Hypothesis
from stillwatch.sharing.rounding import in_words

LEAST_P = 0.15  # below it a hypothesis is a list of everybody; what is left is unknown's


@dataclass(frozen=True, slots=True)
class PublicHypothesis:
    """One answer to who; `name` is None for unknown, which has a probability like every other answer."""

    role: str
    name: str | None
    published: bool  # whether the name is one that the deployment published, not a pseudonym
    confidence: int
    grade: Grade


def public_hypotheses(
    told: Sequence[Hypothesis], published: Mapping[str, str], pseudonym: Callable[[str, str], str]
) -> tuple[PublicHypothesis, ...]:
    """Return the answers that are worth telling, each under its published name or under a pseudonym."""
    found = []
    for one in told:
        if one.operator == UNKNOWN:
            found.append(PublicHypothesis(one.role, None, False, in_words(one.p), one.grade))
        elif one.p >= LEAST_P:
            name = published.get(one.operator) or pseudonym("operator", one.operator)
            found.append(PublicHypothesis(one.role, name, one.operator in published, in_words(one.p), one.grade))
    return tuple(found)
