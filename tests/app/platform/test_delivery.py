"""Everything at once: a job is taken, followed, ended and told of on each channel, with real services behind each."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import httpx
import pytest
import trustme
from kombu import Connection
from redis import Redis

from app.platform import breaker
from app.platform.delivery import NOT_ARRIVED, pause_before
from app.settings import Settings
from app.system.failpoints import VARIABLE
from app.views.shapes import RESULT_KEYS
from tests import real
from tests.app.platform.conftest import (
    CALLERS,
    KEY,
    OTHER_KEY,
    REDIS_INDEX,
    Database,
    Receiver,
    Start,
    new_id,
    until,
)
from tests.effort import PROMPT_SECONDS
from tests.proxy import Proxy
from tests.service.solvers import campus

pytestmark = pytest.mark.anyio
UNION = {
    "job_id", "progress", "overall_progress", "percentage", "stage_progress", "status", "stage", "message",
    "time_remaining_seconds", "eta_seconds", "eta", "timestamp", "started_at", "last_updated", "error", "metadata",
}  # fmt: skip
"""The fields of both platform versions."""
ENTRY_ALIASES = {
    "day", "time_slot", "start_time", "end_time", "course_id", "course_code", "subject_code", "course_name",
    "subject_name", "faculty_id", "faculty_name", "room_id", "room_code", "room_number", "batch_name", "department_id",
    "year", "section", "time_slot_id", "has_conflict", "conflict_description", "enrolled_count", "room_capacity",
    "session_number", "day_of_week", "batch_ids",
}  # fmt: skip


def updating(database: Database) -> dict[str, Any]:
    return {"platform_database_url": database.url, "platform_update": "yes"}


def seeing(redis_url: str = real.REDIS) -> dict[str, Any]:
    return {"platform_redis_url": redis_url, "platform_redis_db": REDIS_INDEX}


def hooked(receiver: Receiver, secrets: str = KEY) -> dict[str, Any]:
    return {"webhook_url": f"{receiver.url}/hook", "webhook_secrets": secrets, "webhook_private": "yes"}


def shown(redis: Redis, job_id: str) -> dict[str, Any]:
    text = redis.get(f"progress:job:{job_id}")
    assert isinstance(text, str)
    document: dict[str, Any] = json.loads(text)
    return document


def test_pauses_double_with_jitter_up_to_a_bound() -> None:
    settings = Settings(delivery_first_wait_seconds=1, delivery_longest_wait_seconds=60)
    for tries, longest in ((1, 1), (2, 2), (5, 16), (7, 60), (10_000, 60)):
        drawn = {pause_before(tries, settings) for _ in range(50)}
        assert longest / 2 <= min(drawn) <= max(drawn) <= longest and len(drawn) > 1


# --- the database ---------------------------------------------------------------------------------------------------


async def test_the_row_gets_the_timetable_and_keeps_all_that_the_caller_wrote(start: Start, database: Database) -> None:
    job_id = database.add(new_id())
    async with start(**updating(database)) as service:
        await service.submit(job_id)
        await service.told(job_id)
        first = database.row(job_id)
        assert (first["status"], first["progress"]) == ("completed", 100)
        assert first["completed_at"] is not None and first["updated_at"] is not None
        data = first["timetable_data"]
        assert {name: data[name] for name in CALLERS} == CALLERS
        assert data.keys() == CALLERS.keys() | set(RESULT_KEYS)
        first = data["variants"][0]["timetable_entries"]
        assert first == [{**row, "student_ids": []} for row in data["timetable_entries"]]
        assert data["timetable_entries"][0].keys() >= ENTRY_ALIASES
        assert {"id", "name", "variant_id", "label", "score", "quality_metrics"} <= data["variants"][0].keys()

        await service.client.post(f"/restart/{job_id}")
        await until(lambda: _rows(service, job_id, 2))
        assert {name: database.row(job_id)["timetable_data"][name] for name in CALLERS} == CALLERS


async def _rows(service: Any, job_id: str, count: int) -> bool:
    rows = (await service.client.get(f"/jobs/{job_id}")).json()["deliveries"]
    return len(rows) == count and all(row["state"] == "delivered" for row in rows)


async def test_what_people_have_decided_stays_and_failures_say_why(start: Start, database: Database) -> None:
    approved, failed, cancelled = (
        database.add(new_id(), "approved"),
        database.add(new_id()),
        database.add(new_id(), "cancelling"),
    )
    async with start(**updating(database)) as service:
        await service.submit(approved)
        await service.submit(failed, "empty")
        await service.submit(cancelled, "patient")
        await service.client.post(f"/api/cancel/{cancelled}")
        for job_id in (approved, failed, cancelled):
            await service.told(job_id)
    assert database.row(approved)["status"] == "approved"
    assert database.row(approved)["timetable_data"] == CALLERS
    row = database.row(failed)
    assert row["status"] == "failed" and row["error_message"] and row["timetable_data"] == CALLERS
    assert database.row(cancelled)["status"] == "cancelled"


async def test_a_row_that_comes_late_and_a_table_without_dates_are_no_obstacles(
    start: Start, database: Database
) -> None:
    """The platform posts a job before its own transaction is over; an older one has fewer columns."""
    database.execute("ALTER TABLE generation_jobs DROP COLUMN updated_at, DROP COLUMN completed_at")
    database.execute("ALTER TABLE generation_jobs ALTER COLUMN id TYPE text")
    job_id = new_id()
    async with start(**updating(database)) as service:
        await service.submit(job_id)
        await until(lambda: _tried(service, job_id))
        database.add(job_id, data=None)
        rows = await service.told(job_id)
        assert rows["sql"]["tries"] > 1
        assert (await service.client.get("/health")).json()["platform"]["dependencies"]["database"]["up"]
    assert database.row(job_id)["timetable_data"]["variants"]


async def _tried(service: Any, job_id: str) -> bool:
    return any(row["tries"] for row in (await service.deliveries(job_id)).values())


# --- the broker -----------------------------------------------------------------------------------------------------

WORKER = """
import json, sys
from celery import Celery
from redis import Redis
app = Celery("platform", broker=sys.argv[1])
app.conf.update(task_default_queue=sys.argv[2], broker_connection_retry_on_startup=True)
told = Redis.from_url(sys.argv[1])

