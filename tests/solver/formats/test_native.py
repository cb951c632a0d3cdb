"""The native dataset: what is written reads back equal, and all that is wrong with a document is said at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import MISSING, fields
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import model
from solver.calendar import Break, TimeGrid
from solver.errors import InputError
from solver.formats import shapes
from solver.formats.issues import MAX_COUNTED_ISSUES, MAX_ISSUES
from solver.formats.native import dump_dataset, load_dataset
from solver.model import Dataset, RuleSetting
from tests.builders import course, dataset, datasets, group, room, teacher
from tests.effort import grows_with_its_input
from tests.malformed.corpus import VALID, VALID_TEXT, changed

"""About ten times what an idle machine takes."""

MODELS: dict[type[shapes.Shape], type[Any]] = {
    shapes.TimeGridShape: TimeGrid,
    shapes.BreakShape: Break,
    shapes.RoomShape: model.Room,
    shapes.FacultyShape: model.Faculty,
    shapes.GroupShape: model.Group,
    shapes.PartShape: model.Part,
    shapes.CourseShape: model.Course,
    shapes.FixedShape: model.FixedSession,
    shapes.LinkShape: model.Link,
    shapes.RatingShape: model.Rating,
    shapes.RuleShape: model.RuleSetting,
    shapes.PlacementShape: model.Placement,
}


def found(document: object) -> list[tuple[str, str]]:
    """Pointer and code of every issue of a document."""
    with pytest.raises(InputError) as caught:
        load_dataset(document)  # type: ignore[arg-type]
    return [(issue.pointer, issue.code) for issue in caught.value.issues]


OF_PARTS = {(shapes.CourseShape, "kind")}
"""Only parts of a course have one."""


@given(datasets())
def test_a_dataset_survives_writing(data: Dataset) -> None:
    document = dump_dataset(data)
    assert load_dataset(document) == data
    assert load_dataset(json.dumps(document)) == data
    assert load_dataset(json.dumps(document, ensure_ascii=False, indent=1).encode("utf-8-sig")) == data
    assert json.dumps(dump_dataset(load_dataset(document))) == json.dumps(document)


@pytest.mark.parametrize("shape", MODELS, ids=lambda shape: shape.__name__)
def test_a_shape_has_the_fields_of_its_model_and_requires_the_same(shape: type[shapes.Shape]) -> None:
    stated = [each for each in fields(MODELS[shape]) if (shape, each.name) not in OF_PARTS]
    wanted = {each.name: each.default is MISSING and each.default_factory is MISSING for each in stated}
    assert {name: each.is_required() for name, each in shape.model_fields.items()} == wanted


def test_what_a_document_leaves_out_has_the_defaults_of_the_model() -> None:
    read = load_dataset(
        {"schema": "timetable-dataset/1", "rooms": [{"id": "r", "capacity": 9}], "courses": [{"id": "c"}]}
    )
    assert read == Dataset(rooms=(model.Room(id="r", capacity=9),), courses=(model.Course(id="c"),))


def test_the_defaults_of_this_schema_never_change() -> None:
    """Stores hold documents as they were sent: with another default, what was solved once would mean something else."""
    sparse = {
        "schema": "timetable-dataset/1",
        "rooms": [{"id": "r", "capacity": 1}],
        "faculty": [{"id": "f"}],
        "groups": [{"id": "g"}],
        "courses": [{"id": "c", "fixed": [{"session": 0, "slot": 0}]}],
        "links": [{"type": "same_day", "sessions": [["c", None]]}],
        "rules": {"link": {}},
    }
    grid = {"working_days": 6, "slots_per_day": 8, "start_time": "08:00", "end_time": "17:00", "slot_minutes": 60}
    owner = {"name": "", "department_id": None, "unavailable": []}
    coded = {**owner, "code": ""}
    limits = {"max_sessions_per_day": None}
    no_text, no_list = dict.fromkeys(("code", "name"), ""), ("faculty_ids", "group_ids", "student_ids", "room_types")
    assert dump_dataset(load_dataset(sparse)) == {
        "schema": "timetable-dataset/2",
        "name": "",
        "time_grid": {**grid, "lunch": {"start": "12:00", "end": "13:00"}},
        "rooms": [{**coded, "id": "r", "capacity": 1, "type": "lecture_hall", "features": [], "building": None}],
        "faculty": [{**coded, **limits, "id": "f", "max_sessions_per_week": None, "preferences": {}}],
        "groups": [{**owner, **limits, "id": "g", "size": 0, "part_of": [], "division": "", "student_ids": []}],
        "courses": [
            {
                **no_text,
                "batches": {},
                **{name: [] for name in (*no_list, "required_features", "prerequisites")},
                "id": "c",
                "department_id": None,
                "subject_type": "core",
                "credits": 0,
                "expected_students": None,
                "sessions_per_week": 1,
                "session_slots": 1,
                "min_days": 1,
                "max_sessions_per_day": 2,
                "allowed_slots": None,
                "priority": 0,
                "fixed": [{"session": 0, "slot": "Monday 08:00", "room_id": None}],
            }
        ],
        "links": [
            {
                "type": "same_day",
                "sessions": [["c", None]],
                "tier": "hard",
                "weight": 1,
                "value": None,
                "most": None,
                "pairing": None,
            }
        ],
        "history": [],
        "travel_minutes": {},
        "rules": {"link": {}},
    }


def test_fields_of_the_second_schema_are_refused_in_the_first_one_with_its_name() -> None:
    tie = {"type": "days_apart", "sessions": [["C3", None]], "most": 2, "pairing": "chain"}
    document = {**VALID, "links": [tie]}
    read = load_dataset({**document, "schema": "timetable-dataset/2"})
    assert (read.links[0].most, read.links[0].pairing) == (2, "chain")
    with pytest.raises(InputError) as caught:
        load_dataset(document)
    first, second = [issue for issue in caught.value.issues if issue.code == "newer_field"]
    assert (first.pointer, first.value, second.pointer) == ("/links/0/most", 2, "/links/0/pairing")
    assert second.message == "timetable-dataset/2 has the field pairing; write that as the schema"


def test_no_lunch_and_times_with_seconds_are_read() -> None:
    document = changed("/time_grid/lunch", None, changed("/time_grid/start_time", "08:00:00", VALID))
    grid = load_dataset(document).time_grid
    assert grid.lunch is None and grid.periods_of(0)[0][0] == 8 * 60
    del document["time_grid"]
    assert load_dataset(document).time_grid == TimeGrid()


def test_a_rule_may_be_given_a_tier_a_weight_and_a_value() -> None:
    rules = {"consecutive_limit": {"tier": "hard", "weight": 7, "value": 3}, "group_gap": {"weight": 0}}
    read = load_dataset({**VALID, "rules": rules}).rules
    assert read["consecutive_limit"] == RuleSetting(tier="hard", weight=7, value=3)
    assert read["group_gap"] == RuleSetting(weight=0)


def test_problems_of_shape_and_of_meaning_are_reported_together_in_document_order() -> None:
    document = changed("/rooms/0/capacity", "80")
    document = changed("/time_grid/working_days", 9, document)
    document = changed("/faculty/1/max_sessions_per_day", -1, document)
    document = changed("/courses/1/faculty_ids", ["F9"], document)
    document = changed("/courses/2/sessions_per_week", None, document)
    document = changed("/links/0/type", "after", document)
    document = changed("/rules/nonsense", {"tier": "hard"}, document)
    assert found(document) == [
        ("/time_grid/working_days", "out_of_range"),
        ("/rooms/0/capacity", "wrong_type"),
        ("/faculty/1/max_sessions_per_day", "out_of_range"),
        ("/courses/1/faculty_ids/0", "dangling_id"),
        ("/courses/2/sessions_per_week", "wrong_type"),
        ("/links/0/type", "unknown_link"),
        ("/rules/nonsense", "unknown_rule"),
    ]


def test_numbers_that_json_does_not_have_are_reported_with_everything_else() -> None:
    text = json.dumps(changed("/courses/0/credits", "@", changed("/rooms/0/capacity", -1))).replace('"@"', "NaN")
    assert found(text) == [("/rooms/0/capacity", "out_of_range"), ("/courses/0/credits", "not_finite")]


@pytest.mark.parametrize(
    ("path", "new", "reported"),
    [
        ("/faculty/0/max_sessions_per_week", "18", "/faculty/0/max_sessions_per_week"),
        ("/faculty/0/id", 1, "/faculty/0/id"),
        ("/faculty", {"F1": {}}, "/faculty"),
        ("/groups/0/size", "60", "/groups/0/size"),
        ("/groups/0", None, "/groups/0"),
        ("/rooms/0/capacity", "80", "/rooms/0/capacity"),
        ("/rooms/0", 7, "/rooms/0"),
        ("/courses/0/sessions_per_week", "3", "/courses/0/sessions_per_week"),
        ("/courses/0/id", ["C1"], "/courses/0/id"),
        ("/time_grid/slots_per_day", "6", "/time_grid/slots_per_day"),
        ("/time_grid/slots_per_day", 1.5, "/time_grid/slots_per_day"),
    ],
)
def test_an_entry_that_cannot_be_read_makes_no_other_one_wrong(path: str, new: object, reported: str) -> None:
    assert found(changed(path, new)) == [(reported, "wrong_type")]


def test_an_id_that_is_really_unknown_is_reported_although_another_entry_cannot_be_read() -> None:
    document = changed("/faculty/0/name", 5, changed("/courses/2/faculty_ids", ["F1", "F9"]))
    assert found(document) == [("/faculty/0/name", "wrong_type"), ("/courses/2/faculty_ids/1", "dangling_id")]


def test_a_repeated_id_is_reported_although_its_entry_cannot_be_read() -> None:
    document = changed("/rooms/1/id", "R1", changed("/rooms/1/capacity", None))
    assert found(document) == [("/rooms/1/capacity", "wrong_type"), ("/rooms/1/id", "duplicate")]


def test_a_document_that_is_no_object_is_refused() -> None:
    for document in (None, [], "[]", 5, b"5", True):
        if isinstance(document, str | bytes):
            assert found(document) == [("", "wrong_type")]
        else:
            with pytest.raises(InputError, match="must be an object"):
                load_dataset(document)  # type: ignore[arg-type]


def test_at_most_a_hundred_issues_are_reported_and_the_last_one_counts_the_rest() -> None:
    document = {**VALID, "rooms": [{"id": f"r{i}", "capacity": -1} for i in range(150)], "courses": [{"id": "c"}]}
    with pytest.raises(InputError) as caught:
        load_dataset({**document, "links": []})
    issues = caught.value.issues
    assert len(issues) == MAX_ISSUES
    assert (issues[-1].code, issues[-1].value) == ("more_issues", 51)
    assert [issue.pointer for issue in issues[:-1]] == [f"/rooms/{i}/capacity" for i in range(99)]


@pytest.mark.parametrize(
    "rooms_of",
    [
        lambda many: [1] * many,
        lambda many: [{"id": "r", "capacity": 1}] * many,
        lambda many: [{"id": "r", "capacity": 1, "features": [0] * many}],
    ],
    ids=["no objects", "one id", "one list"],
)
def test_tens_of_thousands_of_faults_are_refused_with_work_that_grows_with_them(
    rooms_of: Callable[[int], list[Any]],
) -> None:
    def work_of(many: int) -> Callable[[], None]:
        document = {"schema": VALID["schema"], "rooms": rooms_of(many), "courses": [{"id": "c"}]}

        def refused() -> None:
            with pytest.raises(InputError) as caught:
                load_dataset(document)
            assert len(caught.value.issues) == MAX_ISSUES
            counted = caught.value.issues[-1].value
            assert isinstance(counted, int) and counted >= min(many, MAX_COUNTED_ISSUES) / 2

        return refused

    assert grows_with_its_input(work_of, 45_000)


def university(num_courses: int) -> Dataset:
    rng, students = Random(1), [f"S{i:05d}" for i in range(num_courses * 38 // 5)]
    return dataset(
        *(teacher(f"F{i}", preferences=dict.fromkeys(range(10), 0.5)) for i in range(num_courses)),
        *(group(f"B{i}", 40) for i in range(num_courses // 6)),
        *(room(f"R{i}", 60) for i in range(num_courses * 2 // 5)),
        *(course(f"C{i}", faculty=f"F{i}", students=rng.sample(students, 38), sessions=3) for i in range(num_courses)),
    )


def test_a_university_is_read_with_work_that_grows_with_it() -> None:
    def work_of(num_courses: int) -> Callable[[], None]:
        large = university(num_courses)
        text = json.dumps(dump_dataset(large)).encode()

        def read() -> None:
            assert load_dataset(text) == large

        return read

    assert grows_with_its_input(work_of, 2_500)


# --- damage at random -----------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value: Any, here: str = "") -> list[str]:
    """The pointer of every place of a document but the whole."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in items for found in (f"{here}/{key}", *paths(item, f"{here}/{key}"))]


