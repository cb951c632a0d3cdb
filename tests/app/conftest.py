"""
The whole service in this process, with its real store and its real child processes, once per test module.

Tests share one job table, so each of them uses job ids of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from app.settings import Settings
from tests.app.http.documented import check_response

TERMINAL = ("completed", "failed", "cancelled")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"), slots=1, max_solve_seconds=600, heartbeat_seconds=0.3)


@pytest.fixture(scope="module")
async def application(settings: Settings, anyio_backend: str) -> AsyncIterator[FastAPI]:
    from app.main import create_app  # the pure tests of this folder need none of it

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="module")
async def client(application: FastAPI, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)
    hooks = {"response": [check_response]}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://service", timeout=60, event_hooks=hooks
    ) as client:
        yield client


async def finished(client: httpx.AsyncClient, job_id: str, seconds: float = 300.0) -> list[dict[str, Any]]:
    """Polls a job until it ends; every snapshot that was seen, the last one terminal.

    The very first job of a fresh clone waits for the kernels to be compiled, which takes minutes.
    """
    seen: list[dict[str, Any]] = []
    with anyio.fail_after(seconds):
        while not seen or seen[-1]["status"] not in TERMINAL:
            await anyio.sleep(0.1 if seen else 0)
            seen.append((await client.get(f"/progress/{job_id}")).json())
    return seen
