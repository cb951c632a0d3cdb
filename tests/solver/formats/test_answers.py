"""Timetables and results through JSON and back."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats.answers import dump_result, dump_timetable, load_result, load_timetable
from solver.model import Dataset, Timetable
from solver.result import (
    Concession,
    Conflict,
    Coverage,
    CurvePoint,
    Diagnosis,
    Offence,
    OpenSession,
    Proof,
    Quality,
    Repair,
    Result,
    RungVisit,
    StoppedBy,
    Variant,
)
from solver.rules import Score
from solver.verify import verify
from tests.builders import course, dataset, datasets, grid, random_timetable, timetable


def through_json(document: dict[str, object]) -> dict[str, object]:
    """As it comes back from a file; NaN and infinity would not."""
    read: dict[str, object] = json.loads(json.dumps(document, allow_nan=False))
    return read


def full_result(data: Dataset, rng: Random) -> Result:
    """A result that uses every field, about random timetables."""
    offence = Offence(rule="link", amount=2, message="two", sessions=(("a", 0), ("b", 1)), entities=("a", "b"))
    repair = Repair(slot=3, room_id="r", moves=((("a", 0), 4, "r"),), sentence="move it")

    def variant(name: str) -> Variant:
        table = random_timetable(data, rng)
        return Variant(
            name=name,
            label=name.title(),
            timetable=table,
            report=verify(data, table),
            rung="relaxed",
            quality=Quality.RELAXED,
            concessions=(
                Concession(rule="link", sentence="holds", count=2, unit="pair", cost=40, offences=(offence,)),
            ),
            open_sessions=(OpenSession(course_id="a", session=1, blockers=("full",), repairs=(repair,)),),
            better_at=("group_gap",),
            distances={"other": 0.25},
        )

    score = Score(rigid=0, unplaced=1, bent=2, soft=3)
    return Result(
        variants=(variant("balanced"), variant("other")),
        stopped_by=StoppedBy.FINISHED_EARLY,
        lower_bound=None,
        diagnosis=Diagnosis(
            proofs=(Proof(code="p", sentence="s", entities=("a",), rules=("link",), needed=3, available=2),),
            conflicts=(Conflict(sentences=("s",), rules=("link",), minimal=True),),
            evidence="two_solves",
        ),
        journal=(RungVisit(rung="full", entered=0.0, left=1.5, outcome="left", why="deadline", score=score),),
        curve=(CurvePoint(seconds=0.125, score=score, source="search"),),
        coverage=Coverage(core_courses=1, reinserted_courses=2, open_courses=3, total_courses=6),
        context={"weights": {"temporal": 0.3}, "skipped": ["social"], "simplified": False, "nothing": None},
        seed=7,
        seconds=12.5,
        versions={"solver": "1"},
        notes=("a note",),
    )


@given(datasets(), st.integers(0, 2**32 - 1))
def test_a_timetable_survives(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    assert load_timetable(through_json(dump_timetable(table))) == table
    assert load_timetable(json.dumps(dump_timetable(table)).encode()) == table


@given(datasets(), st.integers(0, 2**32 - 1))
def test_a_result_survives_with_every_field_and_type(data: Dataset, seed: int) -> None:
    result = full_result(data, Random(seed))
    read = load_result(through_json(dump_result(result)))
    assert read == result
    assert isinstance(read.best.score, Score) and read.best.score == result.best.score
    assert read.stopped_by is StoppedBy.FINISHED_EARLY
    assert read.best.report.quality_index == result.best.report.quality_index


@given(datasets(max_courses=3), st.integers(0, 2**32 - 1))
def test_the_same_result_gives_the_same_bytes(data: Dataset, seed: int) -> None:
    first, second = (json.dumps(dump_result(full_result(data, Random(seed)))) for _ in range(2))
    assert first == second
    assert json.dumps(dump_result(load_result(first))) == first


@given(datasets(max_courses=3), st.integers(0, 2**32 - 1))
def test_a_timetable_can_be_taken_from_a_result(data: Dataset, seed: int) -> None:
    result = full_result(data, Random(seed))
    assert load_timetable(through_json(dump_result(result))) == result.best.timetable


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ({}, "/placements", "missing"),
        ({"placements": {}}, "/placements", "wrong_type"),
        ({"placements": [], "extra": 1}, "/extra", "unknown_field"),
        ({"placements": [], "schema": "timetable/2"}, "/schema", "bad_schema"),
        ({"placements": [3]}, "/placements/0", "wrong_type"),
        ({"placements": [{"course_id": "a", "session": 0, "slot": 1}]}, "/placements/0/room_id", "missing"),
        (
            {"placements": [{"course_id": "a", "session": True, "slot": 1, "room_id": "r"}]},
            "/placements/0/session",
            "wrong_type",
        ),
        (
            {"placements": [{"course_id": "a", "session": 0, "slot": 1, "room_id": "r"}] * 2},
            "/placements/1",
            "duplicate",
        ),
    ],
)
def test_what_is_wrong_with_a_timetable_is_said_with_a_pointer(document: object, pointer: str, code: str) -> None:
    with pytest.raises(InputError) as raised:
        load_timetable(json.dumps(document))
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [(pointer, code)]


def test_an_empty_timetable_is_a_timetable() -> None:
    assert load_timetable({"placements": []}) == Timetable()


@given(datasets(max_courses=2), st.integers(0, 2**32 - 1))
def test_a_damaged_result_is_refused_with_pointers(data: Dataset, seed: int) -> None:
    document = through_json(dump_result(full_result(data, Random(seed))))
    key = Random(seed).choice(["variants", "stopped_by", "diagnosis", "journal"])
    with pytest.raises(InputError) as raised:
        load_result({**document, key: 17})
    assert {issue.pointer for issue in raised.value.issues} == {f"/{key}"}


def test_a_result_without_variants_or_of_another_schema_is_refused() -> None:
    for document, code in (({"schema": "timetable-result/9"}, "bad_schema"), ([], "wrong_type")):
        with pytest.raises(InputError) as raised:
            load_result(json.dumps(document))
        assert [issue.code for issue in raised.value.issues] == [code]


def test_a_score_is_four_numbers_as_ever_unless_it_matters_who_is_left_open() -> None:
    alike = dataset(course("a"), course("b"), grid=grid(1, 1))
    assert len(written_score(alike)) == 4
    mixed = dataset(course("a"), course("b", subject_type="elective"), grid=grid(1, 1))
    assert written_score(mixed)[4:] == [[[0, 0, 1]]]


def written_score(data: Dataset) -> list[Any]:
    """The score of a result that places course a alone, as it is written; read again it is the same."""
    result = full_result(data, Random(1))
    variant = replace(result.best, timetable=timetable(a=0), report=verify(data, timetable(a=0)))
    document = through_json(dump_result(replace(result, variants=(variant,))))
    assert load_result(document).best.score == variant.score
    written: list[Any] = document["variants"][0]["report"]["score"]
    return written


def test_a_result_of_before_there_were_ranks_is_read() -> None:
    document = dump_result(full_result(dataset(course("a"), course("b")), Random(1)))
    assert [len(holder["score"]) for holder in (*document["journal"], *document["curve"])] == [4, 4]
    assert load_result(document).journal[0].score == Score(0, 1, 2, 3)
