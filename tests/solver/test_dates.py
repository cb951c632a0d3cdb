"""The term: which dates are taught, and what is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import WEEKDAYS
from solver.dates import Holiday, Term
from solver.errors import InputError
from solver.formats.native import dump_dataset, load_dataset
from solver.model import Dataset

MONDAY = date(2026, 9, 7)
WEEK = WEEKDAYS[:5]

TERM: dict[str, Any] = {
    "first_day": "2026-09-07",
    "weeks": 15,
    "time_zone": "Europe/Berlin",
    "holidays": ["2026-10-05", {"first": "2026-12-24", "last": "2027-01-03", "name": "Christmas"}],
    "moved_days": {"2026-10-06": "Monday"},
}


def document(term: object, **more: Any) -> dict[str, Any]:
    least = {"rooms": [{"id": "r", "capacity": 1}], "courses": [{"id": "c"}]}
    return {"schema": "timetable-dataset/2", **least, "term": term, **more}


def on(term: Term, names: tuple[str, ...], day: int) -> list[str]:
    return [each.date.isoformat() for each in term.dates(names) if each.day == day]


def test_a_day_of_the_week_is_taught_every_week() -> None:
    term = Term(first_day=MONDAY, weeks=3)
    assert on(term, WEEK, 0) == ["2026-09-07", "2026-09-14", "2026-09-21"]
    assert on(term, WEEK, 4) == ["2026-09-11", "2026-09-18", "2026-09-25"]
    assert term.last_day == date(2026, 9, 27)
    assert [each.week for each in term.dates(WEEK) if each.day == 4] == [1, 2, 3]


def test_a_term_may_begin_in_the_middle_of_a_week_and_a_week_on_any_day() -> None:
    term = Term(first_day=date(2026, 9, 9), weeks=2)
    assert on(term, WEEK, 0) == ["2026-09-14", "2026-09-21"]
    sunday = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday")
    assert on(term, sunday, 0) == ["2026-09-13", "2026-09-20"]
    assert on(term, sunday, 4) == ["2026-09-10", "2026-09-17"]


def test_ten_days_of_the_week_are_two_weeks() -> None:
    term = Term(first_day=MONDAY, weeks=4)
    names = tuple(f"{name} {letter}" for letter in "AB" for name in WEEK)
    assert on(term, names, 0) == ["2026-09-07", "2026-09-21"]
    assert on(term, names, 5) == ["2026-09-14", "2026-09-28"]


def test_days_that_are_no_days_of_the_week_rotate_over_those_that_are_taught() -> None:
    names = ("Day 1", "Day 2", "Day 3")
    term = Term(first_day=MONDAY, weeks=2, holidays=(Holiday(date(2026, 9, 9), date(2026, 9, 9)),))
    assert [each.date.day for each in term.dates(names)] == [7, 8, 10, 11, 14, 15, 16, 17, 18]
    assert [each.day for each in term.dates(names)] == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    moved = replace(term, moved={date(2026, 9, 12): "Day 3"})
    assert [(each.date.day, each.day) for each in moved.dates(names) if each.moved] == [(12, 2)]
    assert [each for each in moved.dates(names) if not each.moved] == list(term.dates(names))


def test_holidays_are_not_taught_and_moved_days_follow_another_plan() -> None:
    term = load_dataset(document(TERM)).term
    assert term is not None
    mondays = on(term, WEEK, 0)
    assert "2026-10-05" not in mondays and "2026-10-06" in mondays
    assert "2026-10-06" not in on(term, WEEK, 1)
    assert [each.moved for each in term.dates(WEEK) if each.date == date(2026, 10, 6)] == [True]


@given(
    st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    st.integers(1, 20),
    st.integers(0, 6),
    st.integers(1, 7),
    st.lists(st.integers(0, 100), max_size=5),
)
def test_every_week_has_each_of_its_days_once_but_for_holidays(
    first: date, weeks: int, begin: int, num_days: int, free: list[int]
) -> None:
    names = tuple(WEEKDAYS[(begin + n) % 7] for n in range(num_days))
    holidays = tuple(Holiday(first + timedelta(days=n), first + timedelta(days=n)) for n in free)
    term = Term(first_day=first, weeks=weeks, holidays=holidays)
    held = term.dates(names)
    assert [each.date for each in held] == sorted({each.date for each in held})
    for each in held:
        assert names[each.day] == WEEKDAYS[each.date.weekday()]
        assert (each.date - first).days // 7 + 1 == each.week
    lost = Counter((day - first).days for day in {h.first for h in holidays} if WEEKDAYS[day.weekday()] in names)
    assert len(held) == weeks * num_days - sum(n < 7 * weeks for n in lost)


def test_weeks_without_dates_are_a_term_too() -> None:
    term = load_dataset(document({"weeks": 12})).term
    assert term == Term(weeks=12)
    assert term.dates(WEEK) == () and term.last_day is None


@pytest.mark.parametrize("term", [TERM, {"weeks": 4}, {"weeks": 2, "first_day": "2026-09-07"}, None])
def test_a_term_survives_writing(term: object) -> None:
    read = load_dataset(document(term))
    assert load_dataset(dump_dataset(read)) == read
    assert dump_dataset(read).get("term") == term


@pytest.mark.parametrize(
    ("term", "pointer", "code"),
    [
        ({}, "/term/weeks", "missing"),
        ({**TERM, "weeks": 0}, "/term/weeks", "out_of_range"),
        ({**TERM, "weeks": 61}, "/term/weeks", "out_of_range"),
        ({**TERM, "first_day": "7 September"}, "/term/first_day", "bad_date"),
        ({**TERM, "first_day": "2026-02-30"}, "/term/first_day", "bad_date"),
        ({**TERM, "first_day": "1066-10-14"}, "/term/first_day", "out_of_range"),
        ({**TERM, "time_zone": "Middle Earth"}, "/term/time_zone", "bad_value"),
        ({**TERM, "time_zone": "EST"}, "/term/time_zone", "bad_value"),
        ({**TERM, "holidays": ["Easter"]}, "/term/holidays/0/first", "bad_date"),
        ({**TERM, "holidays": [{"first": "2026-10-05"}]}, "/term/holidays/0/last", "missing"),
        (
            {**TERM, "holidays": [{"first": "2026-10-05", "last": "2026-10-04"}]},
            "/term/holidays/0/last",
            "contradiction",
        ),
        ({**TERM, "moved_days": {"2026-10-06": "Funday"}}, "/term/moved_days/2026-10-06", "dangling_name"),
        ({**TERM, "moved_days": {"2027-10-06": "Monday"}}, "/term/moved_days/2027-10-06", "out_of_range"),
        ({**TERM, "moved_days": {"2026-10-05": "Monday"}}, "/term/moved_days/2026-10-05", "contradiction"),
        ({"weeks": 3, "holidays": ["2026-10-05"]}, "/term/first_day", "missing"),
        ("autumn", "/term", "wrong_type"),
    ],
)
def test_a_term_that_cannot_be_is_refused_where_it_is_wrong(term: object, pointer: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(document(term))
    assert [(issue.pointer, issue.code) for issue in caught.value.issues] == [(pointer, code)]


def test_the_first_schema_has_no_term() -> None:
    with pytest.raises(InputError) as caught:
        load_dataset(document(TERM, schema="timetable-dataset/1"))
    assert [(issue.pointer, issue.code) for issue in caught.value.issues] == [("/term", "newer_field")]


def test_a_dataset_of_its_own_checks_its_term(tmp_path: object) -> None:
    read = load_dataset(document(TERM))
    with pytest.raises(InputError, match="there is no day 'Sunday'"):
        replace(read, term=replace(read.term, moved={date(2026, 10, 6): "Sunday"}))  # type: ignore[type-var]
    assert isinstance(read, Dataset)
