"""Reports of users, each with what should be counted; our own words for the same stand in `rule_cases`."""

from __future__ import annotations

import json

from solver.formats.native import load_dataset, load_timetable
from solver.verify import verify
from tests.builders import timetable
from tests.cases import case


def counts(name: str) -> dict[str, int]:
    return verify(load_dataset(case(f"{name}.json")), load_timetable(case(f"{name}.timetable.json"))).counts


def test_days_of_students_are_counted_whether_or_not_another_course_has_a_group() -> None:
    found = counts("student_rules_vanish_with_one_group")
    assert (found["consecutive_limit"], found["last_slot"]) == (20, 5)


def test_a_class_and_its_half_clash_once_it_is_said_that_it_is_one() -> None:
    document = json.loads(case("class_and_its_halves_clash.json"))
    for half in document["groups"][1:]:
        half["part_of"] = ["1A"]
    together = timetable({"MATHS": [(0, "R1"), (1, "R1")], "LAB-a": (0, "R2")})
    assert verify(load_dataset(document), together).counts["group_clash"] == 1
