"""Every session that people must look at is told once, also where it has no place to stand in."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.views.flags import breaches_of, conflicts_of
from solver.model import Dataset, Timetable
from solver.verify import verify
from tests.builders import course, dataset, datasets, random_timetable, room, timetable


def told(data: Dataset, table: Timetable) -> dict[tuple[str, int], list[str]]:
    return conflicts_of(data, table, verify(data, table))


def test_an_open_session_is_told_by_one_of_its_course_else_of_its_teacher_else_of_its_department() -> None:
    data = dataset(
        course("a", sessions=2, faculty="f"),
        course("b", faculty="f"),
        course("c", faculty="f", department_id="D"),
        course("d", department_id="D"),
        course("e"),
    )
    assert told(data, timetable(a=[0, None], b=1, c=2, d=3, e=4)) == {
        ("a", 0): ["a session 2 has no place in this timetable"]
    }
    assert told(data, timetable(a=[None, None], b=1, e=3, d=4, c=None)) == {
        ("b", 0): ["a session 1 has no place in this timetable"],
        ("d", 0): ["c has no place in this timetable"],
        ("e", 0): ["a session 2 has no place in this timetable"],
    }


def test_what_finds_no_entry_to_tell_it_is_counted_by_the_first_one() -> None:
    data = dataset(course("a", sessions=4))
    assert told(data, timetable(a=[5, None, None, None])) == {
        ("a", 0): ["a session 2 has no place in this timetable", "2 more sessions have no place in this timetable"]
    }
    assert told(data, timetable(a=[None] * 4)) == {}, "there is no entry at all"


def test_a_session_in_a_breach_tells_of_that_and_of_nothing_else() -> None:
    data = dataset(course("a", sessions=2, faculty="f"), course("b", faculty="f"), room("r1"), room("r2"))
    table = timetable(a=[(0, "r1"), None], b=(0, "r2"))
    assert all("at once" in why[0] for why in told(data, table).values())
    assert [why[1:] for why in told(data, table).values()] == [["1 more session has no place in this timetable"], []]


@given(data=datasets(), seed=st.integers(0, 1000))
def test_so_many_entries_are_flagged_as_there_are_conflicts_as_far_as_there_are_entries(
    data: Dataset, seed: int
) -> None:
    table = random_timetable(data, Random(seed))
    report = verify(data, table, max_offences=1)
    conflicts = len(breaches_of(data, table, report)) + len(report.unplaced)
    flagged = conflicts_of(data, table, report)
    assert flagged.keys() <= table.by_session.keys()
    assert len(flagged) == min(conflicts, report.placed) and all(flagged.values())
