"""
For every rule small cases by hand: a timetable that breaks it by a known number of units, and one that just does not.

Every counter has to give these counts. The grid is 5 days of 4 periods unless a case says otherwise, slots 0-3 are
Monday, 4-7 Tuesday.
"""

from __future__ import annotations

from typing import NamedTuple

from solver.model import Dataset, RuleSetting, Timetable
from tests.builders import course, dataset, grid, group, link, room, teacher, timetable


class Case(NamedTuple):
    """`words` stand in the message of the first offence."""

    rule: str
    what: str
    dataset: Dataset
    breaks: Timetable
    count: int
    keeps: Timetable
    words: str


LUNCH = grid(days=2, periods=4, lunch_after=2)
TWO_ROOMS = (room("r1"), room("r2"))
HALVES = (group("1A", 30), group("1A-a", 15, part_of=("1A",)), group("1A-b", 15, part_of=("1A",)))
SCHOOL = dataset(course("a", groups="g1", sessions=4), group("g1"))


def _linked(type: str, breaks: Timetable, keeps: Timetable, words: str, **link_fields: object) -> Case:
    data = dataset(
        course("a", slots=2),
        course("b"),
        *TWO_ROOMS,
        link(type, ("a", 0), ("b", 0), **link_fields),  # type: ignore[arg-type]
    )
    return Case("link", type, data, breaks, 1, keeps, words)


