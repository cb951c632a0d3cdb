"""
The task that the platform's workers run when a job has ended, in the two forms that its versions know.

`inline` brings the variants with it, and says why there are none; `committed` brings nothing, because its database
holds the result already. We send it as any Celery client would, and import nothing of theirs. The id of the task is the
event's id, so a repetition can be known by it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import anyio.to_thread
from celery import Celery
from kombu.exceptions import KombuError
from kombu.messaging import Producer

from app.domain.documents import encoded, joined
from app.domain.jobs import Job, Status
from app.platform.addresses import tls_of, with_index
from app.platform.breaker import Breaker
from app.platform.delivery import NOT_ARRIVED, Documents, NotDelivered, error_of
from app.settings import Settings
from app.store import DeliveryRow
from app.system.addresses import REDIS_SCHEMES

TASK = "academics.celery_tasks.fastapi_callback_task"
BROKER_SECONDS = 5.0
_NO_REPLIES = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@dataclass(frozen=True, slots=True)
class CeleryTask:
    """The channel `celery`."""

    settings: Settings
    documents: Documents
    breaker: Breaker
    app: Celery = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "app", _client(self.settings))

    async def deliver(self, row: DeliveryRow, job: Job, *, arrived: bool) -> None:
        """Puts the task of the end into the platform's broker. Raises NotDelivered."""
        if self.settings.platform_celery == "committed":
            if not arrived:
                raise NotDelivered(NOT_ARRIVED, final=True)
            given = b"{}"
        elif row.status is Status.COMPLETED:
            given = joined(await self.documents.of(job, "inline"), {"error": error_of(row, job)})
        else:
            given = encoded({"variants": None, "error": error_of(row, job)})
        arguments = json.dumps([job.id, row.status.value]).encode()
        body = b"".join((b"[", arguments, b",", given, b",", encoded(_NO_REPLIES), b"]"))
        await anyio.to_thread.run_sync(self._send, row, body)

    def _send(self, row: DeliveryRow, body: bytes) -> None:
        """
        Blocking. The body is encoded already: encoding a large one here would hold up the event loop.

        A connection of its own each time: after an outage of hours there is no old one to stumble over. The message
        goes straight to the queue, which is the platform's to make: one that we made might differ from theirs, and
        their workers would not start.
        """
        queue = self.settings.platform_celery_queue
        headers, properties, _, _ = self.app.amqp.as_task_v2(
            row.event_id, TASK, argsrepr=f"({row.job_id!r},)", kwargsrepr="{}"
        )
        with self.app.connection_for_write() as connection:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=BROKER_SECONDS)
                if connection.transport_cls not in REDIS_SCHEMES:
                    connection.default_channel.queue_declare(queue, passive=True)
                Producer(connection, auto_declare=False).publish(  # type: ignore[no-untyped-call]
                    body,
                    content_type="application/json",
                    content_encoding="utf-8",
                    headers=headers,
                    routing_key=queue,
                    timeout=BROKER_SECONDS,
                    confirm_timeout=BROKER_SECONDS,
                    **properties,
                )
            except connection.channel_errors as error:
                why = f"the broker refuses it, or has no queue {queue!r} yet: {type(error).__name__}"
                raise NotDelivered(why, down=False) from None
            except (KombuError, OSError, *connection.connection_errors) as error:
                raise NotDelivered(f"the broker does not take it: {type(error).__name__}") from None


def _client(settings: Settings) -> Celery:
    url = with_index(settings.platform_broker_url or settings.platform_redis_url, settings.platform_broker_db)
    waits: dict[str, Any] = {"socket_timeout": BROKER_SECONDS, "socket_connect_timeout": BROKER_SECONDS}
    if not url.startswith(REDIS_SCHEMES):
        waits = {"confirm_publish": True, "read_timeout": BROKER_SECONDS, "write_timeout": BROKER_SECONDS}
    app = Celery("timetable", broker=url, set_as_current=False)
    app.conf.update(
        broker_connection_timeout=BROKER_SECONDS,
        broker_connection_retry=False,
        broker_transport_options={**waits, "max_retries": 1},
        broker_use_ssl=tls_of(url, settings) or False,
        task_default_queue=settings.platform_celery_queue,
        task_serializer="json",
        accept_content=["json"],
    )
    return app
