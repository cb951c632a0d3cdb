"""
ITC-2007 problems and answers: what is read, what is written, and that our cost is the competition's.

`ud2` below counts as the official validator does, straight from the text of a problem and the text of an answer; it
knows nothing of our model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.errors import InputError
from solver.formats.ctt import UD2_WEIGHTS, dump_ctt, dump_solution, load_ctt, load_solution
from solver.formats.tim import dump_tim
from solver.model import Dataset, Placement, Timetable
from solver.rules import profile_of
from solver.verify import verify
from tests.builders import course, dataset, group, link, part, random_timetable, room, teacher

INSTANCES = sorted((Path(__file__).resolve().parents[4] / "shared" / "datasets" / "itc2007-cbctt").glob("*.ctt"))

TOY = """\
Name: ToyExample
Courses: 4
Rooms: 3
Days: 5
Periods_per_day: 4
Curricula: 2
Constraints: 8

COURSES:
SceCosC Ocra 3 3 30
ArcTec Indaco 3 2 42
TecCos Rosa 5 4 40
Geotec Scarlatti 5 4 18

ROOMS:
rA\t32
rB\t50
rC\t40

CURRICULA:
Cur1 3 SceCosC ArcTec TecCos
Cur2 2 TecCos Geotec

UNAVAILABILITY_CONSTRAINTS:
TecCos 2 0
TecCos 2 1
TecCos 3 2
TecCos 3 3
ArcTec 4 0
ArcTec 4 1
ArcTec 4 2
ArcTec 4 3

END.
"""
# One teacher with two courses, a course in no curriculum, a course in two, one period a day on two days.
NARROW = """\
Name: Narrow
Courses: 3
Rooms: 1
Days: 2
Periods_per_day: 1
Curricula: 2
Constraints: 0

COURSES:
a t 2 2 5
b t 1 1 50
c u 2 1 7

ROOMS:
r 10

CURRICULA:
q1 1 a
q2 2 a b

UNAVAILABILITY_CONSTRAINTS:

