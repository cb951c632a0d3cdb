"""The forkserver's handle, on its own."""

from __future__ import annotations

import threading

import anyio
import pytest

from app.children import ForkServer
from tests.service.conftest import SOLVE

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def test_giving_a_forkserver_up_does_not_hold_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    forkserver = ForkServer(SOLVE, "test-of-giving-up")
    await forkserver.start()
    process, released, waited = forkserver._process, threading.Event(), []
    assert process is not None
    wait = process.wait

    def slow() -> int:
        waited.append(released.wait(5.0))
        return wait()

    monkeypatch.setattr(process, "wait", slow)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forkserver._give_up)
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        released.set()
    assert waited == [True], "the loop went on while the process was waited for"
    assert not forkserver.alive
    await forkserver.stop()
