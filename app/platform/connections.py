"""One short connection to the platform's database, closed whatever happens to whoever uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import psycopg

from app.settings import Settings

CONNECT_SECONDS = 5


@asynccontextmanager
async def connected(settings: Settings, name: str, **options: Any) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """
    A connection for the length of a block, under a `name` that the server shows.

    psycopg rolls back before it closes, and a scope of anyio that was cancelled interrupts that as well: the connection
    would stay open until it is collected. Raises OSError, psycopg.Error.
    """
    connection = await psycopg.AsyncConnection.connect(
        settings.platform_database_url, connect_timeout=CONNECT_SECONDS, application_name=name, **options
    )
    try:
        async with connection:
            yield connection
    finally:
        with anyio.CancelScope(shield=True):
            await connection.close()
