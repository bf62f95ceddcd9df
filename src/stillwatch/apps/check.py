"""What a log can and cannot support, said before a run."""

from __future__ import annotations

from typing import Any

from stillwatch.apps.detect import Settings
from stillwatch.ingest import validate as support
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_accounts, read_exchanges, read_licences
from stillwatch.ingest.support import Support


def validate(exchanges: Any, accounts: Any = None, licences: Any = None, settings: Settings | None = None) -> Support:
    """Say what these inputs hold, what is wrong with them, and what `detect` could see in them.

    Takes what `detect` takes and raises what it raises; of the settings, those about reading count.
    """
    chosen = settings or Settings()
    with Engine(chosen.scratch, threads=chosen.threads, memory=chosen.memory) as engine:
        return support.validate(
            read_exchanges(exchanges, engine, chosen.fields, chosen.format),
            None if accounts is None else read_accounts(accounts, engine),
            None if licences is None else read_licences(licences, engine),
        )
