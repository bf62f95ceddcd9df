"""What the operator knows of its accounts, for the workers that decide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import islice
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from stillwatch.model import UsageError
from stillwatch.store.database import Store, Writing, reading, writing
from stillwatch.store.ledger import entries
from stillwatch.store.log import check_id
from stillwatch.store.tables import ACCOUNTS

VERIFICATIONS = ("none", "email", "phone", "payment", "business")
MANY = 500  # rows in one statement; SQLite takes no more than 32,766 values


@dataclass(frozen=True, slots=True)
class Account:
    """One account: the columns of the accounts table, when it proved itself, and what it said that it does."""

    account_id: str
    created_at: int | None = None
    org_id: str | None = None
    email_domain: str | None = None
    payment_fingerprint: str | None = None
    phone_hash: str | None = None
    signup_ip: str | None = None
    country: str | None = None
    verification: str | None = None
    plan: str | None = None
    program: str | None = None
    suspended_at: int | None = None
    verified_since: int | None = None
    declared_use: str | None = None


_COLUMNS = [ACCOUNTS.c[each.name] for each in fields(Account)]


def put_accounts(store: Store, accounts: Iterable[Account]) -> int:
    """Write what the operator's own table says, and return how many rows that changed.

    What `mark_verified` and `declare_use` wrote stays. That is no act, so the ledger does not hear of it.
    """
    rest, changed = iter(accounts), 0
    while some := {check_id(each.account_id): each for each in islice(rest, MANY)}:
        with writing(store) as act:
            changed += _put(act, some)
    return changed


def mark_verified(store: Store, account_id: str, verification: str, at: int, by: str) -> Account:
    """Record that an account proved who it is, and how."""
    if verification not in VERIFICATIONS[1:]:
        raise UsageError(f"{verification} is no verification; expected one of {', '.join(VERIFICATIONS[1:])}")
    with writing(store) as act:
        act.append(entries.Entry(at, by, "account", check_id(account_id), entries.Verification(verification)))
        return _change(act, account_id, {"verification": verification, "verified_since": at})


def declare_use(store: Store, account_id: str, declared_use: str, at: int, by: str) -> Account:
    """Record what an account says that it does; an empty text takes it back."""
    with writing(store) as act:
        act.append(entries.Entry(at, by, "account", check_id(account_id), entries.Declaration(declared_use)))
        return _change(act, account_id, {"declared_use": declared_use or None})


def accounts_of(store: Store, account_ids: Collection[str]) -> dict[str, Account]:
    """Return what is known of these accounts."""
    asked, found = sorted(account_ids), {}
    with reading(store) as connection:
        for start in range(0, len(asked), MANY):
            found.update(_known(connection, asked[start : start + MANY]))
    return found


def accounts_changed(store: Store, since: int = 0) -> dict[str, Account]:
    """Return the accounts that changed after a version of the database: what a worker's copy lacks."""
    with reading(store) as connection:
        rows = connection.execute(select(*_COLUMNS).where(ACCOUNTS.c.changed > since))
        return {row[0]: Account(*row) for row in rows}


def _put(act: Writing, told: Mapping[str, Account]) -> int:
    known = _known(act.connection, told)
    merged = {name: _merge(known.get(name), each) for name, each in told.items()}
    rows = [{**asdict(each), "changed": act.version} for name, each in merged.items() if known.get(name) != each]
    if rows:
        act.touch()
        act.connection.execute(delete(ACCOUNTS).where(ACCOUNTS.c.account_id.in_([each["account_id"] for each in rows])))
        act.connection.execute(insert(ACCOUNTS).values(rows))
    return len(rows)


def _merge(known: Account | None, told: Account) -> Account:
    """What an account proved or said here outlives an older table of the operator's."""
    if known is None:
        return replace(told, verified_since=None, declared_use=None)
    proved = known.verified_since is not None
    verification = _stronger(known.verification, told.verification) if proved else told.verification
    return replace(
        told, verification=verification, verified_since=known.verified_since, declared_use=known.declared_use
    )


def _stronger(ours: str | None, theirs: str | None) -> str | None:
    rank = {name: place for place, name in enumerate(VERIFICATIONS)}
    return max((ours, theirs), key=lambda name: rank.get(name or "none", 0))


def _change(act: Writing, account_id: str, told: dict[str, Any]) -> Account:
    act.touch()
    values = {**told, "changed": act.version}
    changed = act.connection.execute(update(ACCOUNTS).where(ACCOUNTS.c.account_id == account_id).values(values))
    if not changed.rowcount:
        act.connection.execute(insert(ACCOUNTS).values({**values, "account_id": account_id}))
    return _known(act.connection, [account_id])[account_id]


def _known(connection: Connection, account_ids: Collection[str]) -> dict[str, Account]:
    rows = connection.execute(select(*_COLUMNS).where(ACCOUNTS.c.account_id.in_(list(account_ids))))
    return {row[0]: Account(*row) for row in rows}
