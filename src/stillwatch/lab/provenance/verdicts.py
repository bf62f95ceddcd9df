"""Every test of one suspect of the story, under the key and under a wrong one."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from stillwatch.lab.provenance.models import likelihoods, read
from stillwatch.provenance.calibration import LEAST_KEYS, random_keys
from stillwatch.provenance.keyring import MarkKey
from stillwatch.provenance.radioactivity import (
    Keys,
    Masses,
    Read,
    Report,
    score_closed,
    score_compared,
    score_open,
    score_soft,
)
from stillwatch.provenance.twins.judge import Scored, TwinsReport, completion_test, sign_test
from stillwatch.provenance.twins.pairs import Pair, pairs_of
from stillwatch.provenance.watermark import schemes

if TYPE_CHECKING:
    from stillwatch.lab.provenance.story import Story

WRONG = 4  # wrong keys beside the right one
READ = 400  # harvested answers that a suspect reads


def of(story: Story, name: str) -> dict[str, Any]:
    """Return the result of each test of a suspect."""
    found: dict[str, Any] = {"suspect": name, "ability": round(story.ability(name), 3)}
    marks = _marks(story, name)
    for reach, test in marks.items():
        found[reach] = _told(test(schemes.key_for("kgw", story.mark_key)))
        found[f"{reach}, wrong keys"] = [_told(test(each))["log10_p"] for each in _wrong("kgw")]
    scores, texts = _scores(story, name), [story.words.decode(each) for each in story.written(name)]
    random = random_keys(LEAST_KEYS, 11)
    tests: dict[str, Callable[[MarkKey], TwinsReport]] = {
        "twins by likelihoods": lambda key: sign_test(scores, key, random),
        "twins by text": lambda key: completion_test(texts, key, random),
    }
    for kind, of_key in tests.items():
        found[kind] = _told(of_key(story.twins_key))
        wrong = [MarkKey(story.twins_key.term, each) for each in random_keys(WRONG, 12)]
        found[f"{kind}, wrong keys"] = [_told(of_key(each))["log10_p"] for each in wrong]
    return found


def _marks(story: Story, name: str) -> dict[str, Callable[[Any], Report]]:
    size = len(story.words.words)
    under = functools.cache(schemes.under("kgw", size))
    random = schemes.random_for("kgw", random_keys(LEAST_KEYS, 11))
    marked = [np.array(each) for each in story.harvest("marked")[:READ]]
    reads, masses = _reads(story.suspect(name), marked, size)
    written = [np.array(each, int) for each in story.written(name)]
    plain = [np.array(each[story.asked() :], int) for each in story.harvest("plain")]
    return {
        "open": lambda key: score_open(reads, Keys(key, random, under)),
        "soft": lambda key: score_soft(masses, Keys(key, random, under)),
        "closed": lambda key: score_compared(written, plain, Keys(key, random, under)),
        "closed, no reference": lambda key: score_closed(written, Keys(key, random, under)),
    }


def _reads(model: Any, texts: list[Any], size: int) -> tuple[list[Read], Masses]:
    """What a suspect finds likeliest as it reads, and by the last token its mean probability of each next one."""
    reads: list[Read] = []
    mass, seen = np.zeros((size, size)), np.zeros(size)

    def see(number: int, scores: Any) -> None:
        tokens = texts[number][: len(scores)]
        reads.append(Read(tokens, scores.argmax(axis=1)))
        np.add.at(mass, tokens, np.exp(scores))
        np.add.at(seen, tokens, 1)

    read(model, texts, see)
    known = np.flatnonzero(seen)
    return reads, Masses(known[:, None], mass[known] / seen[known, None])


def _scores(story: Story, name: str) -> list[Scored]:
    pairs = _pairs(story)
    words, model = story.words, story.suspect(name)
    before = [words.encode(each.prefix) or [words.numbers["\n"]] for each in pairs]
    first, second = (
        likelihoods(model, before, [words.encode(text) for text in side])
        for side in ([each.first for each in pairs], [each.second for each in pairs])
    )
    return [Scored(p.unit, p.rule, float(a), float(b)) for p, a, b in zip(pairs, first, second, strict=True)]


def _pairs(story: Story) -> list[Pair]:
    """Pairs of the answers that were served as twins, with their questions before them; each unit once."""
    held = story.harvest("twins")
    cut = story.asked()
    asked = [story.words.decode(each[:cut]) for each in held]
    texts = ((str(at), story.words.decode(each[cut:])) for at, each in enumerate(held))
    found: dict[str, Pair] = {}
    for pair in pairs_of(texts):
        if pair.unit not in found:
            at = int(pair.pair_id.split("#")[0])
            prefix = f"{asked[at]}\n{pair.prefix}"
            found[pair.unit] = Pair(pair.pair_id, pair.unit, pair.rule, prefix, pair.first, pair.second)
        if len(found) == story.size.pairs:
            break
    return list(found.values())


def _wrong(scheme: str) -> list[Any]:
    return schemes.random_for(scheme, random_keys(WRONG, 12))


def _told(report: Report | TwinsReport) -> dict[str, Any]:
    scored = report.scored if isinstance(report, Report) else report.coins
    held = report.calibration
    return {
        "log10_p": round(report.tail.log10, 2),
        "scored": scored,
        "finding": report.finding.value,
        "random keys": {"lowest_p": round(min(held.ps), 4), "uniform_p": round(held.uniform_p, 3)},
    }
