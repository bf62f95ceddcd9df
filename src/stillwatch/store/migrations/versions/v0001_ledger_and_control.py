"""The ledger, and what the gateway is told: keys, accounts, actions, settings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
ID = sa.String(512)


def upgrade() -> None:
    """Make the tables, and the one row that every writer holds."""
    _ledger()
    _accounts_and_keys()
    _actions()
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )


def _ledger() -> None:
    state = op.create_table(
        "state",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("ledger_size", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(state, [{"id": 1, "version": 0, "ledger_size": 0}])
    op.create_table(
        "ledger_entries",
        sa.Column("leaf", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("subject_type", sa.String(32), nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
    op.create_index("ledger_entries_of_subject", "ledger_entries", ["subject_type", "subject_id"])
    op.create_table(
        "ledger_nodes",
        sa.Column("last", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
    )


def _accounts_and_keys() -> None:
    moments = ("created_at", "suspended_at", "verified_since")
    texts = (
        "org_id", "email_domain", "payment_fingerprint", "phone_hash", "signup_ip", "country", "verification", "plan",
        "program", "declared_use",
    )  # fmt: skip
    op.create_table(
        "accounts",
        sa.Column("account_id", ID, primary_key=True),
        *(sa.Column(name, sa.BigInteger) for name in moments),
        *(sa.Column(name, sa.Text) for name in texts),
        sa.Column("changed", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_accounts_changed", "accounts", ["changed"])
    op.create_table(
        "gateway_keys",
        sa.Column("key_id", ID, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("ix_gateway_keys_account_id", "gateway_keys", ["account_id"])


def _actions() -> None:
    op.create_table(
        "actions",
        sa.Column("action_id", ID, primary_key=True),
        sa.Column("scope", sa.String(32), nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("parameters", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("approved_at", sa.BigInteger),
        sa.Column("approved_by", sa.Text),
        sa.Column("reversed_at", sa.BigInteger),
        sa.Column("reversed_by", sa.Text),
        sa.Column("ledger_index", sa.BigInteger, nullable=False),
    )
    op.create_index("actions_of_subject", "actions", ["scope", "subject_id"])
    op.create_index("actions_by_expiry", "actions", ["expires_at"])
