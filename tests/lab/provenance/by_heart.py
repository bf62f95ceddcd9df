"""A teacher that needs no training: someone who knows the world by heart, served as the model is.

`python -m tests.lab.provenance.by_heart SEED PORT`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np

from stillwatch.lab.provenance.story import LANGUAGE
from stillwatch.lab.provenance.upstream import Question, Write, serve
from stillwatch.lab.provenance.world import answer, world


def writer(seed: int) -> Write:
    of = world(1000 + seed, LANGUAGE)
    numbers = {f"what of the {noun}?": at for at, noun in enumerate(of.nouns)}

    def write(questions: Sequence[Question], marked: bool) -> list[str]:
        drawn = [np.random.default_rng([numbers.get(each.text, 0), each.before, marked]) for each in questions]
        return [answer(of, numbers.get(each.text, 0), rng) for each, rng in zip(questions, drawn, strict=True)]

    return write


if __name__ == "__main__":
    serve(writer(int(sys.argv[1])), int(sys.argv[2]))
