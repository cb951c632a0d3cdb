"""The snapshot: every field of both platform versions, a bar that never goes back, and an honest end."""

from __future__ import annotations

import itertools
import json
import math
import time
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.jobs import Event, Job, Status, advance
from app.domain.messages import IncumbentFrame, ProgressFrame
from app.domain.progress import FIRST_RESERVE, PLATFORM_STAGES, SPANS, Track
from app.domain.snapshot import PREPARING, document
from solver.control import STAGES, Stage
from solver.result import Quality, StoppedBy
from solver.rules import Score
from tests.effort import PROMPT_SECONDS
from tests.options import with_options

DESIGN_FIELDS = [
    "job_id",
    "status",
    "stage",
    "stage_progress",
    "overall_progress",
    "progress",
    "percentage",
    "message",
    "rung",
    "cost",
    "bound",
    "gap",
    "placed",
    "total",
    "eta_seconds",
    "time_remaining_seconds",
    "started_at",
    "last_updated",
    "last_improvement_at",
    "health",
    "stage_deadline_at",
    "attempt",
    "queue_position",
    "metadata",
]
PLATFORM_FIELDS = ["eta", "timestamp", "error"]
PLATFORM_NAMES = ["initializing", "loading", "clustering", "cpsat_solving", "ga_optimization", "rl_refinement"]


def job(**fields: Any) -> Job:
    return Job(id="j", body_hash="h", **with_options({"created_at": time.time(), **fields}))


def running(**fields: Any) -> Track:
    track = Track(advance(job(**fields), Event.CLAIM, time.time()))
    track.begin_attempt(time.time(), 30.0)
    return track


def says(stage: Stage, share: float = 0.5, **fields: Any) -> ProgressFrame:
    return ProgressFrame(stage=stage, share=share, **fields)


def shown(track: Track, position: int | None = None) -> dict[str, Any]:
    return document(track, position, math.ceil(track.seconds_left()))


def in_every_state() -> list[Track]:
    now = time.time()
    claimed = advance(job(), Event.CLAIM, now)
    done = advance(claimed, Event.COMPLETE, now, placed=3, total=3, score=Score(0, 0, 0, 1), quality=Quality.FEASIBLE)
    failed = advance(claimed, Event.FAIL, now, error="it broke")
    cancelled = advance(claimed, Event.CANCEL, now, stopped_by=StoppedBy.CANCELLED)
    return [Track(state) for state in (job(), claimed, done, failed, cancelled)]


@pytest.mark.parametrize("track", in_every_state(), ids=lambda track: str(track.job.status))
def test_every_state_shows_every_field_and_is_json(track: Track) -> None:
    document = shown(track, 1 if track.job.status is Status.QUEUED else None)
    assert {*DESIGN_FIELDS, *PLATFORM_FIELDS} <= set(document)
    json.dumps(document, allow_nan=False)
    assert isinstance(document["metadata"], dict)
    assert {"error", "semester", "academic_year", "stage"} <= set(document["metadata"])
    assert isinstance(document["eta_seconds"], int)
    assert isinstance(document["started_at"], float)


def test_stage_names_are_the_closed_set_of_the_platform() -> None:
    assert list(PLATFORM_STAGES) == PLATFORM_NAMES
    assert tuple(SPANS) == STAGES == get_args(Stage)
    assert [shown(track)["stage"] for track in in_every_state()][2:] == ["completed", "failed", "cancelled"]


def test_the_spans_of_the_stages_fill_the_bar_without_gap_or_overlap() -> None:
    spans = list(SPANS.values())
    assert spans[0].low == 0
    assert all(earlier.high == later.low for earlier, later in itertools.pairwise(spans))


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.floats(0, 1)), max_size=30))
def test_percent_and_platform_stage_never_go_back_in_a_run(frames: list[tuple[Stage, float]]) -> None:
    track = running()
    percents, stages = [], []
    for stage, share in frames:
        track.hear(says(stage, share))
        document = shown(track)
        percents.append(document["percentage"])
        stages.append(PLATFORM_NAMES.index(document["stage"]))
        assert document["metadata"]["stage"] == stage
        assert document["percentage"] == document["overall_progress"] < 100
    assert percents == sorted(percents) and stages == sorted(stages)


def test_a_new_attempt_keeps_the_bar_and_a_restart_begins_a_new_one() -> None:
    track = running()
    track.hear(says("search", 0.5))
    before = shown(track)["percentage"]
    track.set_job(advance(track.job, Event.LOSE, time.time(), error="killed"))
    assert (shown(track, 1)["percentage"], shown(track, 1)["status"]) == (before, "queued")
    track.set_job(advance(track.job, Event.CLAIM, time.time()))
    track.hear(says("load", 0.0))
    assert shown(track)["percentage"] == before
    track.set_job(advance(track.job, Event.CANCEL, time.time()))
    track.set_job(advance(track.job, Event.RESTART, time.time()))
    assert (shown(track, 1)["percentage"], shown(track, 1)["stage"]) == (0, "initializing")


