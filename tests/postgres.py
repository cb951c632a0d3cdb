"""A PostgreSQL database of its own for a test, made and dropped."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg

from tests.real import POSTGRES, listening


@contextmanager
def database() -> Iterator[str]:
    """The address of an empty database that ends with the block, whoever is still connected to it."""
    name = f"timetable_test_{secrets.token_hex(6)}"
    with psycopg.connect(listening(POSTGRES), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield urlsplit(POSTGRES)._replace(path=f"/{name}").geturl()
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")
