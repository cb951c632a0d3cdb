"""
How a running attempt is, for those who do not run it.

`leases.life` is what the owner of an attempt knows of its child (`app.store.Life` as JSON, without a seal: nothing is
decided by it), and `told_at` when it was told.
"""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "p004"
down_revision = "p003"

STATEMENTS = (
    """ALTER TABLE leases
           ADD COLUMN life    text NOT NULL DEFAULT '',
           ADD COLUMN told_at timestamptz NOT NULL DEFAULT clock_timestamp()""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
