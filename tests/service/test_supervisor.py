"""Jobs from submission to their end, with children that behave."""

from __future__ import annotations

import anyio
import pytest

from app.jobs import JobConflict, JobStateError, QueueFull, Status
from app.progress import PLATFORM_STAGES
from app.recount import check
from solver.formats.native import load_dataset, load_result
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, lives, request, searching, until
from tests.service.solvers import COURSES, cost

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


async def test_a_job_runs_to_a_verified_result_and_its_progress_only_ever_rises(open_service: Open) -> None:
    async with open_service() as supervisor:
        job, created = await supervisor.submit(request("j", meta={"semester": 1, "academic_year": "2024-2025"}))
        assert created and job.status is Status.QUEUED
        seen = []

        def note(snapshot: dict[str, object]) -> bool:
            seen.append(snapshot)
            return snapshot["status"] == "completed"

        last = await until(supervisor, "j", note)
        percents = [snapshot["percentage"] for snapshot in seen]
        assert percents == sorted(percents) and percents[-1] == 100
        stages = [PLATFORM_STAGES.index(s["stage"]) for s in seen if s["stage"] in PLATFORM_STAGES]
        assert stages == sorted(stages)
        assert {s["stage"] for s in seen} <= {*PLATFORM_STAGES, "completed"}
        assert all(isinstance(s["eta_seconds"], int) and s["eta_seconds"] > 0 for s in seen[:-1])
        assert (last["cost"], last["bound"], last["gap"], last["placed"], last["total"]) == (
            0,
            0,
            0.0,
            COURSES,
            COURSES,
        )
        assert last["metadata"]["semester"] == 1 and last["metadata"]["academic_year"] == "2024-2025"
        assert await how_attempts_ended(supervisor, "j") == ["result"]
        stored = await supervisor.result("j")
        assert stored is not None
        check(load_result(stored.result), load_dataset(stored.dataset))


async def test_the_same_job_submitted_many_times_at_once_is_one_job(open_service: Open) -> None:
    async with open_service() as supervisor:
        created: list[bool] = []

        async def submit() -> None:
            created.append((await supervisor.submit(request("j")))[1])

        async with anyio.create_task_group() as tasks:
            for _ in range(30):
                tasks.start_soon(submit)
        assert created.count(True) == 1
        with pytest.raises(JobConflict):
            await supervisor.submit(request("j", body_hash="another"))
        await ended(supervisor, "j")
        assert len(await supervisor.attempts("j")) == 1


async def test_waiting_jobs_know_their_place_and_the_queue_has_an_end(open_service: Open) -> None:
    async with open_service(queue_limit=2) as supervisor:
        await supervisor.submit(request("a", "patient"))
        await searching(supervisor, "a")
        await supervisor.submit(request("b"))
        await supervisor.submit(request("c"))
        with pytest.raises(QueueFull):
            await supervisor.submit(request("d"))
        waiting = supervisor.snapshot("c")
        assert waiting is not None
        assert (waiting["status"], waiting["stage"], waiting["queue_position"]) == ("queued", "initializing", 2)
        assert waiting["eta_seconds"] > 0
        assert await supervisor.counts() == {"queued": 2, "running": 1, "completed": 0, "failed": 0, "cancelled": 0}
        await supervisor.cancel("a")
        await ended(supervisor, "b")
        await ended(supervisor, "c")
        assert [job.id for job in await supervisor.jobs()] == ["c", "b", "a"]


async def test_a_job_that_waits_is_cancelled_without_ever_starting_a_child(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("a", "patient"))
        await searching(supervisor, "a")
        await supervisor.submit(request("b"))
        job = await supervisor.cancel("b")
        assert job is not None and job.status is Status.CANCELLED
        await supervisor.cancel("a")
        await ended(supervisor, "a")
        assert await supervisor.attempts("b") == []


@pytest.mark.parametrize("behaviour", ["patient", "stubborn", "silent_native", "lost_in_context", "hog"])
async def test_a_cancel_is_done_within_a_second_and_only_when_the_child_is_gone(
    open_service: Open, behaviour: str
) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", behaviour))
        await until(supervisor, "j", lambda s: s["metadata"]["stage"] in ("search", "context"))
        pid = await child_pid(supervisor, "j")
        asked = anyio.current_time()
        job = await supervisor.cancel("j")
        assert job is not None and job.cancel_requested
        last = await ended(supervisor, "j", 2.0)
        assert anyio.current_time() - asked < 1.0
        assert last["status"] == "cancelled" and not lives(pid)
        assert (await supervisor.cancel("j")) == await supervisor.job("j"), "cancelling twice is no error"
        with pytest.raises(JobStateError):
            await supervisor.finish("j")


