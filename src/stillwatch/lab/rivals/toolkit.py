"""Accounts that post the same text, or use the same link, within a minute: the coordination network toolkit.

The real package runs, by its own command, on a table where an exchange is a message. co_tweet reads the prompt's
template as the message (its text where it has none); co_link reads the address and the payment as links.
"""

from __future__ import annotations

import csv
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid, optional
from stillwatch.lab.rivals.links import rank_linked
from stillwatch.lab.rivals.table import Codes, Table, read
from stillwatch.model import InputRefused

PACKAGE = "coordination_network_toolkit"
COLUMNS = ("message_id", "user_id", "username", "repost_id", "reply_id", "message", "timestamp", "urls")
LEAST = 3  # accounts of a component that is accused
CORES = "2"


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Weighted degree in the network that the package computes."""
    table = read(log)
    if not len(table.account):
        return table.ranking(np.zeros(0), np.zeros(0, bool))
    optional(PACKAGE, "coordination-network-toolkit>=1.5,<2")
    with tempfile.TemporaryDirectory() as folder:
        left, right, weight = network(table, setting, Path(folder))
    why = f"the same {setting['network']} within {setting['window_s']} s"
    return rank_linked(table, (left, right), weight, LEAST, why)


def network(table: Table, setting: Setting, folder: Path) -> tuple[Codes, Codes, np.ndarray]:
    """Pairs of accounts and the weight of their edge, as the package stores them."""
    messages, database = folder / "messages.csv", folder / "network.db"
    with messages.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        rows.writerows(_messages(table))
    _command(str(database), "preprocess", str(messages))
    window, least = str(setting["window_s"]), str(setting["edge"])
    options = ("--time_window", window, "--min_edge_weight", least, "--n_cpus", CORES)
    _command(str(database), "compute", setting["network"], *options)
    with closing(sqlite3.connect(database)) as stored:
        found = stored.execute(f"select user_1, user_2, weight from {setting['network']}_network").fetchall()
    pairs = np.array([(int(one), int(other), weight) for one, other, weight in found], np.float64).reshape(-1, 3)
    pairs = pairs[pairs[:, 0] < pairs[:, 1]]  # it stores both directions, and each account with itself
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order, 0].astype(np.int64), pairs[order, 1].astype(np.int64), pairs[order, 2]


def _messages(table: Table) -> Iterator[tuple[object, ...]]:
    payment = table.identity["payment_fingerprint"][table.who]
    rows = zip(
        table.who.tolist(),
        table.template.tolist(),
        (table.ts // 1_000_000).tolist(),
        table.value["ip"].tolist(),
        payment.tolist(),
        strict=True,
    )
    for number, (account, template, second, ip, paid) in enumerate(rows):
        message = f"template {template}" if template >= 0 else f"unlike any other {number}"
        links = [f"ip/{ip}"] * (ip >= 0) + [f"payment/{paid}"] * (paid >= 0)
        yield number, account, account, "", "", message, second, " ".join(links)


def _command(*words: str) -> None:
    program = [sys.executable, "-W", "ignore", "-m", PACKAGE, *words]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputRefused(f"{PACKAGE} {words[1]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")


RIVAL = Rival(
    "coordination-toolkit",
    "coordination-network-toolkit 1.5 (MIT), co_tweet and co_link",
    "package",
    grid(network=("co_tweet", "co_link"), window_s=(60, 900, 3_600), edge=(2, 5)),
    rank,
    "message = masked shingle signature of the prompt; link = address and payment",
)
