"""
What people see of a result on the platform's own pages, in a real Django project: nothing that is not so, and nobody's
sessions missing.

The campus is one on which names do not tell things apart: two buildings with a room 101, two teachers called A. Rao, a
lecture that two teachers give together, one so large that it becomes two sections, and batches that they cut through.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from solver.formats.platform_csv import SECTION_SIZE
from solver.model import Dataset
from tests.app.platform.test_django import celery, completed, followed
from tests.builders import course, dataset, grid, room, teacher
from tests.deploy.rig import until
from tests.platform.rig import Platform, platform
from tests.platform.tables import ORGANISATION, assign, load

pytestmark = pytest.mark.timeout(120)

OVERFULL, OVERFULL_ID = "Overfull College", uuid.UUID("0c3f2a34-8f0e-4b67-9c55-2f6f8c1a0b7d")


def id_of(name: str) -> str:
    """As the platform makes ids."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, name))


EVERYBODY = [id_of(f"student {n}") for n in range(2 * SECTION_SIZE - 20)]
FIRST_BATCH, SECOND_BATCH = EVERYBODY[:30], EVERYBODY[30:]
TEACHERS = {"rao 1": "A. Rao", "rao 2": "A. Rao", "sen": "B. Sen", "das": "C. Das"}
SESSIONS = {"large": 2, "joint": 2, "rao 1": 3, "rao 2": 3}


def campus() -> Dataset:
    """12 sessions in 6 slots and two rooms: both rooms are taken and both A. Raos teach at some time."""
    named = [teacher(id_of(id), name=name, code=f"T-{id.upper()}") for id, name in TEACHERS.items()]
    rooms = [
        room(id_of(f"room {place}"), 100, name="101", code=f"{place}-101", building=id_of(place), type="lecture_hall")
        for place in ("NORTH", "SOUTH")
    ]
    small = {"faculty": id_of("rao 1"), "students": FIRST_BATCH[:10]}
    return dataset(
        course(id_of("large"), code="BIG1", faculty=[id_of("sen"), id_of("das")], students=EVERYBODY, sessions=2),
        course(id_of("joint"), code="TWO2", faculty=[id_of("sen"), id_of("das")], students=FIRST_BATCH, sessions=2),
        course(id_of("one"), code="RAO1", **small, sessions=3),
        course(id_of("other"), code="RAO2", faculty=id_of("rao 2"), students=SECOND_BATCH[-10:], sessions=3),
        *(*named, *rooms),
        grid=grid(days=3, periods=2),
    )


def overfull() -> Dataset:
    """One teacher, who cannot be in two places, owes 8 sessions in 6 slots."""
    mine = [
        course(id_of(f"full {n}"), code=f"FULL{n}", faculty=id_of("only"), students=[id_of(f"f{n}")], sessions=2)
        for n in range(4)
    ]
    return dataset(*mine, teacher(id_of("only"), name="D. Roy"), room(id_of("hall"), name="Hall"), grid=grid(3, 2))


@pytest.fixture(scope="module")
def django() -> Iterator[Platform]:
    with platform() as made:
        load(made.database, campus())
        assign(made.database, {id_of("b1"): ("CSE-1", FIRST_BATCH), id_of("b2"): ("CSE-2", SECOND_BATCH)})
        load(made.database, overfull(), organisation=OVERFULL, org_id=OVERFULL_ID)
        yield made


def subjects(entries: list[dict[str, Any]]) -> Counter[str]:
    return Counter(entry["subject_code"] for entry in entries)


def test_names_that_are_not_unique_make_no_conflict_and_everybody_finds_their_sessions(
    django: Platform, tmp_path: Path
) -> None:
    with django.service(tmp_path, platform_update="yes", **celery(django, "committed")):
        job_id = django.create(ORGANISATION)
        data = completed(django, job_id)
        assert django.rows("SELECT error_message FROM generation_jobs WHERE id = %(job)s", job=job_id) == [(None,)]
    entries = data["variants"][0]["timetable_entries"]
    _the_names_were_in_the_way(entries)
    for n in range(len(data["variants"])):
        assert django.ask("/api/conflicts/detect/", job_id=job_id, variant_id=n) == {"conflicts": [], "total": 0}
    assert {entry["room_code"] for entry in entries} == {"NORTH-101", "SOUTH-101"}
    _students_see_their_own_section(django, job_id)
    _teachers_see_what_they_teach(django, job_id)


