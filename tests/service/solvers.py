"""
Solvers that behave badly on purpose; the name of the dataset chooses one. Children of service tests call `solve`.

All work on the dataset of `campus()`: course `c0`, `c1` ... each with a teacher who likes one slot. A timetable of
*level* n has the first n courses where their teachers like it, so its cost is known and falls with every level.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from app import MEBIBYTE
from solver.context import build_context
from solver.control import Control, Place, Progress, Stage, Stop
from solver.ladder.ledger import quality_of
from solver.model import Dataset, Placement, Timetable
from solver.params import SolveParams
from solver.result import Diagnosis, OpenSession, Result, RungVisit, StoppedBy, Variant
from solver.verify import verify

COURSES = 12
STEP_SECONDS = 0.1
COST_PER_COURSE = 5
PLACES: dict[Stage, Place] = {
    "context": Place.CONTEXT_ENGINE,
    "construct": Place.CONSTRUCT,
    "search": Place.LOCAL_SEARCH,
    "exact": Place.MODEL_BUILD,
    "variants": Place.LOCAL_SEARCH,
}
STARVED_CORE = 0


def campus(behaviour: str) -> dict[str, Any]:
    """A native dataset on which `behaviour` shows itself."""
    return {
        "schema": "timetable-dataset/1",
        "name": behaviour,
        "time_grid": {"working_days": 6, "slots_per_day": 4, "start_time": "08:00", "end_time": "12:00", "lunch": None},
        "rooms": [{"id": f"r{i}", "capacity": 30} for i in range(COURSES)],
        "faculty": [{"id": f"f{i}", "preferences": {str(i): 1.0}} for i in range(COURSES)],
        "courses": [
            {"id": f"c{i}", "faculty_ids": [f"f{i}"], "expected_students": 30, "sessions_per_week": 1}
            for i in range(COURSES)
        ],
        "rules": {"context": {"tier": "off"}},
    }


def cost(level: int) -> int:
    return COST_PER_COURSE * (COURSES - level)


def timetable(level: int) -> Timetable:
    return Timetable(
        placements=tuple(
            Placement(course_id=f"c{i}", session=0, slot=i if i < level else i + COURSES, room_id=f"r{i}")
            for i in range(COURSES)
        )
    )


def level_of(start: Timetable | None) -> int:
    return 0 if start is None else sum(p.slot < COURSES for p in start.placements)


def solve(dataset: Dataset, params: SolveParams, control: Control, *, start: Timetable | None = None) -> Result:
    behaviour = BEHAVIOURS[dataset.name]
    deadline = min(control.deadline, time.monotonic() + params.time_limit_seconds)
    result: Result = behaviour(dataset, params, replace(control, deadline=deadline), level_of(start))
    return result


def result(dataset: Dataset, found: Timetable, control: Control, params: SolveParams) -> Result:
    report = verify(dataset, found, context=build_context(dataset, simplified=params.simplified_context))
    why = {Stop.CANCEL: StoppedBy.CANCELLED, Stop.FINISH: StoppedBy.FINISHED_EARLY}.get(control.stop, StoppedBy.STALLED)
    variant = Variant(
        name="balanced",
        label="Balanced",
        timetable=found,
        report=report,
        rung=params.start_at if report.score.complete else "manual",
        quality=quality_of(report, bound=0),
        open_sessions=tuple(
            OpenSession(course_id=course_id, session=session, blockers=()) for course_id, session in report.unplaced
        ),
    )
    visit = RungVisit(rung=params.start_at, entered=0.0, left=1.0, outcome="kept", why="", score=report.score)
    return Result(variants=(variant,), stopped_by=why, lower_bound=0, diagnosis=Diagnosis(), journal=(visit,))


def say(control: Control, params: SolveParams, stage: Stage, share: float = 0.0) -> None:
    control.place = PLACES[stage]
    control.report(Progress(stage=stage, share=share, message=stage, rung=params.start_at, total=COURSES))


def offer(dataset: Dataset, control: Control, level: int) -> None:
    found = timetable(level)
    control.on_incumbent(found, verify(dataset, found).score)


def steady(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Improves by a level in every step, from where it starts, and ends at the best or when it is asked to."""
    say(control, params, "context")
    while True:
        offer(dataset, control, level)
        say(control, params, "search", level / COURSES)
        if level == COURSES or control.should_stop:
            return result(dataset, timetable(level), control, params)
        level += 1
        time.sleep(STEP_SECONDS)


