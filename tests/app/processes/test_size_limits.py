from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.processes.size_limits import MILLION, check_document, check_model, model_size
from app.settings import Settings
from solver.errors import InputError
from solver.formats.native import dump_dataset
from solver.model import Course, Dataset, Room
from solver.samples import sample as fresh_sample

sample = cache(fresh_sample)


def settings(**given: Any) -> Settings:
    return Settings(data_dir=Path("unused"), **given)


def refused(document: dict[str, Any], **limits: Any) -> set[str]:
    with pytest.raises(InputError) as caught:
        check_document(document, settings(**limits), "/dataset")
    assert {issue.code for issue in caught.value.issues} == {"too_large"}
    return {f"{issue.pointer} {issue.message.split()[4].strip(',')}" for issue in caught.value.issues}


def test_every_amount_that_is_too_much_is_named_in_one_answer() -> None:
    document = dump_dataset(sample("college"))
    limits = {"max_sessions": 1, "limit_rooms": 1, "limit_people": 1, "limit_enrolments": 1}
    assert refused(document, **limits) == {
        "/dataset/courses sessions",
        "/dataset/rooms rooms",
        "/dataset/faculty teachers",
        "/dataset/groups groups",
        "/dataset/courses students",
        "/dataset/courses enrolments",
    }
    link = {"type": "not_overlap", "sessions": [["a", 0], ["b", 0]]}
    assert refused({"links": [link, link]}, limit_links=1) == {"/dataset/links links"}


@pytest.mark.parametrize("name", ["tiny", "college", "bhu"])
def test_the_samples_are_far_below_every_limit(name: str) -> None:
    dataset = sample(name)
    check_document(dump_dataset(dataset), settings(max_sessions=10_000), "/dataset")
    check_model(dataset, settings(limit_places=500, limit_pairs=1), "/dataset")


@pytest.mark.parametrize(
    "document",
    [{}, {"courses": 5}, {"courses": [1, None, {"student_ids": 5}, {"sessions_per_week": "many"}]}, {"rooms": {}}],
)
def test_wrong_types_are_the_business_of_those_who_read_on(document: dict[str, Any]) -> None:
    check_document(document, settings(), "")


def test_places_count_only_rooms_that_suit() -> None:
    rooms = (
        Room(id="lab", capacity=30, type="lab"),
        Room(id="hall", capacity=100, type="lecture_hall", features=("projector",)),
        Room(id="plain", capacity=100, type="lecture_hall"),
    )
    course = Course(id="c", sessions_per_week=2, expected_students=50, allowed_slots=(0, 1, 2))
    dataset = Dataset(rooms=rooms, courses=(course,))
    assert model_size(dataset).places == 2 * 3 * 2
    for change, suitable in (
        ({"required_features": ("projector",)}, 1),
        ({"room_types": ("lab",), "expected_students": 20}, 1),
        ({"expected_students": 5}, 3),
    ):
        changed = replace(course, **change)
        assert model_size(replace(dataset, courses=(changed,))).places == 2 * 3 * suitable


def test_pairs_count_courses_with_a_common_student_and_never_more_than_there_are() -> None:
    courses = [Course(id=f"c{i}", student_ids=("anna", "ben") if i < 3 else ("carl",)) for i in range(4)]
    dataset = Dataset(rooms=(Room(id="r", capacity=9),), courses=tuple(courses))
    assert model_size(dataset).pairs == 6, "three pairs, counted for each of two students, and six pairs in all"
    assert model_size(replace(dataset, courses=tuple(courses[2:]))).pairs == 0


def test_a_model_that_is_too_large_is_refused_with_its_largest_causes() -> None:
    bhu = sample("bhu")
    size = model_size(bhu)
    assert size.places > 100 * MILLION
    with pytest.raises(InputError) as caught:
        check_model(bhu, settings(limit_places=100), "/dataset")
    (issue,) = caught.value.issues
    assert (issue.pointer, issue.code, issue.value) == ("/dataset/courses", "too_large", size.places)
    assert repr(size.causes[0][0]) in issue.message