def _the_names_were_in_the_way(entries: list[dict[str, Any]]) -> None:
    """With the names as they stand in the tables, the platform would have found double bookings."""
    at_once = Counter((entry["day"], entry["time_slot"]) for entry in entries if "with" not in entry["room_number"])
    assert max(at_once.values()) == 2, "both rooms 101 are in use at one time"
    raos = [(e["day"], e["time_slot"]) for e in entries if e["faculty_name"].startswith("A. Rao")]
    assert len(raos) == 6
    assert {e["faculty_name"] for e in entries if e["subject_code"] in ("RAO1", "RAO2")} == {
        *("A. Rao (T-RAO 1)", "A. Rao (T-RAO 2)"),
    }


def _students_see_their_own_section(django: Platform, job_id: str) -> None:
    wanted = {FIRST_BATCH[0]: {"BIG1": 2, "TWO2": 2, "RAO1": 3}, FIRST_BATCH[20]: {"BIG1": 2, "TWO2": 2}}
    wanted |= {SECOND_BATCH[0]: {"BIG1": 2}, SECOND_BATCH[-1]: {"BIG1": 2, "RAO2": 3}}
    for student, sessions in wanted.items():
        for path, name in (("student/me", "slots"), ("variants/scope_view", "timetable_entries")):
            seen = django.ask(f"/api/timetable/{path}/", job_id=job_id, student_id=student)[name]
            assert subjects(seen) == sessions, path
            assert len({entry["course_id"] for entry in seen if entry["subject_code"] == "BIG1"}) == 1
            assert all(entry["offering_id"] for entry in seen)


def _teachers_see_what_they_teach(django: Platform, job_id: str) -> None:
    wanted = {"rao 1": {"RAO1": 3}, "rao 2": {"RAO2": 3}, "sen": {"BIG1": 2, "TWO2": 2}, "das": {"BIG1": 2, "TWO2": 2}}
    for name, sessions in wanted.items():
        seen = django.ask("/api/timetable/faculty/me/", job_id=job_id, faculty_id=id_of(name))["slots"]
        assert subjects(seen) == sessions, name


def test_a_partial_result_looks_like_one_on_every_page(django: Platform, tmp_path: Path) -> None:
    note = "2 of 8 sessions have no place"
    with django.service(tmp_path, platform_update="yes", **celery(django, "committed")):
        job_id = django.create(OVERFULL)
        last = followed(django, job_id)[-1]
        assert last["status"] == "completed" and note in last["message"]
        assert last["metadata"]["warning"] == note
        question = "SELECT status, error_message, timetable_data FROM generation_jobs WHERE id = %(job)s"
        until(lambda: django.rows(question, job=job_id)[0][0] == "completed", "the row is not told")
        ((_, why, data),) = django.rows(question, job=job_id)
    assert (why, data["open_sessions"], len(data["unplaced"])) == (note, 2, 2)
    shown = django.ask("/api/timetable/variants/", job_id=job_id)["variants"]
    for n, (card, variant) in enumerate(zip(shown, data["variants"], strict=True), 1):
        compared = django.ask("/api/timetable/variants/compare/", job_id=job_id, a=n, b=n)
        flagged = [entry for entry in variant["timetable_entries"] if entry["has_conflict"]]
        assert compared["conflicts_a"] == [{**entry, "room_number": entry["room_code"]} for entry in flagged]
        assert card["conflict_count"] == len(flagged) == variant["conflicts"] == 2
        assert variant["statistics"]["total_conflicts"] == card["conflict_count"]
        assert all("no place in this timetable" in entry["conflict_description"] for entry in flagged)
        assert note in card["label"]
        assert max(card[name] for name in card if name.startswith("score_")) <= 75, "6 of 8 sessions are placed"
        assert django.ask("/api/conflicts/detect/", job_id=job_id, variant_id=n - 1)["total"] == 0, "none is double"
