"""
A PostgreSQL store looked at down to the last row, for `timetable check`, beside services that use it.

Pages and references are the business of PostgreSQL; what is ours are the seals, the digests and what links them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.store import StoreDamaged
from app.store.audit import StoredJob, StoreReader
from app.store.connections import Connections
from app.store.rows import JOBS, PORTFOLIO, SEALED, SealedTable

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


class PostgresAudit(StoreReader):
    """
    Reads the store in the database `url`; it changes nothing. Every method raises StoreError when it cannot be read.

    Rows and bodies are fetched one at a time, so that a large store takes time and not memory.
    """

    def __init__(self, url: str) -> None:
        self._connections = Connections(url, "timetable check")
        self.where = self._connections.where

    def close(self) -> None:
        """Closes the connections that the reader of the rows was given."""
        self._connections.close()

    def rows(self) -> dict[str, int]:
        """Number of rows of each table."""
        return {table: int(self._ask(f"SELECT count(*) FROM {table}")[0][0]) for table in TABLES}  # nosec B608 - names of ours

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

    def held(self) -> Iterator[StoredJob]:
        """All jobs that can be read, oldest first, with what the store holds for each."""
        for (job_id,) in self._ask("SELECT id FROM jobs ORDER BY seq"):
            rows = self._ask(f"{JOBS.select} WHERE id = ?", job_id)
            for row in JOBS.sound(rows, dict, lambda error: None):  # `problems` names what is not
                yield self._held(row)

    def _ask(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._connections.run(lambda work: work.rows(statement, values))
