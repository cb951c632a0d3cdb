"""Weeks of courses and parts in documents, and wherever a timetable is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.views.entries import Entries
from solver.errors import InputError
from solver.formats.csv_export import dump_csv
from solver.formats.ctt import dump_ctt
from solver.formats.meetings import Weeks
from solver.formats.native import dump_dataset, load_dataset
from solver.formats.tim import dump_tim
from solver.formats.week_words import UnknownWeeks, weeks_of
from solver.model import Dataset
from solver.verify import verify
from tests.builders import course, dataset, part, timetable

ODD_OF_SIX = (1, 3, 5)


@pytest.mark.parametrize(
    ("word", "weeks"),
    [
        ("odd", [1, 3, 5, 7]),
        ("Even ", [2, 4, 6]),
        ("first half", [1, 2, 3, 4]),
        ("second  half", [5, 6, 7]),
        ("3", [3]),
        ("2-4", [2, 3, 4]),
        ("1-2, 5", [1, 2, 5]),
        ("first half, 3 - 6", [1, 2, 3, 4, 5, 6]),
    ],
)
def test_words_name_weeks_of_a_term_of_seven(word: str, weeks: list[int]) -> None:
    assert sorted(weeks_of(word, 7)) == weeks


@pytest.mark.parametrize("word", ["", "ood", "0", "8", "3-8", "4-2", "1-2-3", "1,,2", "-1", "odd" + ", 1" * 99])
def test_other_words_name_none(word: str) -> None:
    with pytest.raises(UnknownWeeks):
        weeks_of(word, 7)


def document(**course_fields: Any) -> dict[str, Any]:
    return {
        "schema": "timetable-dataset/2",
        "term": {"weeks": 6},
        "rooms": [{"id": "r", "capacity": 9}],
        "courses": [{"id": "a", **course_fields}],
    }


@pytest.mark.parametrize("said", ["odd", [1, 3, 5], ["1", "3-3", 5], ["odd", 1], [5, 3, 1, 3, "odd"]])
def test_weeks_are_said_in_words_or_numbers(said: object) -> None:
    assert load_dataset(document(weeks=said)).courses[0].weeks == ODD_OF_SIX


def test_each_part_has_weeks_of_its_own_and_they_survive_writing() -> None:
    data = load_dataset(document(parts=[{"kind": "lecture"}, {"kind": "lab", "weeks": "odd"}, {"weeks": [2, "6"]}]))
    assert [each.weeks for each in data.parts] == [None, ODD_OF_SIX, (2, 6)]
    assert load_dataset(dump_dataset(data)) == data
    assert "weeks" not in dump_dataset(load_dataset(document()))["courses"][0]


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"weeks": "od"}, "/courses/0/weeks", "bad_weeks"),
        ({"weeks": ["odd", "7"]}, "/courses/0/weeks/1", "bad_weeks"),
        ({"parts": [{"weeks": "9"}]}, "/courses/0/parts/0/weeks", "bad_weeks"),
        ({"weeks": [1, 7]}, "/courses/0/weeks/1", "out_of_range"),
        ({"weeks": []}, "/courses/0/weeks", "bad_weeks"),
        ({"weeks": 3}, "/courses/0/weeks", "wrong_type"),
        ({"weeks": ["odd", True]}, "/courses/0/weeks/0", "wrong_type"),
    ],
)
def test_what_names_no_weeks_is_refused(fields: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        load_dataset(document(**fields))
    assert (pointer, code) in [(issue.pointer, issue.code) for issue in refused.value.issues]


@pytest.mark.parametrize("said", ["odd", [1]])
def test_weeks_want_a_term(said: object) -> None:
    without = {name: value for name, value in document(weeks=said).items() if name != "term"}
    with pytest.raises(InputError) as refused:
        load_dataset(without)
    assert [(issue.pointer, issue.code) for issue in refused.value.issues] == [("/courses/0/weeks", "no_term")]


def test_of_a_term_that_cannot_be_read_nothing_else_is_blamed() -> None:
    with pytest.raises(InputError) as refused:
        load_dataset({**document(weeks="odd"), "term": {"weeks": "six"}})
    assert [issue.pointer for issue in refused.value.issues] == ["/term/weeks"]


def test_the_first_schema_has_no_weeks() -> None:
    first = {name: value for name, value in document(weeks=[1]).items() if name != "term"}
    with pytest.raises(InputError) as refused:
        load_dataset({**first, "schema": "timetable-dataset/1"})
    assert ("/courses/0/weeks", "newer_field") in [(issue.pointer, issue.code) for issue in refused.value.issues]


def test_whatever_is_written_of_a_session_says_its_weeks() -> None:
    data = dataset(
        course("a", code="PH1", name="Physics", groups="g", parts=(part("lab", weeks=(1, 3)), part(weeks=(2, 4)))),
        course("b", code="PH2", name="Optics", groups="g"),
        weeks=4,
    )
    table = timetable(a=[0, 0], b=4)
    names = ["Physics (lab, odd weeks)", "Physics (even weeks)", "Optics"]
    assert [meeting.name for meeting in Weeks(data, table).meetings] == names
    entries = Entries(data).of(table, verify(data, table))
    assert [entry["course_name"] for entry in entries] == names
    assert all(name in dump_csv(data, table) for name in names)


@pytest.mark.parametrize("write", [dump_ctt, dump_tim])
def test_a_format_that_knows_no_weeks_refuses_them(write: Callable[[Dataset], str]) -> None:
    with pytest.raises(InputError) as refused:
        write(dataset(course("a", faculty="f", weeks=(1,)), weeks=2))
    assert ("/courses/0/weeks", "not_expressible") in [(issue.pointer, issue.code) for issue in refused.value.issues]