END.
"""


class Cost(NamedTuple):
    """Soft terms by their name in `UD2_WEIGHTS`, unweighted, then what the validator counts besides."""

    room_capacity: int
    min_days: int
    isolated_session: int
    isolated_lecture: int
    room_stability: int
    conflicts: int
    room_occupancy: int
    unavailable: int
    lectures: int


def ud2(problem: str, answer: str) -> Cost:
    """Counts an answer as the official validator does (performance notes of the competition, 2007)."""
    sections, title = defaultdict(list), "header"
    for line in problem.splitlines():
        if line.strip().endswith(":") and " " not in line.strip():
            title = line.strip()
        elif line.strip() and line.strip() != "END.":
            sections[title].append(line.split())
    periods = int({row[0]: row[1] for row in sections["header"]}["Periods_per_day:"])
    courses = {row[0]: row for row in sections["COURSES:"]}
    seats = {row[0]: int(row[1]) for row in sections["ROOMS:"]}
    curricula = {row[0]: set(row[2:]) for row in sections["CURRICULA:"]}
    closed = {(row[0], int(row[1]), int(row[2])) for row in sections["UNAVAILABILITY_CONSTRAINTS:"]}
    lectures = [(c, r, int(d), int(p)) for c, r, d, p in (line.split() for line in answer.splitlines())]

    def in_conflict(a: str, b: str) -> bool:
        shared = any(a in members and b in members for members in curricula.values())
        return a == b or courses[a][1] == courses[b][1] or shared

    same_time = [(x, y) for x, y in combinations(lectures, 2) if x[2:] == y[2:]]
    cells, isolated = 0, 0
    for members in curricula.values():
        at: dict[tuple[int, int], int] = defaultdict(int)
        for c, _, d, p in lectures:
            at[d, p] += c in members
        for d in range(7):
            for p in range(periods):
                if at[d, p] and not at[d, p - 1] and not at[d, p + 1]:
                    cells, isolated = cells + 1, isolated + at[d, p]
    days, rooms = defaultdict(set), defaultdict(set)
    for c, r, d, _ in lectures:
        days[c].add(d)
        rooms[c].add(r)
    return Cost(
        room_capacity=sum(max(0, int(courses[c][4]) - seats[r]) for c, r, _, _ in lectures),
        min_days=sum(max(0, int(courses[c][3]) - len(days[c])) for c in days),
        isolated_session=cells,
        isolated_lecture=isolated,
        room_stability=sum(len(used) - 1 for used in rooms.values()),
        conflicts=sum(in_conflict(x[0], y[0]) for x, y in same_time),
        room_occupancy=sum(x[1] == y[1] for x, y in same_time),
        unavailable=sum((c, d, p) in closed for c, _, d, p in lectures),
        lectures=len(lectures),
    )


def agrees(problem: str, data: Dataset, timetable: Timetable) -> None:
    """The verifier counts what the validator counts, term by term, and the cost is its cost."""
    report = verify(data, timetable)
    cost = ud2(problem, dump_solution(data, timetable))
    counts = report.counts
    assert {name: counts[name] for name in UD2_WEIGHTS} == {name: getattr(cost, name) for name in UD2_WEIGHTS}
    assert report.score.soft == sum(weight * getattr(cost, name) for name, weight in UD2_WEIGHTS.items())
    assert report.placed == cost.lectures
    assert (counts["faculty_clash"] + counts["group_clash"] == 0) == (cost.conflicts == 0)
    assert (counts["room_clash"] == 0) == (cost.room_occupancy == 0)
    assert counts["slot_forbidden"] == cost.unavailable
    if counts["group_clash"] == 0:
        assert counts["isolated_session"] == cost.isolated_lecture
    on = {"room_clash", "group_clash", "faculty_clash", "slot_forbidden", *UD2_WEIGHTS}
    assert all(rule.cost == 0 for id, rule in report.rules.items() if id not in on)


def without_clashes(data: Dataset, rng: Random) -> Timetable:
    """Places what can be placed without a clash of teachers, curricula or rooms, at random."""
    busy: dict[int, set[str]] = defaultdict(set)
    placements = []
    for course_id, session in data.sessions:
        each = data.course[course_id]
        people = {f"c {course_id}", *(f"f {f}" for f in each.faculty_ids), *(f"g {g}" for g in each.group_ids)}
        allowed = range(data.time_grid.num_slots) if each.allowed_slots is None else each.allowed_slots
        for _ in range(20):
            if not allowed:
                break
            slot, room_id = rng.choice(allowed), rng.choice(data.rooms).id
            if not busy[slot] & {*people, f"r {room_id}"}:
                busy[slot] |= {*people, f"r {room_id}"}
                placements.append(Placement(course_id=course_id, session=session, slot=slot, room_id=room_id))
                break
    return Timetable(placements=tuple(placements))


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_problem_becomes_courses_rooms_groups_and_allowed_slots() -> None:
    data = load_ctt(TOY)
    assert data.name == "ToyExample"
    assert (data.time_grid.num_days, data.time_grid.num_periods, data.time_grid.rested) == (5, 4, frozenset())
    assert [(r.id, r.capacity) for r in data.rooms] == [("rA", 32), ("rB", 50), ("rC", 40)]
    tec = data.course["TecCos"]
    assert (tec.faculty_ids, tec.group_ids) == (("Rosa",), ("Cur1", "Cur2"))
    assert (tec.sessions_per_week, tec.min_days, tec.expected_students, tec.max_sessions_per_day) == (5, 4, 40, None)
    assert tec.allowed_slots == tuple(t for t in range(20) if t not in {8, 9, 14, 15})
    assert data.course["Geotec"].allowed_slots is None


def test_only_the_four_soft_rules_of_the_competition_are_on() -> None:
    profile = profile_of(load_ctt(TOY))
    assert {id: r.weight for id, r in profile.rules.items() if r.tier == "soft"} == dict(UD2_WEIGHTS)


@pytest.mark.parametrize("periods", [1, 6, 16, 17, 48])
def test_any_number_of_periods_becomes_a_day_of_as_many(periods: int) -> None:
    text = NARROW.replace("Periods_per_day: 1", f"Periods_per_day: {periods}")
    assert load_ctt(text).time_grid.num_periods == periods


def test_windows_lines_a_byte_order_mark_and_stray_blanks_are_no_harm() -> None:
    assert load_ctt("\ufeff" + TOY.replace("\n", "  \r\n\r\n")) == load_ctt(TOY)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Days: 5", "Days: five", [("/line/4", "wrong_type")]),
        ("Days: 5", "Days: 8", [("/line/4", "out_of_range")]),
        ("Days: 5\n", "", [("/line/6", "missing")]),
        ("Days: 5", "Days: 5\nDays: 6", [("/line/5", "duplicate")]),
        ("Days: 5", "Weeks: 2\nDays: 5", [("/line/4", "unknown_field")]),
        ("Courses: 4", "Courses: 5", [("/line/2", "wrong_count")]),
        ("Ocra 3 3 30", "Ocra three 3 30", [("/line/10", "wrong_type")]),
        ("Ocra 3 3 30", "Ocra -3 3 30", [("/line/10", "wrong_type")]),
        ("Ocra 3 3 30", "Ocra 3 3", [("/line/10", "wrong_count")]),
        ("Ocra 3 3 30", "Ocra 0 3 30", [("/line/10", "out_of_range")]),
        ("Ocra 3 3 30", "Ocra 3 3 30 7", [("/line/10", "wrong_count")]),
        ("Ocra 3 3 30", "Ocra 3 3 2000000", [("/line/10", "out_of_range")]),
        ("rB\t50", "rA\t50", [("/line/17", "duplicate")]),
        ("rB\t50", "rB\tmany", [("/line/17", "wrong_type")]),
        ("Cur2 2 TecCos Geotec", "Cur2 2 TecCos Nobody", [("/line/22", "dangling_id")]),
        ("Cur2 2 TecCos Geotec", "Cur2 3 TecCos Geotec", [("/line/22", "wrong_count")]),
        ("Cur2 2 TecCos Geotec", "Cur2 2 TecCos TecCos", [("/line/22", "duplicate")]),
        ("Cur2 2 TecCos Geotec", "Cur1 2 TecCos Geotec", [("/line/22", "duplicate")]),
        ("ArcTec 4 0", "ArcTec 5 0", [("/line/29", "bad_slot")]),
        ("ArcTec 4 0", "Nobody 4 0", [("/line/29", "dangling_id")]),
        ("ArcTec 4 0\n", "", [("/line/7", "wrong_count")]),
    ],
)
def test_a_fault_is_reported_at_its_line(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InputError) as raised:
        load_ctt(TOY.replace(old, new))
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == expected


def test_all_faults_are_reported_at_once_in_order_of_lines() -> None:
    text = TOY.replace("Ocra 3", "Ocra x").replace("rB\t50", "rB").replace("TecCos 2 0", "TecCos 9 0")
    with pytest.raises(InputError) as raised:
        load_ctt(text)
    assert [issue.pointer for issue in raised.value.issues] == ["/line/10", "/line/17", "/line/25"]


@pytest.mark.parametrize("text", ["", "hello", "{}", "END.", "\x00\x01", TOY[: len(TOY) // 3]])
def test_what_is_no_problem_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        load_ctt(text)


def test_a_problem_without_rooms_is_refused() -> None:
    with pytest.raises(InputError) as raised:
        load_ctt(NARROW.replace("Rooms: 1", "Rooms: 0").replace("r 10\n", ""))
    assert [issue.code for issue in raised.value.issues] == ["empty"]


@given(st.integers(0, 2**32 - 1))
def test_a_damaged_problem_is_read_or_refused_but_never_crashes(seed: int) -> None:
    rng = Random(seed)
    words = TOY.split(" ")
    for _ in range(rng.randint(1, 4)):
        words[rng.randrange(len(words))] = rng.choice(
            ["", "-1", "99999999999999999999", "x", "\n", "٣", "COURSES:\n", "²"]
        )
    try:
        load_ctt(" ".join(words))
    except InputError as error:
        assert error.issues


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [TOY, NARROW])
def test_a_problem_survives_writing(text: str) -> None:
    assert load_ctt(dump_ctt(load_ctt(text))) == load_ctt(text)


def test_a_dataset_that_says_more_than_the_format_is_refused_with_pointers() -> None:
    data = dataset(
        course("a", faculty="f1 f2", slots=2, size=3),
        course("b c", students="s1"),
        room("r1", unavailable=[1]),
        teacher("f1", day=2),
        group("g1", unavailable=[2]),
        link("same_day", "a", "b c"),
    )
    with pytest.raises(InputError) as raised:
        dump_ctt(data)
    pointers = {issue.pointer for issue in raised.value.issues}
    assert {issue.code for issue in raised.value.issues} == {"not_expressible"}
    assert pointers >= {
        "/courses/0/faculty_ids",
        "/courses/0/session_slots",
        "/courses/1/id",
        "/courses/1/student_ids",
        "/rooms/0/unavailable",
        "/faculty/0/max_sessions_per_day",
        "/groups/0/unavailable",
        "/links",
        "/rules/group_gap",
    }


# --- answers --------------------------------------------------------------------------------------------------------


def test_an_answer_has_a_line_per_lecture_in_course_order() -> None:
    data = load_ctt(TOY)
    answer = "TecCos rB 0 3\nSceCosC rA 4 0\nTecCos rC 1 0\n"
    timetable = load_solution(answer, data)
    assert timetable.by_session["TecCos", 1].slot == 4
    assert dump_solution(data, timetable) == "SceCosC rA 4 0\nTecCos rB 0 3\nTecCos rC 1 0\n"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("TecCos rB 0", "wrong_count"),
        ("Nobody rB 0 0", "dangling_id"),
        ("TecCos rX 0 0", "dangling_id"),
        ("TecCos rB 5 0", "bad_slot"),
        ("TecCos rB 0 4", "bad_slot"),
        ("TecCos rB 0 -1", "wrong_type"),
        ("SceCosC rA 4 0", "too_many"),
    ],
)
def test_a_fault_of_an_answer_is_reported_at_its_line(line: str, code: str) -> None:
    with pytest.raises(InputError) as raised:
        load_solution("SceCosC rA 0 0\nSceCosC rA 1 0\nSceCosC rA 2 0\n\n" + line, load_ctt(TOY))
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [("/line/5", code)]


@pytest.mark.parametrize("dump", [dump_ctt, dump_tim])
def test_what_neither_format_of_the_competition_can_say_is_refused_by_both(dump: Callable[[Dataset], str]) -> None:
    groups = (replace(group("1A"), student_ids=("s",)), replace(group("1A-a"), part_of=("1A",)))
    data = dataset(course("a", parts=(part(), part("lab"))), course("b", weeks=(1,)), *groups, weeks=2)
    with pytest.raises(InputError) as raised:
        dump(data)
    told = {issue.pointer: issue.value for issue in raised.value.issues if issue.code == "not_expressible"}
    assert told["/courses/0/parts"] == 2 and told["/courses/1/weeks"] == [1]
    assert (told["/groups/0/student_ids"], told["/groups/1/part_of"]) == (["s"], ["1A"])


def test_ids_with_blanks_cannot_be_written_into_an_answer() -> None:
    data = dataset(course("a"), room("Hall 1"))
    with pytest.raises(InputError) as raised:
        dump_solution(data, Timetable())
    assert [(issue.pointer, issue.code) for issue in raised.value.issues] == [("/rooms/0/id", "not_expressible")]


@given(st.integers(0, 2**32 - 1))
def test_a_complete_answer_survives_writing(seed: int) -> None:
    data = load_ctt(TOY)
    timetable = random_timetable(data, Random(seed), placed=1.0)
    assert load_solution(dump_solution(data, timetable), data) == timetable


# --- the cost -------------------------------------------------------------------------------------------------------


def test_the_counter_of_this_file_counts_a_case_worked_by_hand() -> None:
    # Capacity: ArcTec has 42 students in rA with 32 seats. Days: SceCosC uses 2 of 3. Rooms: ArcTec uses two.
    # Cur1 stands at periods 0 and 1 of day 0, alone at period 3, and alone on day 4 with two lectures at once.
    answer = "SceCosC rB 0 0\nSceCosC rB 0 3\nArcTec rA 0 1\nArcTec rB 4 0\nSceCosC rB 4 0\n"
    assert ud2(TOY, answer) == Cost(
        room_capacity=10,
        min_days=1,
        isolated_session=2,
        isolated_lecture=3,
        room_stability=1,
        conflicts=1,
        room_occupancy=1,
        unavailable=1,
        lectures=5,
    )


@given(st.sampled_from([TOY, NARROW]), st.integers(0, 2**32 - 1))
def test_our_counts_are_the_validators_on_any_timetable(problem: str, seed: int) -> None:
    rng = Random(seed)
    data = load_ctt(problem)
    agrees(problem, data, random_timetable(data, rng, placed=rng.choice([0.3, 0.9, 1.0])))
    agrees(problem, data, without_clashes(data, rng))


@pytest.mark.skipif(not INSTANCES, reason="the competition's instances are not on this machine")
@pytest.mark.parametrize("path", INSTANCES, ids=lambda path: path.stem)
def test_our_counts_are_the_validators_on_the_competitions_instances(path: Path) -> None:
    problem = path.read_text(encoding="utf-8")
    data = load_ctt(problem)
    assert load_ctt(dump_ctt(data)) == data
    for seed in range(2):
        agrees(problem, data, random_timetable(data, Random(seed)))
        agrees(problem, data, without_clashes(data, Random(seed)))