HARD_CASES = (
    Case(
        "faculty_clash",
        "three sessions at once are two too many",
        dataset(course("a", faculty="f1"), course("b", faculty="f1 f2"), course("c", faculty="f1")),
        timetable(a=3, b=3, c=3),
        2,
        timetable(a=3, b=2, c=4),
        "teacher f1 has 3 sessions at once on Monday 11:00",
    ),
    Case(
        "faculty_clash",
        "a long session clashes in its second slot",
        dataset(course("a", faculty="f1", slots=2), course("b", faculty="f1")),
        timetable(a=0, b=1),
        1,
        timetable(a=0, b=2),
        "on Monday 09:00",
    ),
    Case(
        "room_clash",
        "two sessions share a room",
        dataset(course("a"), course("b"), *TWO_ROOMS),
        timetable(a=3, b=3),
        1,
        timetable(a=3, b=(3, "r2")),
        "room r1 holds 2 sessions on Monday 11:00",
    ),
    Case(
        "room_clash",
        "two sessions in a closed room count twice",
        dataset(course("a", slots=2), course("b"), room("r1", unavailable=[1])),
        timetable(a=0, b=1),
        2,
        timetable(a=2, b=0),
        "though it is closed",
    ),
    Case(
        "group_clash",
        "a group has two courses at once",
        dataset(course("a", groups="g1"), course("b", groups="g1 g2")),
        timetable(a=0, b=0),
        1,
        timetable(a=0, b=1),
        "group g1 has 2 sessions at once on Monday 08:00",
    ),
    Case(
        "group_clash",
        "a half is part of its class, and the other half is not",
        dataset(course("a", groups="1A"), course("b", groups="1A-a"), course("c", groups="1A-b"), *HALVES, *TWO_ROOMS),
        timetable(a=0, b=(0, "r2"), c=1),
        1,
        timetable(a=0, b=1, c=(1, "r2")),
        "group 1A-a has 2 sessions at once on Monday 08:00: a and b",
    ),
    Case(
        "group_clash",
        "a course without groups is a group of its own",
        dataset(course("a", sessions=2)),
        timetable(a=[5, (5, "r1")]),
        1,
        timetable(a=[5, 6]),
        "course a has 2 sessions at once on Tuesday 09:00",
    ),
    Case(
        "slot_forbidden",
        "a start that is not listed",
        dataset(course("a", allowed_slots=(0, 1))),
        timetable(a=2),
        1,
        timetable(a=1),
        "not one of its permitted times",
    ),
    Case(
        "fixed_moved",
        "another slot, and another room, each once per session",
        dataset(course("a", sessions=2, fixed=[(0, 5, "r1"), (1, 6)]), *TWO_ROOMS),
        timetable(a=[(4, "r2"), 7]),
        2,
        timetable(a=[(5, "r1"), (6, "r2")]),
        "a session 1 is fixed to Tuesday 09:00 in r1 but is on Tuesday 08:00 in r2",
    ),
    Case(
        "group_daily_limit",
        "four sessions where two are allowed",
        dataset(course("a", groups="g1", sessions=4), group("g1", day=2)),
        timetable(a=[0, 1, 2, 3]),
        2,
        timetable(a=[0, 1, 4, 5]),
        "group g1 has 4 sessions on Monday, but the limit is 2",
    ),
    Case(
        "course_daily_limit",
        "a session counts on the day of its start, whatever its length",
        dataset(course("a", sessions=2, slots=2, limit=1)),
        timetable(a=[0, 2]),
        1,
        timetable(a=[0, 4]),
        "course a has 2 sessions on Monday, but the limit is 1",
    ),
    Case(
        "faculty_daily_limit",
        "a limit of none at all",
        dataset(course("a", faculty="f1"), teacher("f1", day=0)),
        timetable(a=0),
        1,
        timetable(),
        "teacher f1 has 1 session on Monday, but the limit is 0",
    ),
    Case(
        "faculty_weekly_limit",
        "only placed sessions count",
        dataset(course("a", faculty="f1", sessions=4), teacher("f1", week=2, name="A. Rao")),
        timetable(a=[0, 4, 8, 12]),
        2,
        timetable(a=[0, 4]),
        "teacher A. Rao has 4 sessions in the week, but the limit is 2",
    ),
    Case(
        "room_capacity",
        "students without a seat, per session",
        dataset(course("a", sessions=2, size=40), room("r1", 25), room("r2", 40)),
        timetable(a=[0, 1]),
        30,
        timetable(a=[(0, "r2"), (1, "r2")]),
        "room r1 seats 25 but a session 1 expects 40 students",
    ),
    Case(
        "room_unsuitable",
        "wrong type and missing feature are one breach",
        dataset(course("a", types="lab", features="gas"), room("r1"), room("r2", type="lab", features="gas water")),
        timetable(a=0),
        1,
        timetable(a=(0, "r2")),
        "a needs a lab with gas, but room r1 is a lecture hall without gas",
    ),
    Case(
        "group_unavailable",
        "every covered slot counts",
        dataset(course("a", groups="g1", slots=2), group("g1", unavailable=[0, 1])),
        timetable(a=0),
        2,
        timetable(a=2),
        "group g1 is not available on Monday 08:00",
    ),
    Case(
        "faculty_unavailable",
        "a session may end where the absence starts",
        dataset(course("a", faculty="f1", slots=2), teacher("f1", unavailable=[2])),
        timetable(a=1),
        1,
        timetable(a=0),
        "teacher f1 is not available on Monday 10:00 but has a",
    ),
    Case(
        "student_clash",
        "one unit per common student and common slot",
        dataset(course("a", students="s1 s2 s3", slots=2), course("b", students="s2 s3", slots=2), *TWO_ROOMS),
        timetable(a=0, b=(0, "r2")),
        4,
        timetable(a=0, b=2),
        "2 students (s2 and s3) should be in a and b at once on Monday 08:00",
    ),
    Case(
        "student_clash",
        "sessions of one course are not pairs of different courses",
        dataset(course("a", students="s1", sessions=2), course("b", students="s1")),
        timetable(a=[0, 0], b=0),
        2,
        timetable(a=[0, 0], b=1),
        "1 student (s1) should be in a and b at once",
    ),
    Case(
        "student_clash",
        "it is said which of the courses are core when not all are",
        dataset(
            course("a", students="s1"), course("b", students="s1"), course("c", students="s1", subject_type="elective")
        ),
        timetable(a=0, b=0, c=0),
        3,
        timetable(a=0, b=1, c=2),
        "1 student (s1) should be in a, b and c at once on Monday 08:00; a and b are core",
    ),
    Case(
        "core_clash",
        "one unit per common student and common slot of two core courses",
        dataset(
            course("a", students="s1 s2 s3", slots=2),
            course("b", students="s2 s3", slots=2),
            course("c", students="s1 s2 s3", subject_type="elective"),
            *TWO_ROOMS,
        ),
        timetable(a=0, b=(1, "r2"), c=1),
        2,
        timetable(a=0, b=2, c=1),
        "2 students (s2 and s3) should be in core courses a and b at once on Monday 09:00",
    ),
    _linked(
        "precedence", timetable(a=0, b=1), timetable(a=0, b=2), "should end before b (Monday 09:00, room r1) starts"
    ),
    _linked("not_overlap", timetable(a=0, b=1), timetable(a=1, b=0), "should not overlap b"),
    _linked("same_start", timetable(a=0, b=1), timetable(a=0, b=0), "should start together with b"),
    _linked("same_day", timetable(a=2, b=4), timetable(a=4, b=7), "should be on the day of b"),
    _linked("different_day", timetable(a=4, b=7), timetable(a=2, b=4), "should not be on the day of b"),
    _linked("same_room", timetable(a=0, b=(2, "r2")), timetable(a=0, b=2), "should be in the room of b"),
    _linked("different_room", timetable(a=0, b=2), timetable(a=0, b=(2, "r2")), "should not be in the room of b"),
    _linked("consecutive", timetable(a=2, b=4), timetable(a=1, b=0), "should be right before or after b"),
    _linked("min_gap", timetable(a=0, b=2), timetable(a=0, b=3), "should be 1 or more free slots away from b", value=1),
    _linked("min_gap", timetable(a=1, b=0), timetable(a=2, b=4), "free slots away from b", value=2),
    _linked("same_hour", timetable(a=1, b=4), timetable(a=1, b=5), "should start at the same hour of the day as b"),
    _linked("days_apart", timetable(a=0, b=7), timetable(a=2, b=8), "should be at least 2 days away from b", value=2),
    _linked("days_apart", timetable(a=0, b=12), timetable(a=10, b=3), "should be at most 2 days away from b", most=2),
    _linked("days_apart", timetable(a=4, b=5), timetable(a=4, b=0), "should be 1 day away", value=1, most=1),
    _linked("days_apart", timetable(a=0, b=16), timetable(a=0, b=15), "should be 1 to 3 days away", value=1, most=3),
    _linked(
        "consecutive_if_same_day",
        timetable(a=0, b=3),
        timetable(a=2, b=4),
        "should be right before or after b (Monday 11:00, room r1) where both are on one day",
    ),
    _linked("consecutive_if_same_day", timetable(a=0, b=3), timetable(a=1, b=0), "should be right before or after b"),
    _linked(
        "ordered_if_same_day",
        timetable(a=1, b=0),
        timetable(a=4, b=0),
        "should end before b (Monday 08:00, room r1) starts where both are on one day",
    ),
    _linked("ordered_if_same_day", timetable(a=0, b=1), timetable(a=0, b=2), "should end before b"),
    Case(
        "link",
        "session k of one course starts with session k of another one",
        dataset(course("a", sessions=2), course("b", sessions=2), *TWO_ROOMS, link("same_start", "a", "b")),
        timetable(a=[0, 4], b=[(4, "r2"), (0, "r2")]),
        2,
        timetable(a=[0, 4], b=[(0, "r2"), (4, "r2")]),
        "a session 1 (Monday 08:00, room r1) should start together with b session 1 (Tuesday 08:00, room r2)",
    ),
    Case(
        "link",
        "sessions of one course follow each other like the links of a chain",
        dataset(course("a", sessions=3, limit=3), link("consecutive", "a")),
        timetable(a=[0, 2, 3]),
        1,
        timetable(a=[3, 2, 1]),
        "a session 1 (Monday 08:00, room r1) should be right before or after a session 2",
    ),
    Case(
        "link",
        "all sessions that are named differ, those of one course as well",
        dataset(course("a", sessions=2), course("b"), link("different_day", "a", "b", pairing="all")),
        timetable(a=[0, 1], b=2),
        3,
        timetable(a=[0, 4], b=8),
        "should not be on the day of",
    ),
    Case(
        "link",
        "each block of sessions above one counts",
        dataset(course("a", sessions=2), course("b", slots=2), link("grouped", "a", "b")),
        timetable(a=[0, 5], b=8),
        2,
        timetable(a=[0, 3], b=1),
        "a session 1, a session 2 and b should be in one block, without a free slot between them, but are in 3, from "
        "Monday 08:00, Tuesday 09:00 and Wednesday 08:00 on",
    ),
    Case(
        "link",
        "a block ends with the day",
        dataset(course("a"), course("b"), *TWO_ROOMS, link("grouped", "a", "b")),
        timetable(a=3, b=4),
        1,
        timetable(a=3, b=(3, "r2")),
        "a and b should be in one block",
    ),
    Case(
        "link",
        "a block ends before lunch",
        dataset(course("a", sessions=2), link("grouped", "a"), grid=LUNCH),
        timetable(a=[1, 2]),
        1,
        timetable(a=[1, 0]),
        "but are in 2, from Monday 09:00 and Monday 11:00 on",
    ),
    Case(
        "link",
        "a whole course is tied pairwise in the order of its sessions",
        dataset(course("a", sessions=3), link("precedence", "a")),
        timetable(a=[2, 1, 0]),
        3,
        timetable(a=[0, 1, 2]),
        "should end before",
    ),
)