async def test_a_cancelled_job_keeps_its_best_timetable_for_a_restart(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "stubborn"))
        await searching(supervisor, "j")
        await supervisor.cancel("j")
        assert (await ended(supervisor, "j"))["cost"] == cost(3)
        await supervisor.restart("j")
        await searching(supervisor, "j")
        await supervisor.finish("j")
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"]) == ("completed", cost(3))


async def test_the_timetable_of_a_cancelled_job_can_be_had_recounted_and_marked(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "stubborn", rules={"group_gap": {"tier": "off"}}))
        await searching(supervisor, "j")
        await supervisor.cancel("j")
        last = await ended(supervisor, "j")
        stored = await supervisor.result("j")
        assert stored is not None and stored.dataset["rules"]["group_gap"] == {"tier": "off"}
        found = load_result(stored.result)
        check(found, load_dataset(stored.dataset))
        assert (last["status"], found.stopped_by, found.best.score.soft) == ("cancelled", "cancelled", cost(3))
        assert last["message"] == "cancelled; the best timetable so far is kept"


async def test_a_job_cancelled_before_it_had_a_timetable_has_none(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", "lost_in_context"))
        await until(supervisor, "j", lambda s: s["metadata"]["stage"] == "context")
        await supervisor.cancel("j")
        last = await ended(supervisor, "j")
        assert (last["message"], await supervisor.result("j")) == ("cancelled", None)


@pytest.mark.parametrize("behaviour", ["patient", "stubborn", "silent_native"])
async def test_a_finish_publishes_the_best_timetable_whatever_the_child_does(
    open_service: Open, behaviour: str
) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", behaviour))
        await searching(supervisor, "j")
        await supervisor.finish("j")
        last = await ended(supervisor, "j", 8.0)
        job = await supervisor.job("j")
        assert job is not None
        assert (last["status"], last["cost"], job.stopped_by) == ("completed", cost(3), "finished_early")
        stored = await supervisor.result("j")
        assert stored is not None
        found = load_result(stored.result)
        check(found, load_dataset(stored.dataset))
        assert found.stopped_by == "finished_early"


async def test_an_ended_job_runs_again_from_its_best_timetable(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j"))
        await ended(supervisor, "j")
        with pytest.raises(JobStateError):
            await supervisor.finish("j")
        job = await supervisor.restart("j")
        assert job is not None and job.status is Status.QUEUED
        again = supervisor.snapshot("j")
        assert again is not None and again["percentage"] == 0 and again["cost"] == 0
        assert await supervisor.result("j") is not None, "the old result stays until there is a new one"
        await ended(supervisor, "j")
        assert await how_attempts_ended(supervisor, "j") == ["result", "result"]
        with pytest.raises(JobStateError):
            await supervisor.cancel("j")


async def test_an_unknown_job_is_none_everywhere(open_service: Open) -> None:
    async with open_service() as supervisor:
        assert supervisor.snapshot("x") is None
        assert [await supervisor.cancel("x"), await supervisor.finish("x"), await supervisor.restart("x")] == [None] * 3
        assert (await supervisor.job("x"), await supervisor.result("x"), await supervisor.attempts("x")) == (
            None,
            None,
            [],
        )


async def test_the_rules_of_a_request_reach_the_solver(open_service: Open) -> None:
    async with open_service() as supervisor:
        await supervisor.submit(request("j", rules={"faculty_preference": {"tier": "off"}}))
        assert (await ended(supervisor, "j"))["cost"] == 0
        stored = await supervisor.result("j")
        assert stored is not None and stored.dataset["rules"]["faculty_preference"] == {"tier": "off"}
        await supervisor.submit(request("k", rules={"no_such_rule": {"tier": "off"}}))
        last = await ended(supervisor, "k")
        assert last["status"] == "failed" and "no_such_rule" in last["error"]
        assert await how_attempts_ended(supervisor, "k") == ["input"], "input that cannot work is not tried again"


async def test_several_slots_run_several_children(open_service: Open) -> None:
    async with open_service(slots=2) as supervisor:
        for job_id in ("a", "b", "c"):
            await supervisor.submit(request(job_id, "patient"))
        await searching(supervisor, "a")
        await searching(supervisor, "b")
        assert supervisor.children == 2
        assert await child_pid(supervisor, "a") != await child_pid(supervisor, "b")
        waiting = supervisor.snapshot("c")
        assert waiting is not None and waiting["status"] == "queued"
