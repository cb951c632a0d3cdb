"""
Damage is noticed: a store says which one it is and counts its commits, and its rows are sealed.

Rows are sealed over the columns that they had at this version, in the order in which they were sealed then.
"""

from __future__ import annotations

import secrets
import time

from alembic import op

from app.store.rows import SealedTable
from app.system.failpoints import failpoint

revision = "s002"
down_revision = "s001"

APPLICATION_ID = 0x54544254
_SEAL = "seal BLOB NOT NULL DEFAULT x''"
STATEMENTS = (
    "ALTER TABLE jobs ADD COLUMN workers INTEGER",
    "ALTER TABLE jobs ADD COLUMN percent REAL NOT NULL DEFAULT 0",
    "ALTER TABLE jobs ADD COLUMN dead_letter INTEGER NOT NULL DEFAULT 0",
    f"ALTER TABLE jobs ADD COLUMN {_SEAL}",
    "ALTER TABLE attempts ADD COLUMN verdict TEXT",
    "ALTER TABLE attempts ADD COLUMN place TEXT",
    "ALTER TABLE attempts ADD COLUMN peak_mb INTEGER",
    "ALTER TABLE attempts ADD COLUMN bundle TEXT",
    f"ALTER TABLE attempts ADD COLUMN {_SEAL}",
    f"ALTER TABLE incumbents ADD COLUMN {_SEAL}",
    """CREATE TABLE identity (
           one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, created_at REAL NOT NULL,
           schema_digest TEXT NOT NULL, commits INTEGER NOT NULL
       ) STRICT""",
    "CREATE INDEX jobs_by_dataset ON jobs (dataset)",
    "CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL",
    f"PRAGMA application_id={APPLICATION_ID}",
)


def _sealed(name: str, key: str, columns: str) -> SealedTable:
    return SealedTable(name=name, key=tuple(key.split()), columns=tuple(columns.split()), reals=frozenset())


SEALED = (
    _sealed(
        "jobs",
        "id",
        """dataset id body_hash status attempt failed_attempts created_at started_at finished_at meta rules num_variants
           time_limit_seconds seed start_at simplified_context used_seconds publish workers cancel_requested
           finish_requested percent stage rung score bound placed total quality stopped_by error dead_letter
           result_attempt result_digest""",
    ),
    _sealed(
        "attempts",
        "job_id attempt",
        """job_id attempt started_at pid ended_at how exit_code stage rung seconds message verdict place peak_mb
           bundle""",
    ),
    _sealed("incumbents", "job_id", "job_id attempt score timetable rung found_at"),
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
    db = op.get_bind()
    for table in SEALED:
        for (rowid,) in db.exec_driver_sql(f"SELECT rowid FROM {table.name}").fetchall():  # nosec B608 - names of ours
            row = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE rowid = ?"  # nosec B608 - names of ours
            values = db.exec_driver_sql(row, (rowid,)).one()
            seal = f"UPDATE {table.name} SET seal = ? WHERE rowid = ?"  # nosec B608 - names of ours
            db.exec_driver_sql(seal, (table.seal(values), rowid))
        failpoint("migrate.step")
    db.exec_driver_sql("INSERT INTO identity VALUES (1, ?, ?, '', 1)", (secrets.token_hex(16), time.time()))
    failpoint("migrate.step")
