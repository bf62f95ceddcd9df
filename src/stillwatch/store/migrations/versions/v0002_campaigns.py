"""The latest verdicts about campaigns, and their members."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
ID = sa.String(512)


def upgrade() -> None:
    """Make the tables that the watcher publishes to."""
    op.create_table(
        "campaigns",
        sa.Column("campaign_id", ID, primary_key=True),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("p", sa.Float, nullable=False),
        sa.Column("coordination_bits", sa.Float, nullable=False),
        sa.Column("extraction_bits", sa.Float, nullable=False),
        sa.Column("deception_bits", sa.Float, nullable=False),
        sa.Column("accounts", sa.BigInteger, nullable=False),
        sa.Column("exchanges", sa.BigInteger, nullable=False),
        sa.Column("concluded_at", sa.BigInteger, nullable=False),
        sa.Column("ledger_index", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "campaign_members",
        sa.Column("campaign_id", ID, sa.ForeignKey("campaigns.campaign_id"), primary_key=True),
        sa.Column("account_id", ID, primary_key=True),
    )
    op.create_index("ix_campaign_members_account_id", "campaign_members", ["account_id"])
