"""Cancels that come before their jobs are remembered, by whichever service hears of them."""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "p005"
down_revision = "p004"

STATEMENTS = (
    """CREATE TABLE cancels (
           job_id text NOT NULL, organisations text NOT NULL, asked_at double precision NOT NULL,
           seal bytea NOT NULL, PRIMARY KEY (job_id, organisations)
       )""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
