"""
Many machines: who they are, whose turn it is, and which messages are on their way.

`services` says what each one is, beside when it was heard of last. `jobs.tenant` and `turns` make the queue fair:
`turns.taken` rises with every job that is taken, so the tenant with the lowest number has waited longest for its turn.
`messages` is the outbox of the broker: for which attempt of a job a message was sent last, and when it is sent again
if nobody has begun that attempt.
"""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "p002"
down_revision = "p001"

STATEMENTS = (
    """ALTER TABLE services
           ADD COLUMN role       text NOT NULL DEFAULT 'service' CHECK (role IN ('service', 'worker')),
           ADD COLUMN slots      bigint NOT NULL DEFAULT 0,
           ADD COLUMN host       text NOT NULL DEFAULT '',
           ADD COLUMN pid        bigint NOT NULL DEFAULT 0,
           ADD COLUMN version    text NOT NULL DEFAULT '',
           ADD COLUMN started_at timestamptz NOT NULL DEFAULT clock_timestamp()""",
    "ALTER TABLE jobs ADD COLUMN tenant text NOT NULL DEFAULT ''",
    "CREATE SEQUENCE turn_numbers",
    """CREATE TABLE turns (
           tenant text PRIMARY KEY,
           taken  bigint NOT NULL
       )""",
    """CREATE TABLE messages (
           job_id  text PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
           attempt bigint NOT NULL,
           times   bigint NOT NULL,
           due_at  timestamptz NOT NULL
       )""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
