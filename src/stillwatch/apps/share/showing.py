"""What would leave and what stays, for the eyes of whoever approves it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import Counter
from typing import Any

from stillwatch.sharing.leaving import FIELDS, Leaving

SHOWN = 20  # indicators printed of each kind; --json has them all


def as_dict(leaving: Leaving) -> dict[str, Any]:
    """Return plain values."""
    told = dataclasses.asdict(leaving)
    plain: dict[str, Any] = _plain(told)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, dt.datetime) else value


def lines(leaving: Leaving) -> list[str]:
    """Return the preview as lines: first what leaves, word by word, then what stays, by kind and reason only."""
    told = [
        f"campaign {leaving.name} at TLP:{leaving.tlp.upper()} for {leaving.partner}, as {leaving.producer.name}",
        "",
        "leaves:",
        f"  confidence {leaving.confidence}; seen {leaving.first_seen:%Y-%m-%d %H:%M} to "
        f"{leaving.last_seen:%Y-%m-%d %H:%M} UTC",
    ]
    sought = ", ".join(f"{name} about {share} %" for name, share in leaving.capabilities)
    numbers = (leaving.accounts_at_least, leaving.exchanges_at_least, leaving.output_tokens_at_least)
    if numbers[0] is not None:
        told.append("  at least {:,} accounts, {:,} exchanges, {:,} output tokens".format(*numbers))
    parts = (
        ("capabilities", sought),
        ("techniques", ", ".join(leaving.techniques)),
        ("axes, bits", ", ".join(f"{name} {bits:g}" for name, bits in leaving.axes)),
        ("signals", ", ".join(f"{one.signal} {one.bits:+g}" for one in leaving.detectors)),
        ("models", ", ".join(leaving.models)),
        ("pool", leaving.pool or ""),
        ("accounts, by pseudonym", f"{len(leaving.accounts):,}" if leaving.accounts else ""),
    )
    told += [f"  {name}: {text}" for name, text in parts if text]
    for one in leaving.hypotheses:
        told.append(f"  {one.role}: {one.name or 'unknown'}, confidence {one.confidence}")
    told += _indicators(leaving)
    told += ["", "stays:"]
    told += [f"  {one.what}: {one.count:,}; {one.why}" for one in leaving.withheld] or ["  nothing that was gathered"]
    told.append(
        "  always: prompts and answers, account ids, names, mail addresses, phones, keys, countries, what is local"
    )
    return told


def _indicators(leaving: Leaving) -> list[str]:
    told = []
    count = Counter(one.kind for one in leaving.indicators)
    for kind in (kind for kind in count if kind.value in FIELDS):
        own = [one for one in leaving.indicators if one.kind is kind]
        told.append(f"  {kind.value}: {len(own):,}")
        told += [
            f"    {one.value}  until {one.valid_until:%Y-%m-%d}, at least {one.accounts_at_least} accounts, "
            f"confidence {one.confidence}"
            for one in own[:SHOWN]
        ]
        told += [f"    and {len(own) - SHOWN:,} more; --json has them"] if len(own) > SHOWN else []
    return told
