"""The judge: every rule by hand, truth on random timetables, offenders named, nothing of the machinery imported."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.context import Context
from solver.errors import InputError
from solver.model import Dataset, Placement, RuleSetting, Timetable
from solver.result import Report
from solver.rules import RULE_IDS, profile_of, score
from solver.verify import COUNTERS, earlier_counts, verify
from tests.builders import (
    Planted,
    course,
    dataset,
    datasets,
    grid,
    link,
    planted,
    random_timetable,
    room,
    teacher,
    timetable,
)
from tests.effort import grows_with_its_input
from tests.solver.rule_cases import CASES, Case, case_id


def context_of(data: Dataset, slot_points: int = 0, building_points: int = 0) -> Context:
    """The same points for every course; the shape is that of the real context."""
    buildings = (None, *dict.fromkeys(r.building for r in data.rooms if r.building is not None))
    shape = (len(data.parts), data.time_grid.num_slots)
    stand_in = SimpleNamespace(
        buildings=buildings,
        slot_points=np.full(shape, slot_points, dtype=np.int32),
        building_points=np.full((len(data.parts), len(buildings)), building_points, dtype=np.int32),
    )
    return cast(Context, stand_in)


def counted(data: Dataset, answer: Timetable) -> Report:
    return verify(data, answer, context=context_of(data))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_broken_rule_is_counted_and_its_offender_named(case: Case) -> None:
    rule = counted(case.dataset, case.breaks).rules[case.rule]
    assert rule.count == case.count
    assert sum(offence.amount for offence in rule.offences) == case.count
    assert any(case.words in offence.message for offence in rule.offences), [o.message for o in rule.offences]
    assert 0 < rule.broken <= rule.checks


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_rule_that_is_just_kept_counts_nothing(case: Case) -> None:
    rule = counted(case.dataset, case.keeps).rules[case.rule]
    assert (rule.count, rule.broken, rule.offences) == (0, 0, ())
    assert rule.kept == 1.0


def test_every_rule_but_context_has_a_case_by_hand() -> None:
    assert {case.rule for case in CASES} == set(RULE_IDS) - {"context"}


def test_context_counts_the_points_of_the_time_and_of_the_place() -> None:
    data = dataset(course("a", sessions=2), room("r1", building="A"))
    rule = verify(data, timetable(a=[0, 4]), context=context_of(data, 3, 4)).rules["context"]
    assert rule.count == 2 * (3 + 4)
    assert (rule.broken, rule.checks) == (1, 2)
    assert (
        rule.offences[0].message
        == "a session 1 is on Monday 08:00 in room r1: 3 points for the time and 4 for the place"
    )


def test_context_is_built_when_none_is_given() -> None:
    data = dataset(course("a", faculty="f1"))
    assert verify(data, timetable(a=0)).rules["context"].checks == 1


def test_a_session_that_cannot_run_from_its_start_is_forbidden_there() -> None:
    data = dataset(course("a", slots=2, faculty="f1"), grid=grid(days=2, periods=4, lunch_after=2))
    for slot, forbidden in ((0, 0), (1, 1), (2, 0), (3, 1)):
        rule = counted(data, timetable(a=slot)).rules["slot_forbidden"]
        assert rule.count == forbidden, slot
        assert all("run into a break or past the day" in offence.message for offence in rule.offences)


def test_a_session_never_reaches_into_the_next_day() -> None:
    data = dataset(course("a", slots=3, faculty="f1"), course("b", faculty="f1"))
    assert counted(data, timetable(a=3, b=4)).counts["faculty_clash"] == 0


def test_links_that_are_off_or_touch_open_sessions_count_nothing() -> None:
    data = dataset(
        course("a"), course("b"), course("c"), link("same_day", "a", "b"), link("same_start", "a", "c", tier="off")
    )
    report = counted(data, timetable(a=0, c=5))
    assert report.counts["link"] == report.counts["soft_link"] == 0


def test_rules_that_are_off_are_counted_and_cost_nothing() -> None:
    case = next(case for case in CASES if case.rule == "student_gap")
    rule = counted(case.dataset, case.breaks).rules["student_gap"]
    assert (rule.tier, rule.count, rule.cost) == ("off", 1, 0)


def test_costs_add_up_to_the_score() -> None:
    data = dataset(
        course("a", faculty="f1", size=30),
        course("b", faculty="f1"),
        course("c"),
        room("r1", 20),
        rules={"room_capacity": "soft", "room_stability": RuleSetting(weight=7)},
    )
    report = counted(data, timetable(a=0, b=0))
    assert report.score == score(report.counts, profile_of(data), unplaced=1)
    assert report.score.rigid == 2  # teacher and room
    assert report.rules["room_capacity"].cost == 10
    assert sum(rule.cost for rule in report.rules.values()) == sum(report.score.levels.values()) - report.score.unplaced


def test_unplaced_sessions_are_listed_in_the_order_of_the_dataset() -> None:
    data = dataset(course("a", sessions=2), course("b"))
    report = counted(data, timetable(a=[None, 3]))
    assert report.unplaced == (("a", 0), ("b", 0))
    assert (report.placed, report.total, report.score.unplaced) == (1, 3, 2)
    assert not report.score.complete


def test_an_empty_timetable_breaks_nothing() -> None:
    report = counted(dataset(course("a", faculty="f1", min_days=1)), timetable())
    assert set(report.counts.values()) == {0}
    assert report.score.numbers == (0, 1, 0, 0)


def test_unknown_placements_are_refused_all_at_once() -> None:
    placements = (("x", 0, 0, "r1"), ("a", 1, 0, "r1"), ("a", 0, 99, "r9"))
    answer = Timetable(
        placements=tuple(Placement(course_id=c, session=n, slot=t, room_id=r) for c, n, t, r in placements)
    )
    with pytest.raises(InputError) as error:
        counted(dataset(course("a")), answer)
    assert [(issue.pointer, issue.code) for issue in error.value.issues] == [
        ("/placements/0/course_id", "dangling_id"),
        ("/placements/1/session", "out_of_range"),
        ("/placements/2/room_id", "dangling_id"),
        ("/placements/2/slot", "bad_slot"),
    ]


def test_the_worst_offences_are_named_first_and_cut() -> None:
    data = dataset(*(course(f"c{i}", size=10 * i) for i in range(6)), room("r1", 0))
    answer = timetable({f"c{i}": i for i in range(6)})
    offences = verify(data, answer, context=context_of(data), max_offences=3).rules["room_capacity"].offences
    assert [offence.amount for offence in offences] == [50, 40, 30]
    assert offences[0].entities == ("r1", "c5")
    assert verify(data, answer, context=context_of(data), max_offences=0).rules["room_capacity"].offences == ()


def test_people_and_courses_are_called_by_name() -> None:
    data = dataset(
        course("C1", code="CS101", faculty="F1"), course("C2", faculty="F1", sessions=2), teacher("F1", name="A. Rao")
    )
    offence = counted(data, timetable(C1=0, C2=[0])).rules["faculty_clash"].offences[0]
    words = "teacher A. Rao has 2 sessions at once on Monday 08:00: CS101 and C2 session 1"
    assert offence.message == words
    assert offence.sessions == (("C1", 0), ("C2", 0))
    assert offence.entities == ("F1",)


@given(case=planted())
def test_a_planted_timetable_is_complete(case: Planted) -> None:
    report = counted(case.dataset, case.timetable)
    assert report.score.complete, {id: count for id, count in report.counts.items() if count}


@given(data=datasets(), seed=st.integers(0, 1000))
def test_checks_hold_together_on_any_timetable(data: Dataset, seed: int) -> None:
    report = verify(data, random_timetable(data, Random(seed)), max_offences=10**6)
    assert set(report.rules) == set(RULE_IDS)
    for rule in report.rules.values():
        assert 0 <= rule.broken <= rule.checks
        assert (rule.count == 0) == (rule.broken == 0)
        assert sum(offence.amount for offence in rule.offences) == rule.count
        assert all(offence.message and offence.rule == rule.rule for offence in rule.offences)
    assert 0 <= report.quality_index <= 1


@given(data=datasets(), seed=st.integers(0, 1000))
def test_the_order_of_placements_changes_no_count(data: Dataset, seed: int) -> None:
    answer = random_timetable(data, Random(seed))
    turned = Timetable(placements=tuple(reversed(answer.placements)))
    assert counted(data, answer).counts == counted(data, turned).counts


def _mutations(case: Planted, rng: Random) -> list[tuple[str, Dataset, Timetable]]:
    """Harm done to a feasible timetable, with the rule that has to notice."""
    data, places = case.dataset, dict(case.timetable.by_session)
    victim = rng.choice(list(places.values()))
    whole, each = data.course[victim.course_id], data.part_of(victim.key)
    twin = replace(each, id="twin", sessions_per_week=1, fixed=(), allowed_slots=None)
    with_twin = replace(data, courses=(*data.courses, twin))
    copied = Timetable(placements=(*places.values(), replace(victim, course_id="twin", session=0)))

    def changed(**fields: object) -> Dataset:
        parts = tuple(replace(one, **fields) for one in whole.parts)  # type: ignore[arg-type]
        harmed = replace(whole, **fields, parts=parts)  # type: ignore[arg-type]
        courses = tuple(harmed if c is whole else c for c in data.courses)
        return replace(data, courses=courses, links=())

    elsewhere = tuple(t for t in data.time_grid.slots if t != victim.slot)
    harm = [("slot_forbidden", changed(allowed_slots=elsewhere), case.timetable)]
    if victim.room_ids:
        harm += [
            ("room_capacity", changed(expected_students=10_000), case.timetable),
            ("room_unsuitable", changed(required_features=("helipad",)), case.timetable),
        ]
    if any(data.room[id].sessions_at_once == 1 for id in victim.room_ids):
        harm.append(("room_clash", with_twin, copied))
    if each.faculty_ids:
        busy = {victim.slot}
        teachers = tuple(replace(f, unavailable=tuple(busy)) if f.id in each.faculty_ids else f for f in data.faculty)
        harm += [
            ("faculty_clash", with_twin, copied),
            ("faculty_unavailable", replace(data, faculty=teachers), case.timetable),
        ]
    if each.group_ids:
        groups = tuple(replace(g, max_sessions_per_day=0) if g.id in each.group_ids else g for g in data.groups)
        harm += [
            ("group_clash", with_twin, copied),
            ("group_daily_limit", replace(data, groups=groups), case.timetable),
        ]
    if each.student_ids:
        harm.append(("student_clash", with_twin, copied))
    return harm


@given(case=planted(), seed=st.integers(0, 1000))
def test_every_mutation_of_a_feasible_timetable_is_caught(case: Planted, seed: int) -> None:
    for rule, data, answer in _mutations(case, Random(seed)):
        report = counted(data, answer)
        assert report.counts[rule] > 0, rule
        assert not report.score.complete
        assert report.rules[rule].offences


def large_university(num_courses: int, rng: Random) -> Dataset:
    """2,494 courses are as large as Banaras Hindu University; with fewer everything is smaller in proportion."""
    enrolled: list[list[str]] = [[] for _ in range(num_courses)]
    for student in range(19_072 * num_courses // 2494):
        for number in rng.sample(range(num_courses), 5):
            enrolled[number].append(f"s{student}")
    courses = [
        course(f"c{i}", faculty=f"f{i}", students=enrolled[i], sessions=3 + (i % 3 == 0), slots=1 + (i % 4 == 0))
        for i in range(num_courses)
    ]
    rooms = [room(f"r{i}", rng.choice([30, 60, 100])) for i in range(num_courses * 1147 // 2494)]
    return dataset(*courses, *rooms, grid=grid(days=6, periods=8, lunch_after=4))


def test_the_work_of_a_verification_grows_with_the_university() -> None:
    def work_of(num_courses: int) -> Callable[[], None]:
        data = large_university(num_courses, Random(1))
        answer, context = random_timetable(data, Random(2)), context_of(data)

        def verified() -> None:
            assert verify(data, answer, context=context).counts["student_clash"] > 0

        return verified

    assert grows_with_its_input(work_of, 2494)


def test_what_links_over_whole_courses_counted_before_is_known() -> None:
    data = dataset(
        course("a", sessions=2),
        course("b", sessions=2),
        room("r1"),
        room("r2"),
        link("same_start", "a", "b"),
        link("consecutive", "a", tier="soft", weight=3),
        link("same_day", "a", "b", pairing="by_number"),
    )
    table = timetable(a=[0, 4], b=[(0, "r2"), (4, "r2")])
    assert {rule: verify(data, table).counts[rule] for rule in ("link", "soft_link")} == {"link": 0, "soft_link": 3}
    before = earlier_counts(data, table)
    assert (before["link"], before["soft_link"]) == (2, 3)


def test_the_counters_stand_in_the_order_of_the_rules() -> None:
    assert tuple(COUNTERS) == RULE_IDS
    for rule_id, counter in COUNTERS.items():
        assert counter.count.__name__ == f"count_{rule_id}"


def test_the_verifier_imports_none_of_the_machinery_it_judges() -> None:
    folder = Path(inspect.getfile(COUNTERS["link"].count)).parent
    imported = {
        node.module
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert imported
    forbidden = ("solver.compiled", "solver.search", "solver.cpsat", "solver.construct", "numba", "ortools", "numpy")
    assert not [module for module in imported if module.startswith(forbidden)]
