"""
Examples for the API description, which run as they stand: one story of a job `spring-1`, from a sample to a calendar.

A test sends each of them to a service. Parameters without an example here are left out of the request.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from typing import Any

Examples = Mapping[str, Mapping[str, object]]
"""Name of an example -> its value."""

JOB_ID = "spring-1"
_GROUP = "B-CSE-1-A"
_CTT = """Name: Toy
Courses: 2
Rooms: 1
Days: 2
Periods_per_day: 2
Curricula: 1
Constraints: 0

COURSES:
c1 t1 2 2 30
c2 t2 1 1 25

ROOMS:
big 40

CURRICULA:
q1 2 c1 c2

UNAVAILABILITY_CONSTRAINTS:

END.
"""
_DATASET = {
    "schema": "timetable-dataset/1",
    "name": "Small college",
    "time_grid": {"working_days": 5, "slots_per_day": 6},
    "rooms": [{"id": "R1", "name": "LH-101", "capacity": 80}],
    "faculty": [{"id": "F1", "name": "A. Rao"}],
    "groups": [{"id": "B1", "name": "CSE-1", "size": 60}],
    "courses": [
        {"id": "C1", "name": "Programming", "faculty_ids": ["F1"], "group_ids": ["B1"], "sessions_per_week": 3},
        {"id": "C2", "name": "Logic", "faculty_ids": ["F1"], "group_ids": ["B1"], "sessions_per_week": 2},
    ],
}
_CSV_SET = {
    "subjects.csv": "subject_id,subject_name,faculty_assigned,credits\nS1,Optics,F1,3\n",
    "students.csv": "student_id,electives\nT1,Optics\nT2,Optics\n",
    "faculty.csv": "faculty_id,faculty_name,max_workload_per_week\nF1,A. Rao,12\n",
    "classrooms.csv": "room_id,room_number,capacity\nR1,LH-101,60\n",
}


def _zipped(files: Mapping[str, str]) -> str:
    """Base64 of a zip file; the same bytes at all times, because its entries have the date of no day."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return base64.b64encode(data.getvalue()).decode()


_SOURCES: Examples = {
    "sample": {"dataset_name": "tiny"},
    "native": {"dataset": _DATASET},
    "ctt": {"content": _CTT, "format": "ctt"},
    "csv_zip": {"content": _zipped(_CSV_SET), "format": "csv_zip"},
}
BODIES: Mapping[str, Examples] = {
    "POST /generate_variants": {
        name: {
            "job_id": JOB_ID if name == "sample" else f"{JOB_ID}-{name}",
            **source,
            "num_variants": 2,
            "time_limit_seconds": 5,
        }
        for name, source in _SOURCES.items()
    },
    "POST /validate": _SOURCES,
    "POST /score": {
        "ctt": {"content": _CTT, "format": "ctt", "solution": "c1 big 0 0\nc1 big 1 0\nc2 big 0 1\n"},
        "native": {
            "dataset": _DATASET,
            "timetable": {"placements": [{"course_id": "C1", "session": 0, "slot": 0, "room_id": "R1"}]},
        },
    },
    "POST /cache/invalidate": {"organisation": {"organization_id": "State University", "resource_type": "all"}},
    "POST /cache/warm": {"semester": {"organization_id": "State University", "resource_type": "all", "semester": 1}},
}
"""Route -> bodies."""

EVERYWHERE: Mapping[str, object] = {
    "job_id": JOB_ID,
    "timetable_id": f"{JOB_ID}-variant-1",
    "n": 1,
    "name": "tiny",
    "dataset_name": "tiny",
}
"""Name of a parameter -> its value, on every route that has one."""
PARAMETERS: Mapping[str, Mapping[str, object]] = {
    "GET /variants/{job_id}/{n}": {
        "format": "ics",
        "group": _GROUP,
        "term_start": "2026-09-01",
        "term_end": "2026-12-18",
        "time_zone": "Asia/Kolkata",
        "skip": ["2026-10-02", "2026-12-25"],
    },
    "GET /variants/{job_id}/{n}/file": {"format": "xlsx"},
    "GET /variants/{job_id}/{n}/week": {"group": _GROUP},
    "GET /timetables/{job_id}/department/{dept_id}": {"dept_id": "D1"},
    # With itself: a job that is finished early may hold one variant only.
    "GET /variants/{job_id}/{n}/difference": {"other": 1},
    "GET /variants/{job_id}/{n}/session": {"course": "CSE-101-A", "number": 0},
    "POST /conflicts/resolve": {"auto_resolve": True},
    "POST /conflicts/resolve/{conflict_id}": {"conflict_id": "faculty_0123456789abcdef"},
    "GET /variants/{job_id}": {"entries": False},
    "GET /jobs": {"status": "completed", "limit": 10},
    "GET /datasets/{name}": {"seed": 7},
    "POST /generate_variants": {"Idempotency-Key": "spring-term-first-try"},
}
"""Route -> the same for parameters of its own."""


def add_examples(route: str, operation: dict[str, Any]) -> None:
    """Writes the examples of a route into its description."""
    given = {**EVERYWHERE, **PARAMETERS.get(route, {})}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in given:
            parameter["example"] = given[parameter["name"]]
    if route in BODIES:
        (content,) = operation["requestBody"]["content"].values()
        content["examples"] = {name: {"value": value} for name, value in BODIES[route].items()}
