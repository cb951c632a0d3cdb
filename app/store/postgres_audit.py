"""
A PostgreSQL store looked at down to the last row, for `timetable check`, beside services that use it.

Pages and references are the business of PostgreSQL; what is ours are the seals, the digests and what links them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from app.domain.jobs import Job
from app.store import StoreDamaged
from app.store.audit import Held
from app.store.connections import Connections
from app.store.rows import INCUMBENTS, JOBS, PORTFOLIO, SEALED, SealedTable, incumbent_of_row, job_of_row

TABLES = ("jobs", "attempts", "datasets", "incumbents", "results", "outbox", "portfolio")
_KEYED: tuple[SealedTable, ...] = (*SEALED, PORTFOLIO)
_LINKS = (
    (
        """SELECT jobs.id FROM jobs LEFT JOIN results ON job_id = jobs.id AND results.attempt = result_attempt
           WHERE result_attempt IS NOT NULL AND digest IS DISTINCT FROM result_digest""",
        "job {!r} does not have the result that its row names",
    ),
    (
        """SELECT id FROM jobs WHERE status = 'running' AND NOT EXISTS (SELECT 1 FROM attempts
           WHERE job_id = id AND attempts.attempt = jobs.attempt AND ended_at IS NULL)""",
        "job {!r} is running, and its attempt is not open in the journal",
    ),
    (
        "SELECT left(digest, 12) FROM datasets WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE dataset = digest)",
        "the dataset {!r} belongs to no job",
    ),
)


class PostgresAudit:
    """
    Reads the store in the database `url`; it changes nothing. Every method raises StoreError when it cannot be read.

    Rows and bodies are fetched one at a time, so that a large store takes time and not memory.
    """

    def __init__(self, url: str) -> None:
        self._connections = Connections(url, "timetable check")
        self.where = self._connections.where

    def close(self) -> None:
        self._connections.close()

    def rows(self) -> dict[str, int]:
        """Number of rows of each table."""
        return {table: int(self._ask(f"SELECT count(*) FROM {table}")[0][0]) for table in TABLES}  # nosec B608 - names of ours

    def jobs_by_status(self) -> dict[str, int]:
        return {row[0]: int(row[1]) for row in self._ask("SELECT status, count(*) FROM jobs GROUP BY 1 ORDER BY 1")}

    def problems(self) -> Iterator[str]:
        """Every way in which a row or a body is not what was written, one sentence each."""
        for table in _KEYED:
            for key in self._ask(f"SELECT {', '.join(table.key)} FROM {table.name}"):  # nosec B608 - names of ours
                try:
                    for row in self._ask(f"{table.select} WHERE {table.where}", *key):
                        table.opened(row)
                except StoreDamaged as error:
                    yield str(error)
        for table_name, key_name in (("datasets", "digest"), ("results", "job_id")):
            query = f"SELECT {key_name}, digest, encode(sha256(body), 'hex') FROM {table_name}"  # nosec B608 - names of ours
            for key, digest, found in self._ask(query):
                if digest != found:
                    yield f"a body in {table_name} ({str(key)[:40]}) is not what was written"
        for query, said in _LINKS:
            for (named,) in self._ask(query):
                yield said.format(named)

    def held(self) -> Iterator[Held]:
        """All jobs that can be read, oldest first, with what the store holds for each."""
        for (job_id,) in self._ask("SELECT id FROM jobs ORDER BY seq"):
            for row in self._ask(f"{JOBS.select} WHERE id = ?", job_id):
                try:
                    opened = JOBS.opened(row)
                except StoreDamaged:
                    continue  # `problems` names it
                yield self._held(job_of_row(opened), opened["dataset"])

    def _held(self, job: Job, dataset: str) -> Held:
        incumbents = self._ask(f"{INCUMBENTS.select} WHERE job_id = ?", job.id)
        try:
            kept = incumbent_of_row(INCUMBENTS.opened(incumbents[0])) if incumbents else None
        except StoreDamaged:
            kept = None
        result = "SELECT body FROM results WHERE job_id = ? AND attempt = ?"
        return Held(
            job,
            self._body(dataset, "SELECT body FROM datasets WHERE digest = ?", dataset),
            self._body(job.result_digest, result, job.id, job.result_attempt) if job.result_digest else None,
            kept,
        )

    def _body(self, digest: str | None, query: str, *values: object) -> bytes | None:
        found = self._ask(query, *values)
        body = bytes(found[0][0]) if found else None
        return body if body is not None and hashlib.sha256(body).hexdigest() == digest else None

    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connections.run(lambda work: work.rows(statement, values))