@app.task(name="academics.celery_tasks.fastapi_callback_task", bind=True)
def fastapi_callback_task(self, job_id, status, variants=None, error=None):
    told.rpush(sys.argv[3], json.dumps([self.request.id, job_id, status, variants, error]))

app.worker_main(["worker", "--pool", "solo", "--loglevel", "error", "--without-gossip", "--without-mingle"])
"""


@asynccontextmanager
async def worker(broker: str, queue: str, heard: str) -> AsyncIterator[None]:
    process = subprocess.Popen([sys.executable, "-c", WORKER, broker, queue, heard])
    try:
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait)


async def test_a_real_worker_runs_the_task_in_both_forms(
    start: Start, database: Database, redis: Redis, tmp_path: Path
) -> None:
    queue, heard = f"queue-{new_id()}", f"heard-{new_id()}"
    broker = f"{real.REDIS}/{REDIS_INDEX}"
    celery = {"platform_broker_url": real.REDIS, "platform_broker_db": REDIS_INDEX, "platform_celery_queue": queue}

    async def next_task() -> list[Any]:
        found = await anyio.to_thread.run_sync(lambda: redis.blpop([heard], 30))
        assert found is not None
        task: list[Any] = json.loads(found[1])
        return task

    async with worker(broker, queue, heard):
        async with start(data_dir=tmp_path / "n", **celery, platform_celery="inline") as service:
            job_id = new_id()
            await service.submit(job_id)
            row = (await service.told(job_id))["celery"]
            event_id, *arguments = await next_task()
            assert event_id == row["event_id"]
            assert (arguments[0], arguments[1], arguments[3]) == (job_id, "completed", None)
            assert arguments[2][0]["timetable_entries"][0].keys() >= ENTRY_ALIASES
            job_id = new_id()
            await service.submit(job_id, "empty")
            await service.told(job_id)
            arguments = (await next_task())[1:]
            assert arguments[:3] == [job_id, "failed", None] and arguments[3]

        async with start(
            data_dir=tmp_path / "h", **celery, **updating(database), platform_celery="committed"
        ) as service:
            job_id, failed = database.add(new_id()), database.add(new_id())
            await service.submit(job_id)
            assert (await next_task())[1:] == [job_id, "completed", None, None]
            assert database.row(job_id)["timetable_data"]["variants"], "the row was committed before"
            await service.submit(failed, "empty")
            assert (await service.told(failed)).keys() == {"sql"}, "the newer platform hears of ends only"
    redis.delete(heard, queue)


async def test_rabbitmq_takes_the_task_as_well(start: Start) -> None:
    queue, url = f"queue-{new_id()}", real.listening(real.RABBITMQ)
    job_id = new_id()
    with Connection(url) as connection:
        theirs = {"x-max-priority": 9}  # a queue of the platform, with arguments that we know nothing of
        async with start(platform_celery="inline", platform_broker_url=url, platform_celery_queue=queue) as service:
            await service.submit(job_id)
            await until(lambda: _tried(service, job_id))
            connection.default_channel.queue_declare(queue, durable=True, auto_delete=False, arguments=theirs)
            row = (await service.told(job_id))["celery"]
        message = connection.default_channel.basic_get(queue, no_ack=True)
        arguments, named, _ = json.loads(message.body)
        assert (arguments, named["error"]) == ([job_id, "completed"], None)
        assert named["variants"][0]["timetable_entries"]
        assert message.headers["task"] == "academics.celery_tasks.fastapi_callback_task"
        assert message.headers["id"] == row["event_id"] and row["tries"] > 1
        connection.default_channel.queue_delete(queue)


# --- callback and webhook -------------------------------------------------------------------------------------------


async def test_the_callback_gets_the_body_that_the_platform_stores(start: Start, receiver: Receiver) -> None:
    job_id, failed = new_id(), new_id()
    receiver.answers = [500, 404]
    async with start(platform_callback_url=f"{receiver.url}/api/timetable/callback/") as service:
        await service.submit(job_id)
        assert (await service.told(job_id))["callback"]["tries"] == 3
        await service.submit(failed, "empty")
        await service.told(failed)
    *_, told, bad = (post.document for post in receiver.posts)
    assert {post.path for post in receiver.posts} == {"/api/timetable/callback/"}
    assert told.keys() == {"job_id", "status", "variants", "generation_time", "error"}
    assert (told["job_id"], told["status"], told["error"]) == (job_id, "completed", None)
    entry = told["variants"][0]["entries"][0]
    names = {"day", "start_time", "end_time", "subject_id", "faculty_id", "batch_id", "classroom_id"}
    assert told["variants"][0].keys() == {"name", "entries"} and entry.keys() == names
    assert isinstance(entry["day"], str) and len(entry["day"]) <= 10
    assert (bad["status"], bad["variants"]) == ("failed", []) and bad["error"]


def signed_by(key: str, headers: dict[str, str], body: bytes) -> bool:
    """What a receiver does, in constant time."""
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(base64.b64decode(key.removeprefix("whsec_")), text, hashlib.sha256).digest()
    mine = f"v1,{base64.b64encode(digest).decode()}"
    return any(hmac.compare_digest(mine, given) for given in headers["webhook-signature"].split())


async def test_a_webhook_is_signed_with_every_key_and_repeats_itself_under_one_id(
    start: Start, receiver: Receiver
) -> None:
    job_id = new_id()
    receiver.answers = [503, 429]
    async with start(**hooked(receiver, f"{KEY} {OTHER_KEY}")) as service:
        await service.submit(job_id)
        row = (await service.told(job_id))["webhook"]
        metrics = (await service.client.get("/metrics")).text
    assert len(receiver.posts) == row["tries"] == 3
    assert {post.headers["webhook-id"] for post in receiver.posts} == {row["event_id"]}
    assert len({post.body for post in receiver.posts}) == 1
    for post in receiver.posts:
        assert signed_by(KEY, post.headers, post.body) and signed_by(OTHER_KEY, post.headers, post.body)
        assert not signed_by("whsec_" + "A" * 32, post.headers, post.body)
        assert not signed_by(KEY, {**post.headers, "webhook-timestamp": "1"}, post.body)
    told = receiver.posts[0].document
    assert (told["type"], told["data"]["job_id"], told["data"]["status"]) == ("job.completed", job_id, "completed")
    assert 'timetable_deliveries_total{channel="webhook",result="retried"} 2.0' in metrics
    assert 'timetable_deliveries_total{channel="webhook",result="delivered"} 1.0' in metrics


async def test_a_dead_receiver_ends_as_a_dead_letter_that_can_be_sent_again(start: Start, receiver: Receiver) -> None:
    job_id = new_id()
    receiver.usual = 410
    async with start(**hooked(receiver)) as service:
        await service.submit(job_id)
        row = (await service.told(job_id, "dead"))["webhook"]
        assert (row["tries"], row["error"]) == (1, "it answered 410")
        health = (await service.client.get("/health")).json()
        assert health["platform"]["deliveries"]["dead"]["webhook"] == 1
        assert "delivery_dead_letter" in {alert["alert"] for alert in health["alerts"]}
        assert 'timetable_outbox{channel="webhook",state="dead"} 1.0' in (await service.client.get("/metrics")).text
        receiver.usual = 200
        assert (await service.client.post(f"/jobs/{job_id}/deliver")).status_code == 200
        again = (await service.told(job_id))["webhook"]
    assert again["event_id"] == row["event_id"]
    assert [post.headers["webhook-id"] for post in receiver.posts] == [row["event_id"]] * 2


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:9/0", "amqp://guest:hush@127.0.0.1:9//"])
async def test_tries_are_bounded_and_nobody_who_is_away_makes_the_service_ill(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broker: str
) -> None:
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 0.05)
    job_id = new_id()
    async with start(
        webhook_url="http://127.0.0.1:9/x?token=hush",
        webhook_secrets=KEY,
        webhook_private="yes",
        platform_celery="inline",
        platform_broker_url=broker,
        delivery_tries=3,
        delivery_longest_wait_seconds=0.05,
    ) as service:
        await service.submit(job_id)
        rows = await service.told(job_id, "dead")
        health = (await service.client.get("/health")).json()
    assert (rows["webhook"]["tries"], rows["webhook"]["error"]) == (3, "it cannot be reached: ConnectError")
    assert rows["celery"]["tries"] == 3 and rows["celery"]["error"].startswith("the broker does not take it")
    assert {name: told["up"] for name, told in health["platform"]["dependencies"].items()} == {
        "broker": False,
        "webhook": False,
    }
    assert health["status"] == "healthy" and "platform_unreachable" in {alert["alert"] for alert in health["alerts"]}
    assert "hush" not in caplog.text + str(rows) + str(health)


# --- Redis ----------------------------------------------------------------------------------------------------------


async def test_redis_shows_the_job_before_the_answer_and_its_end_after_the_row(
    start: Start, database: Database, redis: Redis
) -> None:
    job_id = database.add(new_id())
    seen: list[dict[str, Any]] = []
    async with start(**updating(database), **seeing()) as service:
        await service.submit(job_id, "steady", semester=1, academic_year="2026-2027")
        first = shown(redis, job_id)
        assert first["status"] in ("queued", "running")
        assert redis.get(f"start_time:job:{job_id}")
        state = redis.get(f"state:job:{job_id}")
        assert isinstance(state, str) and json.loads(state)["state"] in ("queued", "running")
        assert 7000 < redis.ttl(f"progress:job:{job_id}") <= 7200  # type: ignore[operator]

        async def ended() -> bool:
            document = shown(redis, job_id)
            if not seen or document != seen[-1]:
                seen.append(document)
            if document["status"] == "completed":
                assert database.row(job_id)["status"] == "completed", "the row comes first"
            return bool(document["status"] == "completed")

        await until(ended)
        await service.told(job_id)
        result = json.loads(str(redis.get(f"result:job:{job_id}")))
        health = (await service.client.get("/health")).json()
    for document in seen:
        assert document.keys() >= UNION
        assert isinstance(document["eta_seconds"], int) and isinstance(document["metadata"], dict)
        assert (document["metadata"]["semester"], document["metadata"]["academic_year"]) == (1, "2026-2027")
    percents = [document["overall_progress"] for document in seen]
    assert percents == sorted(percents) and len(seen) > 2
    assert (seen[-1]["stage"], seen[-1]["eta_seconds"], seen[-1]["overall_progress"]) == ("completed", 0, 100.0)
    assert result["variants"] and "timetable_entries" not in result["variants"][0]
    assert result.keys() == {"timetable", "variants", "metadata"}
    assert health["redis"] == "connected"


async def test_a_flag_in_redis_cancels_the_job_and_is_taken_away(start: Start, redis: Redis) -> None:
    job_id = new_id()
    async with start(**seeing()) as service:
        await service.submit(job_id, "patient")
        redis.set(f"cancel:job:{job_id}", json.dumps({"reason": "user", "timestamp": 1}), ex=60)
        await service.told(job_id)
        assert (await service.progress(job_id))["status"] == "cancelled"
        assert shown(redis, job_id)["status"] == "cancelled"
        assert redis.get(f"cancel:job:{job_id}") is None
        await service.client.post(f"/restart/{job_id}")
        assert (await until(lambda: _running(service, job_id)))["status"] == "running"
        await service.client.post(f"/cancel/{job_id}")
        await until(lambda: _rows(service, job_id, 2))


async def _running(service: Any, job_id: str) -> dict[str, Any] | None:
    document: dict[str, Any] = await service.progress(job_id)
    return document if document["status"] == "running" else None


async def test_an_error_stands_in_all_three_places(start: Start, redis: Redis) -> None:
    job_id = new_id()
    async with start(**seeing()) as service:
        await service.submit(job_id, "empty")
        await service.told(job_id)
    document = shown(redis, job_id)
    assert document["status"] == document["stage"] == "failed"
    assert document["error"] and document["error"] == document["message"] == document["metadata"]["error"]


@pytest.mark.parametrize("how", ["cut", "stall"])
async def test_a_redis_that_goes_away_stops_no_solve_and_hears_of_the_end_when_it_is_back(
    start: Start, redis: Redis, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(breaker, "LONGEST_PAUSE_SECONDS", 0.3)
    job_id, meanwhile = new_id(), new_id()
    async with Proxy(real.listening(real.REDIS)) as proxy, start(**seeing(proxy.url)) as service:
        await service.submit(job_id, "steady")
        getattr(proxy, how)()
        with anyio.fail_after(PROMPT_SECONDS):  # the platform waits for an answer
            await service.submit(meanwhile)
        await until(lambda: _ended(service, job_id))
        await until(lambda: _down(service, "redis"))
        assert redis.get(f"progress:job:{meanwhile}") is None
        assert (await service.client.get("/health")).json()["redis"] == "disconnected"
        assert (await service.client.get("/health/ready")).status_code == 200
        assert 'timetable_dependency_up{dependency="redis"} 0.0' in (await service.client.get("/metrics")).text
        proxy.restore()
        for each in (job_id, meanwhile):
            await service.told(each)
            assert shown(redis, each)["status"] == "completed"
        assert not await _down(service, "redis")


async def _ended(service: Any, job_id: str) -> bool:
    return (await service.progress(job_id))["status"] == "completed"


async def _down(service: Any, name: str) -> bool:
    return not (await service.client.get("/health")).json()["platform"]["dependencies"][name]["up"]


async def test_a_database_that_goes_away_holds_back_the_end_until_it_is_back(
    start: Start, database: Database, redis: Redis
) -> None:
    job_id = database.add(new_id())
    async with (
        Proxy(database.url) as proxy,
        start(**seeing(), platform_database_url=proxy.url, platform_update="yes") as service,
    ):
        proxy.cut()
        await service.submit(job_id)
        await until(lambda: _ended(service, job_id))
        await until(lambda: _down(service, "database"))
        assert shown(redis, job_id)["status"] != "completed", "the platform would find nothing"
        proxy.restore()
        await service.told(job_id)
        assert database.row(job_id)["status"] == shown(redis, job_id)["status"] == "completed"


async def test_a_timetable_that_never_arrives_is_not_announced_as_completed(
    start: Start, database: Database, redis: Redis
) -> None:
    job_id = new_id()
    given = {"delivery_tries": 2, "platform_celery": "committed", "platform_celery_queue": f"queue-{new_id()}"}
    async with start(**updating(database), **seeing(), **given) as service:
        await service.submit(job_id)
        rows = await service.told(job_id, "dead", redis="delivered")
    assert rows["sql"]["error"] == "generation_jobs has no row of this id"
    assert rows["celery"]["error"] == NOT_ARRIVED
    document = shown(redis, job_id)
    assert (document["status"], document["metadata"]["error"]) == ("failed", NOT_ARRIVED)


# --- encrypted ways ---


@pytest.mark.parametrize("broker", [real.REDIS, real.RABBITMQ], ids=["redis", "rabbitmq"])
async def test_certificates_are_checked_and_with_the_right_ones_everything_works(
    start: Start, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    monkeypatch.setattr(breaker, "LONGEST_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(breaker, "FIRST_PAUSE_SECONDS", 0.1)
    ours, queue = trustme.CA(), f"queue-{new_id()}"
    ours.cert_pem.write_to_path(tmp_path / "ca.pem")
    way = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.issue_cert("127.0.0.1").configure_cert(way)
    async with Proxy(real.listening(real.REDIS), way) as keys, Proxy(real.listening(broker), way) as tasks:
        given = {**seeing(keys.url), "platform_celery": "inline", "platform_broker_url": tasks.url}
        given |= {"platform_celery_queue": queue, "delivery_tries": 2}
        with Connection(broker) as connection:
            if broker == real.RABBITMQ:
                connection.default_channel.queue_declare(queue, durable=True, auto_delete=False)
            job_id = new_id()
            async with start(**given, platform_tls_ca=str(tmp_path / "ca.pem")) as service:
                await service.submit(job_id)
                await service.told(job_id)
            assert shown(redis, job_id)["status"] == "completed"
            stranger = new_id()
            async with start(**given) as service:
                await service.submit(stranger)
                await service.told(stranger, "dead")
            assert redis.get(f"progress:job:{stranger}") is None
            if broker == real.RABBITMQ:
                connection.default_channel.queue_delete(queue)
    Redis.from_url(real.REDIS).delete(queue)


# --- kills ----------------------------------------------------------------------------------------------------------

SERVICE = """
import sys
from pathlib import Path
import anyio
import uvicorn
from app.processes.children import ForkServer, tag_of
from app.main import create_app
from app.settings import Settings
from tests.service.conftest import SOLVE

