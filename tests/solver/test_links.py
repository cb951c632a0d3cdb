"""The table of links against the verifier's own predicates, on every pair of places."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.calendar import TimeGrid
from solver.compiled import compile_dataset
from solver.diagnose.facts import Facts
from solver.diagnose.ties import keeps_rooms, partner_starts
from solver.links import LINK_CODES, LINKS, TYPE_OF_CODE, Clock, broken_table, rooms_keep, times_keep
from solver.model import Dataset, Link
from solver.rules import profile_of
from solver.search import SearchParams
from solver.search.building import build_problem
from solver.search.weights import weights_of
from solver.terms import LINK_TYPES, PERMISSIONS, SET_LINKS, LinkType
from solver.verify import verify
from tests.builders import course, dataset, grid, link, room, timetable
from tests.calendars import pause, ring

GRID = TimeGrid(
    days=("Monday", "Tuesday"),
    bells={
        "": ring("08:00-09:00", "09:00-10:00", "11:00-12:00"),
        "Tuesday": ring("08:00-09:00", "09:10-10:10", "10:20-11:20"),
    },
    breaks=(pause("Lunch", "10:00-11:00", "Monday"), pause("Tea", "09:00-09:10", "Tuesday", run_over=True)),
    lunch=None,
)
"""On one day lunch keeps its sides apart, on the other one a break may be run over, and bells have passing time."""
LENGTHS = ((1, 1), (2, 1), (1, 2))
PAIRED = tuple(link_type for link_type in LINK_TYPES if link_type not in SET_LINKS | PERMISSIONS)
VALUES: tuple[int, ...] = (0, 1, 2, 40)


def tied(link_type: LinkType, lengths: tuple[int, int] = (1, 1), value: int = 0) -> Dataset:
    """Courses a and b of one session each, with rooms r0 and r1, and one hard link from a to b."""
    given = value if link_type in ("min_gap", "days_apart") else None
    parts = (course("a", slots=lengths[0]), course("b", slots=lengths[1]), room("r0"), room("r1"))
    return dataset(*parts, link(link_type, "a", "b", value=given), grid=GRID)


def judged(data: Dataset, start: int, other: int, same_room: bool) -> bool:
    """Whether the verifier finds the link kept."""
    return verify(data, timetable(a=(start, "r0"), b=(other, "r0" if same_room else "r1"))).counts["link"] == 0


def starts(data: Dataset, course_id: str) -> list[int]:
    return [t for t in range(GRID.num_slots) if GRID.can_start(t, data.course[course_id].session_slots)]


def test_every_type_of_link_stands_in_the_table_and_has_a_number() -> None:
    assert set(LINKS) == set(LINK_CODES) == set(LINK_TYPES)
    assert {TYPE_OF_CODE[code]: code for code in TYPE_OF_CODE} == LINK_CODES
    assert {link_type for link_type, kind in LINKS.items() if kind.about == "blocks"} == SET_LINKS
    assert {link_type for link_type, kind in LINKS.items() if kind.about == "people"} == PERMISSIONS


@given(st.sampled_from(PAIRED), st.sampled_from(LENGTHS), st.sampled_from(VALUES))
def test_the_table_and_the_verifier_agree_on_every_pair_of_places(
    link_type: LinkType, lengths: tuple[int, int], value: int
) -> None:
    data = tied(link_type, lengths, value)
    first, second = starts(data, "a"), starts(data, "b")
    times = times_keep(link_type, np.array(first), np.array(second), lengths, Clock.of(GRID), value)
    rooms = rooms_keep(link_type, np.arange(2), np.arange(2))
    broken = broken_table(link_type, lengths, Clock.of(GRID), value)
    for (i, t), (j, u), q in product(enumerate(first), enumerate(second), range(2)):
        kept = judged(data, t, u, q == 0)
        assert (times[i, j] and rooms[0, q]) == kept
        assert broken[int(q == 0), t, u] != kept


@given(st.sampled_from(PAIRED), st.sampled_from(LENGTHS), st.sampled_from(VALUES), st.booleans())
def test_proofs_look_at_the_starts_and_rooms_that_the_verifier_allows(
    link_type: LinkType, lengths: tuple[int, int], value: int, reverse: bool
) -> None:
    data = tied(link_type, lengths, value)
    facts = Facts(dataset=data, profile=profile_of(data))
    (tie,) = data.links
    here, there = ("b", "a") if reverse else ("a", "b")
    length, other = data.course[here].session_slots, data.course[there].session_slots
    for t in starts(data, here):
        allowed = partner_starts(facts, tie, t, length, other, reverse)
        for u in starts(data, there):
            pair = (u, t) if reverse else (t, u)
            by_room = tuple(judged(data, *pair, same_room) for same_room in (True, False))
            assert tuple(bool(allowed >> u & 1) and keeps for keeps in keeps_rooms(link_type)) == by_room


@pytest.mark.parametrize("link_type", PAIRED)
def test_the_search_has_a_row_for_every_link_and_one_for_all_that_ask_the_same(link_type: LinkType) -> None:
    data = tied(link_type, (2, 1), 5)
    ties = (*data.links, Link(type=link_type, sessions=(("b", None), ("a", None)), value=data.links[0].value))
    doubled = Dataset(
        name="twice", time_grid=GRID, rooms=data.rooms, courses=data.courses, links=(*ties, data.links[0])
    )
    compiled = compile_dataset(doubled)
    p = build_problem(compiled, weights_of(compiled, SearchParams()), SearchParams())
    assert p.link_row[0] == p.link_row[2] != p.link_row[1]
    table = broken_table(link_type, (1, 2), Clock.of(GRID), 5)
    assert np.array_equal(p.link_broken[p.link_row[1]] != 0, table)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_the_most_that_a_link_allows_is_in_the_table_and_in_proofs(most: int) -> None:
    wide = grid(4, 1)
    data = dataset(course("a"), course("b"), room("r0"), room("r1"), link("days_apart", "a", "b", most=most), grid=wide)
    days = np.arange(4)
    far = abs(days[:, None] - days[None, :]) > most
    assert np.array_equal(broken_table("days_apart", (1, 1), Clock.of(wide), 0, most), np.stack([far, far]))
    facts = Facts(dataset=data, profile=profile_of(data))
    for t in range(4):
        allowed = partner_starts(facts, data.links[0], t, 1, 1, False)
        assert [allowed >> u & 1 == 0 for u in range(4)] == far[t].tolist()
    compiled = compile_dataset(data)
    p = build_problem(compiled, weights_of(compiled, SearchParams()), SearchParams())
    assert np.array_equal(p.link_broken[0, 1] != 0, far)


def test_gaps_that_no_day_can_hold_share_a_row() -> None:
    many = tuple(Link(type="min_gap", sessions=(("a", None), ("b", None)), value=value) for value in range(100, 200))
    compiled = compile_dataset(dataset(course("a"), course("b"), *many, grid=GRID))
    p = build_problem(compiled, weights_of(compiled, SearchParams()), SearchParams())
    assert len(p.link_broken) == 1
