"""Asking the signals about many groups in several processes: what one finds does not depend on the others.

The processes are forked, so that they see the sketches without a copy, and compute in memory alone: no engine, no file.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence

from stillwatch.signals.base import Finding, Signal
from stillwatch.sketch.groups import GroupSketch

Findings = tuple[tuple[Signal, Finding], ...]
Named = list[tuple[str, Finding]]
AT_A_TIME = 64  # groups handed to a process at once
_SHARED: list[tuple[Sequence[GroupSketch], Callable[[GroupSketch], Findings]]] = []  # seen by what is forked from here


def ask_apart(
    groups: Sequence[GroupSketch], ask: Callable[[GroupSketch], Findings], roster: Sequence[Signal], workers: int
) -> Iterator[Findings]:
    """Yield what `ask` finds in each group, in their order; in this process where there is one core, or no fork."""
    if workers < 2 or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(ask, groups)
        return
    signals = {signal.name: signal for signal in roster}
    _SHARED.append((groups, ask))
    try:
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            for named in pool.imap(_ask, range(len(groups)), AT_A_TIME):
                yield tuple((signals[name], finding) for name, finding in named)
    finally:
        _SHARED.pop()


def _ask(place: int) -> Named:
    groups, ask = _SHARED[-1]
    return [(signal.name, finding) for signal, finding in ask(groups[place])]
