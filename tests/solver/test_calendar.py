"""The weekly grid: named days, bell times, breaks, and what is refused."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import TimeGrid
from solver.errors import InputError
from solver.names import Names
from solver.verify import verify
from tests.builders import course, dataset, grid, group, room, teacher, timetable
from tests.calendars import SUNDAY_WEEK, pause, random_grid, ring


def test_a_week_begins_with_the_day_that_is_named_first() -> None:
    data = dataset(course("a"), grid=SUNDAY_WEEK)
    names = Names(data)
    assert (SUNDAY_WEEK.num_days, SUNDAY_WEEK.working_days, SUNDAY_WEEK.num_periods) == (5, 5, 4)
    assert [names.slot(slot) for slot in (0, 6, 16, 18)] == [
        "Sunday 08:00", "Monday 10:20", "Thursday 08:00", "Thursday 09:45",
    ]  # fmt: skip
    assert TimeGrid(working_days=2).day_names == ("Monday", "Tuesday")


def test_a_period_that_a_shorter_day_has_not_is_no_slot() -> None:
    assert SUNDAY_WEEK.num_slots == 20
    assert list(SUNDAY_WEEK.slots) == list(range(19))
    assert SUNDAY_WEEK.slots_of(4) == range(16, 19)
    assert not SUNDAY_WEEK.exists(19) and not SUNDAY_WEEK.can_start(19, 1) and not SUNDAY_WEEK.can_start(18, 2)
    with pytest.raises(IndexError):
        SUNDAY_WEEK.start_of(19)
    with pytest.raises(InputError, match="slot 19 would be period 4 of Thursday, which has 3 periods"):
        verify(dataset(course("a"), grid=SUNDAY_WEEK), timetable(a=19))
    for parts in (
        (course("a", allowed_slots=(19,)),),
        (course("a"), room("r", unavailable=[19])),
        (course("a"), teacher("f", unavailable=[19])),
        (course("a"), group("g", unavailable=[19])),
    ):
        with pytest.raises(InputError, match="period 4 of Thursday"):
            dataset(*parts, grid=SUNDAY_WEEK)


def test_a_session_runs_over_a_break_only_where_that_is_allowed() -> None:
    assert [slot for slot in SUNDAY_WEEK.slots if SUNDAY_WEEK.can_start(slot, 2)] == [
        *(0, 2, 4, 6, 8, 10, 12, 14),
        *(16, 17),  # on Thursday a session may go on behind breakfast
    ]
    assert SUNDAY_WEEK.rests(0) == SUNDAY_WEEK.walls(0) == {2}
    assert (SUNDAY_WEEK.rests(4), SUNDAY_WEEK.walls(4)) == ({2}, frozenset())


def test_passing_time_between_two_bells_is_no_break() -> None:
    plain = TimeGrid(working_days=1, bells={"": ring("08:00-08:50", "09:00-09:50")})
    assert not plain.rests(0)
    assert plain.can_start(0, 2)
    assert plain.minutes_between(0, 1) == 10


def test_minutes_lie_between_slots_whatever_the_day() -> None:
    assert SUNDAY_WEEK.minutes_between(1, 2) == 30
    assert SUNDAY_WEEK.minutes_between(17, 18) == 20
    assert SUNDAY_WEEK.minutes_between(3, 4) == 24 * 60 - (12 * 60 + 10) + 8 * 60
    assert SUNDAY_WEEK.minutes_between(1, 1) == -50
    assert SUNDAY_WEEK.gap_minutes == 40 and grid().gap_minutes == 60


def test_days_without_bells_are_cut_around_their_breaks() -> None:
    cut = TimeGrid(
        working_days=2, slots_per_day=4, breaks=(pause("Assembly", "09:00-09:20", "Tuesday"),), lunch=("11:20", "12:00")
    )
    assert cut.periods_of(0)[1:] == ((540, 600), (600, 660), (720, 780))
    assert cut.periods_of(1)[1:] == ((560, 620), (620, 680), (720, 780))
    assert (cut.rests(0), cut.rests(1)) == ({3}, {1, 3})
    assert not cut.alike


def test_the_usual_lunch_is_none_where_bells_ring_through_it() -> None:
    through = TimeGrid(days=("Friday",), bells={"": ring("11:30-12:20", "12:20-13:10")})
    around = TimeGrid(days=("Friday",), bells={"": ring("11:00-12:00", "13:00-14:00")})
    assert through.after_lunch(0) is None and not through.pauses_of(0)
    assert around.after_lunch(0) == 1
    assert TimeGrid(days=("Friday",), breaks=(pause("lunch", "13:00-14:00"),), lunch=None).after_lunch(0) == 5


def test_bells_are_never_too_few() -> None:
    assert TimeGrid(slots_per_day=9, bells={"": ring("08:00-09:00")}).shortened is None
    mixed = TimeGrid(slots_per_day=9, working_days=2, bells={"Monday": ring("08:00-09:00")})
    assert mixed.shortened is not None and "only 8 slots" in mixed.shortened


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"days": tuple(f"Day {n}" for n in range(15))}, "/time_grid/days", "too_large"),
        ({"days": ("Monday", "monday")}, "/time_grid/days/1", "duplicate"),
        ({"days": ("Monday", "")}, "/time_grid/days/1", "bad_name"),
        ({"days": ("Monday", " Tuesday")}, "/time_grid/days/1", "bad_name"),
        ({"bells": {"Someday": ring("08:00-09:00")}}, "/time_grid/bells/Someday", "dangling_name"),
        ({"bells": {"Monday": ()}}, "/time_grid/bells/Monday", "out_of_range"),
        ({"bells": {"": ring("08:00-09:00", "08:50-09:50")}}, "/time_grid/bells//1", "impossible_grid"),
        ({"bells": {"": ring("09:00-08:00")}}, "/time_grid/bells//0", "impossible_grid"),
        ({"bells": {"": ring("09:00-noon")}}, "/time_grid/bells//0", "bad_time"),
        ({"breaks": (pause("Tea", "10:00-10:00"),)}, "/time_grid/breaks/0/end", "impossible_grid"),
        ({"breaks": (pause("Tea", "10:00-ten"),)}, "/time_grid/breaks/0/end", "bad_time"),
        ({"breaks": (pause("", "10:00-10:10"),)}, "/time_grid/breaks/0/name", "bad_name"),
        ({"breaks": (pause("Tea", "10:00-10:10", "Sunday"),)}, "/time_grid/breaks/0/days/0", "dangling_name"),
        (
            {"bells": {"": ring("08:00-09:00")}, "breaks": (pause("Tea", "08:30-08:40"),)},
            "/time_grid/breaks/0",
            "impossible_grid",
        ),
        ({"bells": {"": ring("12:00-13:00")}, "lunch": ("12:30", "13:30")}, "/time_grid/lunch", "impossible_grid"),
        ({"breaks": (pause("Strike", "08:00-17:00", "Friday"),)}, "/time_grid/slot_minutes", "impossible_grid"),
    ],
)
def test_a_calendar_that_cannot_be_is_refused(fields: dict[str, object], pointer: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        dataset(course("a"), grid=TimeGrid(**fields))  # type: ignore[arg-type]
    assert [(issue.pointer, issue.code) for issue in caught.value.issues] == [(pointer, code)]


@given(st.integers(0, 2**32 - 1))
def test_a_session_can_start_where_the_clock_lets_it(seed: int) -> None:
    """By the clock alone: its periods follow each other on one day, and no break that it may not run over is inside."""
    time_grid = random_grid(Random(seed))
    for slot in range(time_grid.num_slots):
        for length in range(1, time_grid.num_periods + 2):
            day, slots = time_grid.day_of(slot), range(slot, slot + length)
            fits = all(time_grid.exists(t) and time_grid.day_of(t) == day for t in slots)
            if fits:
                inside = time_grid.start_of(slots[0]), time_grid.end_of(slots[-1])
                fits = not any(
                    inside[0] < pause.end and pause.start < inside[1] and not pause.run_over
                    for pause in time_grid.pauses_of(day)
                )
            assert time_grid.can_start(slot, length) == fits
