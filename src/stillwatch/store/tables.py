"""Names and columns of the control plane's database, in one place. Moments are µs since 1970, UTC.

`migrations/` makes these tables; a test compares.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

from stillwatch.ingest.columns import ACCOUNT_COLUMNS

LONGEST_ID = 512  # characters of an id; PostgreSQL indexes no value that is much longer

METADATA = MetaData()

STATE = Table(  # one row: what every writer holds while it writes, and what readers poll
    "state",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # grows with every change
    Column("ledger_size", BigInteger, nullable=False),
)

ENTRIES = Table(
    "ledger_entries",
    METADATA,
    Column("leaf", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(32), nullable=False),  # this and the next two repeat what the text says, to be searched
    Column("subject_type", String(32), nullable=False),
    Column("subject_id", String(LONGEST_ID), nullable=False),
    Column("text", Text, nullable=False),
    Index("ledger_entries_of_subject", "subject_type", "subject_id"),
)

NODES = Table(  # a complete node of the tree, named by the last leaf under it and its level
    "ledger_nodes",
    METADATA,
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
)

KEYS = Table(
    "gateway_keys",
    METADATA,
    Column("key_id", String(LONGEST_ID), primary_key=True),
    Column("hash", String(64), nullable=False, unique=True),  # keyed; the key itself is nowhere
    Column("account_id", String(LONGEST_ID), nullable=False, index=True),
    Column("label", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

ACCOUNTS = Table(
    "accounts",
    METADATA,
    Column("account_id", String(LONGEST_ID), primary_key=True),
    *(
        Column(each.name, BigInteger if each.kind == "timestamp" else Text)
        for each in ACCOUNT_COLUMNS
        if each.name != "account_id"
    ),
    Column("verified_since", BigInteger),
    Column("declared_use", Text),
    Column("changed", BigInteger, nullable=False, index=True),  # version of the database that last touched the row
)

ACTIONS = Table(
    "actions",
    METADATA,
    Column("action_id", String(LONGEST_ID), primary_key=True),
    Column("scope", String(32), nullable=False),  # account, campaign
    Column("subject_id", String(LONGEST_ID), nullable=False),
    Column("kind", String(32), nullable=False),  # of actions/decision.py
    Column("parameters", Text, nullable=False),  # canonical JSON
    Column("reason", Text, nullable=False),  # code that the customer sees
    Column("rule", Text, nullable=False),  # of the policy that asked for it; empty: a person did
    Column("status", String(32), nullable=False),  # proposed, approved, active, reversed; expired by the clock alone
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("approved_at", BigInteger),
    Column("approved_by", Text),
    Column("reversed_at", BigInteger),
    Column("reversed_by", Text),
    Column("ledger_index", BigInteger, nullable=False),  # of the last entry about it
    Index("actions_of_subject", "scope", "subject_id"),
    Index("actions_by_expiry", "expires_at"),
)

SETTINGS = Table(
    "settings",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

CAMPAIGNS = Table(
    "campaigns",
    METADATA,
    Column("campaign_id", String(LONGEST_ID), primary_key=True),
    Column("verdict", String(32), nullable=False),
    Column("p", Float, nullable=False),
    Column("coordination_bits", Float, nullable=False),
    Column("extraction_bits", Float, nullable=False),
    Column("deception_bits", Float, nullable=False),
    Column("accounts", BigInteger, nullable=False),
    Column("exchanges", BigInteger, nullable=False),
    Column("concluded_at", BigInteger, nullable=False),  # when the verdict or the members last changed
    Column("ledger_index", BigInteger, nullable=False),
)

MEMBERS = Table(
    "campaign_members",
    METADATA,
    Column("campaign_id", String(LONGEST_ID), ForeignKey("campaigns.campaign_id"), primary_key=True),
    Column("account_id", String(LONGEST_ID), primary_key=True, index=True),
)
