"""Slots written as day and period or day and clock: what each word names, and that it can be read back."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import TimeGrid
from solver.errors import InputError
from solver.formats.answers import load_timetable
from solver.formats.native import dump_dataset, load_dataset
from solver.formats.slot_words import SlotWords, UnknownSlot
from tests.builders import timetable
from tests.calendars import SUNDAY_WEEK, random_grid

GRID: dict[str, Any] = {
    "days": ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday"],
    "bells": {
        "": ["08:00-08:50", "09:00-09:50", "10:20-11:10", "11:20-12:10"],
        "Thursday": ["08:00-08:40", "08:45-09:25", "09:45-10:25"],
    },
    "breaks": [
        {"name": "Breakfast", "start": "09:50", "end": "10:20", "days": ["Sunday", "Monday", "Tuesday", "Wednesday"]},
        {"name": "Breakfast", "start": "09:25", "end": "09:45", "days": ["Thursday"], "run_over": True},
    ],
    "lunch": None,
}
"""`SUNDAY_WEEK` as a document says it."""


def document(**course: Any) -> dict[str, Any]:
    return {
        "schema": "timetable-dataset/2",
        "time_grid": GRID,
        "rooms": [{"id": "r", "capacity": 9}],
        "courses": [{"id": "c", **course}],
    }


def issues_of(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as caught:
        load_dataset(found)
    return [(issue.pointer, issue.code, issue.message) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("word", "slots"),
    [
        ("Monday 3", (6,)),
        ("Monday 10:20", (6,)),
        ("monday 09:00", (5,)),
        ("  MON   9:00 ", (5,)),
        ("Tu 1", (8,)),
        ("Thursday", (16, 17, 18)),
        ("Monday", (4, 5, 6, 7)),
        ("Monday 09:10-10:30", (5, 6)),
        ("Monday 09:50 - 11:20", (6,)),
        ("Thursday 08:40-08:46", (17,)),
    ],
)
def test_a_word_names_the_slots_that_people_mean(word: str, slots: tuple[int, ...]) -> None:
    assert SlotWords(SUNDAY_WEEK).slots(word) == slots


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("Friday 3", "there is no day 'friday'; the days are Sunday, Monday, Tuesday, Wednesday, Thursday"),
        ("T 1", "'t' may be any of several days"),
        ("Thursday 4", "Thursday has periods 1 to 3, not 4"),
        ("Thursday 0", "Thursday has periods 1 to 3, not 0"),
        ("Thursday 09:00", "on Thursday no period starts at 09:00; its periods are 08:00-08:40, 08:45-09:25"),
        ("Thursday noon", "behind the day stands a period (3), a clock time (10:00) or two of them"),
        ("Thursday 09:25-09:45", "Thursday has no period from 09:25 to 09:45"),
        ("Thursday 10:00-09:00", "from 10:00 to 09:00 is no time of a day"),
        ("", "there is no day ''"),
        ("Monday " + "1" * 100, "a slot is named in at most 80 characters"),
    ],
)
def test_a_word_that_names_no_slot_is_told_what_there_is(word: str, message: str) -> None:
    with pytest.raises(UnknownSlot) as caught:
        SlotWords(SUNDAY_WEEK).slots(word)
    assert message in str(caught.value)


def test_days_whose_names_begin_alike_are_told_apart() -> None:
    numbered = SlotWords(TimeGrid(days=tuple(f"Day {n}" for n in range(1, 12)), slots_per_day=2))
    assert numbered.slots("Day 1") == (0, 1)
    assert numbered.slots("Day 11 2") == (21,)
    assert numbered.slots("day 1 2") == (1,)
    with pytest.raises(UnknownSlot):
        numbered.slots("Day 2:00")


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 40), max_size=12))
def test_what_is_written_in_words_reads_back_in_the_same_order(seed: int, picks: list[int]) -> None:
    time_grid = random_grid(Random(seed))
    slots = tuple(time_grid.slots[n % len(time_grid.slots)] for n in picks)
    words = SlotWords(time_grid)
    assert tuple(slot for word in words.written(slots) for slot in words.slots(word)) == slots


def test_days_and_spans_are_written_as_such() -> None:
    assert SlotWords(SUNDAY_WEEK).written((4, 5, 6, 7, 8, 9, 15, 16, 3)) == [
        "Monday", "Tuesday 08:00-09:50", "Wednesday 11:20", "Thursday 08:00", "Sunday 11:20",
    ]  # fmt: skip


def test_every_place_of_a_dataset_takes_words() -> None:
    said = {
        **document(allowed_slots=["Monday", 0], fixed=[{"session": 0, "slot": "Mon 2"}]),
        "rooms": [{"id": "r", "capacity": 9, "unavailable": ["Thursday"]}],
        "faculty": [{"id": "f", "unavailable": ["Sunday 1", 2], "preferences": {"Monday": 0.9, "8": 0.1}}],
        "groups": [{"id": "g", "unavailable": ["Thursday 09:30-10:00"]}],
        "history": [{"faculty_id": "f", "slot": "Monday 09:00", "rating": 0.5}],
    }
    read = load_dataset(said)
    assert read.time_grid == SUNDAY_WEEK
    (course,), (teacher,) = read.courses, read.faculty
    assert (course.allowed_slots, course.fixed[0].slot) == ((4, 5, 6, 7, 0), 5)
    assert read.rooms[0].unavailable == (16, 17, 18)
    assert (teacher.unavailable, dict(teacher.preferences)) == ((0, 2), {**dict.fromkeys(range(4, 8), 0.9), 8: 0.1})
    assert read.groups[0].unavailable == (18,)
    assert read.history[0].slot == 5
    written = dump_dataset(read)
    assert written["faculty"][0]["unavailable"] == ["Sunday 08:00", "Sunday 10:20"]
    assert written["courses"][0]["fixed"][0]["slot"] == "Monday 09:00"
    assert load_dataset(written) == read


def test_wrong_words_are_all_told_where_they_stand_and_nothing_else_is() -> None:
    said = document(allowed_slots=["Monday", "Freitag"], fixed=[{"session": 0, "slot": "Monday"}])
    said["faculty"] = [{"id": "f", "preferences": {"Monday": 0.5, "Monday 1": 0.2, "Someday": 1}}]
    assert issues_of(said) == [
        ("/faculty/0/preferences/Monday 1", "duplicate", "slot 4 is named twice, here by 'Monday 1'"),
        ("/faculty/0/preferences/Someday", "bad_slot", "there is no day 'someday'; the days are Sunday, Monday, "
         "Tuesday, Wednesday, Thursday"),
        ("/courses/0/allowed_slots/1", "bad_slot", "there is no day 'freitag'; the days are Sunday, Monday, "
         "Tuesday, Wednesday, Thursday"),
        ("/courses/0/fixed/0/slot", "bad_slot", "one slot is wanted here, and 'Monday' names 4"),
    ]  # fmt: skip


def test_words_are_not_blamed_for_a_grid_that_cannot_be_read() -> None:
    for grid, pointer in (({"days": 5}, "/time_grid/days"), ({"days": ["Monday", "Monday"]}, "/time_grid/days/1")):
        said = {**document(allowed_slots=["Someday"], fixed=[{"session": 0, "slot": "Someday"}]), "time_grid": grid}
        assert [pointer_ for pointer_, _, _ in issues_of(said)] == [pointer]


def test_the_first_schema_knows_no_words_and_none_of_the_new_fields() -> None:
    said = {**document(allowed_slots=["Monday"]), "schema": "timetable-dataset/1"}
    assert [(pointer, code) for pointer, code, _ in issues_of(said)] == [
        ("/time_grid/days", "newer_field"),
        ("/time_grid/bells", "newer_field"),
        ("/time_grid/breaks", "newer_field"),
        ("/courses/0/allowed_slots/0", "wrong_type"),
    ]
    assert "timetable-dataset/2 has the field days" in issues_of(said)[0][2]


def test_a_timetable_may_say_when_in_words_where_the_grid_is_known() -> None:
    rows = [{"course_id": "c", "session": 0, "slot": "Thursday 3", "room_id": "r1"}]
    assert load_timetable({"placements": rows}, SUNDAY_WEEK) == timetable(c=18)
    with pytest.raises(InputError, match="periods 1 to 3, not 9"):
        load_timetable({"placements": [{**rows[0], "slot": "Thursday 9"}]}, SUNDAY_WEEK)


@pytest.mark.parametrize(
    ("grid", "pointer", "code"),
    [
        ({"bells": {"": ["08:00"]}}, "/time_grid/bells//0", "bad_time"),
        ({"bells": {"": ["08:00-25:00"]}}, "/time_grid/bells//0", "bad_time"),
        ({"bells": []}, "/time_grid/bells", "wrong_type"),
        ({"days": ["A", "B"], "working_days": 3}, "/time_grid/working_days", "contradiction"),
        ({"breaks": [{"name": "Tea", "start": "10:00"}]}, "/time_grid/breaks/0/end", "missing"),
        ({"breaks": [{"name": "Tea", "start": "10:00", "end": "09:00"}]}, "/time_grid/breaks/0/end", "impossible_grid"),
    ],
)
def test_a_calendar_that_cannot_be_read_is_told_by_its_field(grid: dict[str, Any], pointer: str, code: str) -> None:
    assert [issue[:2] for issue in issues_of({**document(), "time_grid": grid})] == [(pointer, code)]
