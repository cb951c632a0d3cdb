"""The outbox: that a job has ended is to be told, whatever happens to this service."""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "s003"
down_revision = "s002"

STATEMENTS = (
    """CREATE TABLE outbox (
           event_id TEXT NOT NULL, channel TEXT NOT NULL, job_id TEXT NOT NULL REFERENCES jobs (id),
           status TEXT NOT NULL, ended_at REAL NOT NULL,
           state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
           tries INTEGER NOT NULL, next_at REAL NOT NULL, done_at REAL, error TEXT, seal BLOB NOT NULL,
           PRIMARY KEY (event_id, channel)
       ) STRICT""",
    "CREATE INDEX outbox_by_job ON outbox (job_id)",
    "CREATE INDEX outbox_by_state ON outbox (state) WHERE state IN ('pending', 'dead')",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
