"""The operator's own tables, accounts and licences, read by the code of `detect` and kept where workers look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stillwatch.actions.access import Access, licences_of
from stillwatch.actions.declarations import read_declared
from stillwatch.apps.gateway.settings import Config
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import NO_FIELDS, read_accounts, read_licences
from stillwatch.store.accounts import Account, put_accounts
from stillwatch.store.database import Store

SECOND = 1_000_000  # µs
TEXTS = (
    "org_id", "email_domain", "payment_fingerprint", "phone_hash", "signup_ip", "country", "verification", "plan",
    "program",
)  # fmt: skip


def read_access(config: Config) -> Access:
    """Return licences and declared uses as the files say now. Raises InputRefused for a file that cannot be read."""
    licences: list[dict[str, Any]] = []
    if config.licences is not None:
        with Engine() as engine:
            licences = engine.arrow(read_licences(str(config.licences), engine, NO_FIELDS).table).to_pylist()
    declared = () if config.declared is None else read_declared(config.declared)
    return Access((), licences_of(licences), declared)


def load_accounts(config: Config, store: Store) -> int:
    """Bring the file of accounts into the control plane; return how many rows changed there."""
    if config.accounts is None:
        return 0
    with Engine() as engine:
        table = read_accounts(str(config.accounts), engine, NO_FIELDS).table
        return put_accounts(store, _rows(engine, table))


def stamp(path: Path | None) -> tuple[int, int] | None:
    """Return what changes when a file does; None where there is none."""
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_size)


def _rows(engine: Engine, table: Any) -> Iterator[Account]:
    for batch in engine.stream(table):
        for row in batch.to_pylist():
            yield Account(
                row["account_id"],
                created_at=_micros(row.get("created_at")),
                suspended_at=_micros(row.get("suspended_at")),
                **{name: row.get(name) for name in TEXTS},
            )


def _micros(moment: Any) -> int | None:
    return None if moment is None else int(moment.timestamp() * SECOND)
