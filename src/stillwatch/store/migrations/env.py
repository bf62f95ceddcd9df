"""What Alembic runs: the steps that are missing, in the transaction of the connection that it is handed."""

from __future__ import annotations

from alembic import context

from stillwatch.store.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # on SQLite too: all steps or none
)
with context.begin_transaction():
    context.run_migrations()
