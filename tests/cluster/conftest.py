"""What the tests of a cluster share: where one works, what it is asked for, and what it has stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from tests.cluster.rig import address_of, queue_of_its_own
from tests.postgres import database
from tests.service.solvers import campus


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@contextmanager
def places_with(broker: str) -> Iterator[tuple[str, str, str]]:
    """Database, broker and queue; `broker` as for `address_of`."""
    address = address_of(broker)
    with database() as url, queue_of_its_own(address) as queue:
        yield url, address, queue


def order(job_id: str, behaviour: str, **given: Any) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "dataset": campus(behaviour),
        "num_variants": 1,
        "time_limit_seconds": 30,
        **given,
    }


def results_of(database: str, job_id: str) -> list[int]:
    """The attempts of which a result is stored."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT attempt FROM results WHERE job_id = %s", (job_id,)).fetchall()
    return [attempt for (attempt,) in rows]
