"""The platform's own rows: cancels that came early, ends that were forgotten, rows that are gone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from redis import Redis

from app.platform import rows
from app.service import steering, supervisor
from tests import real
from tests.app.platform.conftest import REDIS_INDEX, Database, Receiver, Running, Start, new_id, until
from tests.app.platform.test_delivery import hooked, seeing, shown, updating, worker

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(rows, "LEAST_SECONDS", 0.02)
    monkeypatch.setattr(rows, "PAUSES", (0.1,) * 20)


def following(database: Database) -> dict[str, Any]:
    return {**updating(database), "platform_rows_seconds": 0.1}


async def row_is(database: Database, job_id: str, status: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        row = await anyio.to_thread.run_sync(database.row, job_id)
        return row if row["status"] == status else None

    found: dict[str, Any] = await until(look)
    return found


def set_row(database: Database, job_id: str, status: str) -> None:
    database.execute(f"UPDATE generation_jobs SET status = '{status}', error_message = 'x' WHERE id = '{job_id}'")


async def cancel(service: Running, job_id: str) -> dict[str, Any]:
    answer = await service.client.post(f"/api/cancel/{job_id}")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    assert (told["job_id"], told["status"]) == (job_id, "cancellation_requested")
    return told


async def ended(service: Running, job_id: str, status: str) -> None:
    async def look() -> bool:
        return bool((await service.progress(job_id))["status"] == status)

    await until(look)


async def looked(service: Running, times: int) -> None:
    """Waits until the rows have been looked at so often."""
    link = service.app.state.service.platform
    for _ in range(times):
        before = link._rows._looked_at

        async def again(before: float = before) -> bool:
            return bool(link._rows._looked_at != before)

        await until(again)


# --- cancels that come before their jobs ---


async def test_a_cancel_before_its_job_is_told_on_every_channel_when_the_job_comes(
    start: Start, database: Database, redis: Redis, receiver: Receiver
) -> None:
    job_id = database.add(new_id())
    given = {**following(database), **seeing(), **hooked(receiver)}
    async with start(**given) as service:
        assert (await cancel(service, job_id))["job_status"] == "unknown"
    async with start(**given) as service:  # it outlives the service that has heard it
        told = (await service.submit(job_id)).json()
        assert (told["status"], told["created"]) == ("cancelled", True) and "cancelled before" in told["message"]
        assert (await service.told(job_id)).keys() == {"sql", "redis", "webhook"}
        found = (await service.client.get(f"/jobs/{job_id}")).json()
        assert (found["status"], found["attempts"], found["stopped_by"]) == ("cancelled", [], "cancelled")
        again = (await service.submit(job_id)).json()
        assert (again["status"], again["created"]) == ("cancelled", False)
        assert (await service.client.post(f"/restart/{job_id}")).status_code == 200
        await ended(service, job_id, "completed")
    assert receiver.posts[0].document["type"] == "job.cancelled"
    assert shown(redis, job_id)["job_id"] == job_id


async def test_a_job_that_is_called_off_and_never_comes_leaves_no_row_that_is_cancelling(
    start: Start, database: Database
) -> None:
    told, untold = database.add(new_id()), database.add(new_id(), "cancelling")
    others = {status: database.add(new_id(), status) for status in ("running", "completed", "approved")}
    async with start(**following(database)) as service:
        await cancel(service, told)
        set_row(database, told, "cancelling")  # the platform does so after it has asked us
        for job_id in (told, untold):
            assert (await row_is(database, job_id, "cancelled"))["error_message"] == "Cancelled by user"
            assert (await service.submit(job_id)).json()["status"] == "cancelled", "however late it comes"
    assert {status: database.row(job_id)["status"] for status, job_id in others.items()} == dict(
        zip(others, others, strict=True)
    )


@pytest.mark.parametrize("behaviour", ["patient", "queued"])
async def test_a_row_that_was_cancelled_while_the_service_was_down_wins_before_the_job_goes_on(
    start: Start, database: Database, behaviour: str
) -> None:
    """A job that ran and one that waited; nothing of either is begun after the restart."""
    job_id, busy = database.add(new_id()), new_id()
    async with start(**following(database), slots=1) as service:
        if behaviour == "queued":
            await service.submit(busy, "patient")
        await service.submit(job_id, "patient")
        await ended(service, job_id if behaviour == "patient" else busy, "running")
    set_row(database, job_id, "cancelling")
    async with start(**following(database), slots=2) as service:
        assert (await service.progress(job_id))["status"] == "cancelled", "at once"
        await row_is(database, job_id, "cancelled")
        attempts = (await service.client.get(f"/jobs/{job_id}")).json()["attempts"]
        assert len(attempts) == (behaviour == "patient")


async def test_a_cancel_that_only_the_row_tells_stops_a_job_at_work_and_a_restart_runs_all_the_same(
    start: Start, database: Database
) -> None:
    job_id = database.add(new_id())
    async with start(**following(database)) as service:
        await service.submit(job_id, "patient")
        set_row(database, job_id, "cancelling")
        await ended(service, job_id, "cancelled")
        await row_is(database, job_id, "cancelled")
        set_row(database, job_id, "cancelling")  # what was said of the run before is not said of the next
        await service.client.post(f"/restart/{job_id}")
        await ended(service, job_id, "running")
        await looked(service, 3)
        assert (await service.client.post(f"/finish/{job_id}")).status_code == 200
        await ended(service, job_id, "completed")
        await row_is(database, job_id, "completed")


async def test_a_database_that_is_away_keeps_no_job_from_going_on(start: Start) -> None:
    job_id = new_id()
    away = {"platform_database_url": "postgresql://127.0.0.1:9/x", "platform_update": "yes"}
    async with start(**away) as service:
        await service.submit(job_id, "patient")
    async with start(**away) as service:
        await ended(service, job_id, "running")
        await cancel(service, job_id)


async def test_nobody_fills_the_store_with_cancels_of_jobs_that_are_not_here(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steering, "EARLY_PER_MINUTE", 3)
    async with start() as service:
        codes = [(await service.client.post(f"/cancel/{new_id()}")).status_code for _ in range(4)]
        assert codes == [200] * 3 + [429]


# --- ends that the platform forgets ---


async def test_a_second_post_of_an_ended_job_tells_its_end_again_under_the_same_id(
    start: Start, database: Database, redis: Redis, receiver: Receiver
) -> None:
    job_id = database.add(new_id())
    async with start(**following(database), **seeing(), **hooked(receiver)) as service:
        await service.submit(job_id)
        first = await service.told(job_id)
        redis.delete(f"progress:job:{job_id}")
        assert (await service.submit(job_id)).json()["created"] is False
        set_row(database, job_id, "running")  # the platform's worker does so after every 200
        row = await row_is(database, job_id, "completed")
        assert row["error_message"] is None and row["progress"] == 100
        await until(lambda: _posted(receiver, 2))
        rows_now = await service.told(job_id)
        assert shown(redis, job_id)["status"] == "completed"
    assert {channel: row["event_id"] for channel, row in rows_now.items()} == {
        channel: row["event_id"] for channel, row in first.items()
    }
    assert {post.headers["webhook-id"] for post in receiver.posts} == {first["webhook"]["event_id"]}


async def _posted(receiver: Receiver, count: int) -> bool:
    return len(receiver.posts) >= count


@pytest.mark.parametrize(("status", "behaviour"), [("completed", "quick"), ("failed", "empty")])
async def test_a_row_that_says_an_ended_job_goes_on_is_corrected(
    start: Start, database: Database, status: str, behaviour: str
) -> None:
    """
    Its worker may write "running" after we have told it the end; and a person may cancel what has ended.

    A success clears the error, here in a column that may not be empty.
    """
    for change in ("SET DEFAULT ''", "SET NOT NULL"):
        database.execute(f"ALTER TABLE generation_jobs ALTER COLUMN error_message {change}")
    job_id = database.add(new_id())
    async with start(**following(database)) as service:
        await service.submit(job_id, behaviour)
        await service.told(job_id)
        for said in ("running", "cancelling"):
            set_row(database, job_id, said)
            assert ((await row_is(database, job_id, status))["error_message"] == "") == (status == "completed")
    set_row(database, job_id, "running")
    async with start(**following(database)) as service:  # nor is it forgotten while we are away
        await row_is(database, job_id, status)
        assert (await service.client.post(f"/cancel/{job_id}")).status_code == 409


# --- rows that are gone, and platforms without a database of ours ---


async def test_a_row_that_is_deleted_during_its_job_leaves_nothing_pending(
    start: Start, database: Database, redis: Redis, receiver: Receiver
) -> None:
    job_id = database.add(new_id())
    celery = {"platform_celery": "committed", "platform_broker_url": real.REDIS, "platform_broker_db": REDIS_INDEX}
    queue = f"queue-{new_id()}"
    given = {**following(database), **seeing(), **hooked(receiver), **celery, "platform_celery_queue": queue}
    async with start(**given) as service:
        await service.submit(job_id, "patient")
        await ended(service, job_id, "running")
        await until(lambda: _seen(service, job_id))
        database.execute(f"DELETE FROM generation_jobs WHERE id = '{job_id}'")
        await service.client.post(f"/finish/{job_id}")
        told = await service.told(job_id, sql="superseded", celery="superseded")
        assert told["sql"]["error"] == "the platform has deleted its row of this job"
        health = (await service.client.get("/health")).json()
        assert health["platform"]["deliveries"]["dead"] == dict.fromkeys(told, 0)
        assert "delivery_dead_letter" not in {alert["alert"] for alert in health["alerts"]}
    assert shown(redis, job_id)["status"] == "completed" and redis.llen(queue) == 0
    assert [post.document["type"] for post in receiver.posts] == ["job.completed"]


async def _seen(service: Running, job_id: str) -> bool:
    return bool(service.app.state.service.platform._rows.seen(job_id))


async def test_a_cancel_is_told_by_the_task_where_nothing_else_writes_the_row(
    start: Start, redis: Redis, receiver: Receiver
) -> None:
    queue, heard, job_id = f"queue-{new_id()}", f"heard-{new_id()}", new_id()
    celery = {"platform_broker_url": real.REDIS, "platform_broker_db": REDIS_INDEX, "platform_celery_queue": queue}
    async with (
        worker(f"{real.REDIS}/{REDIS_INDEX}", queue, heard),
        start(**celery, platform_celery="inline") as service,
    ):
        await cancel(service, job_id)
        await service.submit(job_id)
        await service.told(job_id)
        found = await anyio.to_thread.run_sync(lambda: redis.blpop([heard], 30))
    assert found is not None and json.loads(found[1])[1:] == [job_id, "cancelled", None, "Cancelled by user"]
    redis.delete(queue, heard)


async def test_a_cancel_is_told_to_the_callback_as_a_failure_where_nobody_else_hears_of_it(
    start: Start, receiver: Receiver, tmp_path: Path
) -> None:
    job_id = new_id()
    async with start(platform_callback_url=f"{receiver.url}/api/timetable/callback/") as service:
        await cancel(service, job_id)
        await service.submit(job_id)
        await service.told(job_id)
    (post,) = receiver.posts
    assert (post.document["status"], post.document["error"]) == ("failed", "Cancelled by user")
