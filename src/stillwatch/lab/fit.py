"""Weights of evidence, estimated from tuning replays whose truth is known.

A signal's bits are a likelihood ratio as its author reckoned it. How far to trust that is an empirical question: the
odds that a group is a campaign grow with the margin by which its weighted bits clear the narrowest bar of the gravest
verdict, and the weights are those under which the truth of the replays is most likely (logistic regression on the
detector's own sums; Good 1985, "Weight of evidence"). A prior keeps each near one, where its author put it: the lab's
operators are not all there are. Fitting each axis on its own was tried and rejected (docs/why/011): it forgets that all
three must meet.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp

from stillwatch.actions.policy import BARS, Policy
from stillwatch.apps.detect import Settings
from stillwatch.campaigns.weigh import CEILING, FEW, OTHERS
from stillwatch.lab.grammar import CORPUS
from stillwatch.lab.population import Request
from stillwatch.lab.replays import Example, replay
from stillwatch.lab.scenario import SCENARIOS
from stillwatch.model import Axis, Family, UsageError, VerdictKind

SPLIT = "tuning"
SEEDS = (11, 12, 13, 14, 15, 16)
EXCHANGES, ACCOUNTS = 120_000, 3_000
HARDEST = (("e_ring", "j_mixed", "k_diluted"), ("l_search", "m_trickle", "n_torrent", "d_pool"))
EVADED = ((("residential", 0.7), ("cards", 0.7)), (("paraphrase", 0.5), ("jitter", 0.5)), (("mixing", 0.5),))
SPREAD = 0.15  # standard deviation of the prior on a weight, around one
BOUNDS = (0.5, 1.5)  # what replays may do to an author's reckoning
MOSTLY = 0.5  # planted exchanges that make a group a campaign's
LEAST_EXCHANGES, LEAST_ACCOUNTS = 100, 8  # smaller parts of a campaign say nothing about its evidence
SOFTNESS = 0.3  # bits; the least of the margins is smoothed by as much, so that it has a slope
RIDGE = 0.05  # on the slope: perfectly separated replays would make it infinite

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight for each signal that accuses, with where they come from."""

    weights: Mapping[str, float]
    source: str
    examples: int
    seeds: tuple[int, ...]
    split: str
    material: str  # hash of the words and scenarios that the replays were made of


@dataclass(frozen=True, slots=True)
class _Sums:
    """Examples as arrays: bits for guilt by signal (n, signals), and per axis against (n,); truth and weight (n,)."""

    kinds: tuple[tuple[Axis, Family, str], ...]
    bits: Floats
    against: Mapping[Axis, Floats]
    trust: Floats  # of coordination, by size
    truth: Floats
    weight: Floats

    def margin(self, weights: Floats) -> Floats:
        """Bits by which the narrowest bar of `distillation` is cleared, smoothed."""
        axes = {axis: self.against[axis].copy() for axis in Axis}
        content = np.zeros(len(self.truth))
        for axis, family in dict.fromkeys((axis, family) for axis, family, _ in self.kinds):
            own = [at for at, kind in enumerate(self.kinds) if kind[:2] == (axis, family)]
            gains = self.bits[:, own] * weights[own]
            most = gains.max(axis=1)
            gain = np.minimum(most + OTHERS * (gains.sum(axis=1) - most), CEILING[family])
            gain = gain * self.trust if axis is Axis.COORDINATION else gain
            axes[axis] += gain
            if (axis, family) == (Axis.COORDINATION, Family.CONTENT):
                content = gain
        bar = BARS[VerdictKind.DISTILLATION]
        room = np.stack(
            [
                axes[Axis.COORDINATION] - bar.coordination,
                axes[Axis.EXTRACTION] - bar.extraction,
                axes[Axis.DECEPTION] - bar.deception,
                axes[Axis.COORDINATION] - content - bar.beyond_content,
            ]
        )
        return np.asarray(-SOFTNESS * logsumexp(-room / SOFTNESS, axis=0))


