"""
What Alembic runs: all missing versions in one transaction, so that a program which is killed in between leaves the old
version whole, and the next start begins again.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

connection: Connection = context.config.attributes["connection"]
first: str | None = context.config.attributes.get("first")

context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False)
with context.begin_transaction():
    if first is not None:
        connection.execute(text(first))
    context.run_migrations()
