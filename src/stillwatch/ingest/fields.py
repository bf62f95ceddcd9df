"""Which of their columns serves which of ours: `--field THEIRS=ours`, and what to suggest when one is missing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence

from stillwatch.ingest.columns import Column
from stillwatch.model import UsageError

# what gateways and providers commonly call these columns
KNOWN_AS = {
    "exchange_id": ("id", "request_id", "requestid", "trace_id", "event_id", "uuid", "completion_id"),
    "ts": ("timestamp", "time", "created", "created_at", "datetime", "date", "event_time", "started_at"),
    "account_id": ("account", "user", "user_id", "customer_id", "customer", "tenant", "tenant_id", "principal"),
    "model": ("model_name", "model_id", "engine", "deployment"),
    "prompt": ("input", "text", "message", "content", "query"),
}
SHOWN = 24  # names in a message


def check_fields(fields: Mapping[str, str], contract: Sequence[Column], found: Collection[str]) -> None:
    """Refuse a mapping to a column that is not ours, or from one that no input has. Raises UsageError."""
    ours = [column.name for column in contract]
    for theirs, name in fields.items():
        if name not in ours:
            raise UsageError(
                f"--field {theirs}={name}: there is no column '{name}'{_nearest(name, ours)}; one of {', '.join(ours)}"
            )
        if found and theirs not in found:
            raise UsageError(
                f"--field {theirs}={name}: no input has a column '{theirs}'{_nearest(theirs, found)}; "
                f"found {name_columns(found)}"
            )


def bind(fields: Mapping[str, str], contract: Sequence[Column], found: Collection[str]) -> dict[str, str]:
    """Return {our name: their name} for one input: what the user mapped first, then equal names."""
    bound: dict[str, str] = {}
    for theirs, ours in fields.items():
        if theirs in found:
            bound.setdefault(ours, theirs)
    for column in contract:
        if column.name in found and column.name not in fields:
            bound.setdefault(column.name, column.name)
    return bound


def missing_required(bound: Mapping[str, str], contract: Sequence[Column], found: Collection[str]) -> str | None:
    """Return the mend when a required column is missing, else None."""
    lacking = [column for column in contract if column.required and column.name not in bound]
    if not lacking:
        return None
    hints = [f"--field {_candidate(column.name, found) or 'THEIRS'}={column.name}" for column in lacking]
    names = ", ".join(f"'{column.name}' ({column.meaning})" for column in lacking)
    return f"has no column {names}; it has {name_columns(found)}; map with {' '.join(hints)}"


def name_columns(found: Iterable[str]) -> str:
    """Return column names for a message. A long 'name' is shown as its length: a file without header has text there."""
    names = [name if len(name) <= 40 else f"<text of {len(name)} characters>" for name in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no columns") + more


def _candidate(ours: str, found: Collection[str]) -> str | None:
    lower = {name.lower(): name for name in found}
    for alias in (ours, *KNOWN_AS.get(ours, ())):
        if alias in lower:
            return lower[alias]
    near = difflib.get_close_matches(ours, list(lower), n=1, cutoff=0.75)
    return lower[near[0]] if near else None


def _nearest(name: str, among: Collection[str]) -> str:
    for ours, aliases in KNOWN_AS.items():
        if name.lower() in aliases and ours in among:
            return f", did you mean '{ours}'?"
    near = difflib.get_close_matches(name, list(among), n=1, cutoff=0.5)
    return f", did you mean '{near[0]}'?" if near else ""
