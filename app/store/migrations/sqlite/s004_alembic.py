"""
Alembic keeps the version from here on, in its own table.

Up to here the number of the version stood in the header of the file. It stays at this one, so that programs from before
refuse what they do not know.
"""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "s004"
down_revision = "s003"


def upgrade() -> None:
    op.execute("PRAGMA user_version=4")
    failpoint("migrate.step")
