"""The best timetable of a job is damaged in the store: the job is solved anew, and nothing damaged is published."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.domain.jobs import Event, advance
from app.domain.messages import pack
from app.settings import Settings
from app.store.opening import open_store
from solver.formats.native import dump_timetable, load_result
from solver.model import Timetable
from solver.result import StoppedBy
from solver.rules import Score
from tests.service.conftest import Open, ended, until
from tests.service.damage import SOUND, leave
from tests.service.solvers import COURSES, cost, timetable

pytestmark = pytest.mark.anyio
CLASHES = Timetable(placements=tuple(replace(placed, slot=0, room_id="r0") for placed in timetable(9).placements))

ALTERED = {
    "timetable": "UPDATE incumbents SET timetable = substr(timetable, 1, 40)",
    "score": "UPDATE incumbents SET score = '[0, 0, 0, 0]'",
    "nonsense": "UPDATE incumbents SET score = 'x', rung = NULL",
}
"""What somebody does to the row behind our back."""
OF_ANOTHER_VERSION: Mapping[str, Mapping[str, Any]] = {
    "schema": {"timetable": pack({"schema": "timetable/9", "placements": []})},
    "no document": {"timetable": b"not packed at all"},
    "cut off": {"timetable": SOUND[:40]},
    "rung": {"rung": "perfect"},
}
"""Rows whose seal fits, and that this program cannot read."""


ALTERED_ROWS = [pytest.param({"alter": statement}, id=f"altered {name}") for name, statement in ALTERED.items()]
OTHER_ROWS = [pytest.param({"written": row}, id=f"other {name}") for name, row in OF_ANOTHER_VERSION.items()]
ONE_OF_EACH = [ALTERED_ROWS[0], OTHER_ROWS[0]]
"""One that the store finds, and one that the child finds."""


@pytest.mark.parametrize("damage", [*ALTERED_ROWS, *OTHER_ROWS])
async def test_the_next_attempt_begins_from_scratch_and_says_why(
    open_service: Open, place: dict[str, Any], damage: dict[str, Any]
) -> None:
    leave(place, "tour", **damage)
    async with open_service(**place) as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)
        message = (await supervisor.attempts("j"))[1]["message"]
        assert message.startswith("the best timetable of the attempts before was set aside: ")
        stored, job = await supervisor.result("j"), await supervisor.job("j")
        assert stored is not None and job is not None
        assert load_result(stored.result).best.score == job.score == Score(0, 0, 0, cost(3))


@pytest.mark.parametrize("damage", ONE_OF_EACH)
async def test_a_job_that_was_only_to_be_recounted_is_solved_again(
    open_service: Open, place: dict[str, Any], damage: dict[str, Any]
) -> None:
    leave(place, "tour", publish=StoppedBy.DEADLINE, **damage)
    async with open_service(**place) as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)
        job = await supervisor.job("j")
        assert job is not None and job.stopped_by is StoppedBy.STALLED


async def test_a_timetable_that_breaks_a_rigid_rule_is_not_published_but_solved_anew(
    open_service: Open, place: dict[str, Any]
) -> None:
    leave(place, "tour", publish=StoppedBy.CRASH, written={"timetable": pack(dump_timetable(CLASHES))})
    async with open_service(**place) as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)


@pytest.mark.parametrize("damage", ONE_OF_EACH)
async def test_a_job_that_was_to_be_finished_ends_with_the_first_timetable_that_is_found_anew(
    open_service: Open, tmp_path: Path, damage: dict[str, Any]
) -> None:
    leave({"data_dir": tmp_path}, "patient", publish=StoppedBy.FINISHED_EARLY, finish_requested=True, **damage)
    async with open_service() as supervisor:
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["attempt"]) == ("completed", cost(3), 2)
        job = await supervisor.job("j")
        assert job is not None and job.stopped_by is StoppedBy.FINISHED_EARLY


async def test_when_the_anew_begun_attempt_is_lost_as_well_the_job_goes_on_from_what_that_has_found(
    open_service: Open, place: dict[str, Any]
) -> None:
    leave(place, "crash_with_a_timetable", publish=StoppedBy.DEADLINE, alter=ALTERED["score"])
    async with open_service(**place) as supervisor:
        await until(supervisor, "j", lambda s: s["attempt"] == 2 and s["cost"] == cost(2))
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"]) == ("completed", cost(4))


@pytest.mark.parametrize("damage", ONE_OF_EACH)
async def test_of_a_cancelled_job_nothing_is_shown_and_it_can_be_restarted(
    open_service: Open, place: dict[str, Any], damage: dict[str, Any]
) -> None:
    leave(place, "tour", **damage)
    with closing(open_store(Settings(**place))) as store:
        job = store.job("j")
        assert job is not None
        store.move(job, advance(job, Event.CANCEL, time.time()))
    async with open_service(**place) as supervisor:
        assert await supervisor.result("j") is None
        await supervisor.restart("j")
        last = await ended(supervisor, "j")
        assert (last["status"], last["cost"], last["placed"]) == ("completed", cost(3), COURSES)
