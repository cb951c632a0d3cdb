"""
Several workers on one attempt: places that its owner offers, and who has taken them.

An attempt is the owner's, by its lease and its number; a row here gives no right to it. Whoever assists has a lease of
its own, by the clock of the database, and writes only in its own row and only while the attempt runs. When the attempt
ends, however it does, the rows are closed in the same transaction, and a timetable that is better than what the job
holds becomes its incumbent: the next attempt starts from the best that anybody has found.

Only idle slots assist. As long as there are more waiting jobs than free slots nobody is invited, nobody may join, and
as many of those who have joined as there are slots lacking are told to yield, the last to come first.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Any

from app.domain.jobs import Job, StaleAttempt
from app.domain.portfolio import HANDOVER_SECONDS, LEAST_SECONDS, MOST_JOINS, OWNER, Left, seed
from app.store import (
    Assistance,
    AssistanceKey,
    AssistanceState,
    Message,
    PortfolioRow,
    StoreDamaged,
    StoredIncumbent,
    fair_queue,
)
from app.store.rows import (
    INCUMBENTS,
    JOBS,
    PORTFOLIO,
    Work,
    incumbent_of_row,
    job_of_row,
    portfolio_of_row,
    row_of_incumbent,
    row_of_portfolio,
)
from app.store.sql import held_by
from solver.rules import Score

INVITE_AGAIN_SECONDS = 3.0
"""So long after an invitation another one goes out, if there are still places and still idle slots."""

_NONSENSE = Score(-1, 0, 0, 0)

_log = logging.getLogger("timetable.store")

_OF_ATTEMPT = f"{PORTFOLIO.select} WHERE job_id = ? AND attempt = ?"  # nosec B608 - names of ours, values bound
_AT_WORK = "portfolio.number > 0 AND portfolio.ended_at IS NULL AND portfolio.until >= clock_timestamp()"
_WORKERS = "role = 'worker' AND services.renewed_at >= clock_timestamp() - make_interval(secs => ?)"
_IDLE = f"""SELECT (SELECT coalesce(sum(slots), 0) FROM services WHERE {_WORKERS})
    - (SELECT count(*) FROM leases JOIN services USING (owner) WHERE {_WORKERS})
    - (SELECT count(*) FROM portfolio JOIN services ON owner = worker WHERE {_AT_WORK} AND {_WORKERS})
    - (SELECT count(*) FROM jobs WHERE status = 'queued')"""  # nosec B608 - names of ours, values bound
_OPEN = f"""SELECT jobs.id, jobs.attempt,
        places - (SELECT count(*) FROM portfolio WHERE job_id = jobs.id AND attempt = jobs.attempt AND {_AT_WORK})
    FROM jobs JOIN leases ON job_id = jobs.id AND leases.attempt = jobs.attempt
    WHERE status = 'running' AND cancel_requested = 0 AND finish_requested = 0 AND places > 0
        AND closes_at > clock_timestamp() + make_interval(secs => ?)
        AND invited_at < clock_timestamp() - make_interval(secs => ?) ORDER BY invited_at, seq"""  # nosec B608 - as above
_SILENT = "SELECT number FROM portfolio WHERE job_id = ? AND attempt = ? AND until < clock_timestamp()"
_LAST_NUMBER = "SELECT max(number) FROM portfolio WHERE job_id = ? AND attempt = ?"
_TO_HELP = f"""{JOBS.select} WHERE id = ? AND status = 'running' AND cancel_requested = 0
    AND finish_requested = 0 FOR UPDATE"""  # nosec B608 - as above
_WANTED = f"""UPDATE portfolio SET until = clock_timestamp() + make_interval(secs => ?)
    FROM unnest(?::text[], ?::bigint[], ?::bigint[]) AS mine (job_id, attempt, number), jobs
    WHERE portfolio.job_id = mine.job_id AND portfolio.attempt = mine.attempt AND portfolio.number = mine.number
        AND worker = ? AND {_AT_WORK} AND jobs.id = mine.job_id AND jobs.attempt = mine.attempt
        AND status = 'running' AND cancel_requested = 0 AND finish_requested = 0
    RETURNING portfolio.job_id, portfolio.attempt, portfolio.number"""  # nosec B608 - as above

_LAST_TO_COME = f"""SELECT job_id, attempt, number FROM portfolio WHERE {_AT_WORK}
    ORDER BY began_at DESC, job_id, attempt, number LIMIT ?"""  # nosec B608 - as above


def invite(work: Work, owner: str, job: Job, places: int, seconds: float) -> None:
    """The caller holds the row of the job, which runs."""
    changed = work.change(
        """UPDATE leases SET places = ?, closes_at = clock_timestamp() + make_interval(secs => ?)
           WHERE job_id = ? AND attempt = ? AND owner = ?""",
        (places, max(0.0, seconds), job.id, job.attempt, owner),
    )
    if not changed:
        raise StaleAttempt(f"job {job.id!r}: attempt {job.attempt} is not ours")
    if not _rows(work, job.id, job.attempt):
        _insert(work, job, OWNER, owner)


def invitations(work: Work, heard_within_seconds: float) -> list[Message]:
    """What is to be sent now to fill places with slots that nobody else has use for."""
    found: list[Message] = []
    if not fair_queue.may_send(work):
        return found
    places = work.rows(_OPEN, (HANDOVER_SECONDS + LEAST_SECONDS, INVITE_AGAIN_SECONDS))
    idle = _idle(work, heard_within_seconds) if places else 0
    for job_id, attempt, free in places:
        wanted = min(free, idle - len(found))
        if wanted > 0:
            work.change("UPDATE leases SET invited_at = clock_timestamp() WHERE job_id = ?", (job_id,))
            found += [Message(job_id, attempt)] * wanted
    return found


def join(work: Work, worker: str, job_id: str, lease_seconds: float) -> Assistance | None:
    """Takes the next free place at the job's attempt; None when there is none any more, or the attempt is over."""
    rows = work.rows(_TO_HELP, (job_id,))
    if not rows:
        return None
    job = job_of_row(JOBS.opened(rows[0]))
    offered = work.rows(
        """SELECT places, extract(epoch FROM closes_at - clock_timestamp())::float8 FROM leases
           WHERE job_id = ? AND attempt = ? AND places > 0""",
        (job_id, job.attempt),
    )
    if not offered:
        return None
    places, seconds = offered[0][0], offered[0][1] - HANDOVER_SECONDS
    silent = f"{_OF_ATTEMPT} AND number > 0 AND ended_at IS NULL AND until < clock_timestamp()"
    for row in _opened(work.rows(silent, (job_id, job.attempt))):
        _rewrite(work, row, ended_at=time.time(), how=Left.LOST)
    known = _rows(work, job_id, job.attempt)
    at_work = sum(row["number"] > OWNER and row["ended_at"] is None for row in known)
    too_many = at_work >= places or len(known) > MOST_JOINS * places
    if too_many or seconds < LEAST_SECONDS or _idle(work, lease_seconds) < 1:
        return None
    number = 1 + work.rows(_LAST_NUMBER, (job_id, job.attempt))[0][0]
    _insert(work, job, number, worker)
    work.change(
        f"UPDATE portfolio SET until = clock_timestamp() + make_interval(secs => ?) WHERE {PORTFOLIO.where}",  # nosec B608 - names of ours, values bound
        (lease_seconds, job_id, job.attempt, number),
    )
    return Assistance(job, number, seconds)


