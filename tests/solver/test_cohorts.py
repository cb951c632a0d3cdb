"""Groups as people belong to them: parts, divisions, members, and who is counted where."""

from __future__ import annotations

import pytest
from hypothesis import given

from solver.errors import InputError
from solver.model import Dataset, Group
from solver.verify import verify
from tests.builders import course, dataset, datasets, group, room, timetable


def part(id: str, of: str, division: str = "", size: int = 0, **fields: object) -> Group:
    return group(id, size, part_of=tuple(of.split()), division=division, **fields)  # type: ignore[arg-type]


def school(*groups: Group) -> Dataset:
    return dataset(course("a"), *groups)


def cohorts(*groups: Group) -> list[tuple[str, ...]]:
    return [cohort.groups for cohort in school(*groups).cohorts]


def test_groups_without_parts_are_the_cohorts_in_their_order() -> None:
    data = school(group("g2", 5, unavailable=(3,), day=2), group("g1"))
    assert [cohort.id for cohort in data.cohorts] == ["g2", "g1"]
    assert data.cohort["g2"][1:] == (("g2",), 5, (3,), 2)


def test_halves_that_make_up_a_class_are_its_cohorts() -> None:
    assert cohorts(group("1A", 30), part("a", "1A", size=15), part("b", "1A", size=15)) == [("1A", "a"), ("1A", "b")]
    assert cohorts(group("1A", 30), part("a", "1A"), part("b", "1A")) == [("1A", "a"), ("1A", "b")]


def test_somebody_is_in_no_part_where_the_parts_are_smaller_or_there_is_only_one() -> None:
    assert ("1A",) in cohorts(group("1A", 30), part("a", "1A", size=15), part("b", "1A", size=10))
    assert cohorts(group("1A"), part("choir", "1A")) == [("1A", "choir"), ("1A",)]


def test_divisions_are_combined() -> None:
    halves = [part("a", "1A", "half"), part("b", "1A", "half")]
    languages = [part("fr", "1A", "language"), part("es", "1A", "language")]
    assert cohorts(group("1A"), *halves, *languages) == [
        ("1A", "a", "fr"), ("1A", "a", "es"), ("1A", "b", "fr"), ("1A", "b", "es"),
    ]  # fmt: skip


def test_parts_have_parts() -> None:
    found = cohorts(group("1A"), part("a", "1A"), part("b", "1A"), part("a1", "a"), part("a2", "a"))
    assert found == [("1A", "a", "a1"), ("1A", "a", "a2"), ("1A", "b")]


def test_a_part_of_two_classes_takes_people_from_both() -> None:
    data = dataset(
        course("french", groups="fr"), course("maths", groups="1A"), group("1A"), group("1B"), part("fr", "1A 1B")
    )
    assert [cohort.groups for cohort in data.cohorts] == [("1A", "fr"), ("1A",), ("1B", "fr"), ("1B",)]
    assert data.cohorts_of(data.course["french"]) == ("1A + fr", "1B + fr")
    assert data.cohorts_of(data.course["maths"]) == ("1A + fr", "1A")
    assert data.attending_groups(data.course["maths"]) == ("1A", "fr")


def test_a_cohort_is_away_when_one_of_its_groups_is_and_has_the_lowest_limit() -> None:
    data = school(group("1A", 30, unavailable=(7,), day=5), part("a", "1A", size=14, unavailable=(2, 7), day=3))
    assert data.cohort["1A + a"][2:] == (14, (2, 7), 3)


def test_the_class_and_its_half_clash_and_the_two_halves_do_not() -> None:
    data = dataset(
        course("maths", groups="1A", sessions=2),
        course("lab-a", groups="a"),
        course("lab-b", groups="b"),
        group("1A", 30),
        part("a", "1A", size=15),
        part("b", "1A", size=15),
        *map(room, ("r1", "r2")),
    )
    together = verify(data, timetable(maths=[0, 1], **{"lab-a": (0, "r2")})).rules["group_clash"]
    assert together.count == 1
    assert together.offences[0].message == "group a has 2 sessions at once on Monday 08:00: maths session 1 and lab-a"
    assert together.offences[0].entities == ("1A", "a")
    assert verify(data, timetable(maths=[0, 1], **{"lab-a": 2, "lab-b": (2, "r2")})).counts["group_clash"] == 0


def test_electives_of_one_class_run_in_parallel_for_its_parts() -> None:
    data = dataset(
        course("e1", groups="x"),
        course("e2", groups="y"),
        group("1A"),
        part("x", "1A", "elective"),
        part("y", "1A", "elective"),
        *map(room, ("r1", "r2")),
    )
    assert verify(data, timetable(e1=0, e2=(0, "r2"))).score.complete


# --- members ---------------------------------------------------------------------------------------------------------


MEMBERS = dataset(
    course("all", groups="1A"),
    course("lab", groups="a", students="guest"),
    course("own", students="s1"),
    group("1A", student_ids=("s3",)),
    part("a", "1A", student_ids=("s1", "s2")),
)


