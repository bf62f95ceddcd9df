"""Accounts whose sign-up data agree beyond chance: Fellegi-Sunter linkage by Splink, popular values worth little.

The real package estimates its own weights: u by random sampling, m by expectation maximisation, with a term-frequency
adjustment on every column. Its blocking rules keep it from listing all pairs. It reads no behaviour at all.
"""

from __future__ import annotations

import logging
import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from stillwatch.lab.rivals.base import Log, Ranking, Rival, Setting, Tuned, grid, optional
from stillwatch.lab.rivals.links import rank_linked, strangers
from stillwatch.lab.rivals.table import Codes, Table, read

IDENTITY = ("payment", "phone", "signup_ip", "domain")
CLIENT = ("ip", "agent", "tls")
LEAST = 3  # accounts of a cluster that is accused
SEED = 7
RECALL = 0.5  # of an operator's pairs of accounts that share a card or a phone; its guide asks for a guess


def rank(log: Log, setting: Setting, _: Tuned | None = None) -> Ranking:
    """Sum of an account's match probabilities with the accounts of its cluster."""
    table = read(log)
    columns = IDENTITY if setting["columns"] == "identity" else IDENTITY + CLIENT
    left, right, match = _pairs(log, (log.folder / "exchanges.parquet").stat().st_mtime_ns, columns)
    kept = match >= setting["probability"]
    if setting["orgs"] == "apart":
        kept &= strangers(table, left, right)
    why = "sign-up data that agree beyond chance"
    return rank_linked(table, (left[kept], right[kept]), match[kept], LEAST, why)


@lru_cache(maxsize=4)
def _pairs(log: Log, _stamp: int, columns: tuple[str, ...]) -> tuple[Codes, Codes, np.ndarray]:
    return pairs(account_rows(read(log)), columns)


def account_rows(table: Table) -> pa.Table:
    """One row for each account: what it signed up with, and the client it uses most."""
    found = {
        "payment": table.identity["payment_fingerprint"],
        "phone": table.identity["phone_hash"],
        "signup_ip": table.identity["signup_ip"],
        "domain": table.identity["email_domain"],
        "ip": table.main(table.value["ip"]),
        "agent": table.main(table.value["user_agent"]),
        "tls": table.main(table.value["tls_fingerprint"]),
    }
    columns = {name: pa.array(codes, mask=codes < 0).cast(pa.string()) for name, codes in found.items()}
    return pa.table({"unique_id": np.arange(len(table.account)), **columns})


def pairs(rows: pa.Table, columns: tuple[str, ...]) -> tuple[Codes, Codes, np.ndarray]:
    """Pairs that a blocking rule brings together, with their match probability."""
    nobody = np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    known = [name for name in columns if rows[name].null_count < len(rows)]
    if len(rows) < 2 or not known:
        return nobody
    splink = optional("splink", "splink>=5,<6")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of other packages
        linker = _linker(splink, rows, known)
        _train(splink, linker, known)
        found = linker.inference.predict().as_duckdbpyrelation().to_arrow_table()
    left, right = found["unique_id_l"].to_numpy(), found["unique_id_r"].to_numpy()
    return (
        np.minimum(left, right).astype(np.int64),
        np.maximum(left, right).astype(np.int64),
        found["match_probability"].to_numpy().astype(float),
    )


def _linker(splink: Any, rows: pa.Table, known: list[str]) -> Any:
    library = optional("splink.comparison_library", "splink>=5,<6")
    comparisons = [library.ExactMatch(name).configure(term_frequency_adjustments=True) for name in known]
    rules = [splink.block_on(name) for name in known if name not in ("domain", "agent", "tls")]
    together = [name for name in ("domain", "agent", "tls") if name in known]
    rules += [splink.block_on(*together)] if len(together) > 1 or not rules else []
    settings = splink.SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules
    )
    api = splink.DuckDBAPI()
    return splink.Linker(api.register(rows), settings, log_level=logging.ERROR)


def _train(splink: Any, linker: Any, known: list[str]) -> None:
    """As its guide advises; a rule that brings too few pairs together leaves that column at its default."""
    failures = optional("splink.internals.exceptions", "splink>=5,<6")
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=SEED)
    exact = [splink.block_on(name) for name in known if name in ("payment", "phone")]
    if exact:
        linker.training.estimate_probability_two_random_records_match(exact, recall=RECALL)
    for name in known[:3]:
        try:
            linker.training.estimate_parameters_using_expectation_maximisation(splink.block_on(name))
        except failures.EMTrainingException:
            continue


RIVAL = Rival(
    "splink",
    "splink 5.0 (MIT), Fellegi-Sunter with term frequencies on DuckDB",
    "package",
    grid(columns=("identity", "identity+client"), orgs=("count", "apart"), probability=(0.5, 0.9, 0.99, 0.999)),
    rank,
    "nothing; values reach it as codes",
)
