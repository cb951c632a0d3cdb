"""Exports over HTTP: media types, names of files, filters, refusals that name the field; and CSV sets as input."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Mapping
from typing import Any

import httpx
import icalendar
import openpyxl
import pytest

from tests.app.conftest import finished
from tests.solver.formats.test_platform_csv import CLEAN
from tests.solver.formats.test_zipped_csv import zipped

pytestmark = pytest.mark.anyio
TERM = {"term_start": "2026-09-01", "term_end": "2026-12-18"}
TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "ics": "text/calendar",
    "html": "text/html",
    "svg": "image/svg+xml",
}


@pytest.fixture(scope="module")
async def entries(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """A finished job `done`: the entries of its first variant."""
    body = {"job_id": "done", "dataset_name": "tiny", "time_limit_seconds": 3, "num_variants": 1}
    assert (await client.post("/generate", json=body)).status_code == 200
    assert (await finished(client, "done"))[-1]["status"] == "completed"
    found: list[dict[str, Any]] = (await client.get("/variants/done/1")).json()["timetable_entries"]
    return found


OWNERS = {"group": "batch_ids", "teacher": "faculty_ids", "room": "room_id"}


def of(entries: list[dict[str, Any]], kind: str) -> tuple[str, list[dict[str, Any]]]:
    """An owner of a kind, and the entries of its week."""
    found = entries[0][OWNERS[kind]]
    id = found if isinstance(found, str) else found[0]
    return id, [entry for entry in entries if id == entry[OWNERS[kind]] or id in (entry[OWNERS[kind]] or ())]


@pytest.mark.parametrize("kind", OWNERS)
async def test_the_entries_of_one_owner_are_fetched_alone(
    client: httpx.AsyncClient, entries: list[dict[str, Any]], kind: str
) -> None:
    id, expected = of(entries, kind)
    found = (await client.get("/variants/done/1", params={kind: id})).json()
    assert found["timetable_entries"] == expected
    assert found["statistics"]["scheduled_sessions"] == len(entries), "the variant is described as a whole"
    text = (await client.get("/variants/done/1", params={kind: id, "format": "csv"})).content.decode("utf-8-sig")
    assert len(list(csv.DictReader(io.StringIO(text, newline="")))) == len(expected)


async def test_a_variant_is_found_by_its_number_and_by_the_platforms_name_of_it(
    client: httpx.AsyncClient, entries: list[dict[str, Any]]
) -> None:
    for named in ("1", "done-variant-1"):
        assert (await client.get(f"/variants/done/{named}")).json()["timetable_entries"] == entries
        assert (await client.get(f"/api/variants/done/{named}/load/")).status_code == 200
    for wrong in ("0", "done-variant-0", "done-variant-1x", "one"):
        assert (await client.get(f"/variants/done/{wrong}")).status_code == 422, wrong


@pytest.mark.parametrize("format", TYPES)
async def test_a_file_has_its_media_type_and_a_harmless_name(
    client: httpx.AsyncClient, entries: list[dict[str, Any]], format: str
) -> None:
    id, _ = of(entries, "group")
    answer = await client.get("/variants/done/1", params={"format": format, "group": id, **TERM})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == TYPES[format]
    kind = "inline" if format in ("html", "svg") else "attachment"
    assert answer.headers["content-disposition"] == f'{kind}; filename="done-variant-1-group-{id}.{format}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; ")
    again = await client.get("/variants/done/1", params={"format": format, "group": id, **TERM})
    assert again.content == answer.content


async def test_a_workbook_and_a_calendar_hold_the_entries(
    client: httpx.AsyncClient, entries: list[dict[str, Any]]
) -> None:
    book = openpyxl.load_workbook(io.BytesIO((await client.get("/variants/done/1?format=xlsx")).content))
    rows = [row[:4] for row in book["Sessions"].iter_rows(min_row=2, values_only=True)]
    assert sorted(rows) == sorted((e["day_name"], e["start_time"], e["end_time"], e["subject_code"]) for e in entries)
    asked = {"format": "ics", **TERM, "time_zone": "Asia/Kolkata", "skip": ["2026-10-02", "2026-10-05,2026-10-06"]}
    answer = await client.get("/variants/done/1", params=asked)
    events = icalendar.Calendar.from_ical(answer.content).walk("VEVENT")
    assert sorted((e["dtstart"].dt.weekday(), e["dtstart"].dt.strftime("%H:%M")) for e in events) == sorted(
        (e["day"], e["start_time"]) for e in entries
    )
    skipped = {stamp.dt.date().isoformat() for e in events if "exdate" in e for stamp in e["exdate"].dts}
    assert skipped <= {"2026-10-02", "2026-10-05", "2026-10-06"} and len(skipped) >= 2


@pytest.mark.parametrize(
    ("asked", "pointer", "code"),
    [
        ({"format": "xlsx", "group": "nobody"}, "/group", "unknown_id"),
        ({"teacher": "nobody"}, "/teacher", "unknown_id"),
        ({"format": "html", "room": "nowhere"}, "/room", "unknown_id"),
        ({"format": "csv", "student": "nobody"}, "/student", "unknown_id"),
        ({"format": "csv", "student": "a", "room": "b"}, "/student", "too_many"),
        ({"format": "ics"}, "/term_start", "missing"),
        ({"format": "ics", **TERM, "time_zone": "Mars"}, "/time_zone", "bad_value"),
        ({"format": "ics", **TERM, "skip": "soon"}, "/skip", "bad_value"),
        ({"format": "ics", "term_start": "x" * 11}, "/term_start", "too_large"),
        ({"format": "csv", "group": "x" * 1000}, "/group", "too_large"),
        ({"format": "svg"}, "/group", "missing"),
        ({"format": "ctt", "room": "R1"}, "/room", "not_applicable"),
    ],
)
async def test_what_cannot_be_exported_is_refused_under_the_name_of_the_field(
    client: httpx.AsyncClient, entries: list[dict[str, Any]], asked: Mapping[str, str], pointer: str, code: str
) -> None:
    answer = await client.get("/variants/done/1", params=asked)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in answer.json()["errors"]}


def content(files: Mapping[str, str | bytes]) -> dict[str, str]:
    return {"format": "csv_zip", "content": base64.b64encode(zipped(files)).decode()}


async def test_a_csv_set_in_a_zip_file_is_checked_with_an_account_of_its_rows(client: httpx.AsyncClient) -> None:
    files = {**CLEAN, "classrooms.csv": "room_id,capacity\nR1,huge\n,60\n"}
    found = (await client.post("/validate", json=content(files))).json()
    assert found["valid"] is True and found["summary"]["rooms"] == 2
    assert [(note["file"], note["line"]) for note in found["import"]["repairs"]] == [("classrooms", 2)]
    assert [(note["file"], note["line"]) for note in found["import"]["unusable"]] == [("classrooms", 3)]
    assert found["import"]["counts"] == {"warnings": 0, "decisions": 2, "repairs": 1, "unusable": 1}
    assert list(found["import"])[:3] == ["rows", "warnings", "decisions"]


async def test_a_teacher_who_was_replaced_is_told_first_and_kept_with_the_job(client: httpx.AsyncClient) -> None:
    body = content({**CLEAN, "faculty.csv": CLEAN["faculty.csv"].replace("F1", "F7")})
    checked = (await client.post("/validate", json=body)).json()
    found = checked["import"]
    assert [note["code"] for note in found["warnings"]] == ["teacher_unknown"]
    (warning,) = checked["warnings"]
    assert (warning["pointer"], warning["code"], warning["value"]) == ("/content/subjects", "teacher_unknown", "F1")
    assert warning["message"].startswith("subjects.csv, line 2, faculty_assigned 'F1': names no teacher")
    body |= {"job_id": "replaced", "time_limit_seconds": 1, "num_variants": 1}
    answer = (await client.post("/generate", json=body)).json()
    assert answer["warnings"] == checked["warnings"]
    assert (
        "Please check 1 change to the data: F1 names no teacher of the faculty file; F7 takes it." in answer["message"]
    )
    assert (await finished(client, "replaced"))[-1]["metadata"]["import"]["counts"]["warnings"] == 1
    kept = (await client.get("/jobs/replaced")).json()["metadata"]["import"]
    assert kept["warnings"] == found["warnings"]


async def test_a_csv_set_is_solved_on_the_grid_of_the_request(client: httpx.AsyncClient) -> None:
    body = {**content(CLEAN), "job_id": "set", "time_limit_seconds": 2, "num_variants": 1}
    answer = await client.post("/generate", json={**body, "time_config": {"working_days": 2, "slots_per_day": 6}})
    assert answer.status_code == 200 and "rows were read" in answer.json()["message"]
    assert (await finished(client, "set"))[-1]["status"] == "completed"
    found = (await client.get("/variants/set/1")).json()["timetable_entries"]
    assert found and {entry["day"] for entry in found} <= {0, 1}


@pytest.mark.parametrize(
    ("source", "pointer", "code"),
    [
        ({"format": "csv_zip", "content": "!"}, "/content", "bad_value"),
        ({"format": "csv_zip", "content": "AAAA"}, "/content", "bad_zip"),
        (content({**CLEAN, "students.csv": b"a" * (8 << 20)}), "/content", "too_large"),
        (
            content({**CLEAN, "students.csv": "student_id,electives\nÜÖÄ".encode() + b"\xff\n"}),
            "/content/students",
            "bad_utf8",
        ),
        (content({"students.csv": "student_id,electives\n"}), "/content/subjects", "missing"),
    ],
)
@pytest.mark.parametrize("route", ["/validate", "/generate"])
async def test_a_zip_file_that_cannot_be_used_is_refused(
    client: httpx.AsyncClient, route: str, source: dict[str, str], pointer: str, code: str
) -> None:
    answer = await client.post(route, json=source)
    assert answer.status_code == 422
    assert (pointer, code) in {(error["pointer"], error["code"]) for error in answer.json()["errors"]}
