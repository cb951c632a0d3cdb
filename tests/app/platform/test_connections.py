"""A connection to the platform's database is closed also where whoever used it was cancelled."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from app.platform.connections import connected
from app.settings import Settings
from tests.postgres import database

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_connection_is_closed_where_its_block_is_cancelled(tmp_path: Path) -> None:
    with database() as url:
        settings = Settings(data_dir=tmp_path, platform_database_url=url)
        with anyio.CancelScope() as scope:
            async with connected(settings, "test") as used:
                await used.execute("SELECT 1")
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught and used.closed
