"""A partner's prompt templates looked for in one's own log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stillwatch.apps.share.templates import count_users
from stillwatch.ingest.engine import Engine
from stillwatch.ingest.read import read_exchanges
from stillwatch.model import InputRefused
from stillwatch.sharing.case import Kind
from stillwatch.sharing.patterns import read_pattern
from stillwatch.sketch.fingerprints import Fingerprint, Matcher


def match_templates(told: dict[str, Any], exchanges: Sequence[str]) -> list[dict[str, Any]]:
    """Return, for each template indicator of a bundle, how many exchanges and accounts of a log fill it."""
    wanted: dict[Fingerprint, str] = {}
    for one in told["objects"]:
        read = read_pattern(str(one.get("pattern", ""))) if one.get("type") == "indicator" else None
        if read is not None and read[0] is Kind.TEMPLATE:
            wanted.setdefault(Fingerprint.parse(read[1]), str(one["id"]))
    if not wanted:
        return []
    with Engine() as engine:
        log = read_exchanges(list(exchanges), engine)
        if "prompt" not in log.present:
            raise InputRefused("the log has no prompts, and a template cannot be looked for without them")
        users = count_users(engine, log.table.select("account_id", "prompt"), Matcher(list(wanted)))
    return [
        {"indicator": indicator, "exchanges": users.uses.get(at, 0), "accounts": len(users.found.get(at, ()))}
        for at, indicator in enumerate(wanted.values())
    ]
