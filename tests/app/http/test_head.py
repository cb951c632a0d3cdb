"""HEAD wherever GET works, through a real server: the same status and headers, and nothing behind them."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
import uvicorn

from app.http.access import ROUTES
from app.main import create_app
from app.settings import Settings
from tests.effort import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio
PATHS = {"job_id": "j", "n": "1", "name": "tiny", "dept_id": "d", "path": "main.js"}
CHANGES = {"date", "x-request-id", "x-ratelimit-remaining"}
"""Headers that are new in every answer."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"), slots=1))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    listening = socket.create_server(("127.0.0.1", 0))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve, [listening])
        with anyio.fail_after(PATIENCE_SECONDS):
            while not server.started:
                await anyio.sleep(0.01)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client:
            assert (await client.post("/generate_variants", json={"job_id": "j", "dataset_name": "tiny"})).is_success
            yield client
            await client.post("/cancel/j")
        server.should_exit = True


def reads() -> list[str]:
    return [
        route.split()[1].replace("{path:path}", "{path}").format(**PATHS) for route in ROUTES if route.startswith("GET")
    ]


@pytest.mark.parametrize("path", [path for path in reads() if "events" not in path and "metrics" not in path])
async def test_the_head_of_an_answer_is_that_of_its_get(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers.keys() - CHANGES == got.headers.keys() - CHANGES
    assert head.headers["content-type"] == got.headers["content-type"]


async def test_the_head_of_a_stream_ends(client: httpx.AsyncClient) -> None:
    head = await client.head("/progress/j/events")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_what_cannot_be_got_has_no_head(client: httpx.AsyncClient) -> None:
    refused = await client.head("/generate_variants")
    assert refused.status_code == 405 and "HEAD" not in refused.headers["allow"]
    assert "HEAD" in (await client.put("/jobs")).headers["allow"]
