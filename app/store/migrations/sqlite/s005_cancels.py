"""Cancels that come before their jobs are remembered."""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "s005"
down_revision = "s004"

STATEMENTS = (
    """CREATE TABLE cancels (
           job_id TEXT NOT NULL, organisations TEXT NOT NULL, asked_at REAL NOT NULL, seal BLOB NOT NULL,
           PRIMARY KEY (job_id, organisations)
       ) STRICT""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
