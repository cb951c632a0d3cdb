from __future__ import annotations

import threading
from collections import ChainMap
from functools import cache

import pytest
from hypothesis import given, settings

from solver.compiled import compile_dataset
from solver.control import BEAT_WORD, Control, Stop
from solver.cpsat import Explanation, explain
from solver.cpsat.assumptions import Assumption, assumptions_of
from solver.cpsat.explain import _Checker
from solver.labels import Labels
from solver.model import Dataset
from solver.result import Conflict
from solver.samples import sample
from solver.samples.contradictions import CONTRADICTIONS
from tests.builders import Planted, course, dataset, grid, group, link, planted, room, teacher
from tests.effort import FOR_EVER


def explained(data: Dataset, seconds: float = 20.0) -> Explanation:
    return explain(data, compile_dataset(data), control=Control(), seconds=seconds)


@cache
def of_the_sample(seed: int) -> tuple[Dataset, Explanation]:
    """The sample that cannot be solved, and why; it takes ten seconds to find out."""
    data = sample("infeasible", seed)
    return data, explained(data, 60.0)


def assumptions_named(data: Dataset, conflict: Conflict) -> list[Assumption]:
    return [
        assumption
        for assumption in assumptions_of(data, compile_dataset(data))
        if assumption.sentence in conflict.sentences
    ]