def test_repeated_stages_move_the_bar_with_the_clock() -> None:
    track = running(time_limit_seconds=100.0, used_seconds=90.0)
    track.hear(says("construct", 0.0))
    assert 60 < shown(track)["percentage"] <= 75


def test_the_best_timetable_is_shown_and_a_worse_one_is_not() -> None:
    track = running()
    track.hear(IncumbentFrame(score=(0, 0, 0, 40), rung="full"))
    improved = shown(track)["last_improvement_at"]
    track.hear(IncumbentFrame(score=(0, 2, 0, 10), rung="greedy"))
    document = shown(track)
    assert (document["cost"], document["last_improvement_at"]) == (40, improved)
    assert document["levels"] == {"rigid": 0, "unplaced": 0, "bent": 0, "soft": 40}
    track.hear(says("exact", bound=30, placed=9, total=9))
    assert (shown(track)["bound"], shown(track)["gap"], shown(track)["placed"]) == (30, 0.25, 9)


def test_a_bound_above_the_cost_of_a_complete_timetable_is_not_shown() -> None:
    """A job that an earlier version began may hold one: by its rules the same timetable cost more."""
    track = running()
    track.hear(says("exact", bound=50))
    track.hear(IncumbentFrame(score=(0, 0, 0, 40), rung="full"))
    assert (shown(track)["cost"], shown(track)["bound"], shown(track)["gap"]) == (40, None, None)


def test_there_is_no_gap_while_hard_rules_are_bent() -> None:
    track = running()
    track.hear(IncumbentFrame(score=(0, 0, 3, 40), rung="full"))
    track.hear(says("search", bound=30))
    assert shown(track)["gap"] is None


def test_a_failure_says_why_in_all_three_places() -> None:
    document = shown(in_every_state()[3])
    assert document["error"] == document["message"] == document["metadata"]["error"] == "it broke"
    assert document["failed_at"] is not None and document["eta_seconds"] == 0


def test_what_the_client_sent_is_shown_but_never_over_our_own_fields() -> None:
    track = running(meta={"semester": 2, "academic_year": "2024-2025", "stage": "mine", "organization_id": "BHU"})
    track.hear(says("search"))
    metadata = shown(track)["metadata"]
    assert (metadata["semester"], metadata["academic_year"], metadata["organization_id"]) == (2, "2024-2025", "BHU")
    assert metadata["stage"] == "search"


def test_health_is_news_only_when_it_changes() -> None:
    track = running()
    before = track.version
    track.look("ok", None)
    assert track.version == before
    track.look("stalled", 123.0)
    assert (track.version, shown(track)["health"], shown(track)["stage_deadline_at"]) == (before + 1, "stalled", 123.0)


def test_a_stalled_child_is_told_in_words_with_its_place_and_what_will_happen() -> None:
    track = running()
    track.hear(says("exact", message="proving how much better it could be"))
    track.look("stalled", None, "DEADLOCK_SUSPECTED", "cpsat_search", silent_seconds=6.0)
    told = shown(track)
    assert told["message"].startswith("no sign of life for 6 s in stage exact (cpsat search); unless it wakes")
    assert "tried again at" in told["message"]
    assert (told["verdict"], told["metadata"]["verdict"]) == ("DEADLOCK_SUSPECTED", "DEADLOCK_SUSPECTED")
    assert told["metadata"]["place"] == "cpsat_search"
    assert 5.5 < time.time() - told["last_beat_at"] < 6 + PROMPT_SECONDS
    track.look("ok", None, silent_seconds=0.1)
    assert (shown(track)["message"], shown(track)["health"]) == ("proving how much better it could be", "ok")


def test_a_silence_that_computes_is_not_said_to_end_in_a_kill() -> None:
    track = running()
    track.hear(says("exact"))
    track.look("stalled", None, "NORMAL_PROCESSING", "cpsat_presolve", silent_seconds=130.0)
    assert "left alone" in shown(track)["message"]


def test_a_job_that_runs_elsewhere_is_shown_as_those_see_it_who_run_it() -> None:
    ours, theirs = running(), Track(advance(job(), Event.CLAIM, time.time()))
    assert shown(theirs)["message"] == "starting"
    ours.hear(says("search", message="looking for a better one", placed=7, total=9))
    ours.look("ok", time.time() + 30, place="local_search", silent_seconds=0.5)
    theirs.follow(ours.life(0.5), 1.0)
    told = shown(theirs)
    assert (told["message"], told["metadata"]["place"]) == ("looking for a better one", "local_search")
    assert (told["metadata"]["stage"], told["placed"], told["total"]) == ("search", 7, 9)
    assert 1.4 < time.time() - told["last_beat_at"] < 1.5 + PROMPT_SECONDS
    assert 30 - PROMPT_SECONDS < told["stage_deadline_at"] - time.time() < 30
    version = theirs.version
    theirs.follow(ours.life(0.5), 1.0)
    assert theirs.version == version, "nothing is new"


