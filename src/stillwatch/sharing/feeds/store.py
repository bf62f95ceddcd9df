"""Where feeds are kept: one SQLite file in one folder. A page and the cursor behind it are written together or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.model import InputRefused, MissingDependency
from stillwatch.sharing.feeds.words import Claim, Item, Refused

try:
    import sqlalchemy as sa
    from sqlalchemy.dialects.sqlite import insert
except ImportError:
    raise MissingDependency("feeds need SQLAlchemy: pip install 'stillwatch[sharing]'") from None

FILE = "feeds.sqlite"
MOST_QUARANTINED = 10_000  # rows kept of one source; the oldest go first
meta = sa.MetaData()
partners = sa.Table(
    "partners", meta,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("reliability", sa.String, nullable=False),
    sa.Column("identity", sa.String, nullable=False),
    sa.Column("key_id", sa.String, nullable=False),
    sa.Column("key_file", sa.String, nullable=False),
)  # fmt: skip
objects = sa.Table(
    "objects", meta,
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("partner", sa.String, nullable=False),
    sa.Column("object_id", sa.String, nullable=False),
    sa.Column("version", sa.String, nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("partner", "object_id", "version"),
)  # fmt: skip
claims = sa.Table(
    "claims", meta,
    sa.Column("partner", sa.String, primary_key=True),
    sa.Column("object_id", sa.String, primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("kind", "value", "key_id", "origin")),
    sa.Column("confidence", sa.Integer),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("valid_from", "valid_until", "told")),
    sa.Column("revoked", sa.Boolean, nullable=False),
)  # fmt: skip
derived = sa.Table(
    "derived", meta,
    *(sa.Column(name, sa.String, primary_key=True) for name in ("partner", "source_ref", "target_ref")),
)  # fmt: skip
ours = sa.Table("ours", meta, sa.Column("identity", sa.String, primary_key=True))
cursors = sa.Table(
    "cursors", meta,
    sa.Column("source", sa.String, primary_key=True),
    sa.Column("added_after", sa.String, nullable=False),
    sa.Column("next", sa.String, nullable=False),
    sa.Column("reached", sa.String, nullable=False),
)  # fmt: skip
quarantine = sa.Table(
    "quarantine", meta,
    sa.Column("place", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.String, nullable=False) for name in ("partner", "source", "object_id", "wrong", "mend")),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("source", "object_id", "wrong"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a collection was pulled: begun after `added_after`, gone on to `next`, newest seen `reached`."""

    added_after: str = ""
    next: str = ""
    reached: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """A claim as it is kept: who delivered it, in which object."""

    partner: str
    object_id: str
    claim: Claim


class Store:
    """The folder's database. One process writes at a time; others wait."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._engine = sa.create_engine(
            f"sqlite:///{folder / FILE}", hide_parameters=True, connect_args={"timeout": 30.0}
        )
        try:
            meta.create_all(self._engine)
        except sa.exc.DatabaseError:
            self.close()
            raise InputRefused(f"{folder / FILE}: is no database of feeds; name another folder") from None

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that happens as a whole or not at all."""
        with self._engine.begin() as connection:
            yield connection

    def rows(self, query: Any) -> list[dict[str, Any]]:
        """Return what a query finds."""
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def introduce(self, name: str, **held: str) -> None:
        """Write down a partner and how far it is trusted, as the settings say now."""
        with self.writing() as connection:
            statement = insert(partners).values(name=name, **held)
            connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=held))

    def call_ours(self, identities: Iterable[str]) -> None:
        """Write down under which STIX ids we say what we saw ourselves."""
        rows = [{"identity": each} for each in identities]
        with self.writing() as connection:
            connection.execute(sa.delete(ours))
            if rows:
                connection.execute(insert(ours), rows)

    def cursor(self, source: str) -> Cursor:
        """Return how far a source was pulled."""
        found = self.rows(sa.select(cursors).where(cursors.c.source == source))
        return Cursor(*(found[0][name] for name in ("added_after", "next", "reached"))) if found else Cursor()

    def told(self) -> Iterator[Told]:
        """Yield every claim that is kept, revoked and expired ones too."""
        names = ("kind", "value", "key_id", "origin", "confidence", "valid_from", "valid_until", "told", "revoked")
        for row in self.rows(sa.select(claims).order_by(claims.c.partner, claims.c.object_id)):
            yield Told(row["partner"], row["object_id"], Claim(*(row[name] for name in names)))

    def raw(self, partner: str) -> Iterator[bytes]:
        """Yield the bytes of a partner's objects, the newest version of each, in the order in which they came."""
        newest: dict[str, tuple[str, int]] = {}
        which = sa.select(objects.c.object_id, objects.c.version, objects.c.place).where(objects.c.partner == partner)
        for row in self.rows(which):
            known = newest.get(row["object_id"])
            if known is None or row["version"] > known[0]:
                newest[row["object_id"]] = (row["version"], row["place"])
        for place in sorted(place for _, place in newest.values()):
            yield self.rows(sa.select(objects.c.raw).where(objects.c.place == place))[0]["raw"]


