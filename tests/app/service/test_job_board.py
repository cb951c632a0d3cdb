"""The board: who waits before whom, and until when; versions that tell a reader whether there is anything new."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import Event, Job, Status, advance
from app.domain.messages import ProgressFrame
from app.domain.snapshot import COMPILING, PREPARING
from app.service.job_board import COMPILING_SECONDS, LOADING_SECONDS, JobBoard
from solver.result import Quality, StoppedBy
from solver.rules import Score


def filled(slots: int, limits: list[float]) -> tuple[JobBoard, list[str]]:
    """A board on which as many jobs run as there are slots; the others wait, in the order of `limits`."""
    board, ids = JobBoard(slots), []
    for number, limit in enumerate(limits):
        job = Job(id=str(number), body_hash="h", created_at=float(number), time_limit_seconds=limit)
        board.add(job)
        ids.append(job.id)
        if number < slots:
            claimed = advance(job, Event.CLAIM, time.time())
            board.set(claimed)
            board[job.id].begin_attempt(time.time(), claimed.remaining_seconds)
    return board, ids


def shown(board: JobBoard, job_id: str) -> dict[str, Any]:
    snapshot = board.snapshot(job_id)
    assert snapshot is not None
    return snapshot


LIMITS = st.lists(st.floats(1, 3600), min_size=1, max_size=30)


@given(st.integers(1, 8), LIMITS)
def test_every_job_has_a_whole_number_of_seconds_left_and_a_place_if_it_waits(slots: int, limits: list[float]) -> None:
    board, ids = filled(slots, limits)
    for number, job_id in enumerate(ids):
        snapshot = shown(board, job_id)
        assert isinstance(snapshot["eta_seconds"], int) and snapshot["eta_seconds"] >= 1
        assert snapshot["eta_seconds"] == snapshot["time_remaining_seconds"]
        assert snapshot["queue_position"] == (number - slots + 1 if number >= slots else None)


@given(st.integers(1, 8), LIMITS)
def test_waiting_is_estimated_from_what_runs_and_waits_before_and_the_slots(slots: int, limits: list[float]) -> None:
    board, ids = filled(slots, limits)
    running = [board[job_id].seconds_left() for job_id in ids[:slots]]
    before = 0.0
    for job_id in ids[slots:]:
        own = board[job_id].seconds_left()
        eta = shown(board, job_id)["eta_seconds"]
        # No order of the work before it can free a slot earlier than the mean, nor later than the mean and the longest.
        work = sum(running) + before
        longest = max([*running, *(board[other].seconds_left() for other in ids[slots:])], default=0.0)
        assert math.floor(min(running)) + own <= eta + 2
        assert eta <= work / slots + longest + own + 2
        before += own


def test_a_job_of_an_organisation_that_has_none_waiting_stands_before_the_second_of_another() -> None:
    board = JobBoard(1)
    for number, organisation in enumerate(("a", "a", "a", "b", "c")):
        meta = {"organization_id": organisation}
        board.add(Job(id=f"{organisation}{number}", body_hash="h", created_at=0.0, meta=meta))
    board.set(advance(board["a0"].job, Event.CLAIM, time.time()))
    places = {job_id: board.position(job_id) for job_id in ("a1", "a2", "b3", "c4")}
    assert places == {"b3": 1, "c4": 2, "a1": 3, "a2": 4}


def test_the_eta_of_a_waiting_job_falls_when_the_one_before_it_goes() -> None:
    board, ids = filled(1, [100.0, 100.0, 100.0])
    assert 290 < shown(board, ids[2])["eta_seconds"] <= 310
    board.set(advance(board[ids[1]].job, Event.CANCEL, time.time()))
    assert 190 < shown(board, ids[2])["eta_seconds"] <= 210
    assert shown(board, ids[2])["queue_position"] == 1
    assert shown(board, ids[1])["eta_seconds"] == 0
    board.remove(ids[1])
    assert board.snapshot(ids[1]) is None


def test_a_run_that_ended_early_is_expected_of_the_next_of_its_size() -> None:
    board, ids = filled(1, [100.0, 100.0])
    track = board[ids[0]]
    track.hear(ProgressFrame(stage="context", share=0.0, total=40))
    track.hear(ProgressFrame(stage="verify", share=0.0, total=40))
    fields = {"score": Score(0, 0, 0, 1), "placed": 40, "total": 40, "quality": Quality.OPTIMAL}
    board.set(advance(track.job, Event.COMPLETE, time.time(), stopped_by=StoppedBy.PROVED, **fields))
    assert shown(board, ids[0])["eta_seconds"] == 0
    assert shown(board, ids[1])["eta_seconds"] < 60


def test_the_last_stage_and_a_stop_shorten_the_estimate_at_once() -> None:
    board, ids = filled(2, [1000.0, 1000.0])
    board[ids[0]].hear(ProgressFrame(stage="verify", share=0.0))
    assert shown(board, ids[0])["eta_seconds"] <= 3
    board.set(replace(board[ids[1]].job, cancel_requested=True))
    assert shown(board, ids[1])["eta_seconds"] <= 2


def test_versions_differ_with_every_change_and_between_two_services() -> None:
    board, ids = filled(1, [100.0])
    first = shown(board, ids[0])["version"]
    assert shown(board, ids[0])["version"] == first
    board[ids[0]].hear(ProgressFrame(stage="search", share=0.5))
    assert shown(board, ids[0])["version"] != first
    assert shown(filled(1, [100.0])[0], ids[0])["version"].partition("-")[0] != first.partition("-")[0]


@given(st.integers(1, 4), st.lists(st.sampled_from(Status), max_size=30))
def test_places_count_the_waiting_jobs_in_their_order(slots: int, states: list[Status]) -> None:
    board = JobBoard(slots)
    for number, status in enumerate(states):
        board.add(Job(id=str(number), body_hash="h", created_at=0.0, status=status))
    places = [board.position(str(number)) for number in range(len(states))]
    waiting = [place for place in places if place is not None]
    assert waiting == list(range(1, states.count(Status.QUEUED) + 1))
    assert board.counts()["queued"] == len(waiting)


def test_waiting_for_the_solver_is_told_as_what_it_is_and_counts_in_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    board = JobBoard(1)
    board.add(Job(id="j", body_hash="h", created_at=0.0, time_limit_seconds=10.0))
    idle = shown(board, "j")["eta_seconds"]
    board.preparing = True
    loading = shown(board, "j")
    assert PREPARING in loading["message"] and "compiled" not in loading["message"], "kernels may well be in the cache"
    assert loading["eta_seconds"] > idle
    monkeypatch.setattr(time, "monotonic", lambda: now + LOADING_SECONDS + 2)
    compiling = shown(board, "j")
    assert COMPILING in compiling["message"]
    assert compiling["eta_seconds"] >= idle + COMPILING_SECONDS - LOADING_SECONDS - 4
    board.preparing = False
    assert shown(board, "j")["eta_seconds"] == idle
