"""
A large job on several workers: how many may help, from which seed, and for how long. Pure, like `app.domain.jobs`.

A job has one owner, as always: the worker that has claimed it and that alone says how it ends. Assistants solve the
same problem beside it from other seeds, for one timetable each and no variants. What they find is offered to the
owner's child, which recounts it and goes on from the best; so the variants, the account and the end of a job are the
owner's whatever its assistants do, and one that is lost costs nothing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from app.domain.jobs import Job
from app.domain.outcomes import How
from solver.params import search_share

ASKED = "portfolio_workers"
"""In the metadata of a job: how many workers its request wants, the owner included."""
OWNER = 0
"""The number of the owner among those that work on an attempt; assistants count from 1."""
HANDOVER_SECONDS = 3.0
"""So long before the owner stops looking for a better timetable its assistants end, and theirs is there in time."""
LEAST_SECONDS = 5.0
"""With less time than this nobody begins to assist."""
MOST_JOINS = 20
"""So often a place is taken in one attempt; whoever needs it more often is lost or called away too often to help."""
SEED_STEP = 1_000_003
MOST_SEED = 2**31


class PortfolioSettings(Protocol):
    """The settings that matter here."""

    @property
    def queue(self) -> str:
        """Kind of the queue; only a shared one has other workers."""

    @property
    def portfolio_workers(self) -> int:
        """Most workers that solve one job together."""

    @property
    def portfolio_sessions(self) -> int:
        """Sessions from which on a job is large enough for several."""


class Left(StrEnum):
    """How assistance ended, where it was not by the end of the child (`app.domain.outcomes.How`)."""

    OVER = "over"
    YIELDED = "yielded"
    LOST = "lost"


ENDS = (*How, *Left)
"""Every word for an end, for metrics."""


def seed(job: Job, number: int) -> int:
    """
    Where number `number` of those that work on an attempt begins; the owner as it was asked to.

    The seed is all they differ in. A search that begins cooler, which assistants might as well try, found worse
    timetables of `university` after 8 million proposals: costs of 5913, 5961 and 6048 (means of three seeds) at the
    full, half and quarter temperature.
    """
    return (job.options.seed + job.failed_attempts + SEED_STEP * number) % MOST_SEED


def most_workers(settings: PortfolioSettings) -> int:
    """How many workers a service can promise a job: one that solves by itself has nobody to send help."""
    return settings.portfolio_workers if settings.queue == "celery" else 1


def places(job: Job, sessions: int, settings: PortfolioSettings) -> int:
    """How many assistants a job may have. One whose request says a number need not be large."""
    if job.publish is not None:
        return 0
    large = settings.portfolio_workers if sessions >= settings.portfolio_sessions else 1
    asked: int = job.meta.get(ASKED, large)
    return min(asked, settings.portfolio_workers) - 1


def seconds_for_search(job: Job) -> float:
    """How long, of the time of an attempt, its owner looks for a better timetable."""
    return job.remaining_seconds * search_share(job.options.num_variants)
