"""Tables and columns of the server. Names live here alone."""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 1  # of this layout; a database of another one is refused

metadata = sa.MetaData()
_Big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only INTEGER is SQLite's own row number

schema = sa.Table("taxii_schema", metadata, sa.Column("version", sa.Integer, primary_key=True))

clock = sa.Table(
    "taxii_clock",
    metadata,
    sa.Column("one", sa.Integer, primary_key=True),  # a single row: who writes holds it
    sa.Column("last", sa.BigInteger, nullable=False),  # the last sequence number given
)

collections = sa.Table(
    "taxii_collections",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    sa.Column("root", sa.String(64), nullable=False),
    sa.Column("alias", sa.String(64), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("unmarked", sa.SmallInteger, nullable=False),  # the TLP level of an object without one
    sa.UniqueConstraint("root", "alias"),
)

partners = sa.Table(
    "taxii_partners",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("clearance", sa.SmallInteger, nullable=False),
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("declared", sa.Boolean, nullable=False),  # in the file of settings, which then decides
)

rights = sa.Table(
    "taxii_rights",
    metadata,
    sa.Column("partner", sa.String(64), primary_key=True),
    sa.Column("collection", sa.Integer, primary_key=True),
    sa.Column("can_read", sa.Boolean, nullable=False),
    sa.Column("can_write", sa.Boolean, nullable=False),
)

tokens = sa.Table(
    "taxii_tokens",
    metadata,
    sa.Column("hash", sa.String(64), primary_key=True),  # keyed; the token itself is nowhere
    sa.Column("partner", sa.String(64), nullable=False, index=True),
    sa.Column("hint", sa.String(8), nullable=False),  # its first letters, to tell one from another
    sa.Column("made", sa.BigInteger, nullable=False),
)

objects = sa.Table(
    "taxii_objects",
    metadata,
    sa.Column("seq", _Big, primary_key=True, autoincrement=False),  # its date added, in microseconds; unique, rising
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("object_id", sa.String(300), nullable=False),
    sa.Column("type", sa.String(250), nullable=False),
    sa.Column("spec_version", sa.String(8), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),  # modified, else created, else 0, in microseconds
    sa.Column("version_text", sa.String(40), nullable=False),  # as its author wrote it
    sa.Column("tlp", sa.SmallInteger, nullable=False),  # its own marking
    sa.Column("floor", sa.SmallInteger, nullable=False),  # never seen below this, whatever becomes of what it names
    sa.Column("level", sa.SmallInteger, nullable=False),  # who may see it: its own marking, and of what it names
    sa.Column("posted_by", sa.String(64), nullable=False),
    sa.Column("raw", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("collection", "object_id", "spec_version", "version", "tlp"),
    sa.Index("taxii_objects_in_order", "collection", "seq"),
)

references = sa.Table(
    "taxii_references",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),  # the object that names
    sa.Column("target", sa.String(300), primary_key=True),  # the id that it names
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Index("taxii_references_back", "collection", "target"),
)

statuses = sa.Table(
    "taxii_statuses",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("root", sa.String(64), nullable=False),
    sa.Column("partner", sa.String(64), nullable=False),
    sa.Column("made", sa.BigInteger, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

inbox = sa.Table(
    "taxii_inbox",
    metadata,
    sa.Column("status_id", sa.String(36), primary_key=True),
    sa.Column("made", sa.BigInteger, nullable=False, index=True),
    sa.Column("collection", sa.Integer, nullable=False),
    sa.Column("partner", sa.String(64), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
