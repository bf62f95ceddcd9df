"""The teacher of a story as a model that is served, in a process of its own; `python -m` with what `words_for` says."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stillwatch.lab.provenance.models import sample, use_cores
from stillwatch.lab.provenance.story import Size, Story
from stillwatch.lab.provenance.upstream import Question, Write, serve


def words_for(story: Story) -> tuple[str, ...]:
    """Return the words after `python` that serve a story's teacher; `{port}` stands for where it listens."""
    return ("-m", __name__, str(story.out), str(story.seed), story.size.told, "{port}")


def writer(story: Story) -> Write:
    """Return what answers questions with a story's teacher."""
    teacher, length, fill = story.teacher(), story.asked(), story.words.numbers["\n"]
    favoured = story.favoured()

    def write(questions: Sequence[Question], marked: bool) -> list[str]:
        known = [story.words.encode(f"{each.text}\n")[-length:] for each in questions]
        prompts = [[fill] * (length - len(each)) + each for each in known]  # of one length, to be asked together
        draws = np.array([draws_for(each, story.seed, story.size.length, marked) for each in questions])
        said = sample(teacher, prompts, draws, favoured if marked else None)
        return [story.words.decode(each) for each in said]

    return write


def draws_for(question: Question, seed: int, length: int, marked: bool) -> np.ndarray:
    """Return what an answer is drawn by, (length,): fixed by the question and how often it was asked before."""
    told = hashlib.sha256(question.text.encode("utf-8", "replace")).digest()
    rng = np.random.default_rng([seed, int.from_bytes(told[:8], "big"), question.before, int(marked)])
    return rng.random(length)


def main(out: str, seed: str, size: str, port: str) -> None:
    """Serve until the process is ended."""
    use_cores()
    serve(writer(Story(Path(out), Size.of(size), int(seed), lambda _: None)), int(port))


if __name__ == "__main__":
    main(*sys.argv[1:])
