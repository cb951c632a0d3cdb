"""
Cancels that came before their jobs: a platform may call a job off while its own worker has not posted it yet.

A row says which job is not wanted, and who said so: a caller that is bound to organisations calls off jobs of these
alone. It is used up by the job that it meets. Rows are few and short-lived, whoever sends them: of each caller's
organisations the newest `MOST_REMEMBERED` count, for `REMEMBERED_SECONDS`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from app.domain.jobs import Job, tenant_of
from app.store import EarlyCancel
from app.store.rows import CANCELS, Work

REMEMBERED_SECONDS = 86_400.0
MOST_REMEMBERED = 1_000
ANYBODYS = ""
"""Instead of organisations: whoever said it is bound to none."""
_OLDEST = """DELETE FROM cancels WHERE organisations = ? AND job_id NOT IN
             (SELECT job_id FROM cancels WHERE organisations = ? ORDER BY asked_at DESC, job_id LIMIT ?)"""

_log = logging.getLogger("timetable.store")


def remember(work: Work, cancel: EarlyCancel) -> None:
    """Keeps it, in the place of an earlier one of the same caller; what is too old or too much goes."""
    whose = _whose(cancel)
    row = {"job_id": cancel.job_id, "organisations": whose, "asked_at": cancel.asked_at}
    work.change("DELETE FROM cancels WHERE asked_at < ?", (cancel.asked_at - REMEMBERED_SECONDS,))
    if not work.change(CANCELS.update, CANCELS.to_update(row)):
        work.change(CANCELS.insert, CANCELS.to_insert(row))
    if work.rows("SELECT count(*) FROM cancels WHERE organisations = ?", (whose,))[0][0] > MOST_REMEMBERED:
        work.change(_OLDEST, (whose, whose, MOST_REMEMBERED))


def used_up(work: Work, job: Job) -> bool:
    """Whether somebody who may has called off this job, which is about to be added; that is then forgotten."""
    rows = work.rows(f"{CANCELS.select} WHERE job_id = ?", (job.id,))
    # What is not as it was written calls off nothing.
    sound = CANCELS.sound(rows, dict, partial(_log.error, "an early cancel is passed over: %s"))
    found = [row for row in sound if _means(row, job)]
    for row in found:
        work.change(f"DELETE FROM cancels WHERE {CANCELS.where}", (row["job_id"], row["organisations"]))  # nosec B608 - names of ours, values bound
    return bool(found)


def _means(row: Mapping[str, Any], job: Job) -> bool:
    if row["asked_at"] < job.created_at - REMEMBERED_SECONDS:
        return False
    return row["organisations"] == ANYBODYS or tenant_of(job) in json.loads(row["organisations"])


def _whose(cancel: EarlyCancel) -> str:
    return ANYBODYS if cancel.organisations is None else json.dumps(sorted(cancel.organisations))
