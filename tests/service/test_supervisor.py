"""Jobs from submission to their end, with children that behave."""

from __future__ import annotations

import io
import json

import anyio
import pytest

from app.domain.jobs import Job, JobConflict, JobStateError, QueueFull, Status
from app.domain.messages import pack
from app.domain.progress import PLATFORM_STAGES
from app.operations.logs import logging_to
from app.processes.last_recount import check
from app.service import published as results
from app.service.supervisor import Supervisor
from app.settings import Settings
from app.store import StoredIncumbent
from solver.formats.native import dump_timetable, load_dataset, load_result
from solver.rules import Score
from tests.effort import PROMPT_SECONDS
from tests.service.conftest import Open, child_pid, ended, how_attempts_ended, lives, request, searching, until
from tests.service.solvers import COURSES, cost, timetable

pytestmark = pytest.mark.anyio


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


async def test_the_same_job_submitted_a_thousand_times_at_once_is_one_job(shared: Supervisor) -> None:
    answers: list[tuple[Job, bool]] = []
    wanted = request("thousand", "quick")

    async def client() -> None:
        for _ in range(20):
            answers.append(await shared.submit(wanted))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(client)
    assert len(answers) == 1000 and sum(created for _, created in answers) == 1
    assert {job.id for job, _ in answers} == {"thousand"}
    with pytest.raises(JobConflict):
        await shared.submit(request("thousand", body_hash="another"))
    await ended(shared, "thousand")
    assert len(await shared.attempts("thousand")) == 1


async def test_poison_jobs_end_as_dead_letters_with_evidence_and_the_others_do_not_suffer(shared: Supervisor) -> None:
    good, poison = [f"good{i}" for i in range(20)], [f"poison{i}" for i in range(3)]
    for job_id in (*poison, *good):
        await shared.submit(request(job_id, "crash_always" if job_id in poison else "quick"))
    for job_id in good:
        assert (await ended(shared, job_id))["status"] == "completed"
    for job_id in poison:
        assert (await ended(shared, job_id))["status"] == "failed"
        job = await shared.job(job_id)
        assert job is not None and job.dead_letter and job.failed_attempts == 3
        assert "SIGABRT" in str(job.error)
        assert await how_attempts_ended(shared, job_id) == ["crash"] * 3
        for attempt in (1, 2, 3):
            assert await shared.bundle(job_id, attempt)
        assert await shared.bundle(job_id, 4) is None
    assert {job.id for job in await shared.jobs(dead_letter=True)} == set(poison)
    assert not {job.id for job in await shared.jobs(dead_letter=False)} & set(poison)
    again = await shared.restart(poison[0])
    assert again is not None
    assert (again.dead_letter, again.failed_attempts, again.options.start_at, again.error) == (False, 0, "full", None)
    await ended(shared, poison[0])
    assert len(await shared.attempts(poison[0])) == 6


async def test_waiting_jobs_know_their_place_and_the_queue_has_an_end(open_service: Open) -> None:
    async with open_service(queue_limit=2) as supervisor:
        await supervisor.submit(request("a", "patient"))
        await searching(supervisor, "a")
        await supervisor.submit(request("b", "quick"))
        await supervisor.submit(request("c", "quick"))
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


async def test_a_cancel_is_done_soon_and_only_when_the_child_is_gone(shared: Supervisor) -> None:
    behaviours = ("hog", "lost_in_context", "patient", "stubborn", "silent_native")
    for behaviour in reversed(behaviours):
        await shared.submit(request(behaviour, behaviour))
    for behaviour in behaviours:
        await until(shared, behaviour, lambda s: s["metadata"]["stage"] in ("search", "context"))
        pid = await child_pid(shared, behaviour)
        job = await shared.cancel(behaviour)
        assert job is not None and job.cancel_requested
        last = await ended(shared, behaviour, PROMPT_SECONDS)
        assert last["status"] == "cancelled" and not lives(pid)
        assert (await shared.cancel(behaviour)) == await shared.job(behaviour), "cancelling twice is no error"
        with pytest.raises(JobStateError):
            await shared.finish(behaviour)
    last = shared.snapshot("lost_in_context")
    assert last is not None
    assert (last["message"], await shared.result("lost_in_context")) == ("cancelled", None), "it had no timetable"


