"""
The fair queue of a shared store: which waiting job is served next, and the messages that go out in that order.

Tenants are served by turns. Of all waiting jobs that one is next whose tenant has the fewest at work; among equals the
tenant that was served longest ago; of one tenant the oldest job. So a thousand jobs of one organisation delay another
one's first job by no more than what is at work, and nobody's share depends on how many jobs it has waiting.

A message is only a hint: it names a job and the attempt that is to be begun, and whoever gets it claims that job here
or drops it. So few are sent at a time (what lies in a broker keeps its order, and could not be overtaken), and those
that nobody has answered are sent again: a broker that loses everything costs seconds.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from app.domain.jobs import Job, tenant_of
from app.store import Message
from app.store.rows import JOBS, Work

FEWEST_ON_THE_WAY = 4
"""Messages that may be on their way also when no worker is known: one that starts finds something to do at once."""
FIRST_AGAIN_SECONDS = 10.0
"""A message is sent again when nobody has begun the attempt after this time, later each time."""
LONGEST_AGAIN_SECONDS = 300.0
_SENDING = 0x54544203
"""Advisory lock: of several services one at a time decides what is sent."""

_ON_THE_WAY = "messages.attempt = jobs.attempt + 1 AND messages.due_at > clock_timestamp()"
_FAIR = """
    SELECT queued.id AS queued_id, coalesce(turns.taken, 0) AS taken,
           row_number() OVER (PARTITION BY queued.tenant ORDER BY queued.seq) + coalesce(busy.jobs, 0) AS place
    FROM jobs AS queued
    LEFT JOIN turns ON turns.tenant = queued.tenant
    LEFT JOIN (SELECT jobs.tenant, count(*) AS jobs FROM jobs WHERE {busy} GROUP BY jobs.tenant) AS busy
        ON busy.tenant = queued.tenant
    WHERE queued.status = 'queued' AND {eligible}
"""
_BEGUN_OR_SENT = f"""status = 'running' OR status = 'queued'
    AND EXISTS (SELECT 1 FROM messages WHERE job_id = jobs.id AND {_ON_THE_WAY})"""  # nosec B608 - names of ours, values bound
_NOT_SENT = """NOT EXISTS (SELECT 1 FROM messages WHERE job_id = queued.id
    AND messages.attempt = queued.attempt + 1 AND messages.due_at > clock_timestamp())"""
_TO_RUN = _FAIR.format(busy="status = 'running'", eligible="queued.id <> ALL(?::text[])")
_TO_SEND = _FAIR.format(busy=_BEGUN_OR_SENT, eligible=_NOT_SENT)
_IN_ORDER = "AS turn ON queued_id = id WHERE status = 'queued' ORDER BY place, taken, seq"
_NEXT = f"{JOBS.select} JOIN ({_TO_RUN}) {_IN_ORDER} LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED"  # nosec B608 - as above
_NAMED = f"{JOBS.select} WHERE status = 'queued' AND id <> ALL(?::text[]) AND id = ? FOR UPDATE"  # nosec B608 - as above
_NEXT_TO_SEND = f"SELECT id, attempt + 1 FROM jobs JOIN ({_TO_SEND}) {_IN_ORDER} LIMIT ?"  # nosec B608 - as above
_ON_THE_WAY_NOW = f"SELECT count(*) FROM jobs, messages WHERE job_id = id AND status = 'queued' AND {_ON_THE_WAY}"  # nosec B608 - as above
_SLOTS = """SELECT coalesce(sum(slots), 0)::bigint FROM services
    WHERE role = 'worker' AND renewed_at >= clock_timestamp() - make_interval(secs => ?)"""


def next_queued(work: Work, skip: Collection[str], only: str | None) -> list[tuple[Any, ...]]:
    """The row of the job that is next and that nobody else is about to take, or of the one named; or nothing."""
    return work.rows(_NEXT, (list(skip),)) if only is None else work.rows(_NAMED, (list(skip), only))


def note_tenant(work: Work, job: Job) -> None:
    """Writes down who the job belongs to, which only its metadata say; those are sealed, and not to be searched in."""
    tenant = tenant_of(job).replace("\0", "\N{SYMBOL FOR NULL}")
    work.change("UPDATE jobs SET tenant = ? WHERE id = ? AND tenant <> ?", (tenant, job.id, tenant))


def note_served(work: Work, *job_ids: str) -> None:
    """The tenants of these jobs were served once each, in this order."""
    for job_id in job_ids:
        work.change(
            """INSERT INTO turns SELECT tenant, nextval('turn_numbers') FROM jobs WHERE id = ?
               ON CONFLICT (tenant) DO UPDATE SET taken = excluded.taken""",
            (job_id,),
        )


def forget_idle_tenants(work: Work) -> None:
    """Of tenants that have no jobs any more."""
    work.change("DELETE FROM turns WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.tenant = turns.tenant)")


def may_send(work: Work) -> bool:
    """Whether nobody else decides at this moment what is sent; nobody else does until the transaction ends."""
    return bool(work.rows("SELECT pg_try_advisory_xact_lock(?)", (_SENDING,))[0][0])


def due(work: Work, heard_within_seconds: float) -> list[Message]:
    """What `SharedStore.due` promises; workers count that were heard of within this time."""
    if not may_send(work):
        return []
    slots = work.rows(_SLOTS, (heard_within_seconds,))[0][0]
    free = max(FEWEST_ON_THE_WAY, slots) - work.rows(_ON_THE_WAY_NOW)[0][0]
    if free <= 0:
        return []
    found = [Message(*row) for row in work.rows(_NEXT_TO_SEND, (free,))]
    for message in found:
        work.change(
            """INSERT INTO messages VALUES (?, ?, 1, clock_timestamp() + make_interval(secs => ?))
               ON CONFLICT (job_id) DO UPDATE SET attempt = excluded.attempt,
                   times = CASE WHEN messages.attempt = excluded.attempt THEN messages.times + 1 ELSE 1 END,
                   due_at = clock_timestamp() + make_interval(secs => CASE WHEN messages.attempt = excluded.attempt
                       THEN least(? * power(2, least(messages.times, 20)), ?) ELSE ? END)""",
            (*message, FIRST_AGAIN_SECONDS, FIRST_AGAIN_SECONDS, LONGEST_AGAIN_SECONDS, FIRST_AGAIN_SECONDS),
        )
    note_served(work, *(message.job_id for message in found))  # last: a claim holds its job when its tenant is noted
    return found


def make_due(work: Work, messages: Collection[Message] | None) -> None:
    """These messages, or all, are to be sent at once."""
    work.change(
        """UPDATE messages SET due_at = clock_timestamp(), times = 0
           WHERE ?::text[] IS NULL OR job_id = ANY(?::text[])""",
        (None, None) if messages is None else 2 * ([message.job_id for message in messages],),
    )
