from __future__ import annotations

from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.compiled import compile_dataset, decode, encode
from solver.cpsat.exact import build_model
from solver.cpsat.plan import Treatment, treatments
from solver.cpsat.rules import BUILDERS
from solver.model import Dataset, RuleSetting, Timetable
from solver.rules import RULE_IDS
from solver.verify import verify
from tests.builders import (
    Planted,
    course,
    dataset,
    datasets,
    grid,
    group,
    link,
    planted,
    random_timetable,
    room,
    teacher,
    timetable,
)
from tests.solver.cpsat.counting import count_everything, counts_of, fix, minimised_counts

SMALL = grid(2, 4)


class Case(NamedTuple):
    """A rule, a timetable that breaks it `count` times and one that just does not."""

    rule: str
    data: Dataset
    broken: Timetable
    count: int
    kept: Timetable


def _linked(kind: str, broken: tuple[object, object], kept: tuple[object, object], value: int | None = None) -> Case:
    data = dataset(course("a"), course("b"), room("r1"), room("r2"), link(kind, "a", "b", value=value), grid=SMALL)
    return Case("link", data, timetable(a=broken[0], b=broken[1]), 1, timetable(a=kept[0], b=kept[1]))


GROUPED = [course("a", groups="g"), course("b", groups="g"), course("c", groups="g")]
CASES = [
    Case(
        "faculty_clash",
        dataset(course("a", faculty="f"), course("b", faculty="f"), room("r1"), room("r2")),
        timetable(a=0, b=(0, "r2")),
        1,
        timetable(a=0, b=(1, "r2")),
    ),
    Case(
        "room_clash", dataset(course("a"), course("b"), course("c")), timetable(a=0, b=0, c=0), 2, timetable(a=0, b=1)
    ),
    Case("room_clash", dataset(course("a"), room("r1", unavailable=[3])), timetable(a=3), 1, timetable(a=2)),
    Case(
        "group_clash",
        dataset(course("a", sessions=2, slots=2), room("r1"), room("r2")),
        timetable(a=[0, (1, "r2")]),
        1,
        timetable(a=[0, (2, "r2")]),
    ),
    Case("slot_forbidden", dataset(course("a", allowed_slots=(1, 2))), timetable(a=0), 1, timetable(a=2)),
    Case("fixed_moved", dataset(course("a", fixed=[(0, 4)])), timetable(a=5), 1, timetable(a=4)),
    Case(
        "fixed_moved",
        dataset(course("a", fixed=[(0, 4, "r2")]), room("r1"), room("r2")),
        timetable(a=(4, "r1")),
        1,
        timetable(a=(4, "r2")),
    ),
    Case(
        "group_daily_limit", dataset(*GROUPED, group("g", day=1)), timetable(a=0, b=1, c=2), 2, timetable(a=0, b=4, c=8)
    ),
    Case(
        "course_daily_limit",
        dataset(course("a", sessions=3, limit=2)),
        timetable(a=[0, 1, 2]),
        1,
        timetable(a=[0, 1, 4]),
    ),
    Case(
        "faculty_daily_limit",
        dataset(course("a", sessions=3, faculty="f"), teacher("f", day=2)),
        timetable(a=[0, 1, 2]),
        1,
        timetable(a=[0, 1, 4]),
    ),
    Case(
        "faculty_weekly_limit",
        dataset(course("a", sessions=3, faculty="f"), teacher("f", week=2)),
        timetable(a=[0, 5, 10]),
        1,
        timetable(a=[0, 5]),
    ),
    Case("room_capacity", dataset(course("a", size=30), room("r1", 25)), timetable(a=0), 5, timetable()),
    Case(
        "room_unsuitable",
        dataset(course("a", types="lab"), room("r1"), room("r2", type="lab")),
        timetable(a=0),
        1,
        timetable(a=(0, "r2")),
    ),
    Case(
        "group_unavailable",
        dataset(course("a", groups="g", slots=2), group("g", unavailable=[1, 2])),
        timetable(a=1),
        2,
        timetable(a=6),
    ),
    Case(
        "faculty_unavailable",
        dataset(course("a", faculty="f", slots=2), teacher("f", unavailable=[1, 2])),
        timetable(a=0),
        1,
        timetable(a=4),
    ),
    _linked("precedence", (4, 3), (3, 4)),
    _linked("not_overlap", (0, (0, "r2")), (0, 1)),
    _linked("same_start", (0, 1), (0, (0, "r2"))),
    _linked("same_day", (0, 4), (0, 3)),
    _linked("different_day", (0, 3), (0, 4)),
    _linked("same_room", (0, (1, "r2")), (0, 1)),
    _linked("different_room", (0, 1), (0, (1, "r2"))),
    _linked("consecutive", (3, 4), (3, 2)),
    _linked("min_gap", (0, 2), (0, 3), value=2),
    Case(
        "student_clash",
        dataset(course("a", students="s1 s2 s3"), course("b", students="s2 s3"), room("r1"), room("r2")),
        timetable(a=0, b=(0, "r2")),
        2,
        timetable(a=0, b=(1, "r2")),
    ),
    Case(
        "core_clash",
        dataset(
            course("a", students="s1 s2"),
            course("b", students="s1 s2"),
            course("c", students="s1 s2", subject_type="elective"),
            room("r1"),
            room("r2"),
        ),
        timetable(a=0, b=(0, "r2"), c=1),
        2,
        timetable(a=0, b=(1, "r2"), c=(0, "r2")),
    ),
    Case(
        "faculty_preference",
        dataset(course("a", faculty="f", slots=2), teacher("f", preferences={0: 0.8, 4: 1, 5: 1})),
        timetable(a=0),
        7,
        timetable(a=4),
    ),
    Case("group_gap", dataset(*GROUPED), timetable(a=0, b=3), 2, timetable(a=0, b=1, c=4)),
    Case(
        "student_gap",
        dataset(course("a", students="s t"), course("b", students="s t")),
        timetable(a=0, b=2),
        2,
        timetable(a=0, b=1),
    ),
    Case("isolated_session", dataset(*GROUPED), timetable(a=0, b=2, c=4), 3, timetable(a=0, b=1, c=2)),
    Case("min_days", dataset(course("a", sessions=3, min_days=3)), timetable(a=[0, 1, 2]), 2, timetable(a=[0, 4, 8])),
    Case(
        "room_stability",
        dataset(course("a", sessions=3), room("r1"), room("r2"), room("r3")),
        timetable(a=[0, (1, "r2"), (2, "r3")]),
        2,
        timetable(a=[0, 1, 2]),
    ),
    Case("room_waste", dataset(course("a", size=10), room("r1", 39)), timetable(a=0), 2, timetable()),
    Case(
        "load_balance",
        dataset(course("a", faculty="f", sessions=5)),
        timetable(a=[0, 1, 4, 8, 12]),
        1,
        timetable(a=[0, 4, 8, 12, 16]),
    ),
    Case(
        "slot_peak",
        dataset(*(course(f"c{i}") for i in range(4)), *(room(f"r{i}") for i in range(1, 5))),
        timetable({f"c{i}": (0, f"r{i + 1}") for i in range(4)}),
        3,
        timetable({f"c{i}": (i, f"r{i + 1}") for i in range(4)}),
    ),
    Case(
        "travel",
        dataset(
            course("a", faculty="f"),
            course("b", faculty="f"),
            room("r1", building="A"),
            room("r2", building="B"),
            travel={"A": {"B": 12}},
        ),
        timetable(a=0, b=(1, "r2")),
        3,
        timetable(a=0, b=(2, "r2")),
    ),
    Case(
        "consecutive_limit",
        dataset(*GROUPED, rules={"consecutive_limit": RuleSetting(value=2)}),
        timetable(a=0, b=1, c=2),
        1,
        timetable(a=0, b=1, c=3),
    ),
    Case("single_session_day", dataset(*GROUPED), timetable(a=0, b=4, c=5), 1, timetable(a=0, b=1, c=3)),
    Case("last_slot", dataset(*GROUPED), timetable(a=3, b=7), 2, timetable(a=0, b=4)),
    Case(
        "soft_link",
        dataset(course("a"), course("b"), link("same_day", "a", "b", tier="soft", weight=4)),
        timetable(a=0, b=5),
        4,
        timetable(a=0, b=1),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_counts_a_breach_and_nothing_where_it_just_holds(case: Case) -> None:
    broken, kept = counts_of(case.data, case.broken, split=True), counts_of(case.data, case.kept, split=True)
    assert broken is not None and kept is not None
    assert broken[case.rule] == case.count == verify(case.data, case.broken).counts[case.rule]
    assert kept[case.rule] == 0 == verify(case.data, case.kept).counts[case.rule]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_kept_rule_makes_the_breach_impossible_and_nothing_else(case: Case) -> None:
    treat = {**dict.fromkeys(RULE_IDS, Treatment.IGNORE), case.rule: Treatment.FORBID}
    assert _possible(case.data, case.kept, treat)
    assert not _possible(case.data, case.broken, treat)


def _possible(data: Dataset, table: Timetable, treat: dict[str, Treatment]) -> bool:
    """Whether the narrowed model still has exactly this timetable among its solutions."""
    slots, rooms = encode(table, data)
    builder = build_model(compile_dataset(data), slots, rooms, treat=treat, partial=True, split=True)
    placed = [(s, u) for u, unit in enumerate(builder.plan.units) for s in unit.sessions if slots[s] >= 0]
    for s, u in placed:
        if rooms[s] not in builder.plan.units[u].places.get(int(slots[s]), ()):
            return False
    fix(builder)
    return minimised_counts(builder) is not None


def test_every_rule_of_the_list_has_a_case_or_a_table_of_its_own() -> None:
    assert {case.rule for case in CASES} | {"context"} == set(RULE_IDS)
    assert set(BUILDERS) < set(RULE_IDS)


@settings(max_examples=60, deadline=None)
@given(data=datasets(), seed=st.integers(0, 2**32 - 1))
def test_model_and_verifier_agree_on_any_timetable_rule_by_rule(data: Dataset, seed: int) -> None:
    table = random_timetable(data, Random(seed))
    assert counts_of(data, table, split=True) == verify(data, table).counts


@settings(max_examples=60, deadline=None)
@given(case=planted(), seed=st.integers(0, 2**32 - 1), bend=st.booleans())
def test_the_production_model_allows_what_keeps_the_hard_rules_and_counts_the_rest(
    case: Planted, seed: int, bend: bool
) -> None:
    data, rng = case.dataset, Random(seed)
    compiled = compile_dataset(data)
    treat = treatments(compiled, bend=bend)
    table = case.timetable
    if rng.random() < 0.5:
        other = random_timetable(data, rng).by_session
        moved = rng.choice(table.placements)
        table = Timetable(placements=tuple(other.get(p.key, p) if p.key == moved.key else p for p in table.placements))
    report = verify(data, table)
    allowed = all(report.counts[rule] == 0 for rule in RULE_IDS if treat[rule] is Treatment.FORBID)
    slots, rooms = encode(table, data)
    builder = build_model(compiled, slots, rooms, treat=treat, partial=True)
    present = (
        all(
            slots[s] < 0 or rooms[s] in unit.places.get(int(slots[s]), ())
            for unit in builder.plan.units
            for s in unit.sessions
        )
        and sum(builder.value(literal) for x in builder.x for literal in x.values()) == report.placed
    )
    fix(builder)
    counts = minimised_counts(builder) if present else None
    assert (counts is not None) == allowed
    if counts is not None:
        for rule in RULE_IDS:
            if treat[rule] is Treatment.PRICE:
                assert counts[rule] == report.counts[rule], rule


@settings(max_examples=60, deadline=None)
@given(data=datasets(), seed=st.integers(0, 2**32 - 1))
def test_a_neighbourhood_counts_exactly_what_its_free_sessions_change(data: Dataset, seed: int) -> None:
    rng, compiled = Random(seed), compile_dataset(data)
    first = encode(random_timetable(data, rng), data)
    free = [s for s in range(compiled.num_sessions) if rng.random() < 0.5]
    moves = np.isin(np.arange(compiled.num_sessions), free)
    second = tuple(np.where(moves, b, a) for a, b in zip(first, encode(random_timetable(data, rng), data), strict=True))
    change = []
    for slots, rooms in (first, second):
        builder = build_model(compiled, slots, rooms, treat=count_everything(), free=free, partial=True, split=True)
        fix(builder)
        counts = minimised_counts(builder)
        assert counts is not None
        whole = verify(data, decode(slots, rooms, data)).counts
        change.append({rule: whole[rule] - counts[rule] for rule in RULE_IDS})
    assert change[0] == change[1]


@settings(max_examples=30, deadline=None)
@given(case=planted())
def test_the_hint_is_complete_and_feasible_auxiliaries_included(case: Planted) -> None:
    compiled = compile_dataset(case.dataset)
    slots, rooms = encode(case.timetable, case.dataset)
    builder = build_model(compiled, slots, rooms, treat=treatments(compiled, bend=False))
    for variable, hint in zip(builder.variables, builder.hints, strict=True):
        builder.model.add(variable == hint)
    counts = minimised_counts(builder)
    report = verify(case.dataset, case.timetable)
    treat = treatments(compiled, bend=False)
    assert counts is not None
    assert {r: n for r, n in counts.items() if treat[r] is Treatment.PRICE} == {
        r: n for r, n in report.counts.items() if treat[r] is Treatment.PRICE
    }
