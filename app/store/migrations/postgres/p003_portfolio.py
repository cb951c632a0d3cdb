"""
Several workers on one job: who works on an attempt beside its owner, and what each has found.

`leases.places` says how many assistants the owner of an attempt wants, `closes_at` until when what they find is of use,
and `invited_at` when workers were told of it last. Each of those that work on such an attempt, the owner as well, has a
row in `portfolio`; an assistant has a lease there, by which it is known whether it still lives.
"""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "p003"
down_revision = "p002"

STATEMENTS = (
    """ALTER TABLE leases
           ADD COLUMN places     bigint NOT NULL DEFAULT 0,
           ADD COLUMN closes_at  timestamptz,
           ADD COLUMN invited_at timestamptz NOT NULL DEFAULT '-infinity'""",
    """CREATE TABLE portfolio (
           job_id    text NOT NULL,
           attempt   bigint NOT NULL,
           number    bigint NOT NULL,
           worker    text NOT NULL,
           seed      bigint NOT NULL,
           began_at  double precision NOT NULL,
           ended_at  double precision,
           how       text,
           score     text,
           rung      text,
           found_at  double precision,
           published bigint NOT NULL,
           timetable bytea,
           seal      bytea NOT NULL,
           until     timestamptz NOT NULL DEFAULT 'infinity',
           PRIMARY KEY (job_id, attempt, number),
           FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt) ON DELETE CASCADE
       )""",
    "CREATE INDEX portfolio_at_work ON portfolio (worker) WHERE ended_at IS NULL",
    "ALTER TABLE portfolio ALTER COLUMN timetable SET STORAGE EXTERNAL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
