"""Two sets of strings compared by the Hamming kernel: maximum mean discrepancy with permutation within prompts.

Gao, Liang and Guestrin, "Model Equality Testing" (ICLR 2025), section 3; the p-value has the +1 that exactness needs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from stillwatch.integrity.audit.permutation import (
    PERMUTATIONS,
    Floats,
    Labels,
    Outcome,
    p_of,
    permuted_labels,
    total_of,
)

LENGTH = 64  # pieces of an answer that are compared
_PIECE = re.compile(r"\w+|[^\w\s]|\n")


def pieces(text: str, length: int | None = LENGTH) -> list[str]:
    """Cut a text into words, marks and line ends; the endpoint's own tokens are not known."""
    found = _PIECE.findall(text)
    return found if length is None else found[:length]


def codes(texts: Sequence[str], length: int = LENGTH) -> npt.NDArray[np.int64]:
    """Return the pieces of texts as numbers, shape (texts, length); 0 where a text has ended."""
    made = np.zeros((len(texts), length), dtype=np.int64)
    for row, text in enumerate(texts):
        numbers = [_code(piece) for piece in pieces(text, length)]
        made[row, : len(numbers)] = numbers
    return made


def hamming_kernel(rows: npt.NDArray[np.int64]) -> Floats:
    """Return the share of places in which two rows agree, shape (rows, rows)."""
    return np.mean(rows[:, None, :] == rows[None, :, :], axis=2, dtype=np.float64)


def kernel_test(
    reference: Mapping[str, Sequence[str]],
    endpoint: Mapping[str, Sequence[str]],
    chance: np.random.Generator,
    permutations: int = PERMUTATIONS,
    length: int = LENGTH,
) -> Outcome:
    """Test whether answers of both sides, by prompt, have one distribution. Prompts that one side lacks are left out.

    Raises ValueError when no prompt was answered by both.
    """
    shared = [prompt for prompt in reference if reference[prompt] and endpoint.get(prompt)]
    if not shared:
        raise ValueError("no prompt was answered by both the reference and the endpoint")
    parts = []
    for prompt in shared:
        ours, theirs = reference[prompt], endpoint[prompt]
        kernel = hamming_kernel(codes([*ours, *theirs], length))
        parts.append(discrepancies(kernel, permuted_labels(len(ours), len(theirs), permutations, chance)))
    observed, permuted = total_of(parts)
    return Outcome("kernel", observed, p_of(observed, permuted), sum(len(endpoint[each]) for each in shared))


def discrepancies(kernel: Floats, labels: Labels) -> Floats:
    """Return the squared discrepancy of each row of labels; a side with one answer has no pairs of its own."""
    theirs = labels.astype(np.float64)
    ours = 1.0 - theirs
    within = np.zeros(len(labels))
    for side in (ours, theirs):
        size = side[0].sum()
        if size > 1:
            pairs = np.sum((side @ kernel) * side, axis=1) - side @ np.diag(kernel)
            within += pairs / (size * (size - 1))
    across = np.sum((ours @ kernel) * theirs, axis=1) / (ours[0].sum() * theirs[0].sum())
    return within - 2.0 * across


def _code(piece: str) -> int:
    return int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=7).digest(), "big") + 1
