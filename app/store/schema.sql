-- What app/store/migrations/sqlite makes in many steps, at once.

-- "TTBT": a database of ours, as `file` and other programs see it
PRAGMA application_id = 1414808148;

-- programs from before Alembic refuse this number; the version stands in the table
PRAGMA user_version = 4;
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

CREATE TABLE identity (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    id            TEXT NOT NULL,        -- of this store and of the backups made of it
    created_at    REAL NOT NULL,
    schema_digest TEXT NOT NULL,
    commits       INTEGER NOT NULL      -- see app/store/folder.py
) STRICT;

CREATE TABLE datasets (
    digest TEXT PRIMARY KEY,            -- sha256 of the body
    body   BLOB NOT NULL                -- compressed native JSON
) STRICT;

CREATE TABLE jobs (
    seq                INTEGER PRIMARY KEY AUTOINCREMENT,   -- order of submission
    dataset            TEXT NOT NULL REFERENCES datasets (digest),
    id                 TEXT NOT NULL UNIQUE,
    body_hash          TEXT NOT NULL,
    status             TEXT NOT NULL CHECK (status IN ('queued', 'running', 'completed', 'failed', 'cancelled')),
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
    workers            INTEGER,
    cancel_requested   INTEGER NOT NULL,
    finish_requested   INTEGER NOT NULL,
    percent            REAL NOT NULL,
    stage              TEXT,
    rung               TEXT,
    score              TEXT,
    bound              INTEGER,
    placed             INTEGER,
    total              INTEGER,
    quality            TEXT,
    stopped_by         TEXT,
    error              TEXT,
    dead_letter        INTEGER NOT NULL,
    result_attempt     INTEGER,
    result_digest      TEXT,
    seal               BLOB NOT NULL,   -- over all columns above but seq, see app/store/rows.py
    CHECK (status <> 'completed' OR (result_attempt IS NOT NULL AND placed > 0)),
    FOREIGN KEY (id, result_attempt) REFERENCES results (job_id, attempt) DEFERRABLE INITIALLY DEFERRED
) STRICT;
CREATE INDEX jobs_by_status ON jobs (status, seq);
CREATE INDEX jobs_by_dataset ON jobs (dataset);
CREATE INDEX jobs_by_end ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE attempts (
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
    verdict    TEXT,
    place      TEXT,
    peak_mb    INTEGER,
    bundle     TEXT,                    -- evidence of an unclean end, as JSON
    seal       BLOB NOT NULL,
    PRIMARY KEY (job_id, attempt)
) STRICT;

CREATE TABLE incumbents (
    job_id    TEXT PRIMARY KEY REFERENCES jobs (id),
    attempt   INTEGER NOT NULL,
    score     TEXT NOT NULL,
    timetable BLOB NOT NULL,
    rung      TEXT,
    found_at  REAL NOT NULL,
    seal      BLOB NOT NULL,
    FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
) STRICT;

CREATE TABLE outbox (
    event_id TEXT NOT NULL,             -- the same on every channel
    channel  TEXT NOT NULL,
    job_id   TEXT NOT NULL REFERENCES jobs (id),
    status   TEXT NOT NULL,             -- how the job has ended
    ended_at REAL NOT NULL,
    state    TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'dead', 'superseded')),
    tries    INTEGER NOT NULL,
    next_at  REAL NOT NULL,
    done_at  REAL,
    error    TEXT,
    seal     BLOB NOT NULL,
    PRIMARY KEY (event_id, channel)
) STRICT;
CREATE INDEX outbox_by_job ON outbox (job_id);
CREATE INDEX outbox_by_state ON outbox (state) WHERE state IN ('pending', 'dead');

CREATE TABLE cancels (                  -- of jobs that have not come yet, see app/store/cancels.py
    job_id        TEXT NOT NULL,
    organisations TEXT NOT NULL,        -- whose jobs are meant, as JSON; empty = anybody's
    asked_at      REAL NOT NULL,
    seal          BLOB NOT NULL,
    PRIMARY KEY (job_id, organisations)
) STRICT;

CREATE TABLE results (
    job_id  TEXT NOT NULL,
    attempt INTEGER NOT NULL,           -- second fence: one result per attempt
    digest  TEXT NOT NULL,              -- sha256 of the body
    body    BLOB NOT NULL,
    PRIMARY KEY (job_id, attempt),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, attempt)
) STRICT;
