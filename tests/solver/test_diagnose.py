"""Proofs fire where something cannot work, in words with numbers, and never where a feasible timetable exists."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.diagnose import Openings, blockers, diagnose, repairs
from solver.errors import InputError
from solver.model import Dataset, Link, Placement, RuleSetting, Timetable
from solver.result import Proof, Repair
from solver.rules import profile_of
from solver.terms import SessionKey
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

ONE_DAY = grid(days=1, periods=4)
TWO_DAYS = grid(days=2, periods=4)
HALVES = grid(days=1, periods=6, lunch_after=3)


def proof(data: Dataset, code: str) -> Proof:
    found = [each for each in diagnose(data) if each.code == code]
    assert found, [(each.code, each.sentence) for each in diagnose(data)]
    return found[0]


# --- proofs: each fires, and is silent when there is just enough ----------------------------------------------------

TIGHT = {
    "teacher_overload": (
        dataset(course("a", faculty="F1", sessions=3), teacher("F1", name="A. Rao", unavailable=[2, 3]), grid=ONE_DAY),
        dataset(course("a", faculty="F1", sessions=2), teacher("F1", unavailable=[2, 3]), grid=ONE_DAY),
        "teacher A. Rao has 3 sessions that take 3 slots, but only 2 slots of the week are open to them",
        (3, 2),
    ),
    "group_overload": (
        dataset(course("a", groups="g", sessions=2), course("b", groups="g", slots=3), grid=ONE_DAY),
        dataset(course("a", groups="g"), course("b", groups="g", slots=3), grid=ONE_DAY),
        "group g has 3 sessions that take 5 slots, but only 4 slots of the week are open to them",
        (5, 4),
    ),
    "course_overload": (
        dataset(course("a", sessions=3, allowed_slots=(0, 1))),
        dataset(course("a", sessions=2, allowed_slots=(0, 1))),
        "course a has 3 sessions that take 3 slots, but only 2 slots of the week are open to them",
        (3, 2),
    ),
    "student_overload": (
        dataset(course("a", students="s1 s2", sessions=3), course("b", students="s1 s2", sessions=2), grid=ONE_DAY),
        dataset(course("a", students="s1 s2", sessions=3), course("b", students="s1 s2"), grid=ONE_DAY),
        "student s1 (and 1 more with the same courses) has 5 sessions that take 5 slots",
        (5, 4),
    ),
    "teacher_pigeonhole": (
        dataset(
            course("a", faculty="f", sessions=2, allowed_slots=(0, 1)),
            course("b", faculty="f", allowed_slots=(1,)),
            course("c", faculty="f"),
        ),
        dataset(course("a", faculty="f", allowed_slots=(0, 1)), course("b", faculty="f", allowed_slots=(1,))),
        "3 sessions of teacher f (a session 1, a session 2 and b) take 3 slots but can only use 2: "
        "Monday 08:00 and Monday 09:00",
        (3, 2),
    ),
    "teacher_blocks": (
        dataset(course("a", faculty="f", slots=2, sessions=3), grid=HALVES),
        dataset(course("a", faculty="f", slots=2, sessions=2), grid=HALVES),
        "teacher f has 3 sessions of 2 or more slots, but the slots open to them hold only 2 such blocks",
        (3, 2),
    ),
    "teacher_weekly_limit": (
        dataset(course("a", faculty="f", sessions=3), teacher("f", week=2)),
        dataset(course("a", faculty="f", sessions=2), teacher("f", week=2)),
        "teacher f has 3 sessions in the week, but a limit of 2",
        (3, 2),
    ),
    "teacher_daily_limit": (
        dataset(course("a", faculty="f", sessions=3), teacher("f", day=1), grid=TWO_DAYS),
        dataset(course("a", faculty="f", sessions=2), teacher("f", day=1), grid=TWO_DAYS),
        "teacher f has 3 sessions, but a limit of 1 per day on the 2 days open to them (Monday and Tuesday) allows "
        "only 2",
        (3, 2),
    ),
    "group_daily_limit": (
        dataset(course("a", groups="g", sessions=2, allowed_slots=(0, 1)), course("b", groups="g"), group("g", day=1)),
        dataset(course("a", groups="g", allowed_slots=(0, 1)), course("b", groups="g"), group("g", day=1)),
        "on the 1 day open to them (Monday)",
        (2, 1),
    ),
    "course_daily_limit": (
        dataset(course("a", sessions=3, limit=1), grid=TWO_DAYS),
        dataset(course("a", sessions=2, limit=1), grid=TWO_DAYS),
        "course a has 3 sessions, but a limit of 1 per day",
        (3, 2),
    ),
    "course_min_days": (
        dataset(course("a", sessions=2, min_days=3), rules={"min_days": "hard"}),
        dataset(course("a", sessions=3, min_days=3), rules={"min_days": "hard"}),
        "course a should use 3 days but its 2 sessions can use 2 at most",
        (3, 2),
    ),
    "no_room": (
        dataset(course("a", size=50, types="lab"), room("r1", 60), room("r2", 40, type="lab", name="Lab 2")),
        dataset(course("a", size=40, types="lab"), room("r1", 60), room("r2", 40, type="lab")),
        "course a needs a lab with 50 seats, but the largest room of that kind, Lab 2, seats 40",
        (50, 40),
    ),
    "no_start": (
        dataset(course("a", faculty="f", allowed_slots=(1, 2)), teacher("f", unavailable=[1, 2])),
        dataset(course("a", faculty="f", allowed_slots=(1, 2)), teacher("f", unavailable=[1])),
        "for 18 of them the course may not start and for 2 of them teacher f is away",
        (1, 0),
    ),
    "fixed_impossible": (
        dataset(course("a", faculty="f", fixed=[(0, 3)]), teacher("f", unavailable=[3])),
        dataset(course("a", faculty="f", fixed=[(0, 3)]), teacher("f", unavailable=[2])),
        "a is fixed to Monday 11:00, but then teacher f is away",
        (1, 0),
    ),
    "fixed_room_unsuitable": (
        dataset(course("a", size=50, fixed=[(0, 3, "r1")]), room("r1", 40), room("r2", 60)),
        dataset(course("a", size=50, fixed=[(0, 3, "r2")]), room("r1", 40), room("r2", 60)),
        "a is fixed in room r1, which is of type lecture_hall and seats 40, but the course needs a room with 50 seats",
        (50, 40),
    ),
    "fixed_clash": (
        dataset(course("a", fixed=[(0, 3, "r1")]), course("b", slots=2, fixed=[(0, 2, "r1")])),
        dataset(course("a", fixed=[(0, 3, "r1")]), course("b", slots=2, fixed=[(0, 1, "r1")])),
        "room r1 has 2 sessions fixed on Monday 11:00: a and b",
        (2, 1),
    ),
    "room_supply": (
        dataset(
            course("a", size=50, sessions=3),
            course("b", size=60, sessions=2),
            course("c", size=5, sessions=4),
            room("big", 60),
            room("small", 10),
            grid=ONE_DAY,
        ),
        dataset(
            course("a", size=50, sessions=2),
            course("b", size=60, sessions=2),
            course("c", size=5, sessions=4),
            room("big", 60),
            room("small", 10),
            grid=ONE_DAY,
        ),
        "5 sessions of a and b, which need a room with 50 seats or more, take 5 room slots, "
        "but the only room that suits, big, offers 4 room slots",
        (5, 4),
    ),
    "room_blocks": (
        dataset(*(course(f"c{i}", slots=2) for i in range(3)), grid=HALVES),
        dataset(*(course(f"c{i}", slots=2) for i in range(2)), grid=HALVES),
        "offers 2 such blocks",
        (3, 2),
    ),
    "precedence_cycle": (
        dataset(course("a"), course("b"), link("precedence", "a", "b"), link("precedence", "b", "a")),
        dataset(course("a"), course("b"), link("precedence", "a", "b"), link("precedence", "b", "a", tier="soft")),
        "precedence links run in a circle",
        None,
    ),
    "precedence_chain": (
        dataset(
            course("a", slots=2), course("b", slots=2), course("c"), link("precedence", "a", "b", "c"), grid=ONE_DAY
        ),
        dataset(course("a", slots=2), course("b"), course("c"), link("precedence", "a", "b", "c"), grid=ONE_DAY),
        "c can start on Monday 11:00 at the latest, but what must come before it (a and b) takes until the end of "
        "Monday 11:00 at the earliest",
        (4, 3),
    ),
    "link_impossible": (
        dataset(course("a", faculty="f"), course("b", faculty="f"), link("same_start", "a", "b")),
        dataset(course("a", faculty="f"), course("b"), link("same_start", "a", "b"), room("r1"), room("r2")),
        "a and b cannot both be placed: links demand that they start together, and they share teacher f",
        None,
    ),
    "link_different_day": (
        dataset(course("a", sessions=3), link("different_day", "a"), grid=TWO_DAYS),
        dataset(course("a", sessions=2), link("different_day", "a"), grid=TWO_DAYS),
        "should all differ in day: 3 sessions for 2 days",
        (3, 2),
    ),
    "link_grouped": (
        dataset(course("a", sessions=2, slots=2, faculty="f"), course("b", faculty="f"), link("grouped", "a", "b")),
        dataset(
            course("a", sessions=2, slots=2, faculty="f"),
            course("b"),
            link("grouped", "a", "b"),
            room("r1"),
            room("r2"),
        ),
        "a session 1, a session 2 and b should be in one block: they take 5 slots one after the other, for teacher f "
        "has all of them, and no part of a day has more than 4",
        (5, 4),
    ),
    "link_same_start": (
        dataset(course("a"), course("b"), link("same_start", "a", "b")),
        dataset(course("a"), course("b"), link("same_start", "a", "b"), room("r1"), room("r2")),
        "a and b should all start together, each in a room of its own: 2 sessions for 1 room",
        (2, 1),
    ),
    "link_different_room": (
        dataset(course("a"), course("b"), link("different_room", "a", "b")),
        dataset(course("a"), course("b"), link("different_room", "a", "b"), room("r1"), room("r2")),
        "2 sessions for 1 room",
        (2, 1),
    ),
}


@pytest.mark.parametrize("code", TIGHT)
def test_a_contradiction_is_proved_in_words_with_numbers(code: str) -> None:
    broken, _, words, numbers = TIGHT[code]
    found = proof(broken, code)
    assert words in found.sentence
    if numbers is not None:
        assert (found.needed, found.available) == numbers
    assert found.entities
    assert found.rules
    assert all(profile_of(broken)[rule].tier == "hard" for rule in found.rules)


@pytest.mark.parametrize("code", TIGHT)
def test_nothing_is_proved_where_there_is_just_enough(code: str) -> None:
    _, sound, _, _ = TIGHT[code]
    assert diagnose(sound) == ()


@pytest.mark.parametrize("code", TIGHT)
def test_a_rule_that_is_not_hard_proves_nothing(code: str) -> None:
    broken = TIGHT[code][0]
    softened = {rule: RuleSetting(tier="soft") for rule in proof(broken, code).rules}
    left = diagnose(replace(broken, rules={**broken.rules, **softened}))
    assert code not in {each.code for each in left}


@pytest.mark.parametrize(
    ("type", "value", "words"),
    [
        ("consecutive", None, "one follows the other at once"),
        ("min_gap", 3, "180 minutes or more lie between them on a common day"),
        ("different_day", None, "they are on different days"),
        ("same_hour", None, "they start at one hour of the day"),
        ("days_apart", 2, "they are at least 2 days apart"),
        ("consecutive_if_same_day", None, "one follows the other at once where they share a day"),
    ],
)
def test_a_link_that_the_open_slots_do_not_allow_is_impossible(type: str, value: int | None, words: str) -> None:
    parts = course("a", allowed_slots=(0,)), course("b", allowed_slots=(2,)), link(type, "a", "b", value=value)
    assert words in proof(dataset(*parts), "link_impossible").sentence


def test_a_block_is_on_one_day_and_so_under_the_limits_of_a_day() -> None:
    data = dataset(course("a", sessions=3, limit=2), link("grouped", "a"))
    found = proof(data, "link_grouped")
    assert "all on one day, but course a has at most 2 sessions a day (the default" in found.sentence
    assert (found.needed, found.available, found.rules) == (3, 2, ("link", "course_daily_limit"))
    long = dataset(course("a", sessions=4, limit=None), link("grouped", "a"), grid=HALVES)
    assert "no part of a day has more than 3" in proof(long, "link_grouped").sentence


def test_two_links_may_contradict_each_other() -> None:
    data = dataset(course("a"), course("b"), link("same_day", "a", "b"), link("different_day", "b", "a"))
    sentence = proof(data, "link_impossible").sentence
    assert "they share a day and they are on different days" in sentence


def test_rooms_that_links_ask_for_may_not_exist() -> None:
    data = dataset(
        course("a", types="lab"), course("b", types="hall"), link("same_room", "a", "b"),
        room("r1", type="lab"), room("r2", type="hall"),
    )  # fmt: skip
    assert "they share a room" in proof(data, "link_impossible").sentence


def test_a_session_longer_than_any_part_of_the_day_has_no_start() -> None:
    data = dataset(course("a", slots=4), grid=HALVES)
    assert "takes 4 slots in a row, more than any part of the day has" in proof(data, "no_start").sentence


def test_sessions_that_start_together_by_number_need_rooms_number_by_number() -> None:
    data = dataset(course("a", sessions=2), course("b", sessions=2), link("same_start", "a", "b"))
    assert proof(data, "link_same_start").sentence.startswith("a session 1 and b session 1 should all start together")
    assert diagnose(dataset(*data.courses, *data.links, room("r1"), room("r2"))) == ()


def test_sessions_that_start_together_in_different_weeks_can_share_a_room() -> None:
    alternating = dataset(course("a", weeks=(1,)), course("b", weeks=(2,)), link("same_start", "a", "b"), weeks=2)
    assert diagnose(alternating) == ()
    three = (course("a", weeks=(1,)), course("b", weeks=(2,)), course("c", weeks=(2,)))
    told = proof(dataset(*three, link("same_start", "a", "b", "c"), weeks=2), "link_same_start")
    assert (told.needed, told.available, set(told.entities)) == (2, 1, {"b", "c"})


def basket(*permissions: Link) -> Dataset:
    """Three electives of one group and one teacher at once in rooms of their own, in a week of two slots."""
    electives = [course(id, groups="g", faculty="f", students="s", fixed=[(0, 0)]) for id in "abc"]
    return dataset(
        *electives,
        course("d", groups="g", students="s"),
        link("same_start", "a", "b", "c"),
        *permissions,
        *(room(f"r{i}") for i in range(3)),
        grid=grid(1, 2),
    )


def test_sessions_that_may_clash_are_no_contradiction() -> None:
    assert {"link_impossible", "fixed_clash", "group_overload"} <= {each.code for each in diagnose(basket())}
    allowed = basket(link("may_clash", "a", "b", "c"))
    assert diagnose(allowed) == ()
    assert diagnose(replace(allowed, links=(*allowed.links, link("grouped", "a", "b", "c")))) == ()


def test_a_session_that_may_clash_with_those_of_a_slot_is_welcome_there() -> None:
    table = timetable(a=(0, "r0"), b=(0, "r1"), d=(1, "r0"))
    assert "busy or away" in " ".join(blockers(basket(), table, ("c", 0)))
    (repair, *_) = repairs(basket(link("may_clash", "a", "b", "c")), table, ("c", 0))
    assert (repair.slot, repair.room_id, repair.moves) == (0, "r2", ())


def test_a_chain_is_no_crowd() -> None:
    data = dataset(course("a", sessions=3), link("different_day", "a", pairing="chain"), grid=TWO_DAYS)
    assert diagnose(data) == ()


def test_a_session_that_is_tied_to_the_rest_of_its_course_has_a_neighbour_on_each_side() -> None:
    data = dataset(course("a", sessions=3), link("consecutive", ("a", 0), "a"))
    assert diagnose(data) == ()


def test_fixed_sessions_with_common_students_are_told_once_for_all_of_them() -> None:
    data = dataset(
        course("a", students="s1 s2", fixed=[(0, 3, "r1")]),
        course("b", students="s1 s2", fixed=[(0, 3, "r2")]),
        room("r1"),
        room("r2"),
    )
    clashes = [each for each in diagnose(data) if each.code == "fixed_clash"]
    assert [each.entities for each in clashes] == [("s1", "s2", "a", "b")]
    assert clashes[0].sentence == "2 students (s1 and s2) have 2 sessions fixed on Monday 11:00: a and b"


def test_a_shortage_in_a_few_slots_is_found_among_plenty_in_the_week() -> None:
    labs = [course(f"c{i}", types="lab", allowed_slots=(5,)) for i in range(3)]
    data = dataset(*labs, course("free", types="lab"), room("r1", type="lab"), room("r2", type="lab"))
    found = proof(data, "room_supply")
    assert (found.needed, found.available) == (3, 2)
    assert "offer in the slots open to them (Tuesday 09:00) 2 room slots" in found.sentence


def test_closed_rooms_offer_no_slots() -> None:
    data = dataset(course("a", sessions=3), room("r1", unavailable=[0, 1]), grid=ONE_DAY)
    assert (
        "every suitable room is closed"
        in proof(replace(data, courses=(replace(data.courses[0], allowed_slots=(0, 1)),)), "no_start").sentence
    )
    assert proof(data, "room_supply").available == 2


@given(case=planted())
def test_no_proof_fires_where_a_feasible_timetable_exists(case: Planted) -> None:
    assert diagnose(case.dataset) == ()


@given(data=datasets(), seed=st.integers(0, 1000))
def test_no_proof_fires_once_the_rules_that_a_timetable_breaks_are_not_hard(data: Dataset, seed: int) -> None:
    """Any complete timetable is feasible under the profile that gives up exactly what it breaks."""
    answer = random_timetable(data, Random(seed), placed=1.0)
    bent = _profile_kept_by(data, answer)
    assert verify(bent, answer).score.complete
    assert diagnose(bent) == ()


def _profile_kept_by(data: Dataset, answer: Timetable) -> Dataset:
    rules = verify(data, answer).rules.values()
    broken = {rule.rule: RuleSetting(tier="off") for rule in rules if rule.tier == "hard" and rule.count}
    return replace(data, rules={**data.rules, **broken})


# --- the work list --------------------------------------------------------------------------------------------------


def applied(answer: Timetable, session: SessionKey, repair: Repair) -> Timetable:
    places = dict(answer.by_session)
    return Timetable(placements=tuple((places | moved(session, repair)).values()))


def assert_repairs_hold(data: Dataset, answer: Timetable, session: SessionKey, found: tuple[Repair, ...]) -> None:
    before = verify(data, answer)
    hard = [rule.rule for rule in before.rules.values() if rule.tier == "hard"]
    for repair in found:
        assert len(repair.moves) <= 1
        after = verify(data, applied(answer, session, repair))
        assert session not in after.unplaced
        assert after.score.unplaced == before.score.unplaced - 1
        assert not [rule for rule in hard if after.counts[rule] > before.counts[rule]]


def test_blockers_count_every_start_once_under_its_first_reason() -> None:
    data = dataset(
        course("a", faculty="f", students="s"),
        course("b", faculty="f", sessions=2),
        course("c", students="s"),
        course("d"),
        teacher("f", name="A. Rao", unavailable=[0]),
        grid=grid(days=1, periods=6),
    )
    lines = blockers(data, timetable(b=[1, 2], c=3, d=4), ("a", 0))
    assert lines == (
        "3 starts: teacher A. Rao is busy or away",
        "1 start: no suitable room is free (1 would suit)",
        "1 start: some of its students are in another course",
        "1 start: free, Monday 13:00 in r1",
    )


def test_every_start_has_a_reason_or_is_free_and_they_add_up_to_the_blockers() -> None:
    data = dataset(
        course("a", faculty="f", students="s", sessions=1),
        course("b", faculty="f", sessions=2),
        course("c", students="s"),
        teacher("f", unavailable=[0]),
        room("r1", unavailable=[6]),
        grid=grid(2, 4),
    )
    openings = Openings(data, timetable(a=7, b=[1, 2], c=3))
    reasons = openings.reasons(("a", 0))
    assert [why is None for why in reasons] == [False, False, False, False, True, True, False, True]
    assert reasons[6] == "no suitable room is free" and "f" in (reasons[1] or "")
    lines = openings.blockers(("a", 0))
    assert sum(int(line.split()[0]) for line in lines) == len(reasons)
    assert next(line for line in lines if "free, " in line).startswith("3 starts")


def test_a_start_that_leaves_the_day_is_named_as_such() -> None:
    data = dataset(course("a", slots=2), grid=grid(1, 3))
    assert [why is None for why in Openings(data, timetable()).reasons(("a", 0))] == [True, True, False]


def test_blockers_name_limits_links_and_the_course_itself() -> None:
    data = dataset(
        course("a", groups="g", sessions=2, limit=1, allowed_slots=(0, 1, 2, 3, 4, 5)),
        course("b"),
        group("g", day=1),
        link("precedence", ("a", 1), "b"),
        grid=TWO_DAYS,
    )
    lines = blockers(data, timetable(a=[0], b=5), ("a", 1))
    assert set(lines) == {
        "2 starts: the course may not start",
        "1 start: group g is busy or away, another session of the course runs and no suitable room is free "
        "(1 would suit)",
        "3 starts: group g has reached the limit of 1 on that day and course a has reached the limit of 1 on that day",
        "1 start: the link 'precedence' with b breaks",
        "1 start: free, Tuesday 08:00 in r1",
    }


def test_blockers_and_repairs_know_the_block_that_a_session_belongs_to() -> None:
    data = dataset(
        course("a", sessions=3, limit=None, allowed_slots=(0, 1, 2, 3, 4, 5)), course("b", faculty="f"),
        teacher("f"), link("grouped", "a"), room("r1"), room("r2"), grid=TWO_DAYS,
    )  # fmt: skip
    placed = timetable(a=[0, 2], b=7)
    lines = blockers(data, placed, ("a", 2))
    assert "2 starts: the link 'grouped' with a session 1 and a session 2 breaks" in lines
    assert next(repair.slot for repair in repairs(data, placed, ("a", 2))) == 1


def test_blockers_say_when_no_room_suits_or_no_part_of_the_day_is_long_enough() -> None:
    small = dataset(course("a", size=50), room("r1", 10))
    assert blockers(small, timetable(), ("a", 0)) == ("no room suits: the course needs a room with 50 seats",)
    long = dataset(course("a", slots=4), grid=HALVES)
    assert blockers(long, timetable(), ("a", 0)) == ("no part of the day has 4 slots in a row",)


PINNED = dataset(
    course("a", faculty="f", groups="g", size=50, allowed_slots=(0, 1), fixed=[(0, 3, "r1")]),
    teacher("f", unavailable=[3]),
    group("g", unavailable=[3]),
    room("r1", 10),
    room("r2", 60),
)
"""A pin with four faults: outside the allowed slots, in a small room, when neither teacher nor group are there."""


def test_all_faults_of_a_pin_are_proved_at_once_the_rigid_one_first() -> None:
    found = [each for each in diagnose(PINNED) if "a" in each.entities]
    assert [each.code for each in found] == ["fixed_impossible", "fixed_room_unsuitable"]
    assert found[0].sentence == (
        "a is fixed to Monday 11:00, but then the course may not start, teacher f is away and group g is away"
    )
    assert found[0].rules == ("fixed_moved", "slot_forbidden", "faculty_unavailable", "group_unavailable")
    without_rooms = replace(PINNED, rooms=(room("r1", 10),))
    assert [each.code for each in diagnose(without_rooms)][:2] == ["fixed_impossible", "no_room"]


def test_all_faults_of_an_open_pin_stand_in_the_work_list_the_rigid_ones_first() -> None:
    assert blockers(PINNED, timetable(), ("a", 0)) == (
        "19 starts: it is fixed to Monday 11:00",
        "1 start: the course may not start, teacher f is busy or away and group g is busy or away",
        "no room suits: the course needs a room with 50 seats",
    )


def test_where_only_what_may_be_bent_is_in_the_way_the_missing_room_comes_first() -> None:
    data = dataset(course("a", faculty="f", size=50), teacher("f", unavailable=[3]), room("r1", 10))
    assert blockers(data, timetable(), ("a", 0)) == (
        "no room suits: the course needs a room with 50 seats",
        "1 start: teacher f is busy or away",
    )


def test_a_daily_limit_that_nobody_set_is_told_as_our_default() -> None:
    ours, own = (
        dataset(course("a", sessions=5, limit=2), grid=TWO_DAYS),
        dataset(course("a", sessions=7, limit=3), grid=TWO_DAYS),
    )
    note = "(the default of max_sessions_per_day)"
    assert f"a limit of 2 per day {note} on the 2 days" in proof(ours, "course_daily_limit").sentence
    assert note not in proof(own, "course_daily_limit").sentence
    assert any(note in line for line in blockers(ours, timetable(a=[0, 1]), ("a", 2)))
    broken = verify(ours, timetable(a=[0, 1, 2])).rules["course_daily_limit"]
    assert broken.offences[0].message == f"course a has 3 sessions on Monday, but the limit is 2 {note}"


def test_a_longest_run_that_nobody_set_is_told_as_our_default() -> None:
    long = dataset(course("a", groups="g", slots=3, sessions=2), grid=grid(1, 6))
    for rules, ours in (({}, True), ({"consecutive_limit": RuleSetting(value=5)}, False)):
        (offence,) = verify(replace(long, rules=rules), timetable(a=[0, 3])).rules["consecutive_limit"].offences
        assert ("(the default of consecutive_limit)" in offence.message) is ours


def test_a_teacher_at_the_weekly_limit_blocks_every_start() -> None:
    data = dataset(course("a", faculty="f", sessions=2), teacher("f", week=1), grid=ONE_DAY)
    lines = blockers(data, timetable(a=[0]), ("a", 1))
    assert lines[-1] == "3 starts: teacher f has reached the limit of 1 session a week"
    assert repairs(data, timetable(a=[0]), ("a", 1)) == ()


def test_a_free_place_is_the_first_repair() -> None:
    data = dataset(course("a", size=10), course("b"), room("big", 100), room("small", 10), grid=ONE_DAY)
    first = repairs(data, timetable(b=(0, "small")), ("a", 0))[0]
    assert (first.slot, first.room_id, first.moves) == (0, "big", ())
    assert first.sentence == "place it on Monday 08:00 in big, which is free"


def test_one_other_session_is_moved_when_nothing_is_free() -> None:
    data = dataset(
        course("a", faculty="f", allowed_slots=(0,)), course("b", faculty="f", code="B1"), room("r1"), grid=TWO_DAYS
    )
    answer = timetable(b=0)
    found = repairs(data, answer, ("a", 0))
    assert [(r.slot, r.room_id, r.moves) for r in found] == [(0, "r1", ((("b", 0), 1, "r1"),))]
    assert (
        found[0].sentence == "place it on Monday 08:00 in r1 and move B1 from Monday 08:00 in r1 to Monday 09:00 in r1"
    )
    assert_repairs_hold(data, answer, ("a", 0), found)


def test_whoever_stands_in_the_only_room_is_moved_to_another_room() -> None:
    data = dataset(
        course("a", size=50, allowed_slots=(0,)),
        course("b", size=5, allowed_slots=(0,)),
        room("big", 50),
        room("small", 5),
    )
    found = repairs(data, timetable(b=(0, "big")), ("a", 0))
    assert [r.moves for r in found] == [((("b", 0), 0, "small"),)]


def test_a_fixed_session_is_never_moved() -> None:
    data = dataset(course("a", faculty="f", allowed_slots=(0,)), course("b", faculty="f", fixed=[(0, 0)]))
    assert repairs(data, timetable(b=0), ("a", 0)) == ()


def test_a_session_that_stands_somewhere_is_looked_at_as_if_it_were_open() -> None:
    data = dataset(course("a"), grid=ONE_DAY)
    assert blockers(data, timetable(a=0), ("a", 0))[0].startswith("4 starts: free")


def test_no_more_repairs_than_asked_for() -> None:
    data = dataset(course("a"), room("r1"))
    assert [len(repairs(data, timetable(), ("a", 0), limit)) for limit in (0, 1, 3)] == [0, 1, 3]


def test_an_unknown_session_is_refused() -> None:
    with pytest.raises(InputError, match="has no session"):
        blockers(dataset(course("a")), timetable(), ("a", 1))


def test_a_rule_over_everybody_is_recounted_on_the_whole_timetable() -> None:
    data = dataset(
        *(course(f"c{i}") for i in range(4)),
        *(room(f"r{i}") for i in range(4)),
        rules={"slot_peak": "hard"},
        grid=ONE_DAY,
    )
    answer = timetable(c1=(0, "r1"), c2=(0, "r2"))
    assert [repair.slot for repair in repairs(data, answer, ("c0", 0))] == [1, 2, 3]


@given(case=planted(), seed=st.integers(0, 1000))
def test_a_session_taken_out_of_a_feasible_timetable_finds_a_way_back(case: Planted, seed: int) -> None:
    out = Random(seed).choice(case.timetable.placements)
    answer = Timetable(placements=tuple(p for p in case.timetable.placements if p is not out))
    openings = Openings(case.dataset, answer)
    found = openings.repairs(out.key)
    assert found
    assert_repairs_hold(case.dataset, answer, out.key, found)
    length, time_grid = case.dataset.part_of(out.key).session_slots, case.dataset.time_grid
    lines = openings.blockers(out.key)
    told = sum(int(re.match(r"\d+", line)[0]) for line in lines)  # type: ignore[index]
    assert told == sum(time_grid.can_start(slot, length) for slot in range(time_grid.num_slots))
    assert ": free, " in lines[-1]


@given(data=datasets(), seed=st.integers(0, 1000))
def test_repairs_of_any_timetable_make_no_hard_rule_worse(data: Dataset, seed: int) -> None:
    answer = random_timetable(data, Random(seed), placed=0.7)
    openings = Openings(data, answer)
    for session in verify(data, answer).unplaced[:2]:
        assert openings.blockers(session)
        assert_repairs_hold(data, answer, session, openings.repairs(session))


def test_a_session_that_clashes_is_moved_away_and_stays_where_it_is_until_somebody_does_it() -> None:
    data = dataset(course("a", faculty="f"), course("b", faculty="f"), room("r1"), room("r2"), grid=ONE_DAY)
    answer = timetable(a=0, b=(0, "r2"))
    openings = Openings(data, answer)
    for _ in range(2):
        assert [repair.slot for repair in openings.relocations(("a", 0), "faculty_clash")] == [1, 2, 3]
    assert openings.relocations(("a", 0), "room_clash") == ()  # nothing is broken there that could count less


@given(data=datasets(), seed=st.integers(0, 1000))
def test_after_a_relocation_the_rule_counts_less_and_no_hard_rule_more(data: Dataset, seed: int) -> None:
    answer = random_timetable(data, Random(seed))
    openings, before = Openings(data, answer), verify(data, answer, max_offences=3)
    for count in before.rules.values():
        for offence in count.offences if count.tier == "hard" else ():
            for repair in openings.relocations(offence.sessions[0], count.rule, 1):
                places = answer.by_session | moved(offence.sessions[0], repair)
                after = verify(data, Timetable(placements=tuple(places.values())))
                assert after.rules[count.rule].count < count.count
                assert all(
                    after.rules[id].count <= rule.count for id, rule in before.rules.items() if rule.tier == "hard"
                )


def moved(session: SessionKey, repair: Repair) -> dict[SessionKey, Placement]:
    others = {key: Placement.at(key, slot, [] if room is None else [room]) for key, slot, room in repair.moves}
    return others | {session: Placement.at(session, repair.slot, repair.room_ids)}
