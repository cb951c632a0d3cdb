"""Reports of users, each with what should be counted; our own words for the same stand in `rule_cases`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from solver import SolveParams, advice_on, diagnose, solve
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


def test_a_way_that_does_not_fit_between_two_lessons_breaks_a_hard_rule() -> None:
    assert counts("travel_gap_shorter_than_trip")["travel"] == 6, "30 of 60 minutes are missing"


def test_an_hour_of_lunch_keeps_two_sessions_from_following_each_other() -> None:
    data = load_dataset(case("theory_lab_consecutive_over_lunch.json"))
    told = verify(data, timetable(TH=(3, "R1"), LAB=(4, "L")))
    assert told.counts["link"] == 1
    assert verify(data, timetable(TH=(7, "R1"), LAB=(4, "L"))).counts["link"] == 0


def test_a_part_time_teacher_is_measured_by_the_days_that_there_are() -> None:
    data = load_dataset(case("part_time_teacher_load_balance.json"))
    four_a_day = timetable(A=[(0, "R1"), (1, "R1"), (8, "R1"), (9, "R1")], B=[(n, "R1") for n in (2, 3, 10, 11)])
    assert verify(data, four_a_day).counts["load_balance"] == 0


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pin_moves_by_grid_clamp", "so slots are numbered 7 a day: slot 7 is the first one of the second day"),
        ("travel_names_no_building", "no room stands in the building 'South Campus' of travel_minutes"),
    ],
)
def test_what_looks_forgotten_is_told(name: str, told: str) -> None:
    assert any(told in issue.message for issue in advice_on(load_dataset(case(f"{name}.json"))))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pin_three_faults_one_told", ["the course may not start", "teacher T is away", "R1, seats 10"]),
        ("twelve_hours_default_daily_limit", ["a limit of 2 per day (the default of max_sessions_per_day)"]),
    ],
)
def test_all_that_stands_against_a_course_is_told(name: str, told: list[str]) -> None:
    proofs = " ".join(proof.sentence for proof in diagnose(load_dataset(case(f"{name}.json"))))
    assert all(words in proofs for words in told)


def test_a_week_from_sunday_to_thursday_is_said_as_one() -> None:
    document = json.loads(case("cannot_express/sunday_week_as_seven_days.json"))
    document["schema"] = "timetable-dataset/2"
    document["time_grid"]["days"] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday"]
    del document["time_grid"]["working_days"]
    for room in document["rooms"]:
        del room["unavailable"]
    for k, taught in enumerate(document["courses"][:2]):
        taught["allowed_slots"] = [f"{day} {k + 1}" for day in document["time_grid"]["days"]]
    data, table = solved(document)
    first, lab = table.by_session["A1", 0].slot, table.by_session["LAB", 0].slot
    assert first < lab, "Sunday comes first, for links as for people"
    assert {data.time_grid.name_of(p.slot) for p in table.placements if p.course_id == "A1"} == {
        f"{day} 08:00" for day in document["time_grid"]["days"]
    }
