"""
The platform's row of a job: `generation_jobs`, updated in one short transaction.

`timetable_data` is merged: our keys (`app.views.shapes.RESULT_KEYS`) replace those of an earlier result, everything
that the caller wrote there when the job was made stays as it is. A row that people have approved or rejected is theirs,
and is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString

import anyio
import psycopg
from psycopg.types.json import Jsonb

from app.domain.documents import joined
from app.domain.jobs import Job, Status
from app.platform.breaker import Breaker
from app.platform.connections import connected
from app.platform.delivery import CANCELLED_BY_USER, Documents, NotDelivered, error_of, instant_of, is_late
from app.settings import Settings
from app.store import DeliveryRow

STATEMENT_MILLISECONDS = 10_000
WHOLE_SECONDS = 30.0
"""For one delivery, results of tens of megabytes included."""
MOST_ERROR = 500
"""Characters of the column for an error; a page shows it, so there it also says what a timetable lacks."""
NO_ROW = "generation_jobs has no row of this id"
PROTECTED: Mapping[Status, frozenset[str]] = {
    Status.COMPLETED: frozenset({"approved", "rejected"}),
    Status.FAILED: frozenset({"approved", "rejected", "completed", "cancelled"}),
    Status.CANCELLED: frozenset({"approved", "rejected", "completed"}),
}
"""How a job has ended -> states of its row that this does not change."""
NEEDED = frozenset({"id", "status", "timetable_data"})

_COLUMNS: LiteralString = """
    SELECT attname, NOT attnotnull FROM pg_attribute
    WHERE attrelid = to_regclass('generation_jobs') AND attnum > 0 AND NOT attisdropped
"""
_MERGED: LiteralString = """timetable_data = CASE WHEN jsonb_typeof(timetable_data::jsonb) = 'object'
    THEN timetable_data::jsonb ELSE '{}'::jsonb END || %(data)s"""
_COMPLETED: Mapping[str, LiteralString] = {
    "status": "status = 'completed'",
    "progress": "progress = 100",
    "error_message": "error_message = %(error)s",
    "timetable_data": _MERGED,
    "completed_at": "completed_at = %(at)s",
    "updated_at": "updated_at = now()",
}
_ENDED: Mapping[str, LiteralString] = {
    "status": "status = %(status)s",
    "error_message": "error_message = %(error)s",
    "updated_at": "updated_at = now()",
}


@dataclass(frozen=True, slots=True)
class DatabaseUpdate:
    """The channel `sql`."""

    settings: Settings
    documents: Documents
    breaker: Breaker
    seen: Callable[[str], bool]
    """Whether there was a row of a job: one that is missing then is deleted, and not still to come."""

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """Writes the end into the platform's row of the job. Raises NotDelivered."""
        values: dict[str, Any] = {"id": job.id, "status": row.status.value, "at": instant_of(row.ended_at)}
        if row.status is Status.COMPLETED:
            extra = {"generated_at": values["at"]}
            document = joined(await self.documents.of(job, "timetable_data"), extra)
            values["data"] = Jsonb(document, dumps=lambda encoded: encoded)  # megabytes, encoded already
        values["error"] = (error_of(row, job) or "")[:MOST_ERROR]
        if await _changed(self.settings, row.status, values) is None:
            if self.seen(job.id):
                raise NotDelivered("the platform has deleted its row of this job", gone=True)
            raise NotDelivered(NO_ROW, down=False, final=is_late(job, time.time()))


async def call_off(settings: Settings, job_id: str) -> None:
    """The row of a job that is being cancelled, and that nobody has, says that it is. Raises NotDelivered."""
    values = {"id": job_id, "status": Status.CANCELLED.value, "error": CANCELLED_BY_USER}
    await _changed(settings, Status.CANCELLED, values, only="cancelling")


async def _changed(
    settings: Settings, status: Status, values: Mapping[str, Any], only: str | None = None
) -> str | None:
    """What the row said before, None when there is none (yet: the platform posts before its transaction is over)."""
    try:
        with anyio.fail_after(WHOLE_SECONDS):
            return await _update(settings, status, values, only)
    except TimeoutError:
        raise NotDelivered(f"the database did not answer within {WHOLE_SECONDS:g} s") from None
    except psycopg.OperationalError as error:  # unreachable, full, restarting, too slow
        raise NotDelivered(f"the database does not answer: {_told(error)}") from None
    except psycopg.DataError as error:
        raise NotDelivered(f"the database cannot hold this: {_told(error)}", final=True) from None
    except psycopg.Error as error:
        raise NotDelivered(f"the database refuses: {_told(error)}", down=False) from None


async def _update(settings: Settings, status: Status, values: Mapping[str, Any], only: str | None) -> str | None:
    options = {"keepalives_idle": 10, "tcp_user_timeout": STATEMENT_MILLISECONDS}
    async with connected(settings, "timetable-delivery", **options) as connection, connection.transaction():
        await connection.execute(
            "SELECT set_config('statement_timeout', %(ms)s, true), set_config('lock_timeout', %(ms)s, true)",
            {"ms": str(STATEMENT_MILLISECONDS)},
        )
        there: dict[str, bool] = dict(await (await connection.execute(_COLUMNS)).fetchall())
        if not there.keys() >= NEEDED:
            missing = ", ".join(sorted(NEEDED - there.keys())) if there else "at all"
            raise NotDelivered(f"the database has no generation_jobs with {missing}", down=False)
        return await _write(connection, status, values, there, only)


async def _write(
    connection: psycopg.AsyncConnection[Any],
    status: Status,
    values: Mapping[str, Any],
    there: Mapping[str, bool],
    only: str | None,
) -> str | None:
    """`there` says of each column whether it may be empty; a row that does not say `only` is left alone."""
    found = await (
        await connection.execute("SELECT status FROM generation_jobs WHERE id = %(id)s FOR UPDATE", values)
    ).fetchone()
    if found is None:
        return None
    before = str(found[0])
    if before in PROTECTED[status] or only not in (None, before):
        return before
    wanted = _COMPLETED if status is Status.COMPLETED else _ENDED
    assignments: LiteralString = ", ".join([text for column, text in wanted.items() if column in there])
    nothing = None if there.get("error_message", True) else ""
    await connection.execute(
        f"UPDATE generation_jobs SET {assignments} WHERE id = %(id)s",  # nosec B608 - names of ours, values bound
        {**values, "error": values["error"] or nothing},
    )
    return before


def _told(error: psycopg.Error) -> str:
    """The server's own words, or the kind of the error: a driver's text may name the address."""
    return error.diag.message_primary or type(error).__name__
