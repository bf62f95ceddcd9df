"""The policy that decides, whenever it changes; and settings that the nodes of one gateway share."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from stillwatch.store.database import Store, reading, writing
from stillwatch.store.ledger import entries
from stillwatch.store.log import check_id
from stillwatch.store.tables import SETTINGS

POLICY = "policy"  # setting: digest of the one that decides
SHARED = "shared."  # before the names of settings that others choose


def record_policy(store: Store, digest: str, text: str, at: int, by: str) -> int | None:
    """Record the policy that decides from here on, and return its entry's index; None where it decided already.

    Every worker may say so at its start: one entry is written.
    """
    with writing(store) as act:
        if _value(act.connection, POLICY) == digest:
            return None
        index = act.append(entries.Entry(at, by, "policy", check_id(digest), entries.Policy(text)))
        _set(act.connection, POLICY, digest)
        return index


def setting(store: Store, name: str) -> str | None:
    """Return a setting that the nodes share."""
    with reading(store) as connection:
        return _value(connection, SHARED + name)


def put_setting(store: Store, name: str, value: str) -> None:
    """Set what the nodes share; nothing secret, for it is kept as it is."""
    with writing(store) as act:
        if _value(act.connection, SHARED + name) != value:
            act.touch()
            _set(act.connection, SHARED + name, value)


def _value(connection: Connection, name: str) -> str | None:
    return connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.name == name)).scalar()


def _set(connection: Connection, name: str, value: str) -> None:
    if not connection.execute(update(SETTINGS).where(SETTINGS.c.name == name).values(value=value)).rowcount:
        connection.execute(insert(SETTINGS).values(name=name, value=value))
