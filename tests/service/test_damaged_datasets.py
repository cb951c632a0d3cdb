"""The dataset of a job is damaged in the store: the job fails once, says so, and can be helped by sending it again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.service.conftest import Open, ended, request
from tests.service.damage import leave
from tests.service.solvers import cost

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("left", [0, 40])
async def test_the_job_fails_at_its_next_attempt_and_says_what_helps(
    open_service: Open, place: dict[str, Any], left: int
) -> None:
    leave(place, "tour", alter=f"UPDATE datasets SET body = substr(body, 1, {left})")
    async with open_service(**place) as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["attempt"]) == ("failed", 2)
        error = last["metadata"]["error"]
        assert "its bytes are not those that were stored" in error and "send it again" in error
        assert [row["how"] for row in await supervisor.attempts("j")] == ["crash", "input"]

        await supervisor.submit(replace(request("j", "tour"), job_id="another"))
        assert (await ended(supervisor, "another"))["status"] == "completed"
        await supervisor.restart("j")
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"]) == ("completed", cost(9)), "what it had found before counts again"
