"""Weeks of a term: which are alike, what they are called, and what of them is refused."""

from __future__ import annotations

import pytest

from solver.errors import InputError
from solver.verify import verify
from solver.weeks import week_classes, weeks_in_words
from tests.builders import course, dataset, link, part, timetable


def test_weeks_with_the_same_sessions_are_one_class() -> None:
    assert week_classes([None, None], 15) == (tuple(range(1, 16)),)
    assert week_classes([None, (1, 3, 5), (2, 4)], 5) == ((1, 3, 5), (2, 4))
    assert week_classes([(1, 2, 3), (1, 3)], 5) == ((1, 3), (2,)), "nothing is given in weeks 4 and 5"
    assert week_classes([None, (1, 2, 3), (1, 3)], 5) == ((1, 3), (2,), (4, 5))


def test_a_dataset_says_in_which_classes_a_part_is_given() -> None:
    data = dataset(course("a", parts=(part(weeks=(1, 3)), part(weeks=(2,)))), course("b"), weeks=3)
    assert data.week_classes == ((1, 3), (2,))
    assert data.classes_of_part == ((0,), (1,), (0, 1))
    assert not data.meet(("a", 0), ("a", 1))
    assert data.meet(("a", 0), ("b", 0))
    assert data.busiest([5, 6, 1]) == 7


def test_a_part_is_in_the_weeks_of_its_course_unless_it_says_others() -> None:
    whole = course("a", weeks=(1,), parts=(part(), part(weeks=(2,))))
    assert [each.weeks for each in whole.apart()] == [(1,), (2,)]


def test_without_a_term_there_is_one_class_of_all_weeks() -> None:
    data = dataset(course("a"), course("b", parts=(part(), part())))
    assert data.week_classes == ((),)
    assert data.classes_of_part == ((0,), (0,), (0,))


@pytest.mark.parametrize(
    ("weeks", "words"),
    [
        ((1, 3, 5), "odd weeks"),
        ((2, 4, 6), "even weeks"),
        ((3,), "week 3"),
        ((1, 2, 3), "weeks 1 to 3"),
        ((1, 2, 3, 5), "weeks 1 to 3 and 5"),
        ((1, 3, 6), "weeks 1, 3 and 6"),
    ],
)
def test_weeks_in_words(weeks: tuple[int, ...], words: str) -> None:
    assert weeks_in_words(weeks, 6) == words


@pytest.mark.parametrize(
    ("weeks", "total", "pointer", "code"),
    [
        ((1,), None, "/courses/0/parts/1/weeks", "no_term"),
        ((3, 1), 4, "/courses/0/parts/1/weeks", "bad_weeks"),
        ((1, 1), 4, "/courses/0/parts/1/weeks", "bad_weeks"),
        ((), 4, "/courses/0/parts/1/weeks", "bad_weeks"),
        ((1, 5), 4, "/courses/0/parts/1/weeks/1", "out_of_range"),
    ],
)
def test_weeks_that_the_term_does_not_have_are_refused(
    weeks: tuple[int, ...] | None, total: int | None, pointer: str, code: str
) -> None:
    with pytest.raises(InputError) as refused:
        dataset(course("a", parts=(part(), part(weeks=weeks))), weeks=total)
    assert [(issue.pointer, issue.code) for issue in refused.value.issues] == [(pointer, code)]


def test_links_that_are_about_a_meeting_leave_out_sessions_without_a_common_week() -> None:
    courses = course("a", weeks=(1,)), course("b", weeks=(2,)), course("c")
    data = dataset(*courses, link("not_overlap", "a", "b", "c"), link("same_day", "a", "b"), weeks=2)
    apart, together = (list(data.expand(each)) for each in data.links)
    assert apart == [(("a", 0), ("c", 0)), (("b", 0), ("c", 0))]
    assert together == [(("a", 0), ("b", 0))]


def test_the_same_offence_of_several_classes_is_told_once_with_their_weeks() -> None:
    data = dataset(
        course("a", faculty="f1"),
        course("b", faculty="f1", weeks=(1, 2)),
        course("c", faculty="f2", weeks=(1,)),
        weeks=3,
    )
    told = verify(data, timetable(a=0, b=0, c=4)).rules["faculty_clash"].offences
    assert [(offence.amount, offence.message) for offence in told] == [
        (2, "teacher f1 has 2 sessions at once on Monday 08:00: a and b, in weeks 1 to 2")
    ]
