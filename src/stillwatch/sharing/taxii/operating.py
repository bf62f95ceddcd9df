"""What an operator does: bring the settings into the database, add partners and collections, push a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from pydantic import ValidationError

from stillwatch.model import InputRefused, UsageError
from stillwatch.sharing.taxii import partners
from stillwatch.sharing.taxii.catalogue import Collection, Wanted, all_collections, put_collection
from stillwatch.sharing.taxii.database import Database, open_database
from stillwatch.sharing.taxii.markings import LEVELS, Tlp
from stillwatch.sharing.taxii.partners import Partner, Right
from stillwatch.sharing.taxii.posting import Verdict, store
from stillwatch.sharing.taxii.reading import read_batch
from stillwatch.sharing.taxii.selecting import View
from stillwatch.sharing.taxii.settings import LimitsTable, PartnerTable, Settings
from stillwatch.sharing.taxii.words import Refusal

AT_ONCE = 1_000  # pushed objects in one transaction, so that a running server is not held up
LOCAL = "(pushed here)"  # no partner's name has brackets


@dataclass(frozen=True, slots=True)
class Grant:
    """Rights of a partner, with collections as ROOT/ALIAS."""

    clearance: str
    read: Sequence[str] = ()
    write: Sequence[str] = ()


def open_server(settings: Settings) -> tuple[Database, bytes]:
    """Open the database, bring the settings into it, and read the key of token hashes."""
    key = partners.read_key(settings.path(settings.token_key))
    database = open_database(settings.database_url)
    try:
        apply_settings(database, settings)
    except BaseException:
        database.close()
        raise
    return database, key


def apply_settings(database: Database, settings: Settings) -> None:
    """Collections and partners of the file come to be as the file says. Those added by command stay."""
    with database.writing() as connection:
        for each in settings.collection:
            put_collection(
                connection,
                Wanted(each.root, each.alias, each.title, each.description, LEVELS[each.unmarked], each.id or ""),
            )
        for partner in settings.partner:
            partners.put_partner(connection, _partner(connection, partner), declared=True)
        partners.retire_undeclared(connection, {each.name for each in settings.partner})


def add_collection(database: Database, settings: Settings, wanted: Wanted) -> Collection:
    """Make a collection that the settings do not have."""
    if wanted.root not in {each.name for each in settings.root}:
        raise UsageError(
            f"collection {wanted.root}/{wanted.alias}: {wanted.root} is no [[root]] of the settings; add it"
        )
    with database.writing() as connection:
        if any((each.root, each.alias) == (wanted.root, wanted.alias) for each in all_collections(connection)):
            raise UsageError(f"collection {wanted.root}/{wanted.alias} is there already; choose another alias")
        put_collection(connection, wanted)
        return find_collection(connection, f"{wanted.root}/{wanted.alias}")


def add_partner(database: Database, key: bytes, name: str, grant: Grant | None) -> str:
    """Give a partner a token and return it. With a grant the partner is made, or gets these rights instead."""
    with database.writing() as connection:
        known = {each.name: each for each in partners.list_partners(connection)}
        if grant is not None:
            if name in known and known[name].declared and known[name].active:
                raise UsageError(f"partner {name}: rights stand in the settings; change them there")
            partners.put_partner(connection, _partner(connection, _table(name, grant)), declared=False)
        elif name not in known or not known[name].active:
            raise UsageError(f"partner {name} is not known; add [[partner]] to the settings, or say --clearance")
        return partners.issue_token(connection, name, key)


def revoke_tokens(database: Database, name: str, hint: str | None) -> int:
    """Take tokens of a partner away, from this moment on."""
    with database.writing() as connection:
        gone = partners.revoke(connection, name, hint)
    if not gone:
        raise UsageError(f"partner {name} has no such token; `stillwatch taxii partner list` shows them")
    return gone


def push(database: Database, limits: LimitsTable, name: str, body: bytes) -> list[Verdict]:
    """Store the objects of a bundle or an envelope in a collection, as nobody's but the operator's."""
    with database.reading() as connection:
        collection = find_collection(connection, name)
    try:
        batch = read_batch(body, collection.unmarked, limits)
    except Refusal as refusal:
        raise InputRefused(f"{refusal}; give a STIX bundle") from None
    verdicts = list(batch.refused)
    view = View(collection.number, Tlp.RED)
    for at in range(0, len(batch.posted), AT_ONCE):
        with database.writing() as connection:
            verdicts += store(connection, view, batch.posted[at : at + AT_ONCE], LOCAL)
    return verdicts


def find_collection(connection: sa.Connection, name: str) -> Collection:
    """A collection by ROOT/ALIAS or by its id."""
    for each in all_collections(connection):
        if name in (each.name, each.id):
            return each
    raise UsageError(f"collection {name} is not there; `stillwatch taxii collection list` shows those that are")


def _table(name: str, grant: Grant) -> PartnerTable:
    """A partner as the settings would have it, held to the same rules."""
    try:
        return PartnerTable.model_validate(
            {"name": name, "clearance": grant.clearance, "read": tuple(grant.read), "write": tuple(grant.write)}
        )
    except ValidationError:
        raise UsageError(
            f"partner {name}: a name has the letters a-z, 0-9, - . and _; a clearance is one of {', '.join(LEVELS)}"
        ) from None


def _partner(connection: sa.Connection, table: PartnerTable) -> Partner:
    given: dict[int, Right] = {}
    for name in dict.fromkeys((*table.read, *table.write)):
        given[find_collection(connection, name).number] = Right(name in table.read, name in table.write)
    return Partner(table.name, LEVELS[table.clearance], given)