def assisting(work: Work, worker: str, mine: Collection[AssistanceKey], lease_seconds: float) -> AssistanceState:
    """Renews the assistances `mine` of a worker and says what is to become of them."""
    columns = [list(column) for column in zip(*mine, strict=True)] or [[], [], []]
    wanted = work.rows(_WANTED, (lease_seconds, *columns, worker))
    lacking = -_idle(work, lease_seconds)
    crowded = work.rows(_LAST_TO_COME, (lacking,)) if lacking > 0 else []
    return AssistanceState(*(frozenset(AssistanceKey(*key) for key in keys) for keys in (wanted, crowded)))


def save_found(work: Work, worker: str, job: Job, number: int, incumbent: StoredIncumbent) -> None:
    """The caller holds the row of the job, which runs."""
    rows = _rows(work, job.id, job.attempt, f"AND number = ? AND worker = ? AND {_AT_WORK}", (number, worker))
    if not rows:
        raise StaleAttempt(f"job {job.id!r}: assistant {number} of attempt {job.attempt} has lost its place")
    _rewrite(
        work,
        rows[0],
        score=json.dumps(incumbent.score.numbers),
        rung=incumbent.rung,
        found_at=incumbent.found_at,
        timetable=incumbent.timetable,
    )


def best_found(work: Work, job_id: str, below: Score | None) -> tuple[int, StoredIncumbent] | None:
    """
    The best timetable of all assistants of the attempt at work, if it is better than `below`.

    Those of earlier attempts are with the job since these have ended. A row counts when it is what was written: what
    it claims only says in which order rows are looked at.
    """
    claims = work.rows(
        "SELECT score, attempt, number FROM portfolio WHERE job_id = ? AND timetable IS NOT NULL", (job_id,)
    )
    for claim, attempt, number in sorted((_claimed(score), attempt, number) for score, attempt, number in claims):
        if below is not None and claim >= below:
            return None
        for row in _rows(work, job_id, attempt, "AND number = ?", (number,)):
            try:
                return number, incumbent_of_row(row)
            except StoreDamaged as error:
                _pass_over(str(error))
    return None


