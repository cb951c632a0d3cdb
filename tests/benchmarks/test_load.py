"""The load client counts what it asks for, tells errors by their kind, and reads events as they come."""

from __future__ import annotations

import math

import anyio
import pytest

from app.service.job_tracks import JobTracks
from benchmarks.load import Kind, LoadFigures, measure_load
from tests.app.http.routes.test_events import moves, running, serving


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def keep_moving(tracks: JobTracks) -> None:
    for step in range(1000):
        moves(tracks, step / 1000)
        await anyio.sleep(0.1)


@pytest.mark.anyio
async def test_every_poller_asks_once_a_second_and_every_stream_hears_the_news() -> None:
    async with serving() as server, anyio.create_task_group() as tasks:
        running(server.tracks)
        tasks.start_soon(keep_moving, server.tracks)
        figures = await measure_load(f"http://127.0.0.1:{server.port}", 1.0, 10, 5, job_ids=["j"])
        tasks.cancel_scope.cancel()
    assert figures.errors == 0
    assert len(figures.progress.seconds) == 10
    assert figures.event_delay.seconds and min(figures.event_delay.seconds) >= 0
    assert min(figures.progress.seconds) > 0


@pytest.mark.anyio
async def test_an_answer_that_is_not_the_progress_is_an_error() -> None:
    async with serving() as server:
        figures = await measure_load(f"http://127.0.0.1:{server.port}", 0.5, 4, 2, job_ids=["nobody"])
    assert figures.progress.errors["status 404"] >= 2
    assert figures.event_delay.errors == {"status 404": 2}
    assert "{'status 404': 2}" in figures.table()


@pytest.mark.anyio
async def test_a_service_that_is_gone_is_counted_and_ends_nothing() -> None:
    async with serving() as server:
        port = server.port
    figures = await measure_load(f"http://127.0.0.1:{port}", 0.3, 4, 0, job_ids=["j"])
    assert figures.progress.errors.total() >= 1


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    kind = Kind(seconds=[float(number) for number in range(100, 0, -1)])
    assert [kind.percentile(share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert math.isnan(LoadFigures().progress.percentile(0.99))
