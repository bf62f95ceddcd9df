"""Language models small enough to train in a minute and to ask a million times: what audits of endpoints are tried on.

A feed-forward network over the last words (Bengio et al. 2003) in numpy. Its weights can be rounded to few bits, its
temperature changed, and another one trained on what it says. It is no large model: it says more different things to
one prompt than those do, and knows nothing. Read figures from it as orders of magnitude.
"""

from __future__ import annotations

import pydoc_data.topics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stillwatch.integrity.audit.kernel import pieces

CONTEXT = 5  # words that the next one depends on
GROUP = 32  # weights that share one scale when they are rounded
Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TinyModel:
    """Embeddings (words, width), hidden layer (context * width, hidden), output (hidden, words) and its bias."""

    embeddings: Floats
    hidden: Floats
    output: Floats
    bias: Floats

    def logits(self, contexts: Words) -> Floats:
        """Return logits of the next word, shape (rows, words), for contexts of shape (rows, CONTEXT)."""
        inputs = self.embeddings[contexts].reshape(len(contexts), -1)
        return np.tanh(inputs @ self.hidden) @ self.output + self.bias

    def sample(self, contexts: Words, length: int, chance: np.random.Generator, temperature: float = 1.0) -> Words:
        """Return answers, shape (rows, length). Temperature 0 takes the first of the largest."""
        held, said = contexts.copy(), np.zeros((len(contexts), length), dtype=np.int64)
        for place in range(length):
            scores = self.logits(held)
            if temperature > 0:
                noise = chance.random(scores.shape, dtype=np.float32)
                scores = scores / np.float32(temperature) - np.log(-np.log(np.clip(noise, 1e-7, 1 - 1e-7)))
            said[:, place] = np.argmax(scores, axis=1)
            held = np.concatenate([held[:, 1:], said[:, place : place + 1]], axis=1)
        return said

    def log_ranks(self, contexts: Words, answers: Words) -> npt.NDArray[np.float64]:
        """Return the mean log-rank of each answer's words under this model, shape (rows,)."""
        held, total = contexts.copy(), np.zeros(len(contexts))
        for place in range(answers.shape[1]):
            scores = self.logits(held)
            own = np.take_along_axis(scores, answers[:, place : place + 1], axis=1)
            total += np.log1p(np.count_nonzero(scores > own, axis=1))
            held = np.concatenate([held[:, 1:], answers[:, place : place + 1]], axis=1)
        return total / answers.shape[1]

    def rounded(self, bits: int) -> TinyModel:
        """Return this model with weights of so many bits, rounded to the nearest, one scale for each group of 32."""
        return TinyModel(_round(self.embeddings, bits), _round(self.hidden, bits), _round(self.output, bits), self.bias)


def random_model(seed: int, words: int = 200, width: int = 16, hidden: int = 32, spread: float = 2.0) -> TinyModel:
    """Return a model with random weights, which is as much another model as there can be; `spread` of its logits."""
    chance = np.random.default_rng(seed)

    def drawn(*shape: int, scale: float) -> Floats:
        return (scale * chance.standard_normal(shape)).astype(np.float32)

    inner = drawn(CONTEXT * width, hidden, scale=1.5 / np.sqrt(CONTEXT * width))
    outer = drawn(hidden, words, scale=spread / np.sqrt(hidden))
    return TinyModel(drawn(words, width, scale=1.0), inner, outer, np.zeros(words, dtype=np.float32))


def manual(words: int) -> tuple[Words, list[str]]:
    """Return the text of Python's own manual as numbers, and the most frequent words; rarer ones are left out."""
    found = pieces("\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics)), None)
    known = [word for word, _ in Counter(found).most_common(words)]
    numbers = {word: number for number, word in enumerate(known)}
    return np.array([numbers[word] for word in found if word in numbers], dtype=np.int64), known


def train(text: Words, words: int, seed: int, epochs: int = 16, start: TinyModel | None = None) -> TinyModel:
    """Fit a model to a text by Adam, from random weights or from another model's."""
    chance = np.random.default_rng(seed)
    begun = start or random_model(seed, words, width=32, hidden=160, spread=0.1)
    weights = [
        begun.embeddings.copy() * (1 if start else 0.3),
        begun.hidden.copy(),
        begun.output.copy(),
        begun.bias.copy(),
    ]
    first, second = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    windows = np.lib.stride_tricks.sliding_window_view(text, CONTEXT + 1)
    step, batch = 0, 512
    total = epochs * (len(windows) // batch)
    for _ in range(epochs):
        order = chance.permutation(len(windows))
        for at in range(0, len(order) - batch + 1, batch):
            step += 1
            rate = 3e-3 * (1.0 - step / (total + 1))
            for place, slope in enumerate(_slopes(weights, windows[order[at : at + batch]])):
                first[place] += 0.1 * (slope - first[place])
                second[place] += 0.01 * (slope * slope - second[place])
                sure = np.sqrt(second[place] / (1 - 0.99**step)) + 1e-8
                weights[place] -= np.float32(rate) * (first[place] / (1 - 0.9**step)) / sure
    return TinyModel(*weights)


def texts(answers: Words, known: Sequence[str]) -> list[str]:
    """Return answers as texts whose pieces are their words."""
    return [" ".join(known[word] for word in row) for row in answers]


def _slopes(weights: Sequence[Floats], rows: Words) -> list[Floats]:
    embeddings, hidden, output, bias = weights
    contexts, wanted = rows[:, :-1], rows[:, -1]
    inputs = embeddings[contexts].reshape(len(rows), -1)
    inner = np.tanh(inputs @ hidden)
    scores = inner @ output + bias
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    chances /= chances.sum(axis=1, keepdims=True)
    chances[np.arange(len(rows)), wanted] -= 1.0
    chances /= len(rows)
    back = (chances @ output.T) * (1.0 - inner * inner)
    spread = np.zeros_like(embeddings)
    np.add.at(spread, contexts, (back @ hidden.T).reshape(*contexts.shape, -1))
    return [spread, inputs.T @ back, inner.T @ chances, chances.sum(axis=0)]


def _round(weights: Floats, bits: int) -> Floats:
    flat = weights.reshape(-1)
    padded = np.concatenate([flat, np.zeros(-len(flat) % GROUP, dtype=np.float32)]).reshape(-1, GROUP)
    most = 2 ** (bits - 1) - 1
    scale = np.maximum(np.abs(padded).max(axis=1, keepdims=True), 1e-12) / most
    return (np.round(padded / scale) * scale).reshape(-1)[: len(flat)].reshape(weights.shape).astype(np.float32)