SOFT_CASES = (
    Case(
        "faculty_preference",
        "a slot that is not liked loses points, one of which nothing is said loses none",
        dataset(
            course("a", faculty="f1", slots=2), course("b", faculty="f2"), teacher("f1", preferences={0: 0.6, 1: 0.1})
        ),
        timetable(a=1, b=0),
        4,
        timetable(a=2, b=1),
        "teacher f1 has a on Monday 09:00, a time rated 0.1 out of 1",
    ),
    Case(
        "faculty_preference",
        "who names slots to their liking only asks for these, and the best of them cost nothing",
        dataset(course("a", faculty="f1", slots=2), teacher("f1", preferences={0: 0.9, 1: 0.9, 2: 0.7})),
        timetable(a=2),
        2 + 4,
        timetable(a=0),
        "teacher f1 has a on Monday 11:00, outside the times asked for",
    ),
    Case(
        "faculty_preference",
        "who has an opinion of every slot asks for the best of them, however bad they are",
        dataset(
            course("a", faculty="f1", slots=2),
            teacher("f1", unavailable=range(8, 20), preferences={slot: 0.3 - 0.2 * (slot == 2) for slot in range(8)}),
        ),
        timetable(a=2),
        2,
        timetable(a=0),
        "teacher f1 has a on Monday 10:00, a time rated 0.1 out of 1",
    ),
    Case(
        "group_gap",
        "two free slots in a day",
        SCHOOL,
        timetable(a=[0, 3]),
        2,
        timetable(a=[0, 1, 2, 4]),
        "2 free slots",
    ),
    Case(
        "group_gap",
        "lunch is no gap",
        dataset(course("a", groups="g1", sessions=2), grid=LUNCH),
        timetable(a=[0, 2]),
        1,
        timetable(a=[1, 2]),
        "group g1 has 1 free slot between sessions on Monday",
    ),
    Case(
        "student_gap",
        "over all courses of a student",
        dataset(course("a", students="s1 s2"), course("b", students="s1")),
        timetable(a=0, b=2),
        1,
        timetable(a=0, b=1),
        "student s1 has 1 free slot between sessions on Monday",
    ),
    Case(
        "isolated_session",
        "nothing right before or after",
        SCHOOL,
        timetable(a=[0, 2, 3]),
        1,
        timetable(a=[0, 1, 2, 3]),
        "group g1 has a session 1 alone on Monday 08:00",
    ),
    Case(
        "isolated_session",
        "neighbours across lunch are neighbours, across midnight they are not",
        dataset(course("a", groups="g1", sessions=2), grid=LUNCH),
        timetable(a=[3, 4]),
        2,
        timetable(a=[1, 2]),
        "alone on Monday 12:00",
    ),
    Case(
        "late_start",
        "free slots before the first session of a group's day, none on a day without any",
        SCHOOL,
        timetable(a=[2, 3, 5]),
        3,
        timetable(a=[0, 3, 4]),
        "group g1 has 2 free slots before its first session on Monday",
    ),
    Case(
        "min_days",
        "missing days, for courses with any placed session",
        dataset(course("a", sessions=3, min_days=3), course("b", min_days=1)),
        timetable(a=[0, 1]),
        2,
        timetable(a=[0, 4, 8]),
        "course a meets on 1 day, not on 3 or more",
    ),
    Case(
        "room_stability",
        "rooms beyond the first",
        dataset(course("a", sessions=3), *TWO_ROOMS, room("r3")),
        timetable(a=[0, (1, "r2"), (2, "r3")]),
        2,
        timetable(a=[0, 1, 2]),
        "course a uses 3 rooms",
    ),
    Case(
        "room_waste",
        "full units of ten empty seats",
        dataset(course("a", size=20), room("r1", 49), room("r2", 29)),
        timetable(a=0),
        2,
        timetable(a=(0, "r2")),
        "a has 20 students in room r1, which has 49 seats",
    ),
    Case(
        "load_balance",
        "above an even spread of all sessions in the dataset",
        dataset(course("a", faculty="f1", sessions=6)),
        timetable(a=[0, 1, 2, 3]),
        2,
        timetable(a=[0, 1, 4, 5]),
        "teacher f1 has 4 sessions on Monday; spread evenly it would be 2",
    ),
    Case(
        "slot_peak",
        "more than one and a quarter times the mean",
        dataset(course("a", sessions=4), grid=grid(days=1, periods=4)),
        timetable(a=[0, 0, 0, 1]),
        1,
        timetable(a=[0, 0, 1, 1]),
        "3 sessions run on Monday 08:00, but 2 is the most there should be",
    ),
    Case(
        "travel",
        "started units of five minutes, for every teacher and group who walks",
        dataset(
            course("a", faculty="f1 f2", groups="g1"),
            course("b", faculty="f1", groups="g1"),
            room("r1", building="A"),
            room("r2", building="B"),
            travel={"A": {"B": 11}},
        ),
        timetable(a=0, b=(1, "r2")),
        6,
        timetable(a=0, b=(2, "r2")),
        "walks 11 minutes from building A to B with no break before b on Monday 09:00",
    ),
    Case(
        "travel",
        "lunch is long enough",
        dataset(
            course("a", groups="g1", sessions=2),
            room("r1", building="A"),
            room("r2", building="B"),
            travel={"B": {"A": 5}},
            grid=LUNCH,
        ),
        timetable(a=[0, (1, "r2")]),
        1,
        timetable(a=[1, (2, "r2")]),
        "group g1 walks 5 minutes",
    ),
    Case(
        "consecutive_limit",
        "slots of a run above the limit",
        dataset(course("a", groups="g1", sessions=4), rules={"consecutive_limit": RuleSetting(value=2)}),
        timetable(a=[0, 1, 2, 3]),
        2,
        timetable(a=[0, 1, 3, 4]),
        "group g1 sits through more than 2 slots in a row on Monday",
    ),
    Case(
        "consecutive_limit",
        "a run ends at lunch; without groups students count",
        dataset(
            course("a", students="s1", sessions=4),
            rules={"consecutive_limit": RuleSetting(value=1)},
            grid=LUNCH,
        ),
        timetable(a=[0, 1]),
        1,
        timetable(a=[1, 2]),
        "student s1 sits through more than 1 slots",
    ),
    Case(
        "single_session_day",
        "students without a group count beside groups, those of a group with it",
        dataset(
            course("a", groups="g1", students="s1", sessions=2),
            course("b", students="s1 s2"),
            course("c", students="s2"),
        ),
        timetable(a=[0, 1], b=4, c=8),
        2,
        timetable(a=[0, 1], b=4, c=5),
        "student s2 comes on Tuesday only for b",
    ),
    Case(
        "single_session_day",
        "exactly one occupied slot",
        SCHOOL,
        timetable(a=[0, 4, 5]),
        1,
        timetable(a=[4, 5]),
        "group g1 comes on Monday only for a session 1",
    ),
    Case(
        "last_slot",
        "the last period of a day",
        SCHOOL,
        timetable(a=[3, 7]),
        2,
        timetable(a=[2, 6]),
        "last slot of Monday",
    ),
    Case(
        "soft_link",
        "every block above one counts the weight of the link",
        dataset(course("a", sessions=3, limit=3), link("grouped", "a", tier="soft", weight=3)),
        timetable(a=[0, 5, 10]),
        6,
        timetable(a=[2, 1, 3]),
        "should be in one block",
    ),
    Case(
        "soft_link",
        "every broken pair counts the weight of the link",
        dataset(course("a", sessions=2), course("b"), link("same_day", "a", ("b", 0), tier="soft", weight=3)),
        timetable(a=[0, 4], b=8),
        6,
        timetable(a=[8, 9], b=10),
        "should be on the day of b",
    ),
)

CASES = HARD_CASES + SOFT_CASES


def case_id(case: Case) -> str:
    return f"{case.rule}-{case.what}".replace(" ", "_")
