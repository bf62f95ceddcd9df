"""Partners: who they are by their token, how far they are cleared, and what they may do where.

A token is 32 random bytes and is shown once. What is stored is its HMAC under a key that is not in the database, so
that who copies the database can neither use a token nor test a guess.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from stillwatch.model import UsageError
from stillwatch.sharing.taxii.markings import Tlp
from stillwatch.sharing.taxii.tables import partners, rights, tokens
from stillwatch.sharing.taxii.times import now

KEY_BYTES = 32
_p, _r, _t = partners.c, rights.c, tokens.c


@dataclass(frozen=True, slots=True)
class Right:
    """What a partner may do in one collection."""

    can_read: bool = False
    can_write: bool = False


NO_RIGHT = Right()


@dataclass(frozen=True, slots=True)
class Partner:
    """Who asks. `rights` is by the number of a collection."""

    name: str
    clearance: Tlp
    rights: Mapping[int, Right]

    def may(self, collection: int) -> Right:
        """What they may do there."""
        return self.rights.get(collection, NO_RIGHT)


@dataclass(frozen=True, slots=True)
class Listed:
    """A partner as the operator sees it."""

    name: str
    clearance: Tlp
    active: bool
    declared: bool
    tokens: tuple[str, ...]
    rights: Mapping[int, Right]


def read_key(path: Path) -> bytes:
    """The key of token hashes; made on first use, for its owner's eyes alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = bytes.fromhex(path.read_text().strip()) if _is_hex(path) else b""
        if len(key) < KEY_BYTES:
            raise UsageError(
                f"token_key {path}: is not a key of {KEY_BYTES} bytes in hexadecimal; restore it"
            ) from None
        return key
    except OSError as error:
        raise UsageError(
            f"token_key {path}: cannot be made ({error.strerror}); name a folder you can write to"
        ) from None
    key = secrets.token_bytes(KEY_BYTES)
    with os.fdopen(handle, "w") as file:
        file.write(key.hex() + "\n")
    return key


def _is_hex(path: Path) -> bool:
    try:
        return bool(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError):
        return False


def put_partner(connection: sa.Connection, partner: Partner, declared: bool) -> None:
    """Make a partner, or replace what is known of one. Their tokens stay."""
    name = partner.name
    known = {"clearance": int(partner.clearance), "active": True, "declared": declared}
    if not connection.execute(sa.update(partners).where(_p.name == name).values(known)).rowcount:
        connection.execute(partners.insert().values(name=name, **known))
    connection.execute(sa.delete(rights).where(_r.partner == name))
    for collection, right in partner.rights.items():
        allowed = {"can_read": right.can_read, "can_write": right.can_write}
        connection.execute(rights.insert().values(partner=name, collection=collection, **allowed))


def retire_undeclared(connection: sa.Connection, declared: set[str]) -> None:
    """Partners who were declared in the settings and no longer are may do nothing any more."""
    gone = sa.and_(_p.declared.is_(True), _p.name.not_in(declared))
    connection.execute(sa.update(partners).where(gone).values(active=False))


def issue_token(connection: sa.Connection, name: str, key: bytes) -> str:
    """Give a partner one more token, and return it: nobody can read it again."""
    token = "stw_" + secrets.token_urlsafe(32)
    row = {"hash": hash_token(token, key), "partner": name, "hint": token[4:10], "made": now()}
    connection.execute(tokens.insert().values(row))
    return token


def revoke(connection: sa.Connection, name: str, hint: str | None = None) -> int:
    """Take a partner's tokens away, all or the one that begins so; returns how many went."""
    gone = _t.partner == name
    if hint is not None:
        gone = sa.and_(gone, _t.hint == hint)
    return connection.execute(sa.delete(tokens).where(gone)).rowcount


def list_partners(connection: sa.Connection) -> list[Listed]:
    """All partners by name."""
    hints: dict[str, list[str]] = {}
    for name, hint in connection.execute(sa.select(_t.partner, _t.hint).order_by(_t.made)):
        hints.setdefault(name, []).append(hint)
    rows = connection.execute(sa.select(_p.name, _p.clearance, _p.active, _p.declared).order_by(_p.name)).all()
    return [
        Listed(name, Tlp(clearance), active, declared, tuple(hints.get(name, ())), _rights(connection, name))
        for name, clearance, active, declared in rows
    ]


def authenticate(connection: sa.Connection, header: str | None, key: bytes) -> Partner | None:
    """Who an Authorization header speaks for: `Basic` with the partner's name and token, or `Bearer` with the token."""
    claimed, token = _read_header(header or "")
    if not token:
        return None
    wanted = (
        sa.select(_p.name, _p.clearance)
        .join(tokens, _t.partner == _p.name)
        .where(_t.hash == hash_token(token, key), _p.active.is_(True))
    )
    row = connection.execute(wanted).first()
    if row is None or (claimed is not None and not hmac.compare_digest(claimed.encode(), row.name.encode())):
        return None
    return Partner(row.name, Tlp(row.clearance), _rights(connection, row.name))


def hash_token(token: str, key: bytes) -> str:
    """What is stored of a token."""
    return hmac.new(key, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _read_header(header: str) -> tuple[str | None, str]:
    scheme, _, rest = header.partition(" ")
    rest = rest.strip()
    if len(rest) > 1_000:
        return None, ""
    if scheme.lower() == "bearer":
        return None, rest
    if scheme.lower() != "basic":
        return None, ""
    try:
        name, _, token = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None, ""
    return name, token


def _rights(connection: sa.Connection, name: str) -> dict[int, Right]:
    wanted = sa.select(_r.collection, _r.can_read, _r.can_write).where(_r.partner == name)
    return {number: Right(bool(reads), bool(writes)) for number, reads, writes in connection.execute(wanted)}