def patient(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Holds one timetable and beats until it is asked to end, or time is up."""
    level = max(level, 3)
    offer(dataset, control, level)
    while not control.should_stop:
        say(control, params, "search", 0.5)
        time.sleep(0.02)
    return result(dataset, timetable(level), control, params)


def stubborn(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Holds one timetable, beats, and never ends, whoever asks."""
    offer(dataset, control, max(level, 3))
    while True:
        say(control, params, "search", 0.5)
        time.sleep(0.02)


def lost_in_context(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """An endless loop before there is any timetable, unless the context is simplified."""
    say(control, params, "context")
    while not params.simplified_context:
        os.getpid()
    return steady(dataset, params, control, level)


def lost_in_search(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """An endless loop without a beat, always, and without a timetable."""
    say(control, params, "search")
    while True:
        os.getpid()


def silent_native(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Native code that holds the interpreter lock for ever: the child can neither hear nor speak."""
    offer(dataset, control, max(level, 3))
    say(control, params, "search")
    time.sleep(1.0)
    ctypes.PyDLL(None).sleep(3600)
    raise AssertionError


def hog(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Holds a timetable and eats memory."""
    offer(dataset, control, max(level, 3))
    eaten = []
    while True:
        say(control, params, "search")
        eaten.append(b"x" * (10 * MEBIBYTE))
        time.sleep(0.02)


def crash_on_full(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    if params.start_at == "full":
        say(control, params, "search")
        time.sleep(0.5)
        signal.raise_signal(signal.SIGSEGV)
    return steady(dataset, params, control, level)


def crash_always(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    say(control, params, "search")
    signal.raise_signal(signal.SIGABRT)
    raise AssertionError


def crash_with_a_timetable(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    offer(dataset, control, min(COURSES, level + 2))
    say(control, params, "search")
    time.sleep(0.6)
    os._exit(3)


def boaster(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Tells of a cost, and dies before its timetable is out."""
    offer(dataset, control, max(level, 3))
    say(control, params, "search")
    time.sleep(0.6)
    found = timetable(9)
    progress = Progress(stage="search", share=0.9, message="great", score=verify(dataset, found).score, bound=1)
    control.report(progress)
    time.sleep(0.6)
    os._exit(3)


def tour(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Comes through every stage, and holds a timetable from `construct` on."""
    for stage in PLACES:
        say(control, params, stage)
        if stage == "construct":
            offer(dataset, control, max(level, 3))
        time.sleep(STEP_SECONDS)
    return result(dataset, timetable(max(level, 3)), control, params)


def starved(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Works soundly, without a beat for a moment, and with the last claim on a processor."""
    offer(dataset, control, max(level, 3))
    say(control, params, "search")
    os.sched_setaffinity(0, {STARVED_CORE})
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text("19")
    began = time.thread_time()
    while time.thread_time() - began < 0.5:
        os.getpid()
    return result(dataset, timetable(3), control, params)


def raises(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    raise RuntimeError("a bug on purpose")


def memory_error(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    raise MemoryError


def empty(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    return result(dataset, Timetable(), control, params)


def liar(dataset: Dataset, params: SolveParams, control: Control, level: int) -> Result:
    """Claims the report of another timetable."""
    honest = result(dataset, timetable(5), control, params)
    return replace(honest, variants=(replace(honest.best, timetable=timetable(2)),))


BEHAVIOURS = {
    f.__name__: f
    for f in (
        steady,
        patient,
        stubborn,
        lost_in_context,
        lost_in_search,
        silent_native,
        hog,
        crash_on_full,
        crash_always,
        crash_with_a_timetable,
        boaster,
        tour,
        starved,
        raises,
        memory_error,
        empty,
        liar,
    )
}
