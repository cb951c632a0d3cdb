"""The first SQLite schema. No store is made by this any more; those that were are brought up to date from here."""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "s001"
down_revision = None

STATEMENTS = (
    """CREATE TABLE datasets (
           digest TEXT PRIMARY KEY,
           body   BLOB NOT NULL
       ) STRICT""",
    """CREATE TABLE jobs (
           seq                INTEGER PRIMARY KEY AUTOINCREMENT,
           dataset            TEXT NOT NULL REFERENCES datasets (digest),
           id                 TEXT NOT NULL UNIQUE,
           body_hash          TEXT NOT NULL,
           status             TEXT NOT NULL
                              CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
           attempt            INTEGER NOT NULL,
           failed_attempts    INTEGER NOT NULL,
           created_at         REAL NOT NULL,
           started_at         REAL,
           finished_at        REAL,
           meta               TEXT NOT NULL,
           rules              TEXT NOT NULL,
           num_variants       INTEGER NOT NULL,
           time_limit_seconds REAL NOT NULL,
           seed               INTEGER NOT NULL,
           start_at           TEXT NOT NULL,
           simplified_context INTEGER NOT NULL,
           used_seconds       REAL NOT NULL,
           publish            TEXT,
           cancel_requested   INTEGER NOT NULL,
           finish_requested   INTEGER NOT NULL,
           stage              TEXT,
           rung               TEXT,
           score              TEXT,
           bound              INTEGER,
           placed             INTEGER,
           total              INTEGER,
           quality            TEXT,
           stopped_by         TEXT,
           error              TEXT,
           result_attempt     INTEGER,
           result_digest      TEXT,
           CHECK (status <> 'completed' OR (result_attempt IS NOT NULL AND placed > 0)),
           FOREIGN KEY (id, result_attempt) REFERENCES results (job_id, attempt) DEFERRABLE INITIALLY DEFERRED
       ) STRICT""",
    "CREATE INDEX jobs_by_status ON jobs (status, seq)",
    """CREATE TABLE attempts (
           job_id     TEXT NOT NULL REFERENCES jobs (id),
           attempt    INTEGER NOT NULL,
           started_at REAL NOT NULL,
           pid        INTEGER,
           ended_at   REAL,
           how        TEXT,
           exit_code  INTEGER,
           stage      TEXT,
           rung       TEXT,
           seconds    REAL,
           message    TEXT,
           PRIMARY KEY (job_id, attempt)
       ) STRICT""",
    """CREATE TABLE incumbents (
           job_id    TEXT PRIMARY KEY REFERENCES jobs (id),
           attempt   INTEGER NOT NULL,
           score     TEXT NOT NULL,
           timetable BLOB NOT NULL,
           rung      TEXT,
           found_at  REAL NOT NULL,
           FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
       ) STRICT""",
    """CREATE TABLE results (
           job_id  TEXT NOT NULL,
           attempt INTEGER NOT NULL,
           digest  TEXT NOT NULL,
           body    BLOB NOT NULL,
           PRIMARY KEY (job_id, attempt),
           FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
       ) STRICT""",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
