"""What stays open is weighed: core before electives, then priority, and the score compares by that."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solver.model import Dataset, Timetable
from solver.ranks import MAX_TOLD, LeftOpen, Rank, by_rank, highest_first, left_open, rank_numbers
from solver.rules import Score
from solver.verify import verify
from tests.builders import course, dataset, datasets, random_timetable

ranks = st.builds(Rank, st.integers(0, 1), st.integers(-3, 3))
open_sessions = st.lists(ranks, max_size=12)


def score_of(sessions: list[Rank], bent: int = 0, soft: int = 0) -> Score:
    return Score(0, len(sessions), bent, soft, by_rank(Counter(sessions)))


def test_an_open_core_session_outweighs_any_number_of_electives() -> None:
    data = dataset(course("a", sessions=2), course("b", sessions=20, subject_type="elective", priority=9))
    nothing = [("b", n) for n in range(20)]
    one = [("a", 0)]
    assert Score(0, 20, 99, 99, left_open(data, nothing)) < Score(0, 1, 0, 0, left_open(data, one))


def test_of_two_core_sessions_that_of_the_lower_priority_is_left_open() -> None:
    data = dataset(course("a", priority=9), course("b", sessions=5))
    assert Score(0, 5, 0, 0, left_open(data, [("b", n) for n in range(5)])) < Score(
        0, 1, 0, 0, left_open(data, [("a", 0)])
    )


@given(open_sessions, open_sessions)
def test_the_highest_rank_of_which_one_has_more_open_decides(a: list[Rank], b: list[Rank]) -> None:
    def counts(sessions: list[Rank]) -> list[int]:
        return [sessions.count(rank) for rank in sorted({*a, *b}, reverse=True)]

    first, second = score_of(a), score_of(b)
    assert (first < second) == (counts(a) < counts(b))
    assert (first <= second) == (counts(a) <= counts(b))
    assert (first > second, first >= second) == (second < first, second <= first)


@given(open_sessions, open_sessions)
def test_whoever_is_open_comes_before_bent_rules_and_those_before_soft_cost(a: list[Rank], b: list[Rank]) -> None:
    if score_of(a) < score_of(b):
        assert score_of(a, bent=9, soft=9) < score_of(b)
    assert score_of(a, bent=1) > score_of(a, soft=9)
    assert score_of(a, soft=1).hard == score_of(a).hard


@settings(max_examples=30)
@given(datasets(), st.integers(0, 2**32 - 1))
def test_the_verifier_says_who_is_open_where_it_matters(data: Dataset, seed: int) -> None:
    report = verify(data, random_timetable(data, Random(seed)))
    rows = report.score.left_open
    assert report.score.unplaced == len(report.unplaced), "the count that receivers know stays what it is"
    if len(set(rank_numbers(data.parts))) == 1:
        assert rows == ()
    else:
        assert sum(row.sessions for row in rows) == report.score.unplaced
        assert list(rows) == sorted(rows, reverse=True)


def test_where_all_courses_are_of_one_rank_scores_are_what_they_were() -> None:
    data = dataset(course("a", sessions=3, priority=4), course("b", priority=4))
    assert rank_numbers(data.courses) == [0, 0]
    assert verify(data, Timetable()).score.numbers[:2] == (0, 4) and len(verify(data, Timetable()).score.numbers) == 4


@given(open_sessions)
def test_a_score_survives_json(sessions: list[Rank]) -> None:
    score = score_of(sessions, bent=2, soft=7)
    assert Score.of(json.loads(json.dumps(score.numbers))) == score
    assert Score.of(json.loads(json.dumps(score))) == score
    assert score.levels == {"rigid": 0, "unplaced": len(sessions), "bent": 2, "soft": 7}


def test_a_score_of_an_older_version_is_read_and_gives_way_to_one_that_says_who_is_open() -> None:
    old = Score.of([0, 6, 0, 48])
    known = Score(0, 8, 0, 99, (LeftOpen(core=1, priority=9, sessions=8),))
    assert old == Score(0, 6, 0, 48)
    assert Score.of([0, 5, 0, 48]) < old < Score.of([0, 6, 0, 49]), "among themselves they compare as ever"
    assert known < old, "the same timetable counted again takes its place"
    assert Score.of([0, 0, 3, 9]) < known, "one that leaves nobody open needs no account of them"
    assert old < Score.of([1, 0, 0, 0])


@pytest.mark.parametrize("numbers", [[], [0, 1, 2], [0, 1, 2, 3, [], 5], [0, 1, 2, "x"], [0, 1, 2, 3, [[1, 2]]], None])
def test_what_is_no_score_is_refused(numbers: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Score.of(numbers)  # type: ignore[arg-type]


def test_only_the_highest_ranks_are_told_apart() -> None:
    rows = by_rank({Rank(0, n): 1 for n in range(10 * MAX_TOLD)})
    assert len(rows) == MAX_TOLD
    assert sum(row.sessions for row in rows) == 10 * MAX_TOLD
    assert rows[0] == LeftOpen(0, 10 * MAX_TOLD - 1, 1)


def test_who_matters_most_is_named_first() -> None:
    data = dataset(course("e", subject_type="elective", priority=9), course("a"), course("b", priority=1), course("c"))
    keys = [(c.id, 0) for c in data.courses]
    assert [id for id, _ in highest_first(data, keys)] == ["b", "a", "c", "e"]