def test_students_come_into_a_course_through_its_groups_and_what_these_are_part_of() -> None:
    of = {each.id: MEMBERS.students_of(each) for each in MEMBERS.courses}
    assert of == {"all": ("s3", "s1", "s2"), "lab": ("guest", "s1", "s2"), "own": ("s1",)}
    assert MEMBERS.student_ids == ("s3", "s1", "s2", "guest")
    assert MEMBERS.groups_of_student == {"s3": ("1A",), "s1": ("1A", "a"), "s2": ("1A", "a")}


def test_a_member_clashes_with_a_course_taken_alone() -> None:
    clash = verify(MEMBERS, timetable(lab=0, own=0)).rules["student_clash"]
    assert clash.count == 1
    assert clash.offences[0].message == "1 student (s1) should be in lab and own at once on Monday 08:00"


def test_a_member_of_a_part_of_two_groups_is_of_the_one_that_names_them() -> None:
    data = school(group("1A", student_ids=("s1",)), group("1B"), part("fr", "1A 1B", student_ids=("s1", "s2")))
    assert data.groups_of_student == {"s1": ("1A", "fr"), "s2": ("fr",)}


def test_students_without_a_group_are_told_from_the_others() -> None:
    data = dataset(
        course("a", groups="g", students="s1"),
        course("b", students="s1 s2 s3"),
        group("g"),
        group("club", student_ids=("s3",)),
    )
    assert data.lone_students == {"s2"}


@pytest.mark.parametrize(
    ("groups", "students", "seats"),
    [
        ("1A", "", 30),
        ("1A a", "", 30),
        ("a b", "", 30),
        ("a fr", "", 27),
        ("a b fr", "", 30),
        ("1A 1B", "", 50),
        ("1A both", "", 70),
        ("1A 1B both", "", 50),
        ("a", "x y", 15),
        ("club", "x y", 3),
        ("club a", "x", 17),
    ],
)
def test_seats_count_people_and_not_groups(groups: str, students: str, seats: int) -> None:
    data = dataset(
        course("c", groups=groups, students=students),
        group("1A", 30),
        part("a", "1A", "half", 15),
        part("b", "1A", "half", 15),
        part("fr", "1A", "language", 12),
        group("1B", 20),
        part("both", "1A 1B", "sport", 40),
        group("club", student_ids=("x", "z")),
    )
    assert data.expected_students(data.courses[0]) == seats


def test_a_stated_number_of_seats_wins() -> None:
    data = dataset(course("c", groups="1A a", size=99), group("1A", 30), part("a", "1A", size=15))
    assert data.expected_students(data.courses[0]) == 99


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(*groups: Group) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as error:
        school(*groups)
    return [(issue.pointer, issue.code) for issue in error.value.issues]


def test_parts_of_nothing_and_of_each_other_are_refused() -> None:
    assert refused(part("a", "1A")) == [("/groups/0/part_of/0", "dangling_id")]
    assert refused(group("c"), part("a", "b"), part("b", "a")) == [("/groups/1/part_of", "cycle")]
    assert refused(part("a", "a")) == [("/groups/0/part_of", "cycle")]


def test_members_in_two_parts_of_one_division_are_refused() -> None:
    groups = [group("1A"), part("a", "1A", "half", student_ids=("s",)), part("b", "1A", "half", student_ids=("s",))]
    assert refused(*groups) == [("/groups/2/student_ids", "in_two_parts")]
    school(*groups[:2], part("fr", "1A", "language", student_ids=("s",)))
    assert refused(*groups[:2], part("b", "1A", "half"), part("b1", "b", student_ids=("s",))) == [
        ("/groups/2/student_ids", "in_two_parts")
    ]


def test_a_member_named_twice_is_refused() -> None:
    assert refused(group("g", student_ids=("s", "s"))) == [("/groups/0/student_ids/1", "duplicate")]


def test_more_cohorts_than_can_be_looked_at_are_refused_before_they_are_listed() -> None:
    many = [part(f"p{i}", "1A", f"d{i}") for i in range(60)]
    with pytest.raises(InputError) as error:
        school(group("1A"), *many)
    (issue,) = error.value.issues
    assert (issue.pointer, issue.code, issue.value) == ("/groups/0", "too_large", 2**60)


@given(data=datasets())
def test_every_group_has_people_and_a_course_is_taught_to_all_of_each_of_its_groups(data: Dataset) -> None:
    assert {id for cohort in data.cohorts for id in cohort.groups} == {each.id for each in data.groups}
    assert len({cohort.groups for cohort in data.cohorts}) == len({cohort.id for cohort in data.cohorts})
    for each in data.courses:
        attending = {cohort.id for cohort in data.cohorts if set(cohort.groups) & set(each.group_ids)}
        assert set(data.cohorts_of(each)) == attending
