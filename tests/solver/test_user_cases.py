"""Reports of users, each with what should be counted; our own words for the same stand in `rule_cases`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solver import SolveParams, solve
from solver.errors import InputError
from solver.formats.native import load_dataset, load_timetable
from solver.model import Dataset, Timetable
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


def solved(document: dict[str, Any]) -> tuple[Dataset, Timetable]:
    """A timetable that places every session and keeps every hard rule."""
    data = load_dataset(document)
    best = solve(data, SolveParams(time_limit_seconds=4.0, num_variants=1)).best
    assert (best.rung, best.score.complete) == ("full", True)
    return data, best.timetable


def test_parallel_courses_start_together_number_by_number() -> None:
    _, table = solved(json.loads(case("parallel_link_all_pairs.json")))
    slot = {key: placement.slot for key, placement in table.by_session.items()}
    assert [slot["A", n] for n in range(2)] == [slot["B", n] for n in range(2)]


def test_a_course_that_is_consecutive_has_its_hours_in_a_row() -> None:
    _, table = solved(json.loads(case("three_hours_in_a_row.json")))
    first, second, third = sorted(placement.slot for placement in table.placements)
    assert (second - first, third - second) == (1, 1)


def test_one_hour_on_three_days_is_asked_for_by_its_own_type_of_link() -> None:
    document = json.loads(case("cannot_express/mwf_same_hour.json"))
    with pytest.raises(InputError, match="same_hour asks for the same hour of the day"):
        load_dataset(document)
    document["links"][0]["type"] = "same_hour"
    data, table = solved(document)
    slots = [placement.slot for placement in table.placements]
    assert len({data.time_grid.period_of(slot) for slot in slots}) == 1
    assert len({data.time_grid.day_of(slot) for slot in slots}) == 3


def test_twice_a_day_is_wanted_only_as_a_double_lesson() -> None:
    document = json.loads(case("cannot_express/subject_twice_a_day_apart.json"))
    asked = {"type": "consecutive_if_same_day", "sessions": [["MATHS", None]]}
    data, table = solved(document | {"schema": "timetable-dataset/2", "links": [asked]})
    first, second = sorted(p.slot for p in table.placements if p.course_id == "MATHS")
    assert data.time_grid.day_of(first) != data.time_grid.day_of(second) or second == first + 1