def keep(
    connection: sa.Connection, where: tuple[str, str], items: Iterable[Item | Refused], now: int
) -> tuple[int, int]:
    """Write what came from a source of a partner (`where`); return how many were new and how many were refused."""
    partner, source = where
    listed = list(items)
    taken = [one for one in listed if isinstance(one, Item)]
    refused = [one for one in listed if isinstance(one, Refused)]
    new = _keep_objects(connection, partner, taken)
    _keep_claims(connection, partner, taken)
    if refused:
        rows = [{"partner": partner, "source": source, "object_id": one.object_id, "wrong": one.wrong,
                 "mend": one.mend, "at": now} for one in refused]  # fmt: skip
        connection.execute(insert(quarantine).on_conflict_do_nothing(), rows)
        _forget_oldest(connection, source)
    return new, len(refused)


def _keep_objects(connection: sa.Connection, partner: str, taken: Sequence[Item]) -> int:
    rows = [{"partner": partner, "object_id": one.object_id, "version": one.version, "raw": one.raw} for one in taken]
    links = [{"partner": partner, "source_ref": one.derived[0], "target_ref": one.derived[1]}
             for one in taken if one.derived is not None]  # fmt: skip
    changes = sa.text("SELECT total_changes()")
    before = connection.execute(changes).scalar_one()
    if rows:
        connection.execute(insert(objects).on_conflict_do_nothing(), rows)
    after = connection.execute(changes).scalar_one()
    if links:
        connection.execute(insert(derived).on_conflict_do_nothing(), links)
    return int(after - before)


def _keep_claims(connection: sa.Connection, partner: str, taken: Sequence[Item]) -> None:
    """Put a claim in the place of the one that its object made before, unless that is newer."""
    names = tuple(Claim.__slots__)
    rows = [{"partner": partner, "object_id": one.object_id, **{name: getattr(one.claim, name) for name in names}}
            for one in taken if one.claim is not None]  # fmt: skip
    if not rows:
        return
    statement = insert(claims)
    fields = {name: statement.excluded[name] for name in names}
    newer = claims.c.told <= statement.excluded.told
    connection.execute(
        statement.on_conflict_do_update(index_elements=["partner", "object_id"], set_=fields, where=newer), rows
    )


def _forget_oldest(connection: sa.Connection, source: str) -> None:
    kept = (
        sa.select(quarantine.c.place)
        .where(quarantine.c.source == source)
        .order_by(quarantine.c.place.desc())
        .limit(MOST_QUARANTINED)
    )
    connection.execute(sa.delete(quarantine).where(quarantine.c.source == source, quarantine.c.place.not_in(kept)))


def move(connection: sa.Connection, source: str, cursor: Cursor) -> None:
    """Write down how far a source was pulled, in the transaction of its page."""
    held = {"added_after": cursor.added_after, "next": cursor.next, "reached": cursor.reached}
    statement = insert(cursors).values(source=source, **held)
    connection.execute(statement.on_conflict_do_update(index_elements=["source"], set_=held))