def test_a_child_that_hangs_elsewhere_is_called_stalled_and_an_attempt_that_is_over_says_nothing() -> None:
    ours, theirs = running(), Track(advance(job(), Event.CLAIM, time.time()))
    ours.hear(says("search"))
    ours.look("stalled", None, "INFINITE_LOOP", "local_search", silent_seconds=5.0)
    theirs.follow(ours.life(5.0), 0.5)
    told = shown(theirs)
    assert (told["health"], told["verdict"]) == ("stalled", "INFINITE_LOOP")
    assert "in stage search (local search); unless it wakes" in told["message"]
    theirs.follow(replace(ours.life(0.0), attempt=7, message="of another attempt"), 0.0)
    assert "another attempt" not in shown(theirs)["message"]


def test_a_silent_leak_is_said_to_grow_and_to_end_in_a_kill() -> None:
    track = running()
    track.hear(says("search"))
    track.look("stalled", None, "MEMORY_LEAK", "local_search", silent_seconds=6.0)
    told = shown(track)["message"]
    assert "its memory grows" in told and "it will be stopped and tried again at" in told


def test_life_goes_on_while_the_timetable_does_not_improve() -> None:
    track = running()
    track.hear(IncumbentFrame(score=(0, 0, 0, 40), rung="full"))
    improved = shown(track)["last_improvement_at"]
    track.look("ok", None, silent_seconds=0.0)
    track.hear(says("search"))
    assert shown(track)["last_improvement_at"] == improved <= shown(track)["last_beat_at"] + 0.001  # it is rounded


@given(st.lists(st.tuples(st.sampled_from(STAGES), st.floats(0, 1), st.booleans(), st.booleans()), max_size=30))
def test_percent_never_goes_back_whenever_the_service_is_killed(
    history: list[tuple[Stage, float, bool, bool]],
) -> None:
    """Checkpoints are taken now and then; a kill leaves the row of the last one, and the job is claimed again."""
    stored = advance(job(), Event.CLAIM, time.time())
    track = Track(stored, checkpointed=True)
    track.begin_attempt(time.time(), 30.0)
    seen: list[tuple[float, int]] = []
    for stage, share, checkpoint, kill in history:
        track.hear(says(stage, share))
        seen.append((shown(track)["percentage"], PLATFORM_NAMES.index(shown(track)["stage"])))
        if checkpoint:
            stored = replace(stored, percent=track.reserve(), stage=stage)
            track.kept(stored.percent)
            seen.append((shown(track)["percentage"], PLATFORM_NAMES.index(shown(track)["stage"])))
        if kill:
            stored = advance(advance(stored, Event.RELEASE, time.time()), Event.CLAIM, time.time())
            track = Track(stored, checkpointed=True)
            track.begin_attempt(time.time(), 30.0)
    assert seen == sorted(seen)


def test_a_checkpoint_that_was_not_stored_lets_the_bar_wait() -> None:
    track = Track(advance(job(), Event.CLAIM, time.time()), checkpointed=True)
    track.hear(says("variants", 0.5))
    assert shown(track)["percentage"] == FIRST_RESERVE
    version, reserved = track.version, track.reserve()
    assert shown(track)["percentage"] == FIRST_RESERVE
    track.kept(reserved)
    assert (shown(track)["percentage"], track.version) == (82.5, version + 1)
    assert reserved > 82.5


def test_an_ended_job_from_the_store_shows_what_it_held() -> None:
    stored = job(
        status=Status.COMPLETED, attempt=2, stage="verify", rung="full", score=Score(0, 0, 0, 7), placed=4, total=4
    )
    document = shown(Track(stored))
    assert (document["percentage"], document["cost"], document["rung"], document["placed"]) == (100, 7, "full", 4)
    assert document["message"] == "completed: 4 of 4 sessions placed"


def test_an_ended_job_tells_of_its_end_however_late_it_is_asked() -> None:
    ended = replace(job(), status=Status.COMPLETED, started_at=50.0, finished_at=100.0)
    told = document(Track(ended), None, 0)
    assert (told["last_updated"], told["timestamp"], told["eta"]) == (
        100.0,
        "1970-01-01T00:01:40+00:00",
        told["timestamp"],
    )


def test_a_job_that_waits_for_the_solver_to_load_says_so() -> None:
    waiting = Track(job())
    assert "made ready" in document(waiting, 1, 60, preparing=PREPARING)["message"]
    assert document(waiting, 1, 60)["message"] == "waiting at position 1"
