"""All jobs as they are shown: who waits before whom, and until when; versions that tell whether there is news."""

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
from app.domain.options import SolveOptions
from app.domain.snapshot import COMPILING, PREPARING
from app.service.job_tracks import COMPILING_SECONDS, LOADING_SECONDS, JobTracks
from solver.result import Quality, StoppedBy
from solver.rules import Score


def filled(slots: int, limits: list[float]) -> tuple[JobTracks, list[str]]:
    """Tracks of which as many run as there are slots; the others wait, in the order of `limits`."""
    tracks, ids = JobTracks(slots), []
    for number, limit in enumerate(limits):
        job = Job(
            id=str(number), body_hash="h", created_at=float(number), options=SolveOptions(time_limit_seconds=limit)
        )
        tracks.add(job)
        ids.append(job.id)
        if number < slots:
            claimed = advance(job, Event.CLAIM, time.time())
            tracks.set(claimed)
            tracks[job.id].begin_attempt(time.time(), claimed.remaining_seconds)
    return tracks, ids


def shown(tracks: JobTracks, job_id: str) -> dict[str, Any]:
    snapshot = tracks.snapshot(job_id)
    assert snapshot is not None
    return snapshot


LIMITS = st.lists(st.floats(1, 3600), min_size=1, max_size=30)


@given(st.integers(1, 8), LIMITS)
def test_every_job_has_a_whole_number_of_seconds_left_and_a_place_if_it_waits(slots: int, limits: list[float]) -> None:
    tracks, ids = filled(slots, limits)
    for number, job_id in enumerate(ids):
        snapshot = shown(tracks, job_id)
        assert isinstance(snapshot["eta_seconds"], int) and snapshot["eta_seconds"] >= 1
        assert snapshot["eta_seconds"] == snapshot["time_remaining_seconds"]
        assert snapshot["queue_position"] == (number - slots + 1 if number >= slots else None)


@given(st.integers(1, 8), LIMITS)
def test_waiting_is_estimated_from_what_runs_and_waits_before_and_the_slots(slots: int, limits: list[float]) -> None:
    tracks, ids = filled(slots, limits)
    running = [tracks[job_id].seconds_left() for job_id in ids[:slots]]
    before = 0.0
    for job_id in ids[slots:]:
        own = tracks[job_id].seconds_left()
        eta = shown(tracks, job_id)["eta_seconds"]
        # No order of the work before it can free a slot earlier than the mean, nor later than the mean and the longest.
        work = sum(running) + before
        longest = max([*running, *(tracks[other].seconds_left() for other in ids[slots:])], default=0.0)
        assert math.floor(min(running)) + own <= eta + 2
        assert eta <= work / slots + longest + own + 2
        before += own


def test_a_job_of_an_organisation_that_has_none_waiting_stands_before_the_second_of_another() -> None:
    tracks = JobTracks(1)
    for number, organisation in enumerate(("a", "a", "a", "b", "c")):
        meta = {"organization_id": organisation}
        tracks.add(Job(id=f"{organisation}{number}", body_hash="h", created_at=0.0, meta=meta))
    tracks.set(advance(tracks["a0"].job, Event.CLAIM, time.time()))
    places = {job_id: tracks.position(job_id) for job_id in ("a1", "a2", "b3", "c4")}
    assert places == {"b3": 1, "c4": 2, "a1": 3, "a2": 4}


def test_the_eta_of_a_waiting_job_falls_when_the_one_before_it_goes() -> None:
    tracks, ids = filled(1, [100.0, 100.0, 100.0])
    assert 290 < shown(tracks, ids[2])["eta_seconds"] <= 310
    tracks.set(advance(tracks[ids[1]].job, Event.CANCEL, time.time()))
    assert 190 < shown(tracks, ids[2])["eta_seconds"] <= 210
    assert shown(tracks, ids[2])["queue_position"] == 1
    assert shown(tracks, ids[1])["eta_seconds"] == 0
    tracks.remove(ids[1])
    assert tracks.snapshot(ids[1]) is None


def test_a_run_that_ended_early_is_expected_of_the_next_of_its_size() -> None:
    tracks, ids = filled(1, [100.0, 100.0])
    track = tracks[ids[0]]
    track.hear(ProgressFrame(stage="context", share=0.0, total=40))
    track.hear(ProgressFrame(stage="verify", share=0.0, total=40))
    fields = {"score": Score(0, 0, 0, 1), "placed": 40, "total": 40, "quality": Quality.OPTIMAL}
    tracks.set(advance(track.job, Event.COMPLETE, time.time(), stopped_by=StoppedBy.PROVED, **fields))
    assert shown(tracks, ids[0])["eta_seconds"] == 0
    assert shown(tracks, ids[1])["eta_seconds"] < 60


def test_the_last_stage_and_a_stop_shorten_the_estimate_at_once() -> None:
    tracks, ids = filled(2, [1000.0, 1000.0])
    tracks[ids[0]].hear(ProgressFrame(stage="verify", share=0.0))
    assert shown(tracks, ids[0])["eta_seconds"] <= 3
    tracks.set(replace(tracks[ids[1]].job, cancel_requested=True))
    assert shown(tracks, ids[1])["eta_seconds"] <= 2


def test_versions_differ_with_every_change_and_between_two_services() -> None:
    tracks, ids = filled(1, [100.0])
    first = shown(tracks, ids[0])["version"]
    assert shown(tracks, ids[0])["version"] == first
    tracks[ids[0]].hear(ProgressFrame(stage="search", share=0.5))
    assert shown(tracks, ids[0])["version"] != first
    assert shown(filled(1, [100.0])[0], ids[0])["version"].partition("-")[0] != first.partition("-")[0]


@given(st.integers(1, 4), st.lists(st.sampled_from(Status), max_size=30))
def test_places_count_the_waiting_jobs_in_their_order(slots: int, states: list[Status]) -> None:
    tracks = JobTracks(slots)
    for number, status in enumerate(states):
        tracks.add(Job(id=str(number), body_hash="h", created_at=0.0, status=status))
    places = [tracks.position(str(number)) for number in range(len(states))]
    waiting = [place for place in places if place is not None]
    assert waiting == list(range(1, states.count(Status.QUEUED) + 1))
    assert tracks.counts()["queued"] == len(waiting)


def test_waiting_for_the_solver_is_told_as_what_it_is_and_counts_in_the_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.monotonic()
    tracks = JobTracks(1)
    tracks.add(Job(id="j", body_hash="h", created_at=0.0, options=SolveOptions(time_limit_seconds=10.0)))
    idle = shown(tracks, "j")["eta_seconds"]
    tracks.preparing = True
    loading = shown(tracks, "j")
    assert PREPARING in loading["message"] and "compiled" not in loading["message"], "kernels may well be in the cache"
    assert loading["eta_seconds"] > idle
    monkeypatch.setattr(time, "monotonic", lambda: now + LOADING_SECONDS + 2)
    compiling = shown(tracks, "j")
    assert COMPILING in compiling["message"]
    assert compiling["eta_seconds"] >= idle + COMPILING_SECONDS - LOADING_SECONDS - 4
    tracks.preparing = False
    assert shown(tracks, "j")["eta_seconds"] == idle
