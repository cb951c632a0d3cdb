"""The context against its slow twins: what judge and judged both read is what the formulas say, on random datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.context import WEIGHTS, build_context
from solver.context.academic import academic
from solver.context.behavioural import behavioural
from solver.context.dimension import Dimension
from solver.context.graph import enrolment_matrix
from solver.context.social import density, social
from solver.context.spatial import buildings_of, spatial
from solver.context.temporal import temporal
from solver.model import Dataset, Rating
from tests.builders import random_dataset
from tests.solver import naive_context

DEPARTMENTS = (None, "D1", "D2", "D3")
ROUNDING = 0.5 + 1e-9
"""A half may be rounded either way, and a sum of shares misses a half by a rounding error."""


@st.composite
def universities(draw: st.DrawFn) -> Dataset:
    """Random datasets with all that only the context reads: departments of rooms, prerequisites, many ratings."""
    rng = Random(draw(st.integers(0, 2**32 - 1)))
    data = random_dataset(rng, draw(st.integers(1, 7)))
    ids = [course.id for course in data.courses]
    courses = [
        replace(course, prerequisites=tuple(rng.sample(ids[:i], rng.randint(0, min(i, 2)))))
        for i, course in enumerate(data.courses)
    ]
    rooms = [replace(room, department_id=rng.choice(DEPARTMENTS)) for room in data.rooms]
    slots = data.time_grid.slots
    history = [
        Rating(faculty_id=rng.choice(data.faculty).id, slot=rng.choice(slots), rating=rng.choice([0.0, 0.3, 1.0]))
        for _ in range(rng.choice([0, 5, 60]))
    ]
    return replace(data, courses=tuple(courses), rooms=tuple(rooms), history=tuple(history))


def dimension(name: str, data: Dataset) -> Dimension:
    if name == "social":
        return social(data, enrolment_matrix(data))
    if name == "spatial":
        return spatial(data, buildings_of(data))
    return {"temporal": temporal, "behavioural": behavioural, "academic": academic}[name](data)


def agree(found: Sequence[Sequence[float]] | np.ndarray, told: naive_context.Costs) -> bool:
    return bool(np.shape(found) == np.shape(told) and np.allclose(found, told, rtol=0, atol=1e-9))


@pytest.mark.parametrize("name", WEIGHTS)
@settings(max_examples=60)
@given(data=universities())
def test_every_dimension_costs_what_its_formula_says(name: str, data: Dataset) -> None:
    assert agree(dimension(name, data).cost, naive_context.DIMENSIONS[name](data))


def test_every_dimension_has_a_twin_of_the_same_weight() -> None:
    assert naive_context.WEIGHTS == WEIGHTS
    assert list(naive_context.DIMENSIONS) == list(WEIGHTS)


@settings(max_examples=60)
@given(universities())
def test_a_course_is_expected_where_its_sessions_may_be(data: Dataset) -> None:
    slots = range(data.time_grid.num_slots)
    told = [[naive_context.density(data, course, slot) for slot in slots] for course in data.parts]
    assert agree(density(data), told)


@settings(max_examples=60)
@given(universities())
def test_points_are_ten_times_what_a_choice_costs_above_the_best_one(data: Dataset) -> None:
    context = build_context(data)
    assert list(context.buildings) == naive_context.buildings(data)
    pairs = (
        (context.slot_points, naive_context.slot_points(data)),
        (context.building_points, naive_context.building_points(data)),
    )
    for points, told in pairs:
        assert np.shape(points) == np.shape(told)
        assert np.abs(points - np.array(told)).max() <= ROUNDING
