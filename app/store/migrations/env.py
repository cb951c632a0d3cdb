"""What Alembic runs, within the transaction of `app.store.versions.upgrade`: all missing versions, or none."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
