"""The priority core first, then the rest; nobody is dropped."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from solver.ladder.reduction import batches, core_first, only, restrict
from solver.model import Dataset, Link
from solver.ranks import rank_of
from tests.builders import course, dataset, datasets, timetable


@given(datasets(), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_the_batches_hold_every_course_exactly_once(data: Dataset, courses: int, faculty: int, rooms: int) -> None:
    parts = list(batches(data, courses, faculty, rooms))
    assert sorted(id for part in parts for id in part) == sorted(c.id for c in data.courses)
    assert all(parts)


@given(datasets(), st.integers(1, 20))
def test_the_core_respects_the_limit_on_courses(data: Dataset, limit: int) -> None:
    assert len(next(iter(batches(data, limit, 10**6, 10**6)))) <= limit


def test_batches_grow_until_everybody_is_in() -> None:
    data = dataset(*(course(f"c{n}") for n in range(40)))
    sizes = [len(part) for part in batches(data, 4, 100, 100)]
    assert sizes[:-1] == sorted(sizes[:-1])
    assert sizes[0] == 4 and len(sizes) > 2


def test_the_core_stops_growing_at_the_limit_on_teachers() -> None:
    data = dataset(*(course(f"c{n}", faculty=f"f{n}") for n in range(10)))
    assert len(next(iter(batches(data, 10, 3, 100)))) == 3


def test_core_subjects_come_before_priority_before_pins_before_size() -> None:
    data = dataset(
        course("elective", subject_type="elective", size=500),
        course("urgent", subject_type="elective", priority=5),
        course("small"),
        course("large", size=90),
        course("pinned", fixed=[(0, 0)]),
        course("first", priority=1),
    )
    assert [c.id for c in core_first(data)] == ["first", "pinned", "large", "small", "urgent", "elective"]


@given(datasets(), st.integers(1, 20))
def test_no_batch_holds_core_subjects_and_others(data: Dataset, limit: int) -> None:
    kinds = [{rank_of(data.course[id]).core for id in part} for part in batches(data, limit, 10**6, 10**6)]
    assert all(len(kind) == 1 for kind in kinds)
    assert kinds == sorted(kinds, key=lambda kind: -min(kind)), "core subjects first"


def test_a_restricted_dataset_leaves_out_what_reaches_outside() -> None:
    data = dataset(course("a"), course("b", prerequisites=("a",)), course("c"))
    data = replace(
        data,
        links=(
            Link(type="same_day", sessions=(("a", 0), ("b", 0))),
            Link(type="same_day", sessions=(("b", 0), ("c", 0))),
        ),
    )
    part = restrict(data, {"b", "c"})
    assert [c.id for c in part.courses] == ["b", "c"]
    assert part.course["b"].prerequisites == ()
    assert part.links == data.links[1:]


def test_only_keeps_the_placements_of_the_chosen_courses() -> None:
    assert [p.course_id for p in only(timetable(a=0, b=1), {"b"}).placements] == ["b"]
