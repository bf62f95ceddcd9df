"""Weights of evidence, estimated from tuning replays whose truth is known.

A signal's bits are a likelihood ratio as its author reckoned it. How far to trust that is an empirical question: for
each axis, the odds that a group is what the axis asks for are 2^(offset + sum of weighted bits), summed over families
as the detector sums them, and the weights are those under which the replays are most likely (logistic regression; Good
1985, "Weight of evidence"). A prior keeps each near one, where its author put it: the lab's operators are not all there
are.
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

from stillwatch.actions.policy import Policy
from stillwatch.apps.detect import Settings
from stillwatch.campaigns.weigh import CEILING, FEW, OTHERS
from stillwatch.lab.grammar import CORPUS
from stillwatch.lab.population import Request
from stillwatch.lab.replays import Example, replay
from stillwatch.lab.scenario import SCENARIOS
from stillwatch.model import Axis, Family, UsageError

SPLIT = "tuning"
SEEDS = (11, 12, 13, 14, 15, 16)
EXCHANGES, ACCOUNTS = 120_000, 3_000
HARDEST = (("e_ring", "j_mixed", "k_diluted"), ("l_search", "m_trickle", "n_torrent", "d_pool"))
EVADED = ((("residential", 0.7), ("cards", 0.7)), (("paraphrase", 0.5), ("jitter", 0.5)), (("mixing", 0.5),))
EXTRACTIVE = frozenset(  # innocents whose traffic does have the shape of training data
    {"benchmark-harness", "nightly-evaluation", "rag-application", "batch-job", "licensed", "judge", "audit-trail"}
    | {"worksheet", "remote-class", "starter-kit", "small-firm"}
)
SPREAD = 0.25  # standard deviation of the prior on a weight, around one
BOUNDS = (0.5, 1.5)  # what replays may do to an author's reckoning
MOSTLY = 0.5  # planted exchanges that make a group a campaign's

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
class _Axis:
    """One axis's examples: bits for guilt by signal (n, signals); bits against, trust, truth and weight (n,)."""

    names: tuple[str, ...]
    family: tuple[Family, ...]
    bits: Floats
    against: Floats
    trust: Floats
    truth: Floats
    weight: Floats

    def score(self, weights: Floats) -> Floats:
        """Sum weighted bits as the detector does: a family's strongest in full, the others by half, up to a ceiling."""
        total = np.zeros(len(self.truth))
        for family in dict.fromkeys(self.family):
            own = [at for at, each in enumerate(self.family) if each is family]
            gains = self.bits[:, own] * weights[own]
            most = gains.max(axis=1)
            total += np.minimum(most + OTHERS * (gains.sum(axis=1) - most), CEILING[family])
        return total * self.trust + self.against


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
    """Maximum a posteriori weights by signal; a campaign or class counts by the root of how many groups it makes."""
    found: dict[str, float] = {}
    for axis in Axis:
        part = _arrays(examples, axis)
        if part is None:
            continue

        def loss(point: Floats, part: _Axis = part) -> float:
            odds = np.log(2.0) * (point[0] + part.score(point[1:]))
            likelihood = part.weight * (np.logaddexp(0.0, odds) - part.truth * odds)
            return float(likelihood.sum() + 0.5 * (((point[1:] - 1.0) / SPREAD) ** 2).sum() + 5e-4 * point[0] ** 2)

        start = np.concatenate([[-4.0], np.ones(len(part.names))])
        limits = [(None, None), *[BOUNDS] * len(part.names)]
        best = minimize(loss, start, method="L-BFGS-B", bounds=limits).x
        found |= {name: round(float(weight), 2) for name, weight in zip(part.names, best[1:], strict=True)}
    return dict(sorted(found.items()))


def _arrays(examples: Sequence[Example], axis: Axis) -> _Axis | None:
    asked = [one for one in examples if axis is Axis.COORDINATION or _was_asked(one)]
    kinds = sorted(
        {
            (signal.family.value, signal.name)
            for one in asked
            for signal, finding in one.assessment.findings
            if signal.axis is axis and finding.bits > 0
        }
    )
    if not kinds:
        return None
    place = {name: at for at, (_, name) in enumerate(kinds)}
    bits, against = np.zeros((len(asked), len(kinds))), np.zeros(len(asked))
    for row, one in enumerate(asked):
        for signal, finding in one.assessment.findings:
            if signal.axis is axis and finding.bits > 0:
                bits[row, place[signal.name]] = finding.bits
            elif signal.axis is axis:
                against[row] += finding.bits
    sizes = np.array([one.assessment.group.size for one in asked], float)
    crowd = Counter((one.replay, one.who) for one in asked)
    return _Axis(
        tuple(name for _, name in kinds),
        tuple(Family(family) for family, _ in kinds),
        bits,
        against,
        sizes / (sizes + FEW) if axis is Axis.COORDINATION else np.ones(len(asked)),
        np.array([float(_is_so(one, axis)) for one in asked]),
        np.array([crowd[one.replay, one.who] ** -0.5 for one in asked]),
    )


def _was_asked(one: Example) -> bool:
    return any(signal.axis is not Axis.COORDINATION for signal, _ in one.assessment.findings)


def _is_so(one: Example, axis: Axis) -> bool:
    """What the axis asks for is there: a campaign has all three, some innocents do extract."""
    return one.planted > MOSTLY or (axis is Axis.EXTRACTION and one.who in EXTRACTIVE)


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
