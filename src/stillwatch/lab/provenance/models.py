"""Tiny language models of GPT-2's make: trained, sampled from with and without a mark, and asked for likelihoods."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stillwatch.lab.provenance.world import joined, split
from stillwatch.provenance.watermark.marks import Array
from stillwatch.provenance.watermark.needed import needed

LAYERS, WIDTH, HEADS, LENGTH = 2, 128, 4, 96
BATCH, ALIKE = 48, 8  # documents of a step; steps whose documents are sorted by length together
TOGETHER = 256  # prompts that are sampled at a time
PAD, END = 0, 1
CORES = 2  # that a story is told on


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words of all worlds of one language, numbered; 0 fills, 1 ends a document."""

    words: tuple[str, ...]
    numbers: dict[str, int]

    def encode(self, text: str) -> list[int]:
        """Return the numbers of a text's tokens; what is not known is left out."""
        return [self.numbers[each] for each in split(text) if each in self.numbers]

    def decode(self, tokens: Sequence[int]) -> str:
        """Return the text of numbers."""
        return joined([self.words[each] for each in tokens if each > END])


def use_cores() -> None:
    """Let torch use two threads at most; fewer where `OMP_NUM_THREADS` says so."""
    torch = needed("torch")
    torch.set_num_threads(min(CORES, torch.get_num_threads()))


def vocabulary(texts: Sequence[str]) -> Vocabulary:
    """Number the words of texts."""
    words = ("", "", *sorted({each for text in texts for each in split(text)}))
    return Vocabulary(words, {word: at for at, word in enumerate(words) if at > END})


def make(size: int, seed: int) -> Any:
    """Return an untrained model."""
    torch, transformers = needed("torch"), needed("transformers")
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=size, n_positions=LENGTH, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=END, eos_token_id=END,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


def train(model: Any, documents: Sequence[Sequence[int]], steps: int, seed: int, rate: float = 3e-3) -> float:
    """Train a model in place on documents, all once before any twice; return its last losses' mean, in nats a token."""
    torch = needed("torch")
    batches = _batches(np.array([len(each) for each in documents]), np.random.default_rng([seed, 4]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    model.train()
    losses = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * (0.1 + 0.9 * (1 - step / steps))
        held, labels = _batch([[*documents[at], END] for at in next(batches)])
        loss = model(input_ids=held, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    model.eval()
    return float(np.mean(losses[-20:]))


def sample(
    model: Any, prompts: Sequence[Sequence[int]], draws: Array, table: Array | None = None, bias: float = 2.0
) -> list[list[int]]:
    """Return what a model writes behind prompts of one length, at temperature 1; `table` favours tokens by the last.

    `draws` are uniform, (prompts, tokens): what is written of one hangs on its own draws, whatever is asked beside it.
    """
    torch, cache_of = needed("torch"), needed("transformers").DynamicCache
    favoured = None if table is None else torch.as_tensor(table, dtype=torch.float32) * bias
    found: list[list[int]] = []
    with torch.inference_mode():
        for start in range(0, len(prompts), TOGETHER):
            last = torch.as_tensor(np.array(prompts[start : start + TOGETHER]))
            drawn = torch.as_tensor(draws[start : start + TOGETHER], dtype=torch.float32)
            out, cache = [], cache_of()
            for at in range(drawn.shape[1]):
                scores = model(input_ids=last, use_cache=True, **{_cache(): cache}).logits[:, -1]
                if favoured is not None:
                    scores = scores + favoured[last[:, -1]]
                scores[:, PAD] = -math.inf
                last = _drawn(scores.softmax(-1).cumsum(-1), drawn[:, at : at + 1])
                out.append(last[:, 0].numpy())
            found += [_ended(row) for row in np.array(out).T.tolist()]
    return found


def loss_on(model: Any, documents: Sequence[Sequence[int]]) -> float:
    """Return a model's loss on documents, in nats a token."""
    torch = needed("torch")
    total, count = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(documents), 128):
            held, labels = _batch([[*each, END] for each in documents[start : start + 128]])
            scored = int((labels[:, 1:] >= 0).sum())
            total += float(model(input_ids=held, labels=labels).loss) * scored
            count += scored
    return total / count


def read(model: Any, texts: Sequence[Sequence[int]], see: Callable[[int, Array], None]) -> None:
    """Let a model read texts; `see` gets the number of each, and (tokens, vocabulary) log-probabilities of the next."""
    torch = needed("torch")
    with torch.no_grad():
        for start in range(0, len(texts), 64):
            part = [list(each)[:LENGTH] for each in texts[start : start + 64]]
            held, _ = _batch(part)
            scores = model(input_ids=held).logits.log_softmax(-1).numpy()
            for at, each in enumerate(part):
                see(start + at, scores[at, : len(each)])


def likelihoods(model: Any, prefixes: Sequence[Sequence[int]], endings: Sequence[Sequence[int]]) -> Array:
    """Return the log-likelihood of each ending behind its prefix, in nats: (n,)."""
    whole = [[*before[-(LENGTH - len(ending)) :], *ending] for before, ending in zip(prefixes, endings, strict=True)]
    found = np.zeros(len(whole))
    order = sorted(range(len(whole)), key=lambda at: len(whole[at]))  # so that little is filled up

    def see(number: int, scores: Array) -> None:
        at = order[number]
        size, length = len(endings[at]), len(whole[at])
        places = np.arange(length - size - 1, length - 1)
        found[at] = scores[places, np.array(whole[at][length - size :])].sum()

    read(model, [whole[at] for at in order], see)
    return found


@functools.cache
def _cache() -> str:
    """What transformers calls the cache of a forward pass: another name since 5.24."""
    named = inspect.signature(needed("transformers").GPT2LMHeadModel.forward).parameters
    return "cache" if "cache" in named else "past_key_values"


def _batches(lengths: Array, rng: np.random.Generator) -> Iterator[Array]:
    """Numbers of documents, a batch at a time and without end; those of a batch are of like length."""
    while True:
        order = rng.permutation(len(lengths))
        for start in range(0, len(order), ALIKE * BATCH):
            part = order[start : start + ALIKE * BATCH]
            part = part[np.argsort(lengths[part], kind="stable")]
            batches = [part[at : at + BATCH] for at in range(0, len(part), BATCH)]
            yield from (batches[at] for at in rng.permutation(len(batches)))


def _batch(rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """Token ids, filled up behind, and the same as labels that leave out what was filled."""
    torch = needed("torch")
    width = min(LENGTH, max(map(len, rows)))
    held = np.zeros((len(rows), width), np.int64)
    labels = np.full((len(rows), width), -100, np.int64)
    for at, row in enumerate(rows):
        cut = list(row)[:width]
        held[at, : len(cut)] = labels[at, : len(cut)] = cut
    return torch.as_tensor(held), torch.as_tensor(labels)


def _drawn(mass: Any, draws: Any) -> Any:
    """The first token whose cumulated probability is above the draw: (n, 1)."""
    return (mass < draws * mass[:, -1:]).sum(-1, keepdim=True).clamp_(max=mass.shape[1] - 1)


def _ended(row: list[int]) -> list[int]:
    return row[: row.index(END)] if END in row else row
