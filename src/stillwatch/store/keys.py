"""Gateway keys: shown once when they are issued, and known afterwards by a keyed hash alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from stillwatch.model import UsageError
from stillwatch.store.database import Store, reading, writing
from stillwatch.store.ledger import entries
from stillwatch.store.log import check_id
from stillwatch.store.tables import KEYS, SETTINGS

PREFIX = "sk-sw-"  # so that whoever finds one, or scans for leaks, knows what it is
BYTES = 32  # nobody guesses it, so one fast hash is enough
CHECK = "key-check"  # setting: which secret the hashes were made with


@dataclass(frozen=True, slots=True)
class Key:
    """A gateway key, without the key."""

    key_id: str
    account_id: str
    label: str
    created_at: int
    expires_at: int | None
    revoked_at: int | None


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """Whose key is wanted, what for, and until when."""

    account_id: str
    label: str = ""
    expires_at: int | None = None


def hash_key(key: str, secret: bytes) -> str:
    """Return what is kept of a key: a hash under the deployment's secret, which a stolen database does not hold."""
    return hash_digest(hashlib.sha256(key.encode(errors="replace")).hexdigest(), secret)


def hash_digest(digest: str, secret: bytes) -> str:
    """Return the same from the SHA-256 of a key, in hexadecimal, for whoever does not pass keys on."""
    short = hashlib.blake2b(secret, digest_size=32).digest()
    return hashlib.blake2b(digest.encode(), key=short, person=b"gateway-key", digest_size=32).hexdigest()


def issue_key(
    store: Store, request: KeyRequest, at: int, by: str, draw: Callable[[int], bytes] = secrets.token_bytes
) -> tuple[str, Key]:
    """Return a new key of an account, for the only time, and what is kept of it."""
    account_id, label, expires_at = request.account_id, request.label, request.expires_at
    if expires_at is not None and expires_at <= at:
        raise UsageError("a key must expire later than it is issued")
    key = PREFIX + base64.urlsafe_b64encode(draw(BYTES)).rstrip(b"=").decode()
    with writing(store) as act:
        _check_secret(act.connection, store)
        key_id = f"key-{act.size}"
        content = entries.KeyIssued(key_id, label, expires_at)
        act.append(entries.Entry(at, by, "account", check_id(account_id), content))
        kept = Key(key_id, account_id, label, at, expires_at, None)
        row = {
            "key_id": key_id,
            "hash": hash_key(key, store.secret),
            "account_id": account_id,
            "label": label,
            "created_at": at,
            "expires_at": expires_at,
        }
        act.connection.execute(insert(KEYS).values(row))
    return key, kept


def revoke_key(store: Store, key_id: str, at: int, by: str) -> Key:
    """Make a key good no longer; revoking it again changes nothing."""
    with writing(store) as act:
        found = _keys(act.connection, key_id)
        if not found:
            raise UsageError(f"{key_id}: no such key; `stillwatch keys list` names them")
        if found[0].revoked_at is None:
            act.append(entries.Entry(at, by, "account", found[0].account_id, entries.KeyRevoked(key_id)))
            act.connection.execute(update(KEYS).where(KEYS.c.key_id == key_id).values(revoked_at=at))
        return _keys(act.connection, key_id)[0]


def list_keys(store: Store, account_id: str | None = None) -> list[Key]:
    """Return every key, or those of an account, the oldest first."""
    with reading(store) as connection:
        return [each for each in _keys(connection) if account_id in (None, each.account_id)]


def key_hashes(store: Store) -> dict[str, Key]:
    """Return the keys that are not revoked, by the hash that `hash_key` gives; whoever uses one looks at its expiry.

    Raises UsageError where the deployment's secret is not the one that they were hashed with: no key would fit.
    """
    columns = [KEYS.c[name] for name in Key.__dataclass_fields__]
    with reading(store) as connection:
        _check_secret_of(connection, store)
        rows = connection.execute(select(KEYS.c.hash, *columns).where(KEYS.c.revoked_at.is_(None)))
        return {hashed: Key(*rest) for hashed, *rest in rows}


def _keys(connection: Connection, key_id: str | None = None) -> list[Key]:
    query = select(*(KEYS.c[name] for name in Key.__dataclass_fields__)).order_by(KEYS.c.created_at, KEYS.c.key_id)
    if key_id is not None:
        query = query.where(KEYS.c.key_id == key_id)
    return [Key(*row) for row in connection.execute(query)]


def _check_secret(connection: Connection, store: Store) -> None:
    """Remember which secret hashes the keys; only its own hash is kept."""
    if not _check_secret_of(connection, store):
        connection.execute(insert(SETTINGS).values(name=CHECK, value=hash_key(CHECK, store.secret)))


def _check_secret_of(connection: Connection, store: Store) -> bool:
    kept = connection.execute(select(SETTINGS.c.value).where(SETTINGS.c.name == CHECK)).scalar()
    if kept is not None and kept != hash_key(CHECK, store.secret):
        raise UsageError("STILLWATCH_SECRET is not the one that the gateway keys were hashed with; set that one")
    return kept is not None