ONE_DAY = grid(1, 3)
IMPOSSIBLE = {
    "more sessions than slots": (
        dataset(course("a", sessions=2, allowed_slots=(1,)), grid=ONE_DAY),
        {"slot_forbidden"},
    ),
    "a teacher away": (
        dataset(course("a", sessions=2, faculty="f"), teacher("f", unavailable=[0, 1]), grid=ONE_DAY),
        {"faculty_unavailable"},
    ),
    "a group outside its shift": (
        dataset(course("a", groups="g"), group("g", unavailable=[0, 1, 2]), grid=ONE_DAY),
        {"group_unavailable"},
    ),
    "two courses of one teacher in one slot": (
        dataset(
            course("a", faculty="f", allowed_slots=(1,)),
            course("b", faculty="f", allowed_slots=(1,)),
            room("r1"),
            room("r2"),
            grid=ONE_DAY,
        ),
        {"faculty_clash", "slot_forbidden"},
    ),
    "two courses of one group in one slot": (
        dataset(
            course("a", groups="g", fixed=[(0, 0)]),
            course("b", groups="g", fixed=[(0, 0)]),
            room("r1"),
            room("r2"),
            grid=ONE_DAY,
        ),
        {"group_clash", "fixed_moved"},
    ),
    "a daily limit": (
        dataset(course("a", sessions=2, groups="g"), group("g", day=1), grid=ONE_DAY),
        {"group_daily_limit"},
    ),
    "a course limit": (dataset(course("a", sessions=3, limit=2), grid=ONE_DAY), {"course_daily_limit"}),
    "a weekly limit": (
        dataset(course("a", sessions=3, faculty="f"), teacher("f", week=2), grid=ONE_DAY),
        {"faculty_weekly_limit"},
    ),
    "a teacher's daily limit": (
        dataset(course("a", sessions=3, faculty="f"), teacher("f", day=2), grid=ONE_DAY),
        {"faculty_daily_limit"},
    ),
    "no such room": (
        dataset(course("a", types="lab"), room("r1", type="lecture_hall"), grid=ONE_DAY),
        {"room_unsuitable"},
    ),
    "no room large enough": (dataset(course("a", size=50), room("r1", 40), grid=ONE_DAY), {"room_capacity"}),
    "too few rooms": (dataset(course("a", sessions=2), course("b", sessions=2), grid=ONE_DAY), {"room_clash"}),
    "a circle of precedences": (
        dataset(course("a"), course("b"), link("precedence", "a", "b"), link("precedence", "b", "a"), grid=grid(5, 4)),
        {"link"},
    ),
    "a block longer than the day": (
        dataset(
            course("a", sessions=2, slots=2, limit=None),
            course("b"),
            link("grouped", "a", "b"),
            room("r1"),
            room("r2"),
            grid=grid(2, 3),
        ),
        {"link", "group_clash"},
    ),
    "common students": (
        dataset(
            course("a", students="s", fixed=[(0, 0)]),
            course("b", students="s", fixed=[(0, 0)]),
            room("r1"),
            room("r2"),
            grid=ONE_DAY,
        ),
        {"student_clash", "fixed_moved"},
    ),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_case_is_explained_by_its_rules_and_each_demand_is_needed(name: str) -> None:
    data, rules = IMPOSSIBLE[name]
    found = explained(data)
    assert found.evidence == "two_solves"
    (conflict,) = found.conflicts
    assert set(conflict.rules) == rules | {"unplaced"}
    assert conflict.minimal
    core = assumptions_named(data, conflict)
    assert len(core) == len(conflict.sentences)
    checker = _Checker(compile_dataset(data), Control())
    assert checker.impossible(core, 5.0) is True
    for i in range(len(core)):
        assert checker.impossible(core[:i] + core[i + 1 :], 5.0) is False


def test_sentences_name_people_and_places() -> None:
    data = dataset(
        course("a", code="PHY-1", sessions=2, faculty="f"),
        teacher("f", name="A. Rao", unavailable=[0, 1]),
        grid=grid(1, 3),
    )
    (conflict,) = explained(data).conflicts
    assert "PHY-1 has 2 sessions a week." in conflict.sentences
    assert "A. Rao is available in 1 slot: Monday 10:00." in conflict.sentences


@settings(max_examples=20, deadline=None)
@given(case=planted())
def test_nothing_is_called_impossible_where_a_timetable_exists(case: Planted) -> None:
    found = explained(case.dataset)
    assert found == Explanation()


def called(data: Dataset, id: str) -> str:
    """What people call a room, teacher, group or course, in sentences as well."""
    labels = Labels(data)
    return ChainMap(*map(dict, (labels.rooms, labels.teachers, labels.groups, labels.courses)))[id]


def test_every_contradiction_of_the_sample_is_found() -> None:
    data, found = of_the_sample(0)
    assert found.evidence is not None
    text = ["\n".join(conflict.sentences) for conflict in found.conflicts]
    for contradiction in CONTRADICTIONS:
        labels = [called(data, id) for id in contradiction.entities]
        assert any(all(label in words for label in labels) for words in text), contradiction.code
    assert all(conflict.minimal for conflict in found.conflicts)


@pytest.mark.parametrize("seed", range(2))
def test_a_conflict_of_the_sample_vanishes_with_any_of_its_demands_or_rules(seed: int) -> None:
    data, found = of_the_sample(seed)
    checker = _Checker(compile_dataset(data), Control())
    assert found.conflicts
    for conflict in found.conflicts:
        core = assumptions_named(data, conflict)
        assert len(core) == len(conflict.sentences)
        assert checker.impossible(core, 20.0) is True
        for gone in core:
            rest = [assumption for assumption in core if assumption is not gone]
            assert checker.impossible(rest, 20.0) is False, gone.sentence
        for rule in conflict.rules:
            rest = [assumption for assumption in core if rule not in assumption.rules]
            assert checker.impossible(rest, 20.0) is False, rule


def test_a_stop_ends_the_search_for_reasons() -> None:
    data = sample("infeasible")
    compiled, control = compile_dataset(data), Control()
    threading.Timer(0.5, lambda: control.request_stop(Stop.FINISH)).start()
    found = explain(data, compiled, control=control, seconds=FOR_EVER)
    assert all(not conflict.minimal or conflict.sentences for conflict in found.conflicts)


def test_a_problem_too_large_is_not_looked_at() -> None:
    data = dataset(*(course(f"c{i}", sessions=40) for i in range(200)), grid=grid(5, 8))
    compiled = compile_dataset(data)
    assert compiled.num_sessions * compiled.num_slots > 300_000
    control = Control()
    assert explain(data, compiled, control=control, seconds=60.0) == Explanation()
    assert control.words[BEAT_WORD] == 0, "nothing was solved"
