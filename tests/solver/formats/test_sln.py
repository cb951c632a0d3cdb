"""Answers to post-enrolment problems: a line per event."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats.sln import dump_sln, load_sln
from solver.model import Dataset, Timetable
from tests.builders import course, dataset, datasets, random_timetable, room, timetable

DATA = dataset(course("a", sessions=2), course("b"), room("r1"), room("r2"))


def test_an_answer_has_a_line_per_session_and_minus_one_for_those_left_out() -> None:
    table = timetable(a=[(19, "r2"), None], b=0)
    assert dump_sln(DATA, table) == "19 1\n-1 -1\n0 0\n"
    assert load_sln("19 1\r\n-1 -1\n\n  0\t0", DATA) == table


@given(datasets(), st.integers(0, 2**32 - 1))
def test_a_timetable_survives_writing(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    table = Timetable(placements=tuple(p for p in table.placements if len(p.room_ids) == 1))
    assert load_sln(dump_sln(data, table), data) == table


def test_a_session_in_no_room_or_in_several_cannot_be_written() -> None:
    data = dataset(course("o", rooms_needed=0), course("x", rooms_needed=2), room("r1"), room("r2"))
    with pytest.raises(InputError) as raised:
        dump_sln(data, timetable(o=(0, None), x=(0, "r1", "r2")))
    found = [(issue.pointer, issue.code) for issue in raised.value.issues]
    assert found == [(f"/placements/{n}/room_id", "not_expressible") for n in range(2)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("", [("/line/1", "wrong_count")]),
        ("0 0\n1 0\n", [("/line/2", "wrong_count")]),
        ("0 0\n1 0\n2 0\n3 0\n", [("/line/4", "wrong_count")]),
        ("0 0\n1 0 1\n2 0\n", [("/line/2", "wrong_count")]),
        ("0 0\n20 0\n2 0\n", [("/line/2", "bad_slot")]),
        ("0 0\n1 2\n2 x\n", [("/line/2", "dangling_id"), ("/line/3", "wrong_type")]),
        ("0 0\n-1 0\n2 -1\n", [("/line/2", "bad_slot"), ("/line/3", "dangling_id")]),
        ("0 0\n-2 -2\n2 0\n", [("/line/2", "wrong_type"), ("/line/2", "wrong_type")]),
    ],
)
def test_a_fault_is_reported_at_its_line(answer: str, expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError) as raised:
        load_sln(answer, DATA)
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == expected


def test_a_placement_of_something_else_is_refused() -> None:
    with pytest.raises(InputError) as raised:
        dump_sln(DATA, timetable(a=(3, "nowhere"), c=4))
    assert [issue.pointer for issue in raised.value.issues] == ["/placements/0", "/placements/1"]
