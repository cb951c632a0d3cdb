"""
What a cancelled job publishes when its child could not hand in a result: the best timetable it held, recounted.

A cancel never waits for that; it is done when the result is asked for the first time, and then stored. Where an earlier
run of the job has left a result, the better of the two counts; between equals the stored one, which may have variants.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import replace
from typing import NamedTuple

from app.jobs import Job, effective_dataset
from app.messages import pack, unpack
from app.store import StoredIncumbent
from solver.formats.native import load_result

_log = logging.getLogger("timetable.supervisor")


class Kept(NamedTuple):
    """The row of the job with its recounted result, and the body of that result."""

    job: Job
    body: bytes


def recount(job: Job, packed: bytes, held: StoredIncumbent, earlier: bytes | None) -> Kept | None:
    """
    The result of the timetable that `job` holds; None when the `earlier` one is as good, or what it holds is none.

    Takes up to seconds for the largest, so call it off the event loop.
    """
    from app.child.recount import NotVerified, publish_kept  # takes half a second, which every start can do without

    if earlier is not None and load_result(unpack(earlier)).best.score <= held.score:
        return None
    document = effective_dataset(unpack(packed), job.rules)
    try:
        result = publish_kept(document, unpack(held.timetable), held.rung, simplified_context=job.simplified_context)
    except NotVerified:
        _log.exception("job %s: what it holds is no timetable", job.id)
        return None
    body, best = pack(result), load_result(result).best
    found = replace(
        job,
        score=best.score,
        bound=None,
        placed=best.report.placed,
        total=best.report.total,
        quality=best.quality,
        rung=best.rung,
        result_attempt=job.attempt,
        result_digest=hashlib.sha256(body).hexdigest(),
    )
    return Kept(found, body)
