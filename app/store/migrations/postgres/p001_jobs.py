"""
The first PostgreSQL schema: the tables of the SQLite store, and what several services on one store need.

Every statement of a program runs over the same columns in both kinds of store, so that one seal fits both. Beyond them:
`jobs.changed` and `incumbents.changed` hold the transaction that wrote a row last, by which other services find what is
new; `leases` says which service works on a running job, and until when the others leave it alone; `services` says which
ones were there lately, and `outbox.owner` which of them tells of an end.
"""

from __future__ import annotations

from alembic import op

from app.system.failpoints import failpoint

revision = "p001"
down_revision = None

STATEMENTS = (
    """CREATE TABLE identity (
           one        integer PRIMARY KEY CHECK (one = 1),
           id         text NOT NULL,
           created_at double precision NOT NULL
       )""",
    """INSERT INTO identity VALUES (1, replace(gen_random_uuid()::text, '-', ''),
                                     extract(epoch FROM clock_timestamp()))""",
    """CREATE TABLE datasets (
           digest text PRIMARY KEY,
           body   bytea NOT NULL
       )""",
    """CREATE TABLE jobs (
           seq                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
           dataset            text NOT NULL REFERENCES datasets (digest),
           id                 text NOT NULL UNIQUE,
           body_hash          text NOT NULL,
           status             text NOT NULL
                              CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
           attempt            bigint NOT NULL,
           failed_attempts    bigint NOT NULL,
           created_at         double precision NOT NULL,
           started_at         double precision,
           finished_at        double precision,
           meta               text NOT NULL,
           rules              text NOT NULL,
           num_variants       bigint NOT NULL,
           time_limit_seconds double precision NOT NULL,
           seed               bigint NOT NULL,
           start_at           text NOT NULL,
           simplified_context bigint NOT NULL,
           used_seconds       double precision NOT NULL,
           publish            text,
           workers            bigint,
           cancel_requested   bigint NOT NULL,
           finish_requested   bigint NOT NULL,
           percent            double precision NOT NULL,
           stage              text,
           rung               text,
           score              text,
           bound              bigint,
           placed             bigint,
           total              bigint,
           quality            text,
           stopped_by         text,
           error              text,
           dead_letter        bigint NOT NULL,
           result_attempt     bigint,
           result_digest      text,
           seal               bytea NOT NULL,
           changed            xid8 NOT NULL DEFAULT pg_current_xact_id(),
           CHECK (status <> 'completed' OR (result_attempt IS NOT NULL AND placed > 0))
       )""",
    "CREATE INDEX jobs_by_status ON jobs (status, seq)",
    "CREATE INDEX jobs_by_dataset ON jobs (dataset)",
    "CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL",
    "CREATE INDEX jobs_by_change ON jobs (changed)",
    """CREATE TABLE attempts (
           job_id     text NOT NULL REFERENCES jobs (id),
           attempt    bigint NOT NULL,
           started_at double precision NOT NULL,
           pid        bigint,
           ended_at   double precision,
           how        text,
           exit_code  bigint,
           stage      text,
           rung       text,
           seconds    double precision,
           message    text,
           verdict    text,
           place      text,
           peak_mb    bigint,
           bundle     text,
           seal       bytea NOT NULL,
           PRIMARY KEY (job_id, attempt)
       )""",
    """CREATE TABLE incumbents (
           job_id    text PRIMARY KEY REFERENCES jobs (id),
           attempt   bigint NOT NULL,
           score     text NOT NULL,
           timetable bytea NOT NULL,
           rung      text,
           found_at  double precision NOT NULL,
           seal      bytea NOT NULL,
           changed   xid8 NOT NULL DEFAULT pg_current_xact_id(),
           FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
       )""",
    "CREATE INDEX incumbents_by_change ON incumbents (changed)",
    """CREATE TABLE results (
           job_id  text NOT NULL,
           attempt bigint NOT NULL,
           digest  text NOT NULL,
           body    bytea NOT NULL,
           PRIMARY KEY (job_id, attempt),
           FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
       )""",
    """ALTER TABLE jobs ADD FOREIGN KEY (id, result_attempt) REFERENCES results (job_id, attempt)
       DEFERRABLE INITIALLY DEFERRED""",
    """CREATE TABLE leases (
           job_id     text PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
           attempt    bigint NOT NULL,
           owner      text NOT NULL,
           renewed_at timestamptz NOT NULL,
           until      timestamptz NOT NULL
       )""",
    "CREATE INDEX leases_by_owner ON leases (owner)",
    """CREATE TABLE services (
           owner      text PRIMARY KEY,
           renewed_at timestamptz NOT NULL
       )""",
    """CREATE TABLE outbox (
           seq      bigint GENERATED ALWAYS AS IDENTITY,
           event_id text NOT NULL,
           channel  text NOT NULL,
           job_id   text NOT NULL REFERENCES jobs (id),
           status   text NOT NULL,
           ended_at double precision NOT NULL,
           state    text NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
           tries    bigint NOT NULL,
           next_at  double precision NOT NULL,
           done_at  double precision,
           error    text,
           seal     bytea NOT NULL,
           owner    text,
           PRIMARY KEY (event_id, channel)
       )""",
    "CREATE INDEX outbox_by_job ON outbox (job_id)",
    "CREATE INDEX outbox_by_state ON outbox (state) WHERE state IN ('pending', 'dead')",
    # What is stored there is compressed already; trying again would only cost time.
    "ALTER TABLE datasets ALTER COLUMN body SET STORAGE EXTERNAL",
    "ALTER TABLE results ALTER COLUMN body SET STORAGE EXTERNAL",
    "ALTER TABLE incumbents ALTER COLUMN timetable SET STORAGE EXTERNAL",
    """CREATE FUNCTION note_change() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
           NEW.changed := pg_current_xact_id();
           RETURN NEW;
       END $$""",
    "CREATE TRIGGER jobs_changed BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION note_change()",
    "CREATE TRIGGER incumbents_changed BEFORE UPDATE ON incumbents FOR EACH ROW EXECUTE FUNCTION note_change()",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
        failpoint("migrate.step")
