"""What is delivered: whoever looks for sessions finds them, once, and nothing grows without bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.views import shapes
from app.views.entries import Entries
from app.views.flags import conflicts_of
from app.views.shapes import RESULT_KEYS, SHAPES
from solver.model import Dataset, Timetable
from solver.verify import verify
from tests.app.views.test_variants import result_of, variant_of
from tests.builders import course, dataset, group, room, teacher, timetable

COURSE, OFFERING = "6f1d2a34-8f0e-4b67-9c55-2f6f8c1a0b7d", "0b7d2a34-8f0e-4b67-9c55-2f6f8c1a6f1d"


def joint() -> tuple[Dataset, Timetable]:
    """A session of two teachers, and one of another teacher with the name of the first, both in rooms called 1."""
    data = dataset(
        course(f"{COURSE}_off_{OFFERING}_sec1", faculty="f1 f2", students="s1 s2", batches={"b1": "CSE-1"}),
        course("c2", faculty="f3", students="s3", groups="g1"),
        *(room("r1", name="1", code="N1"), room("r2", name="1", code="S1")),
        *(teacher("f1", name="A. Rao"), teacher("f2", name="B. Sen"), teacher("f3", name="A. Rao")),
        group("g1", name="EE-1"),
    )
    return data, timetable({data.courses[0].id: (0, "r1"), "c2": (0, "r2")})


def rows_of(data: Dataset, table: Timetable) -> list[dict[str, Any]]:
    conflicts = conflicts_of(data, table, verify(data, table))
    return Entries(data).rows(table.placements, conflicts, students=True)


def test_a_row_has_one_teacher_and_its_students_once() -> None:
    first, second, other = rows_of(*joint())
    assert [(row["faculty_id"], row["faculty_name"]) for row in (first, second, other)] == [
        *(("f1", "A. Rao (f1)"), ("f2", "B. Sen"), ("f3", "A. Rao (f3)")),
    ]
    assert [row["student_ids"] for row in (first, second, other)] == [["s1", "s2"], [], ["s3"]]
    assert [(row["batch_id"], row["batch_ids"]) for row in (first, second, other)] == [
        *(("b1", ["b1"]), (None, []), ("g1", ["g1"])),
    ]
    assert (first["batch_name"], other["batch_name"]) == ("CSE-1", "EE-1")
    assert [row["offering_id"] for row in (first, second, other)] == [OFFERING, OFFERING, None]


def test_rooms_differ_in_every_row_of_one_time_and_their_codes_are_the_real_ones() -> None:
    rows = rows_of(*joint())
    assert [row["room_number"] for row in rows] == ["1 (N1)", "1 (N1) (with A. Rao (f1))", "1 (S1)"]
    assert [row["room_code"] for row in rows] == ["N1", "N1", "S1"]


def test_a_session_of_many_teachers_is_no_double_booking_of_its_room() -> None:
    data = dataset(course("a", faculty="f1 f2 f3 f4"), room("r1", name="101"))
    rooms = [row["room_number"] for row in rows_of(data, timetable(a=(0, "r1")))]
    assert rooms == ["101", "101 (with f1)", "101 (with f1, f2)", "101 (with f1, f2, f3)"]


def test_a_conflict_of_a_session_of_two_teachers_counts_once() -> None:
    data = dataset(course("a", faculty="f1 f2"), course("b", faculty="f2"), room("r1"), room("r2"))
    rows = rows_of(data, timetable(a=(0, "r1"), b=(0, "r2")))
    assert [(row["faculty_id"], row["has_conflict"]) for row in rows] == [("f1", True), ("f2", False), ("f2", True)]


def test_students_stand_in_the_variants_that_fit_and_never_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    data, table = joint()
    three = result_of(*(variant_of(data, table) for _ in range(3)))
    one_variant = len(json.dumps(["s1", "s2", "s3"], separators=(",", ":"))) - 1
    for fits in range(4):
        monkeypatch.setitem(shapes.STUDENT_BYTES, "timetable_data", fits * one_variant)  # type: ignore[arg-type]
        made: dict[str, Any] = SHAPES["timetable_data"](data, three)
        assert made.keys() | {"generated_at"} == set(RESULT_KEYS)
        assert ["student_ids" in v["timetable_entries"][0] for v in made["variants"]] == [n < fits for n in range(3)]
        assert not any("student_ids" in row for row in made["timetable_entries"])


def test_the_callback_names_subjects_by_their_own_id_and_books_each_room_once() -> None:
    data, table = joint()
    (variant,) = SHAPES["callback"](data, result_of(variant_of(data, table)))["variants"]  # type: ignore[misc]
    assert [(entry["subject_id"], entry["classroom_id"]) for entry in variant["entries"]] == [
        *((COURSE, "r1"), ("c2", "r2")),
    ]


@pytest.mark.parametrize("shape", ["timetable_data", "inline", "callback", "summary"])
def test_every_shape_says_what_is_open(shape: str) -> None:
    data = dataset(course("a", sessions=3))
    made: dict[str, Any] = SHAPES[shape](data, result_of(variant_of(data, timetable(a=[0, 5, None]))))
    (variant,) = made["variants"]
    assert variant["name"] == variant.get("label", variant["name"]) == "Balanced (1 of 3 sessions has no place)"
