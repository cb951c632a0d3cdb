"""
The shared store: one PostgreSQL database, any number of services.

Every method is a short transaction. A claim takes the queued row whose turn it is (`app.store.fair_queue`) and that
nobody else is about to take (FOR UPDATE SKIP LOCKED), and a lease on it; no row is held while a job is solved. Leases
run by the clock of the database. What a service may write is decided by the attempt number alone: one that was thought
dead and is not is refused, whatever its lease says. So a lease only says when others may begin anew, and never whether
two results can count.

Rows carry the same seals as in SQLite. What SQLite's pages and marks are for, PostgreSQL does itself; backups are dumps
of it (`app.store.postgres_backups`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from app.domain.jobs import Job, Status
from app.domain.liveness import Life, life_of, text_of
from app.store import (
    Assistance,
    AssistanceKey,
    AssistanceState,
    Changes,
    DeliveryRow,
    Introduction,
    Member,
    Message,
    PortfolioRow,
    StoreDamaged,
    StoredIncumbent,
    StoreError,
    StoreTooNew,
    fair_queue,
    portfolio,
    versions,
)
from app.store.connections import Connections
from app.store.folder import instance_of, take_lock
from app.store.notifications import NO_CHANNELS, Channels
from app.store.postgres_faults import told
from app.store.rows import INCUMBENTS, JOBS, Work, incumbent_of_row, job_of_row
from app.store.sql import SqlStore, held_by
from solver.rules import Score

T = TypeVar("T")

LEASE_SECONDS = 15.0
RENEW_CALL_SECONDS = 3.0
"""A renewal that takes longer is given up, so that there is time for another one."""
MOST_INCUMBENTS = 20
FORGOTTEN_DAYS = 1
"""A service that was not heard of for so long is listed no more."""
_NEVER = 2**62
"""Transactions from now."""
MIGRATING, _ADMITTING = 0x54544201, 0x54544202
"""Advisory locks: one migration at a time; and one submit or delete, so that a full queue is full for all."""

_NOBODY = Introduction(role="service", slots=0, host="", pid=0, version="")

_log = logging.getLogger("timetable.store")


class PostgresStore(SqlStore):
    """
    Opens the store in the database `url`, bringing it to the present schema; `folder` is that of this service alone.

    Raises
    ------
    StoreLocked
        Another service uses the folder.
    StoreTooNew
        A later version of this program has been there.
    StoreUnavailable
        The server cannot be reached, or refuses.
    StoreError
        The address, the folder or the database cannot be used.
    """

    _hold = " FOR UPDATE"
    _order = "seq"

    def __init__(self, url: str, folder: Path, channels: Channels = NO_CHANNELS) -> None:
        super().__init__(channels)
        self._lock = take_lock(folder)
        try:
            self.owner = instance_of(folder)
            self._connections = Connections(url, f"timetable {self.owner}")
            try:
                self._bring_up_to_date()
            except BaseException:
                self._connections.close()
                raise
        except BaseException:
            os.close(self._lock)
            raise
        self.where = self._connections.where
        self._me = _NOBODY
        self._closed = False

    def _bring_up_to_date(self) -> None:
        with told():
            found = self._version()
            newest = versions.NEWEST["postgres"]
            if found is not None and versions.number_of(found) > versions.number_of(newest):
                message = f"{self._connections.where}: it has schema {found}, this program knows up to {newest}"
                raise StoreTooNew(f"{message}: use a newer one")
            if found != newest:
                with self._connections.connect() as connection:
                    versions.upgrade("postgres", connection, f"SELECT pg_advisory_xact_lock({MIGRATING})")
        self._write(_forget_other_clusters)

    def _version(self) -> str | None:
        """The version that stands in the database; None when it is empty."""

        def body(work: Work) -> str | None:
            if work.rows("SELECT to_regclass(?)", (versions.TABLE,))[0][0] is None:
                return None
            found = work.rows(f"SELECT version_num FROM {versions.TABLE}")  # nosec B608 - a name of ours
            return str(found[0][0]) if found else None

        return self._read(body)

    def close(self) -> None:
        """Has the other services forget this one, then closes the connections. A second call does nothing."""
        if self._closed:
            return
        self._closed = True
        with suppress(StoreError):  # nobody waits for one that has said that it goes
            self._write(lambda work: work.change("DELETE FROM services WHERE owner = ?", (self.owner,)))
        self._connections.close()
        os.close(self._lock)

    @property
    def database(self) -> Connections:
        """Its connections, of which a backup takes one."""
        return self._connections

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def _write(self, body: Callable[[Work], T]) -> T:
        return self._connections.run(body)

    _read = _write

    def _rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        return self._read(lambda work: work.rows(statement, values))

    # --- what the SQL store leaves open ---

    def _enter(self, work: Work) -> None:
        work.rows("SELECT pg_advisory_xact_lock(?)", (_ADMITTING,))

    def _next_queued(self, work: Work, skip: Collection[str], only: str | None) -> list[tuple[Any, ...]]:
        return fair_queue.next_queued(work, skip, only)

    def _added(self, work: Work, job: Job) -> None:
        fair_queue.note_tenant(work, job)

    def _taken(self, work: Work, job: Job) -> None:
        work.change(
            """INSERT INTO leases (job_id, attempt, owner, renewed_at, until)
               VALUES (?, ?, ?, clock_timestamp(), clock_timestamp() + make_interval(secs => ?))
               ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt, owner = excluded.owner, places = 0,
                   renewed_at = excluded.renewed_at, until = excluded.until, life = ''""",
            (job.id, job.attempt, self.owner, LEASE_SECONDS),
        )
        fair_queue.note_served(work, job.id)

    def _told(self, work: Work, job: Job, life: Life) -> None:
        work.change(
            "UPDATE leases SET life = ?, told_at = clock_timestamp() WHERE job_id = ? AND attempt = ? AND owner = ?",
            (text_of(life), job.id, job.attempt, self.owner),
        )

    def _left(self, work: Work, before: Job, after: Job) -> None:
        if before.status is Status.RUNNING and after.status is not Status.RUNNING:
            portfolio.close(work, before, after)
        elif after.status is Status.CANCELLED and after.result_attempt == after.attempt != before.result_attempt:
            portfolio.note_kept(work, after)
        if after.status is not Status.RUNNING:
            work.change("DELETE FROM leases WHERE job_id = ?", (after.id,))
            if self._me.role == "service":
                work.change("UPDATE outbox SET owner = ? WHERE job_id = ? AND owner IS NULL", (self.owner, after.id))

    def _to_tell(self, work: Work, job: Job) -> None:
        work.change("UPDATE outbox SET owner = ? WHERE job_id = ? AND state = 'pending'", (self.owner, job.id))

    # --- several services ---

    def abandoned(self, at_work: Collection[str], *, expired: bool = True) -> list[Job]:
        """Running jobs without a lease that counts; of our own leases those count whose job is in `at_work`."""
        cared_for = """SELECT 1 FROM leases WHERE job_id = jobs.id AND leases.attempt = jobs.attempt AND CASE
                       WHEN owner = ? THEN job_id = ANY(?::text[]) ELSE until >= clock_timestamp() OR NOT ? END"""
        query = f"{JOBS.select} WHERE status = 'running' AND NOT EXISTS ({cared_for}) ORDER BY seq"  # nosec B608 - names of ours, values bound
        return self._sound(self._rows(query, (self.owner, list(at_work), expired)))

    def renew(self) -> Mapping[str, int]:
        """Prolongs all leases of this service by `LEASE_SECONDS`; returns job id -> attempt of those it still has."""

        def body(work: Work) -> dict[str, int]:
            self._show_up(work)
            leases = work.rows(
                """UPDATE leases SET renewed_at = clock_timestamp(),
                                     until = clock_timestamp() + make_interval(secs => ?)
                   WHERE owner = ? RETURNING job_id, attempt""",
                (LEASE_SECONDS, self.owner),
            )
            return dict(leases)

        return self._connections.run(body, RENEW_CALL_SECONDS)

    def introduce(self, me: Introduction) -> None:
        """Writes our row in `services`, and removes those of services that were not heard of for days."""

        def body(work: Work) -> None:
            work.change(
                "DELETE FROM services WHERE owner = ? OR renewed_at < clock_timestamp() - make_interval(days => ?)",
                (self.owner, FORGOTTEN_DAYS),
            )
            fair_queue.forget_idle_tenants(work)
            self._show_up(work)

        self._me = me
        self._write(body)

    def _show_up(self, work: Work) -> None:
        me = self._me
        work.change(
            """INSERT INTO services (owner, renewed_at, role, slots, host, pid, version)
               VALUES (?, clock_timestamp(), ?, ?, ?, ?, ?)
               ON CONFLICT (owner) DO UPDATE SET renewed_at = excluded.renewed_at""",
            (self.owner, me.role, me.slots, me.host, me.pid, me.version),
        )

    def members(self) -> list[Member]:
        """The rows of `services`, with the jobs that each holds leases on and helps with."""
        rows = self._rows(
            """SELECT role, slots, host, pid, version, owner, extract(epoch FROM started_at)::float8,
                      extract(epoch FROM clock_timestamp() - renewed_at)::float8,
                      ARRAY(SELECT job_id FROM leases WHERE leases.owner = services.owner ORDER BY job_id),
                      ARRAY(SELECT job_id FROM portfolio WHERE worker = services.owner AND number > 0
                            AND ended_at IS NULL AND until >= clock_timestamp() ORDER BY job_id)
               FROM services ORDER BY role, started_at, owner"""
        )
        names = [row.name for row in fields(Member)]
        return [
            Member(**dict(zip(names, (*plain, tuple(jobs), tuple(helped)), strict=True)))
            for *plain, jobs, helped in rows
        ]

    def due(self) -> list[Message]:
        """Takes what the fair queue has due and, when that is nothing, invitations to help."""

        def body(work: Work) -> list[Message]:
            found = fair_queue.due(work, LEASE_SECONDS)
            return found or portfolio.invitations(work, LEASE_SECONDS)

        return self._write(body)

    def not_sent(self, messages: Collection[Message]) -> None:
        """Has these messages due at once: nobody has got them."""
        self._write(lambda work: fair_queue.make_due(work, messages))

    def send_again(self) -> None:
        """Has all messages due at once, for a queue that has forgotten them."""
        self._write(lambda work: fair_queue.make_due(work, None))

    # --- several workers on one job ---

    def invite(self, job: Job, places: int, seconds: float) -> None:
        """Offers places at an attempt of ours for so many seconds. Raises StaleAttempt when it is over."""
        self._while_it_runs(job, lambda work: portfolio.invite(work, self.owner, job, places, seconds))

    def join(self, job_id: str) -> Assistance | None:
        """Takes a place at the attempt of another service; None when there is none."""
        return self._write(lambda work: portfolio.join(work, self.owner, job_id, LEASE_SECONDS))

    def assisting(self, mine: Collection[AssistanceKey]) -> AssistanceState:
        """Renews our assistances and says which are still wanted, and which slots are needed for other jobs."""
        return self._write(lambda work: portfolio.assisting(work, self.owner, mine, LEASE_SECONDS))

    def save_found(self, job: Job, number: int, incumbent: StoredIncumbent) -> None:
        """Keeps the best timetable an assistant has found. Raises StaleAttempt when the attempt is over."""
        self._while_it_runs(job, lambda work: portfolio.save_found(work, self.owner, job, number, incumbent))

    def found(self, job: Job, below: Score | None) -> tuple[int, StoredIncumbent] | None:
        """Number and timetable of the assistant with the best score below `below`, None when there is none."""
        return self._read(lambda work: portfolio.best_found(work, job.id, below))

    def leave(self, job: Job, number: int, how: str) -> None:
        """Notes how our assistance has ended."""
        self._write(lambda work: portfolio.leave(work, self.owner, job, number, how))

    def note_end(self, job: Job, winner: int | None, own: StoredIncumbent | None) -> None:
        """Notes what the owner itself has found, and whose timetable is published; `winner` is a number or nobody's."""
        self._while_it_runs(job, lambda work: portfolio.note_end(work, job, winner, own))

    def _while_it_runs(self, job: Job, act: Callable[[Work], None]) -> None:
        """In one transaction that holds the row of the job; raises StaleAttempt when the attempt is over."""

        def body(work: Work) -> None:
            self._still_runs(work, job)
            act(work)

        self._write(body)

    def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Who has worked on the job's attempts, by attempt and number."""
        return self._read(lambda work: portfolio.of_job(work, job_id))

    def incumbent(self, job_id: str) -> StoredIncumbent | None:
        """The best of its owners and of those that assist the attempt at work."""

        def body(work: Work) -> StoredIncumbent | None:
            try:
                held = held_by(work, job_id)
            except StoreDamaged:
                found = portfolio.best_found(work, job_id, None)
                if found is None:
                    raise
                return found[1]
            found = portfolio.best_found(work, job_id, None if held is None else held.score)
            return held if found is None else found[1]

        return self._read(body)

    def undelivered(self) -> list[DeliveryRow]:
        """Those of this service, which from now on tells what services that are gone have left untold."""

        def body(work: Work) -> list[DeliveryRow]:
            work.change(
                """UPDATE outbox SET owner = ? WHERE state IN ('pending', 'dead') AND owner IS DISTINCT FROM ?
                   AND NOT EXISTS (SELECT 1 FROM services WHERE services.owner = outbox.owner
                                   AND renewed_at >= clock_timestamp() - make_interval(secs => ?))""",
                (self.owner, self.owner, LEASE_SECONDS),
            )
            return self._untold(work, "state IN ('pending', 'dead') AND owner = ?", self.owner)

        return self._write(body)

    def changes(self, since: int | None, mine: Collection[str]) -> Changes:
        """What was written from transaction number `since` on; of jobs and incumbents nothing for None."""

        def body(work: Work) -> Changes:
            # Whoever is still writing at this moment writes under a number from here on, so nothing slips through.
            upto = work.rows("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")[0][0]
            beginning, others = upto + _NEVER if since is None else since, list(mine)
            jobs = work.rows(f"{JOBS.select} WHERE changed >= ?::text::xid8 ORDER BY seq", (str(beginning),))
            newer = "changed >= ?::text::xid8 AND job_id <> ALL(?::text[]) AND job_id IN (SELECT job_id FROM leases)"
            query = f"{INCUMBENTS.select} WHERE {newer} LIMIT ?"  # nosec B608 - names of ours, values bound
            incumbents = work.rows(query, (str(beginning), others, MOST_INCUMBENTS))
            leases = work.rows(
                """SELECT job_id, extract(epoch FROM clock_timestamp() - renewed_at)::float8,
                          life, extract(epoch FROM clock_timestamp() - told_at)::float8
                   FROM leases WHERE owner <> ?""",
                (self.owner,),
            )
            total = work.rows("SELECT count(*) FROM jobs")[0][0]
            return Changes(
                jobs=list(JOBS.sound(jobs, job_of_row, _pass_over)),
                incumbents=dict(INCUMBENTS.sound(incumbents, _named_incumbent, _pass_over)),
                silent_seconds={job_id: silent for job_id, silent, _, _ in leases},
                lives={job_id: (life, age) for job_id, _, text, age in leases if (life := life_of(text)) is not None},
                total=total,
                upto=upto,
            )

        return self._read(body)

    def ids(self) -> list[str]:
        """Ids of all jobs, oldest first."""
        return [row[0] for row in self._rows("SELECT id FROM jobs ORDER BY seq")]


def _pass_over(error: StoreDamaged) -> None:
    """Of a change that is not what was written; whoever asks for its job is told."""
    _log.error("a change is passed over: %s", error)


def _named_incumbent(row: Mapping[str, Any]) -> tuple[str, StoredIncumbent]:
    return row["job_id"], incumbent_of_row(row)


def _forget_other_clusters(work: Work) -> None:
    """A store that was restored with `pg_dump` has transaction numbers of the server it came from."""
    for table in ("jobs", "incumbents"):
        work.change(f"UPDATE {table} SET changed = DEFAULT WHERE changed > pg_current_xact_id()")  # nosec B608 - names of ours
