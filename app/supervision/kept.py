"""
What a cancelled job publishes when its child could not hand in a result: the best timetable it held, recounted.

A cancel never waits for that; it is done when the result is asked for the first time, and then stored. Where an earlier
run of the job has left a result, the better of the two counts; between equals the stored one, which may have variants.
Recounting the largest takes seconds, which a reader process has (`app.results`) and the event loop has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import anyio.to_thread

from app.child.kept import Held, Recounted, recount
from app.jobs import Job

Recounting: TypeAlias = Callable[[Job, Held], Awaitable[Recounted | None]]
"""Who recounts; None when there is nothing to publish that is not published already."""


async def in_a_thread(job: Job, held: Held) -> Recounted | None:
    """For tools and tests, which serve nobody meanwhile."""
    return await anyio.to_thread.run_sync(recount, held)


def published(job: Job, found: Recounted) -> Job:
    """The row of the job once this is its result."""
    return replace(
        job,
        score=found.score,
        bound=None,
        placed=found.placed,
        total=found.total,
        quality=found.quality,
        rung=found.rung,
        result_attempt=job.attempt,
        result_digest=hashlib.sha256(found.body).hexdigest(),
    )
