"""When calls go through, and when the other side is left alone."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.platform import breaker
from app.platform.breaker import Breaker
from app.settings import Settings


def test_a_breaker_opens_after_failures_in_a_row_and_closes_with_the_first_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, changes = [100.0], []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    looked = Breaker("redis", lambda name, up: changes.append((name, up)))
    assert looked.known_up is None, "nobody knows before the first try"
    looked.failed("gone")
    assert looked.up and looked.seconds_closed == 0
    assert looked.known_up is False, "what was never reached is not called up"
    pauses = []
    for _ in range(8):
        looked.failed("gone")
        pauses.append(looked.seconds_closed)
        now[0] += looked.seconds_closed
        assert looked.seconds_closed == 0, "one try is due"
    assert pauses == [0.5, 1, 2, 4, 8, 10, 10, 10] and pauses[-1] == breaker.LONGEST_PAUSE_SECONDS
    assert (looked.up, looked.error) == (False, "gone")
    looked.succeeded()
    assert (looked.up, looked.known_up, looked.error, looked.seconds_closed) == (True, True, "", 0)
    looked.failed("a hiccup")
    assert looked.known_up
    assert changes == [("redis", False), ("redis", True)]


@pytest.mark.anyio
async def test_health_claims_nothing_of_what_was_never_asked(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    app = create_app(Settings(data_dir=tmp_path, platform_update="yes", platform_database_url=nowhere))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        health = (await client.get("/health")).json()
        assert health["platform"]["dependencies"]["database"] == {"up": None, "error": None}
        assert health["redis"] == "disconnected"