def leave(work: Work, worker: str, job: Job, number: int, how: str) -> None:
    """Notes when and how an assistance has ended; nothing happens when it has ended already."""
    where = "AND number = ? AND worker = ? AND ended_at IS NULL"
    for row in _rows(work, job.id, job.attempt, where, (number, worker)):
        _rewrite(work, row, ended_at=time.time(), how=how)


def note_end(work: Work, job: Job, winner: int | None, own: StoredIncumbent | None) -> None:
    """The caller holds the row of the job, which runs."""
    found = {} if own is None else {"score": json.dumps(own.score.numbers), "rung": own.rung, "found_at": own.found_at}
    for row in _rows(work, job.id, job.attempt):
        _rewrite(work, row, published=row["number"] == winner, **(found if row["number"] == OWNER else {}))


def note_kept(work: Work, job: Job) -> None:
    """
    What a cancelled job held has become its result; the caller holds the row of the job.

    It is of whoever has found a timetable of that cost, or the owner's, who has begun with it.
    """
    rows = _rows(work, job.id, job.attempt)
    winner = min((row["number"] for row in rows if row["score"] and _claimed(row["score"]) == job.score), default=OWNER)
    for row in rows:
        _rewrite(work, row, published=row["number"] == winner)


def close(work: Work, before: Job, after: Job) -> None:
    """The attempt of `before` has ended; the caller holds the row of the job."""
    rows = _rows(work, before.id, before.attempt)
    if not rows:
        return
    _keep_best(work, before)
    owners = work.rows("SELECT how FROM attempts WHERE job_id = ? AND attempt = ?", (before.id, before.attempt))
    published = after.result_attempt == before.attempt
    silent = {number for (number,) in work.rows(_SILENT, (before.id, before.attempt))}
    for row in rows:
        how = owners[0][0] if row["number"] == OWNER else Left.LOST if row["number"] in silent else Left.OVER
        ended = {} if row["ended_at"] is not None else {"ended_at": time.time(), "how": how}
        _rewrite(work, row, timetable=None, published=bool(row["published"]) and published, **ended)


def of_job(work: Work, job_id: str) -> list[PortfolioRow]:
    """Everybody who has worked on the job's attempts, by attempt and number."""
    rows = work.rows(f"{PORTFOLIO.select} WHERE job_id = ? ORDER BY attempt, number", (job_id,))
    return [portfolio_of_row(row) for row in _opened(rows)]


def _claimed(score: str | None) -> Score:
    """What a row says of itself before its seal is looked at; one that says nonsense is looked at first."""
    try:
        return Score.of(json.loads(score or ""))
    except (TypeError, ValueError, OverflowError):
        return _NONSENSE


def _keep_best(work: Work, job: Job) -> None:
    """An incumbent that is not what was written gives way to any other, and does not keep an attempt from ending."""
    try:
        held = held_by(work, job.id)
    except StoreDamaged as error:
        _pass_over(str(error))
        held = None
    best = best_found(work, job.id, None if held is None else held.score)
    if best is not None:
        row = row_of_incumbent(job, best[1])
        if not work.change(INCUMBENTS.update, INCUMBENTS.to_update(row)):
            work.change(INCUMBENTS.insert, INCUMBENTS.to_insert(row))


def _idle(work: Work, heard_within_seconds: float) -> int:
    """Free slots of workers, less the jobs that wait for one; below 0, more wait than can be begun."""
    return int(work.rows(_IDLE, (heard_within_seconds,) * 3)[0][0])


def _insert(work: Work, job: Job, number: int, worker: str) -> None:
    member = PortfolioRow(
        attempt=job.attempt, number=number, worker=worker, seed=seed(job, number), began_at=time.time()
    )
    work.change(PORTFOLIO.insert, PORTFOLIO.to_insert(row_of_portfolio(job.id, member)))


def _rows(
    work: Work, job_id: str, attempt: int, condition: str = "", values: Collection[object] = ()
) -> list[dict[str, Any]]:
    query = f"{_OF_ATTEMPT} {condition} ORDER BY number FOR UPDATE"
    return list(_opened(work.rows(query, (job_id, attempt, *values))))


def _opened(rows: list[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Without those that are not what was written: a job can do without them, and must not be held up by them."""
    return PORTFOLIO.sound(rows, dict, lambda error: _pass_over(str(error)))


@lru_cache(maxsize=1000)  # asked for twice a second while an attempt runs
def _pass_over(why: str) -> None:
    """Says so, once."""
    _log.error("passed over at a job of several workers: %s", why)


def _rewrite(work: Work, row: dict[str, Any], **changes: object) -> None:
    work.change(PORTFOLIO.update, PORTFOLIO.to_update({**row, **changes}))
