"""Feeds for tests: indicators, partners, and a store that is closed again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stillwatch.sharing.feeds.grading import Partner
from stillwatch.sharing.feeds.pull import Clock, Pulled, pull
from stillwatch.sharing.feeds.settings import read_settings
from stillwatch.sharing.feeds.store import Store, Told
from stillwatch.sharing.feeds.words import DAY_US, Claim
from stillwatch.sharing.taxii.times import read_time

NOW = read_time("2026-02-01T00:00:00Z") or 0
AUTHOR = "identity--0000000a-0000-4000-8000-000000000000"
OTHER = "identity--0000000b-0000-4000-8000-000000000000"


def indicator(pattern: str = "[ipv4-addr:value = '198.51.100.7']", number: int = 1, **held: Any) -> dict[str, Any]:
    """An indicator that holds at NOW."""
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.UUID(int=number, version=4)}",
        "created_by_ref": AUTHOR, "created": "2026-01-30T00:00:00.000Z", "modified": "2026-01-31T00:00:00.000Z",
        "pattern": pattern, "pattern_type": "stix", "valid_from": "2026-01-30T00:00:00Z",
        "valid_until": "2026-03-01T00:00:00Z", "confidence": 70,
    } | held  # fmt: skip


def bundle(*objects: Any) -> bytes:
    """A bundle of objects."""
    return json.dumps({"type": "bundle", "id": f"bundle--{uuid.UUID(int=1, version=4)}", "objects": objects}).encode()


def claim(**held: Any) -> Claim:
    """A claim about a template, told now."""
    told: dict[str, Any] = {
        "kind": "template", "value": "v", "key_id": "", "origin": AUTHOR, "confidence": 70, "valid_from": NOW,
        "valid_until": NOW + 10 * DAY_US, "told": NOW,
    }  # fmt: skip
    return Claim(**told | held)


def told(partner: str = "a", number: int = 1, **held: Any) -> Told:
    """A claim that a partner delivered."""
    return Told(partner, f"indicator--{number}", claim(**held))


def known(**reliability: str) -> dict[str, Partner]:
    """Partners by name."""
    return {name: Partner(name, grade) for name, grade in reliability.items()}


@contextmanager
def feeds(folder: Path, partners: str) -> Iterator[Feeds]:
    """Settings with these partners, and their store."""
    file = folder / "feeds.toml"
    file.write_text(f'folder = "kept"\n{partners}', encoding="utf-8")
    settings = read_settings(file)
    store = Store(Path(settings.folder))
    try:
        yield Feeds(settings, store)
    finally:
        store.close()


class Feeds:
    """A store and the settings that fill it."""

    def __init__(self, settings: Any, store: Store) -> None:
        self.settings, self.store = settings, store

    def pull(self, now: int = NOW) -> list[Pulled]:
        """Pull once."""
        return pull(self.settings, self.store, Clock(now))

    def values(self) -> list[tuple[str, str]]:
        """What is claimed, by kind and value."""
        return [(one.claim.kind, one.claim.value) for one in self.store.told()]

    def refusals(self) -> list[str]:
        """What is wrong with what was not taken."""
        from stillwatch.sharing.feeds.store import quarantine

        return [row["wrong"] for row in self.store.rows(quarantine.select().order_by(quarantine.c.place))]


def partner(kind: str, path: str, more: str = "", name: str = "north", grade: str = "B", own: bool = True) -> str:
    """A partner with one source of files."""
    return (
        f'[[partner]]\nname = "{name}"\nreliability = "{grade}"\nown = {str(own).lower()}\n'
        f'[[partner.source]]\ntype = "{kind}"\npath = "{path}"\n{more}\n'
    )
