"""What supervised and benign-referenced rivals learn from tuning replays; made anew where needed, never stored."""

from __future__ import annotations

from stillwatch.lab.rivals import boosting, embedding, mmd
from stillwatch.lab.rivals.base import Log, Tuned, one_thread
from stillwatch.lab.truth import Truth


def train(log: Log, labels: Truth, *more: tuple[Log, Truth]) -> Tuned:
    """Models by name. The first replay is also the benign reference; the supervised ones learn from all."""
    replays = ((log, labels), *more)
    innocent = ~boosting.guilty(log, labels)
    with one_thread():
        reduced = embedding.fit(log, innocent)
        return Tuned(
            {
                "embedding": reduced,
                "mmd": mmd.fit(log, innocent, reduced),
                "boosting-oracle": boosting.fit(replays, "oracle"),
                "boosting-noisy": boosting.fit(replays, "noisy"),
            }
        )