def refuses_or_reads(source: Any) -> None:
    try:
        load_dataset(source)
    except InputError as error:
        assert 1 <= len(error.issues) <= MAX_ISSUES
        for issue in error.issues:
            json.dumps(
                [issue.pointer, issue.code, issue.message, issue.value], allow_nan=False, ensure_ascii=False
            ).encode()


@given(st.sampled_from(paths(VALID)), VALUES, st.sampled_from(paths(VALID)), VALUES)
def test_a_damaged_document_is_read_or_refused_but_never_crashes(path: str, value: Any, other: str, more: Any) -> None:
    damaged = changed(path, value)
    try:
        damaged = changed(other, more, damaged)
    except (KeyError, IndexError, TypeError, ValueError):
        assert other.startswith(path), "the second place can only be gone with the first one"
    refuses_or_reads(damaged)


@given(st.integers(0, len(VALID_TEXT) - 1), st.binary(max_size=4), st.integers(0, 8))
def test_a_damaged_text_is_read_or_refused_but_never_crashes(at: int, put: bytes, dropped: int) -> None:
    refuses_or_reads(VALID_TEXT[:at] + put + VALID_TEXT[at + dropped :])


@given(st.binary(max_size=40) | st.text(max_size=40))
def test_any_bytes_and_any_text_are_refused(source: bytes | str) -> None:
    with pytest.raises(InputError):
        load_dataset(source)