settings = Settings.from_environment()
app = create_app(settings, ForkServer(SOLVE, tag_of(settings.data_dir)))
uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
"""


@pytest.mark.parametrize("point", ["end.after_commit", "delivery.after_send"])
async def test_a_service_killed_between_commit_and_delivery_tells_it_after_all_under_the_same_id(
    start: Start, receiver: Receiver, tmp_path: Path, point: str
) -> None:
    points, data, job_id = tmp_path / "points", tmp_path / "data", new_id()
    points.mkdir()
    (points / point).write_text("kill")
    environment = {
        **os.environ,
        VARIABLE: str(points),
        "TIMETABLE_DATA_DIR": str(data),
        **{f"TIMETABLE_{name.upper()}": value for name, value in hooked(receiver).items()},
    }
    port = real.free_port()
    process = subprocess.Popen([sys.executable, "-c", SERVICE, str(port)], env=environment)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        await until(lambda: _answers(client))
        body = {"job_id": job_id, "dataset": campus("quick"), "time_limit_seconds": 20}
        assert (await client.post("/generate_variants", json=body)).status_code == 200
    assert await anyio.to_thread.run_sync(process.wait) == -signal.SIGKILL
    told_before = len(receiver.posts)
    assert told_before == (point == "delivery.after_send")
    async with start(data_dir=data, **hooked(receiver)) as service:
        row = (await service.told(job_id))["webhook"]
    assert len(receiver.posts) == told_before + 1
    assert {post.headers["webhook-id"] for post in receiver.posts} == {row["event_id"]}


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/ready")).status_code == 200
    except httpx.TransportError:
        return False
