"""Rows of the platform's database: kinds of rooms and equipment keep their signs, lectures stay out of laboratories."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from solver.formats.platform_csv import Imported
from solver.formats.platform_rows import Row
from solver.formats.platform_tables import PlatformTables, load_platform_tables

ROOMS = ({"room_type": "LECTURE_HALL"}, {"room_type": "COMPUTER_LAB"})


def read(*offerings: Mapping[str, str], rooms: tuple[Mapping[str, str], ...] = ROOMS) -> Imported:
    def rows(table: str, key: str, given: tuple[Mapping[str, str], ...], **usual: str) -> list[Row]:
        return [Row(table, n, {key: f"{table[0]}{n}", **usual, **cells}) for n, cells in enumerate(given)]

    found = rows("offerings", "offering_id", offerings, primary_faculty_id="f0")
    for n, row in enumerate(found):
        found[n] = Row(row.file, row.line, {"course_id": f"c{n}", **row.cells})
    return load_platform_tables(
        PlatformTables(
            name="U",
            rooms=rows("rooms", "room_id", rooms, seating_capacity="60"),
            faculty=rows("faculty", "faculty_id", ({},)),
            offerings=found,
            enrolments={row["offering_id"]: ["s1", "s2"] for row in found},
        )
    )


@pytest.mark.parametrize(
    ("offering", "types"),
    [
        ({"course_name": "Optics"}, ("lecture_hall",)),
        ({"course_name": "Optics Lab"}, ("computer_lab",)),
        ({"course_name": "Optics", "course_type": "PRACTICAL"}, ("computer_lab",)),
        ({"course_name": "Optics", "room_type_required": "Computer Lab"}, ("computer_lab",)),
        ({"course_name": "Optics Lab", "room_type_required": "LECTURE_HALL"}, ("lecture_hall",)),
    ],
)
def test_lectures_stay_out_of_laboratories_unless_the_data_say_otherwise(
    offering: Mapping[str, str], types: tuple[str, ...]
) -> None:
    found = read(offering)
    assert [course.room_types for course in found.dataset.courses] == [types]
    assert bool(found.decisions) == ("room_type_required" not in offering)


@pytest.mark.parametrize("kind", ["LECTURE_HALL", "LAB"])
def test_where_there_is_one_kind_of_room_any_will_do(kind: str) -> None:
    found = read({"course_name": "Optics"}, {"course_name": "Optics Lab"}, rooms=({"room_type": kind},))
    assert [course.room_types for course in found.dataset.courses] == [(), ()] and not found.decisions


def test_a_room_that_a_department_keeps_stays_its_own() -> None:
    own = {"room_type": "LECTURE_HALL", "dept_id": "D1", "allow_cross_department_usage": "false"}
    found = read({"dept_id": "D1"}, {"dept_id": "D2"}, rooms=(*ROOMS, own))
    assert [course.room_types for course in found.dataset.courses] == [
        ("lecture_hall", "lecture_hall of D1"),
        ("lecture_hall",),
    ]


def test_equipment_and_kinds_of_rooms_keep_their_signs() -> None:
    rooms = ({"room_type": "C Studio", "features": "{C,C++}"}, {"room_type": "C# Studio", "features": "{C#}"})
    found = read({"room_type_required": "c# studio", "room_features_required": '["c#"]'}, rooms=rooms)
    (course,) = found.dataset.courses
    assert (course.room_types, course.required_features) == (("c#_studio",), ("c#",))
    assert [room.features for room in found.dataset.rooms] == [("c", "c++"), ("c#",)]
