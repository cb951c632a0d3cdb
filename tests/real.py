"""The real things that some tests need: databases, brokers, proxies."""

from __future__ import annotations

import os
import socket
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

POSTGRES = os.environ.get("TIMETABLE_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("TIMETABLE_TEST_REDIS", "redis://127.0.0.1:6379")
RABBITMQ = os.environ.get("TIMETABLE_TEST_RABBITMQ", "amqp://guest:guest@127.0.0.1:5672//")


def missing(what: str) -> NoReturn:
    """Skips the test because `what` is not here. `.ci/run` sets the variable, and there it fails instead."""
    if os.environ.get("TIMETABLE_TESTS_REQUIRE_SERVICES"):
        pytest.fail(f"{what} is missing, and must not be here")
    pytest.skip(f"{what} is not here")


def free_port() -> int:
    """A port of the loopback address on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def listening(address: str) -> str:
    """`address`, a URL with a port, when something listens there; `missing` when nothing does."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), 2).close()
    except OSError:
        missing(f"{parts.scheme} at {parts.hostname}:{parts.port}")
    return address
