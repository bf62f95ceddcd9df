"""Accounts that do the same thing at about the same time, again and again: SynchroTrap.

Cao et al., "Uncovering Large Groups of Active Malicious Accounts in Online Social Networks", CCS 2014. An action is a
model, its target a template, and its time a window; accounts are linked by the Jaccard similarity of their sets.
"""

from __future__ import annotations

import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid
from stillwatch.lab.rivals.links import common, incidence, rank_linked, strangers
from stillwatch.lab.rivals.table import Codes, Table, once, read

LEAST = 3  # accounts of a group that is accused
ACTIONS = 3  # an account with fewer actions is not compared


def tokens(table: Table, seconds: int) -> tuple[Codes, Codes]:
    """Each account with each (template, model, window) once."""
    there = table.template >= 0
    window = table.ts[there] // (seconds * 1_000_000)
    window -= window.min(initial=int(window[0])) if len(window) else 0
    models, windows = int(table.value["model"].max(initial=0)) + 2, int(window.max(initial=0)) + 1
    atom = (table.template[there] * models + table.value["model"][there] + 1) * windows + window
    place = np.unique(atom, return_inverse=True)[1].ravel()
    rows, atoms, _ = once(table.who[there], place)
    return rows, atoms


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Sum of an account's similarities to the accounts that single linkage joins it to."""
    table = read(log)
    n = len(table.account)
    rows, atoms = tokens(table, setting["window_s"])
    size = np.bincount(rows, minlength=n)
    left, right, both = common(incidence(rows, atoms, n))
    alike = both / np.maximum(size[left] + size[right] - both, 1)
    kept = (alike >= setting["jaccard"]) & (np.minimum(size[left], size[right]) >= ACTIONS)
    if setting["orgs"] == "apart":
        kept &= strangers(table, left, right)
    return rank_linked(
        table,
        (left[kept], right[kept]),
        alike[kept],
        LEAST,
        "the same templates of the same models in the same windows",
    )


RIVAL = Rival(
    "synchrotrap",
    "SynchroTrap, CCS 2014",
    "port",
    grid(window_s=(60, 900, 3_600, 21_600, 86_400), jaccard=(0.02, 0.05, 0.1, 0.2, 0.5), orgs=("count", "apart")),
    rank,
    "target = masked shingle signature of the prompt; fixed windows; one batch, not daily increments",
)