async def test_a_cancelled_job_has_its_best_timetable_recounted_once_marked_and_kept_for_a_restart(
    shared: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shared.submit(request("kept", "stubborn", rules={"group_gap": {"tier": "off"}}))
    await searching(shared, "kept")
    await shared.cancel("kept")
    last = await ended(shared, "kept")
    assert (last["cost"], last["message"]) == (cost(3), "cancelled; the best timetable so far is kept")
    stored = await shared.result("kept")
    assert stored is not None and stored.dataset["rules"]["group_gap"] == {"tier": "off"}
    found = load_result(stored.result)
    check(found, load_dataset(stored.dataset))
    assert (found.stopped_by, found.best.score.soft) == ("cancelled", cost(3))
    job = await shared.job("kept")
    assert job is not None and (job.result_attempt, job.placed, job.quality) == (1, COURSES, "feasible")
    monkeypatch.setattr(results, "salvage", None)
    assert await shared.result("kept") == stored, "it is stored now"
    await shared.restart("kept")
    await searching(shared, "kept")
    await shared.finish("kept")
    last = await ended(shared, "kept")
    assert (last["status"], last["cost"]) == ("completed", cost(3))


async def test_of_an_earlier_result_and_what_a_cancelled_run_holds_the_better_one_counts(shared: Supervisor) -> None:
    await shared.submit(request("better", "stubborn"))
    await searching(shared, "better")
    await shared.finish("better")
    await ended(shared, "better")
    before = await shared.result("better")
    await shared.restart("better")
    await searching(shared, "better")
    await shared.cancel("better")
    await ended(shared, "better")
    assert await shared.result("better") == before, "no better than the result, which therefore stays"
    assert await shared.result("better") == before
    job = await shared.job("better")
    assert job is not None and (job.attempt, job.result_attempt) == (3, 2)
    level_nine = StoredIncumbent(
        score=Score(0, 0, 0, cost(9)), timetable=pack(dump_timetable(timetable(9))), rung="full", found_at=0.0
    )
    shared._in_store.remember("better", level_nine, saved=False)
    shared._registry.tracks["better"].recounted_attempt = None
    after = await shared.result("better")
    assert after is not None and load_result(after.result).best.score.soft == cost(9)
    job = await shared.job("better")
    assert job is not None and job.result_attempt == 3 and job.score == level_nine.score


async def test_a_finish_does_not_wait_for_a_verdict_on_a_child_that_hangs_without_a_timetable(
    shared: Supervisor,
) -> None:
    await shared.submit(request("lost_early", "lost_in_search"))
    await until(shared, "lost_early", lambda s: s["metadata"]["stage"] == "search")
    await shared.finish("lost_early")
    await until(shared, "lost_early", lambda s: s["attempt"] > 1 or s["status"] == "failed")
    (first, *_) = await shared.attempts("lost_early")
    assert (first["how"], "of being asked" in first["message"]) == ("finish", True)
    await shared.cancel("lost_early")


async def test_a_finish_publishes_the_best_timetable_whatever_the_child_does(shared: Supervisor) -> None:
    behaviours = {f"finish_{behaviour}": behaviour for behaviour in ("patient", "stubborn", "silent_native")}
    for job_id, behaviour in behaviours.items():
        await shared.submit(request(job_id, behaviour))
    for job_id in behaviours:
        await searching(shared, job_id)
        await shared.finish(job_id)
    for job_id in behaviours:
        last = await ended(shared, job_id, PROMPT_SECONDS)
        job = await shared.job(job_id)
        assert job is not None
        assert (last["status"], last["cost"], job.stopped_by) == ("completed", cost(3), "finished_early")
        stored = await shared.result(job_id)
        assert stored is not None
        found = load_result(stored.result)
        check(found, load_dataset(stored.dataset))
        assert found.stopped_by == "finished_early"


async def test_an_ended_job_runs_again_from_its_best_timetable(shared: Supervisor) -> None:
    await shared.submit(request("again", "quick"))
    await ended(shared, "again")
    with pytest.raises(JobStateError):
        await shared.finish("again")
    job = await shared.restart("again")
    assert job is not None and job.status is Status.QUEUED
    snapshot = shared.snapshot("again")
    assert snapshot is not None and snapshot["percentage"] < 100 and snapshot["cost"] == 0
    assert await shared.result("again") is not None, "the old result stays until there is a new one"
    await ended(shared, "again")
    assert await how_attempts_ended(shared, "again") == ["result", "result"]
    with pytest.raises(JobStateError):
        await shared.cancel("again")


async def test_an_unknown_job_is_none_everywhere(shared: Supervisor) -> None:
    assert shared.snapshot("x") is None
    for steer in (shared.cancel, shared.finish, shared.restart, shared.delete):
        assert await steer("x") is None
    assert (await shared.job("x"), await shared.result("x"), await shared.attempts("x")) == (None, None, [])
    assert await shared.bundle("x", 1) is None


async def test_the_rules_of_a_request_reach_the_solver(shared: Supervisor) -> None:
    await shared.submit(request("rules", "quick", rules={"faculty_preference": {"tier": "off"}}))
    await shared.submit(request("no rules", rules={"no_such_rule": {"tier": "off"}}))
    assert (await ended(shared, "rules"))["cost"] == 0
    stored = await shared.result("rules")
    assert stored is not None and stored.dataset["rules"]["faculty_preference"] == {"tier": "off"}
    last = await ended(shared, "no rules")
    assert last["status"] == "failed" and "no_such_rule" in last["error"]
    assert await how_attempts_ended(shared, "no rules") == ["input"], "input that cannot work is not tried again"


async def test_several_slots_run_several_children(open_service: Open) -> None:
    async with open_service(slots=2) as supervisor:
        for job_id in ("a", "b", "c"):
            await supervisor.submit(request(job_id, "patient"))
        await searching(supervisor, "a")
        await searching(supervisor, "b")
        assert supervisor.children == supervisor.busy_slots == 2
        assert await child_pid(supervisor, "a") != await child_pid(supervisor, "b")
        waiting, signs = supervisor.snapshot("c"), supervisor.signs()
        assert waiting is not None and waiting["status"] == "queued"
        assert (signs.slots, signs.queued, signs.quarantined_slots) == (2, 1, 0)
        assert signs.ready and signs.store_available and signs.oldest_queued_seconds > 0
        assert {child.job_id for child in signs.children} == {"a", "b"}


async def test_a_traceback_of_a_child_is_one_line_of_the_log_with_its_job(open_service: Open) -> None:
    stream = io.StringIO()
    with logging_to(Settings(), stream):
        async with open_service(max_attempts=1) as supervisor:
            await supervisor.submit(request("j", "raises"))
            assert (await ended(supervisor, "j"))["status"] == "failed"
    (line,) = [line for line in map(json.loads, stream.getvalue().splitlines()) if "exception" in line]
    assert (line["job"], line["attempt"]) == ("j", 1)
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("RuntimeError: a bug on purpose")


async def test_a_quality_below_the_one_that_is_wanted_is_said_with_the_end(open_service: Open) -> None:
    async with open_service(quality_threshold=1.0) as supervisor:
        await supervisor.submit(request("j", "tour"))
        told = await ended(supervisor, "j")
        assert told["message"].startswith("completed: ") and "less than the 100 % that are wanted" in told["message"]
        assert told["metadata"]["quality_missed"] in told["message"]
    async with open_service(quality_threshold=0.0) as supervisor:
        told = supervisor.snapshot("j")
        assert told is not None and "100 %" in told["message"], "also after a restart"
        await supervisor.submit(request("k"))
        assert "wanted" not in (await ended(supervisor, "k"))["message"]