def requests(split: str = SPLIT, seeds: Sequence[int] = SEEDS) -> tuple[Request, ...]:
    """What is replayed: all default campaigns at each seed, the hardest ones, and campaigns that evade.

    Raises UsageError for the report split: what is reported on must not have been learned from.
    """
    if split != SPLIT:
        raise UsageError(f"weights are fitted on the {SPLIT} split, never on {split!r}")
    plain = [Request(EXCHANGES, ACCOUNTS, seed, split) for seed in seeds]
    hard = [Request(EXCHANGES, ACCOUNTS, seeds[0] + 100, split, scenarios=names) for names in HARDEST]
    evading = [Request(EXCHANGES, ACCOUNTS, seeds[0] + 110 + at, split, evasions=one) for at, one in enumerate(EVADED)]
    return (*plain, *hard, *evading)


def fit_weights(say: Callable[[str], None] = lambda _: None) -> Weights:
    """Replay the tuning split and estimate every weight; the same code and words give the same weights."""
    asked = requests()
    unweighted = Settings(policy=Policy(weights={}))
    examples = replay(asked, unweighted, say)
    found = weights_of(examples)
    seeds = tuple(request.seed for request in asked)
    source = (
        f"stillwatch-lab fit: {len(examples)} groups of {len(asked)} {SPLIT} replays, {EXCHANGES:,} exchanges each, "
        f"prior 1 ± {SPREAD}, bounds {BOUNDS[0]} to {BOUNDS[1]}"
    )
    return Weights(found, source, len(examples), seeds, SPLIT, material_hash(SPLIT))


def weights_of(examples: Sequence[Example]) -> dict[str, float]:
    """Maximum a posteriori weights by signal; a campaign or class is one observation, however many groups it makes."""
    sums = _arrays(examples)

    def loss(point: Floats) -> float:
        odds = point[0] + point[1] * sums.margin(point[2:])
        likelihood = sums.weight * (np.logaddexp(0.0, odds) - sums.truth * odds)
        return float(likelihood.sum() + 0.5 * (((point[2:] - 1.0) / SPREAD) ** 2).sum() + RIDGE * point[1] ** 2)

    start = np.concatenate([[0.0, 1.0], np.ones(len(sums.kinds))])
    limits = [(None, None), (0.0, None), *[BOUNDS] * len(sums.kinds)]
    best = minimize(loss, start, method="L-BFGS-B", bounds=limits).x
    return dict(sorted((kind[2], round(float(weight), 2)) for kind, weight in zip(sums.kinds, best[2:], strict=True)))


def _arrays(examples: Sequence[Example]) -> _Sums:
    asked = [one for one in examples if _counts(one)]
    kinds = sorted(
        {
            (signal.axis, signal.family, signal.name)
            for one in asked
            for signal, finding in one.assessment.findings
            if finding.bits > 0
        }
    )
    place = {name: at for at, (_, _, name) in enumerate(kinds)}
    bits, against = np.zeros((len(asked), len(kinds))), {axis: np.zeros(len(asked)) for axis in Axis}
    for row, one in enumerate(asked):
        for signal, finding in one.assessment.findings:
            if finding.bits > 0:
                bits[row, place[signal.name]] = finding.bits
            else:
                against[signal.axis][row] += finding.bits
    sizes = np.array([one.assessment.group.size for one in asked], float)
    crowd = Counter((one.replay, one.who) for one in asked)
    return _Sums(
        tuple(kinds),
        bits,
        against,
        sizes / (sizes + FEW),
        np.array([float(one.planted > MOSTLY) for one in asked]),
        np.array([1.0 / crowd[one.replay, one.who] for one in asked]),
    )


def _counts(one: Example) -> bool:
    """Whether the group was asked on every axis and, if planted, is large enough to have shown its evidence."""
    if all(signal.axis is Axis.COORDINATION for signal, _ in one.assessment.findings):
        return False
    group = one.assessment.group
    return one.planted <= MOSTLY or (group.exchanges >= LEAST_EXCHANGES and group.size >= LEAST_ACCOUNTS)


def material_hash(split: str) -> str:
    """Return a hash of a split's words and of all scenario files, which says what weights were fitted on."""
    digest = hashlib.sha256()
    for folder in (CORPUS / "shared", CORPUS / split, SCENARIOS):
        for path in sorted(folder.iterdir()):
            if path.suffix in (".txt", ".toml"):
                digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def write_weights(fitted: Weights, path: Path) -> None:
    """Store the weights as the policy reads them."""
    stored = {
        "source": fitted.source,
        "split": fitted.split,
        "seeds": list(fitted.seeds),
        "material": fitted.material,
        "weights": dict(fitted.weights),
    }
    path.write_text(json.dumps(stored, indent=2) + "\n", encoding="utf-8")
