"""
The signed webhook, by the Standard Webhooks scheme, and the platform's own HTTP callback.

A webhook tells that a job has ended and where its result is, not the result itself. It is signed with every key there
is, so that a key can be replaced while both are known: the receiver needs only one of them. The signature covers id,
instant and body; the id is the event's, the same in every try.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote

from app import SERVICE
from app.domain.documents import encoded, joined
from app.domain.jobs import Job, Status
from app.platform.breaker import Breaker
from app.platform.delivery import Documents, NotDelivered, error_of, instant_of, is_late
from app.platform.pinned import Poster, StatusError
from app.store import DeliveryRow

WEBHOOK_SECONDS = 5.0
CALLBACK_SECONDS = 30.0
"""It carries whole timetables."""
UNKNOWN_JOB = 404


def signature(keys: tuple[bytes, ...], event_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature per key."""
    signed = f"{event_id}.{timestamp}.".encode() + body
    digests = (hmac.new(key, signed, hashlib.sha256).digest() for key in keys)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


@dataclass(frozen=True, slots=True)
class Webhook:
    """The channel `webhook`."""

    poster: Poster
    keys: tuple[bytes, ...]
    breaker: Breaker

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """Posts the signed event of an end. Raises NotDelivered."""
        body, timestamp = encoded(event_of(row, job)), int(time.time())
        headers = {
            "webhook-id": row.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.keys, row.event_id, timestamp, body),
            "User-Agent": SERVICE,
        }
        await self.poster.post(body, headers)


def event_of(row: DeliveryRow, job: Job) -> dict[str, object]:
    """What the webhook says: the same in every try."""
    return {
        "type": f"job.{row.status.value}",
        "timestamp": instant_of(row.ended_at),
        "data": {
            "job_id": job.id,
            "status": row.status.value,
            "quality": job.quality and job.quality.value,
            "stopped_by": job.stopped_by and job.stopped_by.value,
            "rung": job.rung,
            "placed": job.placed,
            "total": job.total,
            "error": job.error,
            "open_sessions": None if job.placed is None or job.total is None else job.total - job.placed,
            "variants_url": f"/variants/{quote(job.id)}" if row.status is Status.COMPLETED else None,
        },
    }


@dataclass(frozen=True, slots=True)
class Callback:
    """The channel `callback`: the body that the platform's route of this name expects."""

    poster: Poster
    documents: Documents
    breaker: Breaker

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """It knows two ends; a cancel is told to it as a failure with that reason, and only where nobody else can."""
        status = Status.COMPLETED if row.status is Status.COMPLETED else Status.FAILED
        told = {"job_id": job.id, "status": status.value, "error": error_of(row, job)}
        result: dict[str, object] = {"variants": [], "generation_time": None}
        document = await self.documents.of(job, "callback") if row.status is Status.COMPLETED else encoded(result)
        headers = {"Idempotency-Key": row.event_id, "User-Agent": SERVICE}
        try:
            await self.poster.post(joined(told, document), headers)
        except StatusError as refused:
            if refused.status == UNKNOWN_JOB and is_late(job, time.time()):
                raise NotDelivered(str(refused), final=True) from None
            raise
