"""Sentences call things by name, day and clock."""

from __future__ import annotations

import pytest

from solver.names import Names, counted, listed, with_article
from tests.builders import course, dataset, grid, group, room, teacher


@pytest.fixture
def names() -> Names:
    return Names(
        dataset(
            course("C1", code="CS101", name="Programming", sessions=2),
            course("C2"),
            teacher("F1", name="A. Rao"),
            group("G1", name="G1"),
            room("R1", name="Hall"),
            grid=grid(days=2, periods=4, lunch_after=2),
        )
    )


def test_a_name_stands_alone_where_it_is_borne_once(names: Names) -> None:
    assert names.teacher("F1") == "A. Rao"
    assert names.group("G1") == "G1"
    assert names.room("R1") == "Hall"
    assert names.course("C1") == "CS101"


def test_students_are_named_only_where_their_ids_say_something(names: Names) -> None:
    assert (names.student("s1"), names.students(["s1", "s2"])) == ("student s1", "2 students (s1 and s2)")
    assert names.students(list("abcde")) == "5 students (a, b, c and 2 more)"
    unreadable = "6f1d2a34-8f0e-4b67-9c55-2f6f8c1a0b7d"
    assert (names.student(unreadable), names.students([unreadable])) == ("a student", "1 student")


def test_sessions_are_numbered_from_one_where_there_are_several(names: Names) -> None:
    assert names.session(("C1", 0)) == "CS101 session 1"
    assert names.session(("C2", 0)) == "C2"
    assert names.sessions([("C2", 0), ("C1", 1)]) == "C2 and CS101 session 2"


def test_slots_are_told_by_day_and_clock_with_lunch_between(names: Names) -> None:
    assert [names.slot(slot) for slot in (0, 1, 2, 7)] == [
        "Monday 08:00",
        "Monday 09:00",
        "Monday 11:00",
        "Tuesday 12:00",
    ]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a and b"),
        (list("abcd"), "a, b, c and d"),
        (list("abcdef"), "a, b, c, d and 2 more"),
    ],
)
def test_long_lists_are_cut(words: list[str], text: str) -> None:
    assert listed(words) == text


def test_counts_and_articles_fit_their_noun() -> None:
    assert [counted(0, "slot"), counted(1, "slot"), counted(2, "slot")] == ["0 slots", "1 slot", "2 slots"]
    assert counted(2, "day is", "days are") == "2 days are"
    assert [with_article("lab"), with_article("auditorium")] == ["a lab", "an auditorium"]
