"""
Who is told when a job ends, as the settings have it: the channels that are switched on, and the ends each is told of.

The store writes one row per channel in the transaction that ends a job; `app.platform` delivers them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from app.domain.jobs import Job, Status
from app.settings import Settings

Channel: TypeAlias = Literal["sql", "celery", "callback", "webhook", "redis"]
Channels: TypeAlias = Mapping[Channel, frozenset[Status]]

DEPENDENCIES: Mapping[Channel, str] = {
    "sql": "database",
    "celery": "broker",
    "callback": "callback",
    "webhook": "webhook",
    "redis": "redis",
}
"""Channel -> what it depends on, as health and metrics call it."""
OUTCOMES = ("delivered", "retried", "dead", "superseded")
"""What may come of a try."""

NO_CHANNELS: Channels = {}
COMPLETED = frozenset({Status.COMPLETED})
COMPLETED_OR_FAILED = frozenset({Status.COMPLETED, Status.FAILED})
EVERY_END = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
CELERY_ENDS: Mapping[tuple[str, bool], frozenset[Status]] = {
    ("inline", False): EVERY_END,
    ("inline", True): COMPLETED_OR_FAILED,
    ("committed", True): COMPLETED,
}
"""
Form of the task, and whether its database is told as well -> what the platform's workers hear of.

Where they alone write the row of a job, they have to hear of a cancel, too; the newer platform's, only of what its
database holds already.
"""


def channels_of(settings: Settings) -> Channels:
    """Every channel that is switched on, and the ends it is told of."""
    return dict(_switched_on(settings))


def _switched_on(settings: Settings) -> Iterator[tuple[Channel, frozenset[Status]]]:
    if settings.platform_update == "yes":
        yield "sql", EVERY_END
    if settings.platform_celery != "off":
        yield "celery", CELERY_ENDS[settings.platform_celery, settings.platform_update == "yes"]
    if settings.platform_callback_url:
        yield "callback", EVERY_END if carrier_of(settings) == "callback" else COMPLETED_OR_FAILED
    if settings.webhook_url:
        yield "webhook", EVERY_END
    if settings.platform_redis_url:
        yield "redis", EVERY_END


def carrier_of(settings: Settings) -> Channel | None:
    """
    The channel that brings the timetable itself to the platform, None when none does.

    The others are told once it has arrived, so that whoever is told finds it.
    """
    if settings.platform_update == "yes":
        return "sql"
    if settings.platform_celery == "inline":
        return "celery"
    return "callback" if settings.platform_callback_url else None


def told_of_end(before: Job, after: Job, channels: Channels) -> list[Channel]:
    """The channels that hear of a move; none unless it ends the job."""
    return [] if before.status.terminal else told_of(after, channels)


def told_of(job: Job, channels: Channels) -> list[Channel]:
    """The channels that hear how this job has ended; none before that."""
    return [channel for channel, ends in channels.items() if job.status in ends]
