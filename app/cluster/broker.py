"""
The broker as we use it: Celery on Redis or RabbitMQ, carrying nothing but ids.

A message is the id of a job, and its own id is that of the job and the attempt to be begun or helped with. There is no
result backend, no retry of Celery's own, nothing but JSON. Which attempt may run, and whether a message still means
anything, is decided by the store alone: a message that comes late, twice or never does no harm.

Celery is loaded only where there is a broker: it belongs to the extra `cluster`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from app.settings import Settings
from app.store import Message
from app.system.addresses import REDIS_SCHEMES, tls_options

if TYPE_CHECKING:
    from celery import Celery

TASK = "timetable.solve"
DROP = "timetable_drop"
"""The command that tells workers to let go of an attempt."""
SECONDS = 3.0
"""For connecting, and for any answer to a sender."""
IDLE_SECONDS = 30.0
"""A worker that waits takes a Redis for lost that has not said anything for so long."""
HEARTBEAT_SECONDS = 10.0
MARGIN_SECONDS = 600


class BrokerAway(Exception):
    """The broker does not answer, or refuses. The text never holds its address, in which a password may stand."""


def celery_of(settings: Settings, *, waits: float) -> Celery:
    """The Celery application of a service or a worker; a Redis may be silent for `waits` seconds."""
    from celery import Celery
    from kombu.entity import Queue

    url = settings.broker_url
    app = Celery("timetable", broker=url, set_as_current=False)
    transport: dict[str, Any] = {"confirm_publish": True}
    if url.startswith(REDIS_SCHEMES):
        # All that use a Redis as broker should say the same; the shortest time counts. Ours only has to be longer than
        # an attempt, and where it is not, the message that comes again finds its job at work and is dropped.
        seconds = int(settings.max_solve_seconds) + MARGIN_SECONDS
        transport = {
            "visibility_timeout": seconds,
            "socket_timeout": waits,
            "socket_connect_timeout": SECONDS,
            "socket_keepalive": True,
        }
    app.conf.update(
        broker_connection_timeout=SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_heartbeat=HEARTBEAT_SECONDS,
        broker_transport_options=transport,
        broker_use_ssl=tls_options(url, settings.broker_tls_ca) or False,
        task_default_queue=settings.broker_queue,
        task_queues=[Queue(settings.broker_queue, routing_key=settings.broker_queue, durable=True)],  # type: ignore[no-untyped-call]
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_prefetch_count_reduction=False,
        control_exchange=f"{settings.broker_queue}.control",
        event_exchange=f"{settings.broker_queue}.events",
    )
    return app


class Broker:
    """The sending side. All methods block, for a few seconds at most, and raise BrokerAway."""

    def __init__(self, settings: Settings) -> None:
        from celery.exceptions import CeleryError
        from kombu.exceptions import KombuError

        self._refusals = (KombuError, CeleryError, OSError)
        self._celery = celery_of(settings, waits=SECONDS)
        self._queue = settings.broker_queue

    def send(self, messages: Collection[Message], gone: Collection[Message] = ()) -> None:
        """
        Sends messages, and tells all workers to let go of the attempts in `gone`; with neither, only looks.

        A connection of its own each time: after an outage of hours there is no old one to stumble over.
        """
        try:
            with self._celery.connection_for_write() as connection:
                connection.ensure_connection(max_retries=0, timeout=SECONDS)
                if not messages and not gone:
                    connection.default_channel.close()  # a server that accepts connections may still not answer
                self._send(connection, messages)
                for message in gone:
                    self._let_go(connection, message)
        except self._refusals as error:
            raise BrokerAway(f"the broker does not answer: {type(error).__name__}") from None

    def _send(self, connection: Any, messages: Collection[Message]) -> None:
        if not messages:
            return
        with self._celery.amqp.Producer(connection) as producer:
            for message in messages:
                self._celery.send_task(
                    TASK,
                    args=[message.job_id],
                    task_id=task_id(message),
                    queue=self._queue,
                    producer=producer,
                    retry=False,
                    ignore_result=True,
                    timeout=SECONDS,
                    confirm_timeout=SECONDS,
                )

    def _let_go(self, connection: Any, message: Message) -> None:
        """Revoked, so that it is not begun where it waits; dropped, where it runs."""
        control = self._celery.control
        control.revoke(task_id(message), connection=connection)
        control.broadcast(DROP, arguments={"job_id": message.job_id, "attempt": message.attempt}, connection=connection)


def task_id(message: Message) -> str:
    """The name of the task in Celery; the same message has the same name however often it is sent."""
    return f"{message.job_id}:{message.attempt}"
