"""Anything in any order: the rules and the store for many steps, a real service with real children for some."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from app.domain.jobs import Job, JobStateError, Status
from app.processes.last_recount import check
from app.service.supervisor import Supervisor
from app.settings import Settings
from solver.formats.native import load_dataset, load_result
from tests.effort import PATIENCE_SECONDS
from tests.service import state_machine
from tests.service.conftest import SOLVE, lives, request

STEPS = int(os.environ.get("TIMETABLE_STEPS", "1500"))
SERVICE_STEPS = 40
IDS = ("a", "b", "c", "d")
BEHAVIOURS = ("quick", "patient", "steady", "crash_on_full", "crash_always")


@pytest.mark.timeout(300 + STEPS // 10)
def test_whatever_happens_to_jobs_in_whichever_order_the_invariants_hold() -> None:
    assert state_machine.run(STEPS) >= STEPS


class ServiceMachine(RuleBasedStateMachine):
    """
    A real supervisor in a thread of its own; `acknowledged` are the jobs that it has taken.

    What it does takes the time it takes, so nothing that is drawn may depend on its state.
    """

    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="service"))
        self.stack = ExitStack()
        self.stack.callback(shutil.rmtree, self.folder)
        self.portal = self.stack.enter_context(start_blocking_portal())
        self.service = self.stack.enter_context(ExitStack())
        self.acknowledged: dict[str, Job] = {}
        self.percent: dict[str, tuple[float, float]] = {}

    def teardown(self) -> None:
        """In the end everything ends, and no process is left."""
        with self.stack:
            pids = [child.pid for child in self.signs.children]
            for job_id in self.acknowledged:
                if not self.call(self.supervisor.job, job_id).status.terminal:
                    self.call(self.supervisor.cancel, job_id)
            for job_id in self.acknowledged:
                self.portal.call(self._ended, job_id)
            self.service.close()
            assert not any(map(lives, pids))

    @initialize()
    def open(self) -> None:
        settings = Settings(data_dir=self.folder, slots=2, retry_wait_seconds=0.05)
        opened = self.portal.wrap_async_context_manager(Supervisor(settings, solve=SOLVE))
        self.supervisor = self.service.enter_context(opened)

    def call(self, work: Any, *args: object) -> Any:
        return self.portal.call(work, *args)

    async def _signs(self) -> Any:
        return self.supervisor.signs()

    @property
    def signs(self) -> Any:
        return self.portal.call(self._signs)

    async def _ended(self, job_id: str) -> None:
        with anyio.fail_after(PATIENCE_SECONDS):
            seen = -1
            while not (await self.supervisor.job(job_id)).status.terminal:  # type: ignore[union-attr]
                seen = await self.supervisor.wait_for_change(job_id, seen, 1.0)

    @rule(job_id=st.sampled_from(IDS), behaviour=st.sampled_from(BEHAVIOURS))
    def submit(self, job_id: str, behaviour: str) -> None:
        if job_id not in self.acknowledged:
            self.acknowledged[job_id], created = self.call(self.supervisor.submit, request(job_id, behaviour))
            assert created

    @rule(job_id=st.sampled_from(IDS), how=st.sampled_from(["cancel", "finish", "restart"]))
    def steer(self, job_id: str, how: str) -> None:
        try:
            job = self.call(getattr(self.supervisor, how), job_id)
            assert (job is not None) == (job_id in self.acknowledged)
        except JobStateError as refused:
            assert refused.status in Status

    @rule(job_id=st.sampled_from(IDS))
    def delete(self, job_id: str) -> None:
        try:
            deleted = self.call(self.supervisor.delete, job_id)
        except JobStateError as refused:
            assert not refused.status.terminal
        else:
            assert (deleted is not None) == (job_id in self.acknowledged)
            self.acknowledged.pop(job_id, None)
            self.percent.pop(job_id, None)

    @rule(pick=st.integers(0, 3))
    def kill_a_child(self, pick: int) -> None:
        children = self.signs.children
        if children:
            os.kill(children[pick % len(children)].pid, signal.SIGKILL)

    @rule(seconds=st.floats(0, 0.3))
    def wait(self, seconds: float) -> None:
        self.portal.call(anyio.sleep, seconds)

    @rule(seldom=st.integers(0, 3))
    def reopen(self, seldom: int) -> None:
        if seldom:
            return
        pids = [child.pid for child in self.signs.children]
        self.service.close()
        assert not any(map(lives, pids))
        self.open()

    @invariant()
    def every_acknowledged_job_is_there_in_one_state(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        type(self).steps += 1
        jobs = {job.id: job for job in self.call(self.supervisor.jobs)}
        assert jobs.keys() == self.acknowledged.keys()
        for job_id, job in jobs.items():
            assert job.attempt >= self.acknowledged[job_id].attempt
            self.acknowledged[job_id] = job
            journal = self.call(self.supervisor.attempts, job_id)
            numbers = [row["attempt"] for row in journal]
            assert numbers == sorted(set(numbers))
            assert all(row["ended_at"] is not None for row in journal[:-1]), "at most one attempt runs, the last"

    @invariant()
    def children_are_those_of_running_jobs(self) -> None:
        if hasattr(self, "supervisor"):
            owners = [child.job_id for child in self.signs.children]
            assert len(owners) == len(set(owners)) <= 2

    @invariant()
    def what_is_shown_never_goes_back_and_what_is_published_is_verified(self) -> None:
        if not hasattr(self, "supervisor"):
            return
        for job_id in self.acknowledged:
            snapshot = self.supervisor.snapshot(job_id)
            assert snapshot is not None
            run, percent = self.percent.get(job_id, (0.0, 0.0))
            if run == snapshot["started_at"]:
                assert snapshot["percentage"] >= percent, job_id
            self.percent[job_id] = (snapshot["started_at"], snapshot["percentage"])
            if snapshot["status"] == "completed":
                stored = self.call(self.supervisor.result, job_id)
                assert stored is not None
                check(load_result(stored.result), load_dataset(stored.dataset))


def test_a_real_service_keeps_its_promises_whatever_is_done_to_it() -> None:
    run_state_machine_as_test(
        seed(3)(ServiceMachine),
        settings=settings(
            max_examples=3,  # the first one is always the shortest there is
            stateful_step_count=SERVICE_STEPS,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert ServiceMachine.steps >= 30
