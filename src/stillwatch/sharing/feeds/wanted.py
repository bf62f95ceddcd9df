"""From what is kept to what a log is searched for: claims that hold at a moment, graded, as plain values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from stillwatch.model import InputRefused
from stillwatch.sharing.feeds.grading import Partner, grade, root
from stillwatch.sharing.feeds.stix_objects import read_stix
from stillwatch.sharing.feeds.store import FILE, Store, Told, derived, keep, ours, partners
from stillwatch.sharing.feeds.words import Refused
from stillwatch.sharing.taxii.envelope import Limits
from stillwatch.sketch.reported import Value, Wanted

MOST = 500_000  # values that are looked for at once, those that say most first
ALLOWED, CLEARED = "allowed.txt", "cleared.txt"  # in the folder: values, and accounts, that nothing is held against
LONGEST_BUNDLE = 67_108_864


def read_wanted(places: Sequence[Path], at: int) -> Wanted:
    """Return what folders of feeds and single bundles report at a moment. Raises InputRefused for what is neither."""
    told: list[Told] = []
    known: dict[str, Partner] = {}
    keys: dict[str, bytes] = {}
    allowed: set[str] = set()
    cleared: set[str] = set()
    for place in places:
        if place.is_dir():
            store = _open(place)
            try:
                own, trusted, held = _of(store)
            finally:
                store.close()
            allowed |= _lines(place / ALLOWED)
            cleared |= _lines(place / CLEARED)
        else:
            own, trusted, held = _bundle(place, at)
        told += own
        known |= trusted
        keys |= held
    values = graded((one for one in told if one.claim.value not in allowed), known, at)
    return Wanted(values, keys, frozenset(cleared))


def graded(told: Iterable[Told], known: dict[str, Partner], at: int) -> tuple[Value, ...]:
    """Return each value with its grade, those that say nothing left out, the strongest first."""
    by_value: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
    for one in told:
        by_value[one.claim.kind, one.claim.value, one.claim.key_id].append(one)
    code = {name: place for place, name in enumerate(sorted(known))}
    found = []
    for (kind, value, key_id), claims in by_value.items():
        says = grade(kind, claims, known, at)
        if says is not None and says.bits > 0:
            found.append(Value(kind, value, says.bits, code[says.partner], says.partners, key_id))
    found.sort(key=lambda one: (-one.bits, one.kind, one.value, one.key_id))
    return tuple(found[:MOST])


def _open(folder: Path) -> Store:
    if not (folder / FILE).is_file():
        raise InputRefused(f"{folder}: holds no {FILE}; pull with `stillwatch feeds pull`, or name a STIX bundle")
    return Store(folder)


def _of(store: Store) -> tuple[list[Told], dict[str, Partner], dict[str, bytes]]:
    rows = store.rows(sa.select(partners))
    known = {row["name"]: Partner(row["name"], row["reliability"], row["identity"]) for row in rows}
    keys = {row["key_id"]: _key(row["key_file"]) for row in rows if row["key_id"] and row["key_file"]}
    claims = _with_roots(_honour_authors(list(store.told()), known), store)
    return _not_ours(claims, {row["identity"] for row in store.rows(sa.select(ours))}), known, keys


def _not_ours(claims: list[Told], identities: set[str]) -> list[Told]:
    """Leave out what we said ourselves and hear again, and what without an origin may be a copy of it."""
    said = {_value_of(one) for one in claims if one.claim.origin in identities}
    return [
        one
        for one in claims
        if one.claim.origin not in identities and (one.claim.origin or _value_of(one) not in said)
    ]  # fmt: skip


def _value_of(one: Told) -> tuple[str, str, str]:
    return one.claim.kind, one.claim.value, one.claim.key_id


def _honour_authors(claims: list[Told], known: dict[str, Partner]) -> list[Told]:
    """Take back everywhere what its author took back; nobody can take back what another said."""
    by_name = {one.identity: name for name, one in known.items() if one.identity.startswith("identity--")}
    gone = {
        one.object_id for one in claims if one.claim.revoked and by_name.get(one.claim.origin) == one.partner
    }  # fmt: skip
    return [one for one in claims if one.object_id not in gone]


def _with_roots(claims: list[Told], store: Store) -> list[Told]:
    """Give what was made from another's object that one's origin: a copy says who was copied."""
    made_from: dict[str, dict[str, str]] = defaultdict(dict)
    for row in store.rows(sa.select(derived).order_by(derived.c.target_ref)):
        made_from[row["partner"]].setdefault(row["source_ref"], row["target_ref"])
    origins = {one.object_id: one.claim.origin for one in claims if one.claim.origin}
    found = []
    for one in claims:
        first = root(one.object_id, made_from[one.partner])
        origin = one.claim.origin if first == one.object_id else origins.get(first, first)
        found.append(replace(one, claim=replace(one.claim, origin=origin)))
    return found


def _key(name: str) -> bytes:
    try:
        return Path(name).read_bytes().strip()
    except OSError as error:
        raise InputRefused(f"{name}: the shared key cannot be read ({error.strerror})") from None


def _lines(place: Path) -> set[str]:
    if not place.is_file():
        return set()
    return {line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()}


def _bundle(place: Path, at: int) -> tuple[list[Told], dict[str, Partner], dict[str, bytes]]:
    """Return a single bundle as if from a partner of whom nothing is known."""
    try:
        with place.open("rb") as file:
            body = file.read(LONGEST_BUNDLE + 1)
    except OSError as error:
        raise InputRefused(f"{place}: cannot be read ({error.strerror}); name a folder of feeds or a bundle") from None
    if len(body) > LONGEST_BUNDLE:
        raise InputRefused(f"{place}: is longer than {LONGEST_BUNDLE:,} bytes; pull it with `stillwatch feeds pull`")
    items = list(read_stix(body, Limits(objects=200_000), at))
    broken = next((one for one in items if isinstance(one, Refused) and one.whole), None)
    if broken is not None:
        raise InputRefused(f"{place}: {broken.wrong}; {broken.mend}")
    name = f"bundle {place.name}"
    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        try:
            store.introduce(name, reliability="F", identity="", key_id="", key_file="")
            with store.writing() as connection:
                keep(connection, (name, place.name), items, at)
            return _of(store)
        finally:
            store.close()
