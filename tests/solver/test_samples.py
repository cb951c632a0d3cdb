"""The sample universities: their sizes, a planted timetable that holds, known contradictions, same seed same bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean

import pytest

from solver.diagnose import diagnose
from solver.formats.native import dump_dataset, load_dataset
from solver.model import Dataset
from solver.rules import profile_of
from solver.samples import CONTRADICTIONS, PRESETS, Contradiction, Sample, build, planted, sample
from solver.samples.overfull import overfull
from solver.verify import verify

FEASIBLE = ("tiny", "college", "university", "bhu")
DIGESTS = """
import hashlib, json
from solver.formats.native import dump_dataset
from solver.samples import PRESETS, sample
for preset in PRESETS:
    print(hashlib.sha256(json.dumps(dump_dataset(sample(preset, 7))).encode()).hexdigest())
"""


@pytest.fixture(scope="module", params=FEASIBLE)
def university(request: pytest.FixtureRequest) -> Sample:
    return build(request.param, 0)


@pytest.fixture(scope="module")
def infeasible() -> Sample:
    return build("infeasible", 0)


def enrolments(dataset: Dataset) -> int:
    return sum(len(course.student_ids) for course in dataset.courses)


def slots_taught(dataset: Dataset) -> int:
    return sum(course.sessions_per_week * course.session_slots for course in dataset.courses)


# --- sizes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "courses", "students"), [("tiny", 10, 70), ("college", 120, 1500), ("university", 500, 6000)]
)
def test_small_presets_have_the_stated_courses_and_students(preset: str, courses: int, students: int) -> None:
    for seed in (0, 1):
        dataset = sample(preset, seed)
        assert (len(dataset.courses), len(dataset.student_ids)) == (courses, students)


def test_bhu_has_the_size_of_the_university_it_is_named_after() -> None:
    dataset = sample("bhu")
    assert len(dataset.courses) == 2494
    assert len(dataset.sessions) == 8270
    assert len(dataset.student_ids) == 19_072
    assert len(dataset.faculty) == 2320
    assert len(dataset.rooms) == 1147
    assert len({course.department_id for course in dataset.courses}) == 127
    assert dataset.time_grid.num_slots == 48
    assert 94_000 <= enrolments(dataset) <= 96_500


def test_every_preset_says_what_it_is_with_its_true_numbers() -> None:
    assert set(PRESETS) == {"tiny", "college", "university", "bhu", "infeasible"}
    for preset, line in PRESETS.items():
        data = sample(preset)
        assert preset in data.name and "_" not in data.name
        grid, counts = data.time_grid, (data.courses, data.sessions, data.student_ids, data.faculty)
        words = ("courses", "sessions", "students", "teachers")
        told = ", ".join(f"{len(things):,} {word}" for things, word in zip(counts, words, strict=True))
        assert line.startswith(f"{told}, {grid.num_days} days of {grid.num_periods} slots")


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(KeyError):
        sample("village")


# --- structure ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["college", "university"])
def test_students_have_a_full_week_and_never_an_impossible_one(preset: str) -> None:
    dataset, week = sample(preset), Counter[str]()
    for course in dataset.courses:
        for student in course.student_ids:
            week[student] += course.sessions_per_week * course.session_slots
    assert 20 <= mean(week.values()) <= 26
    assert min(week.values()) >= 17
    assert max(week.values()) <= 27


def test_teachers_and_rooms_keep_slack(university: Sample) -> None:
    dataset, load = university.dataset, Counter[str]()
    for course in dataset.courses:
        for teacher in course.faculty_ids:
            load[teacher] += course.sessions_per_week
    limits = {teacher.id: teacher.max_sessions_per_week or 0 for teacher in dataset.faculty}
    assert sum(load.values()) <= 0.75 * sum(limits.values())
    assert all(load[teacher] <= limit for teacher, limit in limits.items())
    assert slots_taught(dataset) <= 0.75 * len(dataset.rooms) * dataset.time_grid.num_slots


def test_part_time_teachers_are_on_campus_twice_as_long_as_they_teach(university: Sample) -> None:
    dataset, load = university.dataset, Counter[str]()
    for course in dataset.courses:
        for teacher in course.faculty_ids:
            load[teacher] += course.sessions_per_week * course.session_slots
    for teacher in dataset.faculty:
        if teacher.unavailable:
            assert dataset.time_grid.num_slots - len(teacher.unavailable) >= 2 * load[teacher.id]


def test_core_courses_enrol_every_student_of_their_batches(university: Sample) -> None:
    dataset = university.dataset
    members: dict[str, set[str]] = defaultdict(set)
    for course in dataset.courses:
        if len(course.group_ids) == 1:
            members[course.group_ids[0]].update(course.student_ids)
    for group in dataset.groups:
        assert len(members[group.id]) == group.size
    for course in dataset.courses:
        if course.group_ids:
            assert set(course.student_ids) == set().union(*(members[group] for group in course.group_ids))


def test_electives_are_chosen_one_by_one_across_batches(university: Sample) -> None:
    dataset = university.dataset
    batch_of = {s: c.group_ids[0] for c in dataset.courses if len(c.group_ids) == 1 for s in c.student_ids}
    electives = [course for course in dataset.courses if course.subject_type != "core"]
    assert electives
    for course in electives:
        assert not course.group_ids
        assert len(course.student_ids) >= 10
        assert len({batch_of[student] for student in course.student_ids}) >= 2
    across = [c for c in electives if len({batch_of[s].split("-")[1] for s in c.student_ids}) >= 2]
    assert len(across) >= len(electives) / 2


def test_labs_take_two_slots_in_a_room_of_their_kind(university: Sample) -> None:
    labs = [course for course in university.dataset.courses if "lab" in course.room_types]
    assert labs
    for course in labs:
        assert course.session_slots == 2
        assert len(course.required_features) == 1


@pytest.mark.parametrize("preset", ["college", "university", "bhu"])
def test_large_presets_use_every_part_of_the_model(preset: str) -> None:
    dataset = sample(preset)
    assert any(teacher.unavailable for teacher in dataset.faculty)
    assert any(teacher.preferences for teacher in dataset.faculty)
    assert any(group.unavailable for group in dataset.groups)
    assert any(room.unavailable for room in dataset.rooms)
    assert any(course.fixed for course in dataset.courses)
    assert any(course.prerequisites for course in dataset.courses)
    assert any(len(course.faculty_ids) > 1 for course in dataset.courses)
    assert len({room.type for room in dataset.rooms}) >= 3
    assert len({link.type for link in dataset.links}) >= 5
    assert dataset.history and dataset.travel_minutes


def test_ids_can_be_read() -> None:
    dataset = sample("college")
    assert {"CSE-101-AB", "PHY-104-A"} <= set(dataset.course)
    assert "R-A-101" in dataset.room
    assert "F-CSE-03" in dataset.teacher
    assert "B-CSE-2-A" in dataset.group
    assert "S00001" in dataset.student_ids


# --- feasibility ----------------------------------------------------------------------------------------------------


def test_the_planted_timetable_keeps_every_hard_rule(university: Sample) -> None:
    report = verify(university.dataset, university.planted)
    assert report.score[:3] == (0, 0, 0), report.score
    assert report.placed == len(university.dataset.sessions)


@pytest.mark.parametrize("preset", ["tiny", "college"])
def test_feasibility_is_known_for_many_seeds(preset: str) -> None:
    for seed in range(1, 13):
        found = build(preset, seed)
        assert verify(found.dataset, found.planted).score[:3] == (0, 0, 0), f"seed {seed}"


def test_no_proof_of_infeasibility_is_found_where_a_timetable_was_planted(university: Sample) -> None:
    assert diagnose(university.dataset) == ()


def test_planted_returns_the_timetable_of_the_same_sample() -> None:
    assert planted("tiny", 4) == build("tiny", 4).planted


# --- contradictions -------------------------------------------------------------------------------------------------


def test_infeasible_names_its_contradictions(infeasible: Sample) -> None:
    known = {entity.id for entity in (*infeasible.dataset.courses, *infeasible.dataset.rooms)}
    known |= {entity.id for entity in (*infeasible.dataset.faculty, *infeasible.dataset.groups)}
    for contradiction in CONTRADICTIONS:
        assert contradiction.code.replace("_", " ") in infeasible.dataset.name
        assert set(contradiction.entities) <= known


@pytest.mark.parametrize("contradiction", CONTRADICTIONS, ids=lambda contradiction: contradiction.code)
def test_every_contradiction_is_proved_with_the_right_entity_named(
    infeasible: Sample, contradiction: Contradiction
) -> None:
    about = [p for p in diagnose(infeasible.dataset) if set(contradiction.entities) <= set(p.entities)]
    assert about, f"nothing is proved about {contradiction.entities}"
    assert any(contradiction.rule in proof.rules for proof in about), [proof.rules for proof in about]


def test_nothing_but_the_contradictions_is_proved_impossible(infeasible: Sample) -> None:
    named = {entity for contradiction in CONTRADICTIONS for entity in contradiction.entities}
    for proof in diagnose(infeasible.dataset):
        assert named & set(proof.entities), proof.sentence


def test_around_the_contradictions_everything_fits(infeasible: Sample) -> None:
    report = verify(infeasible.dataset, infeasible.planted)
    assert (report.score.rigid, report.score.bent) == (0, 0)
    assert {course_id.split("-")[0] for course_id, _ in report.unplaced} == {
        "VIS", "BRG", "OBS", "GAT", "CYC", "STU", "FIX",
    }  # fmt: skip


def test_the_rule_of_a_contradiction_bends_as_stated(infeasible: Sample) -> None:
    profile = profile_of(infeasible.dataset)
    for contradiction in CONTRADICTIONS:
        assert profile[contradiction.rule].tier == "hard"
        assert profile[contradiction.rule].bendable is contradiction.bendable


# --- determinism ----------------------------------------------------------------------------------------------------


def digests(hash_seed: str) -> list[str]:
    """Of all presets, made by a process that hashes texts in its own way."""
    return subprocess.run(
        [sys.executable, "-c", DIGESTS],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()


def test_the_same_seed_gives_the_same_bytes_under_any_hash_seed() -> None:
    found = digests("0")
    assert len(found) == len(PRESETS)
    assert digests("4242") == found


def test_another_seed_gives_another_university() -> None:
    assert sample("college", 1) != sample("college", 2)


def test_a_sample_survives_the_native_format() -> None:
    for preset in ("tiny", "college", "infeasible"):
        dataset = sample(preset)
        assert load_dataset(json.dumps(dump_dataset(dataset))) == dataset


@pytest.mark.parametrize("seed", range(5))
def test_of_an_overfull_college_the_core_alone_fits_and_all_together_do_not(seed: int) -> None:
    data, core = overfull(seed)
    report = verify(data, core)
    assert (report.score.rigid, report.score.bent) == (0, 0)
    assert {data.course[id].subject_type for id, _ in report.unplaced} == {"elective"}
    taught = Counter(g for c in data.courses for g in c.group_ids for _ in range(c.sessions_per_week * c.session_slots))
    assert all(taught[group.id] > data.time_grid.num_slots for group in data.groups)


@pytest.mark.parametrize("seed", range(5))
def test_of_a_short_handed_college_the_core_alone_needs_bent_daily_limits_and_nothing_else(seed: int) -> None:
    data, core = overfull(seed, short_handed=True)
    report = verify(data, core)
    assert {data.course[id].subject_type for id, _ in report.unplaced} == {"elective"}
    assert {rule.rule for rule in report.breaches} == {"faculty_daily_limit"}
    taught = Counter(t for c in data.courses if c.subject_type == "core" for t in c.faculty_ids * c.sessions_per_week)
    limits = {teacher.id: teacher.max_sessions_per_day for teacher in data.faculty}
    too_few = [
        t for t, limit in limits.items() if limit is not None and limit * data.time_grid.working_days < taught[t]
    ]
    assert too_few, "no timetable of these sessions keeps every limit"
    assert [course.id for course in data.courses] == [course.id for course in overfull(seed)[0].courses]


def test_an_overfull_college_is_the_same_however_its_courses_are_listed() -> None:
    first, second = overfull(3, "core first")[0], overfull(3, "electives first")[0]
    assert [c.subject_type for c in first.courses] == sorted(c.subject_type for c in first.courses)
    assert first.courses != second.courses
    assert sorted(first.courses, key=lambda c: c.id) == sorted(second.courses, key=lambda c: c.id)
    assert overfull(3) == overfull(3)
