"""
The whole way round with a real Django project: job, worker, service, progress, and each of the three deliveries.

Clashes are counted here once more, from the delivered entries and the enrolments in the platform's own tables.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.types.json import Jsonb

from solver.samples import sample
from tests import real
from tests.deploy.rig import until
from tests.platform.rig import BROKER_INDEX, Platform, platform
from tests.platform.tables import ORGANISATION, load

STUDENTS_TWICE = """
    SELECT student_id, entry->>'day', entry->>'time_slot' FROM generation_jobs,
        jsonb_array_elements(timetable_data->'variants'->%(variant)s->'timetable_entries') entry
    JOIN course_enrollments ON offering_id = split_part(entry->>'course_id', '_off_', 2)
    WHERE generation_jobs.id = %(job)s GROUP BY 1, 2, 3 HAVING count(*) > 1
"""
TWICE_IN_SLOTS = """
    SELECT {who}, day, start_time, timetable_id
    FROM timetable_slots JOIN timetables ON timetables.id = timetable_id {joined}
    WHERE job_id = %(job)s AND {who} IS NOT NULL GROUP BY 1, 2, 3, 4 HAVING count(*) > %(most)s
"""
COPY_OF_ROW = """
    INSERT INTO generation_jobs (id, status, progress, timetable_data, academic_year, semester, created_at, updated_at)
    SELECT %(job)s, 'running', 0, timetable_data, academic_year, semester, now(), now() FROM generation_jobs
    WHERE id = %(of)s
"""
"""A job whose row is there, and whose task waits in the queue."""
ENROLLED = "JOIN course_offerings ON course_id = subject_id JOIN course_enrollments USING (offering_id)"


@pytest.fixture(scope="module")
def django() -> Iterator[Platform]:
    with platform() as made:
        load(made.database, sample("tiny"))
        yield made


def followed(django: Platform, job_id: str) -> list[dict[str, Any]]:
    """What Django reads of a job from Redis, until it has ended."""
    seen: list[dict[str, Any]] = []

    def ended() -> bool:
        if django.redis.exists(f"progress:job:{job_id}"):
            seen.append(django.ask(f"/api/progress/{job_id}/"))
        return bool(seen) and seen[-1]["status"] in ("completed", "failed", "cancelled")

    until(ended, "the job does not end")
    percents = [one["overall_progress"] for one in seen]
    assert percents == sorted(percents)
    assert all(one["eta_seconds"] is not None and one["metadata"]["semester"] == 1 for one in seen)
    return seen


def completed(django: Platform, job_id: str) -> dict[str, Any]:
    """What the row holds when the end has been delivered."""
    last = followed(django, job_id)[-1]
    assert (last["status"], last["overall_progress"]) == ("completed", 100), last["message"]
    question = "SELECT status, timetable_data FROM generation_jobs WHERE id = %(job)s"
    until(lambda: django.rows(question, job=job_id)[0][0] == "completed", "the row is not told")
    data: dict[str, Any] = django.rows(question, job=job_id)[0][1]
    return data


def shows_a_sound_timetable(django: Platform, job_id: str, variants: list[dict[str, Any]]) -> None:
    wanted = Counter({course.code: course.sessions_per_week for course in sample("tiny").courses})
    for n, variant in enumerate(variants):
        entries = variant["timetable_entries"]
        assert Counter(entry["subject_code"] for entry in entries) == wanted
        assert variant["conflicts"] == 0
        assert django.ask("/api/conflicts/detect/", job_id=job_id, variant_id=n) == {"conflicts": [], "total": 0}
        assert django.rows(STUDENTS_TWICE, job=job_id, variant=n) == []
        for whose in ("faculty_ids", "room_id"):
            taken = [
                (one, entry["day"], entry["time_slot"])
                for entry in entries
                for one in (entry[whose] if whose == "faculty_ids" else [entry[whose]])
            ]
            assert len(set(taken)) == len(taken), whose
        path = f"/api/timetable/variants/{job_id}-variant-{n + 1}/department_view/"
        counts = django.ask(path, job_id=job_id)["departments"]
        assert sum(counts.values()) == len(entries) and len(counts) > 1 and "null" not in counts
        for department, count in counts.items():
            shown = django.ask(path, job_id=job_id, department_id=department)["timetable_entries"]
            assert len(shown) == count and {entry["department_id"] for entry in shown} == {department}


def celery(django: Platform, form: str) -> dict[str, str]:
    broker = {"platform_broker_url": real.REDIS, "platform_broker_db": str(BROKER_INDEX)}
    return {"platform_celery": form, "platform_celery_queue": django.queue, **broker}


def test_by_sql_and_a_task_without_payload_the_row_keeps_what_the_page_wrote(django: Platform, tmp_path: Path) -> None:
    with django.service(tmp_path, platform_update="yes", **celery(django, "committed")) as service:
        job_id = django.create(ORGANISATION)
        data = completed(django, job_id)
        assert (data["academic_year"], data["org_id"], data["scope"]) == ("2024-2025", ORGANISATION, "university")
        assert len(data["variants"]) == 2
        shows_a_sound_timetable(django, job_id, data["variants"])
        until(lambda: django.redis.exists(f"variants_list_{job_id}"), "the task did not run")
        labels = json.loads(str(django.redis.get(f"variants_list_{job_id}")))
        assert labels == [variant["label"] for variant in data["variants"]]
        department = data["variants"][0]["timetable_entries"][0]["department_id"]
        ours = service.get(f"/api/timetables/{job_id}/department/{department}").json()
        path = f"/api/timetable/variants/{job_id}-variant-1/department_view/"
        theirs = django.ask(path, job_id=job_id, department_id=department)["timetable_entries"]
        assert ours["entries"] == theirs and ours["conflicts"] == 0

        unknown = django.create("Nobody University")
        assert "no organisation 'Nobody University'" in followed(django, unknown)[-1]["metadata"]["error"]
        assert "no organisation" in str(django.row_is(unknown, "failed"))
    _the_counts_see_what_is_wrong(django, job_id, data["variants"][0]["timetable_entries"])


def _the_counts_see_what_is_wrong(django: Platform, job_id: str, entries: list[dict[str, Any]]) -> None:
    """Everything at one time must not look sound, or the checks above would show nothing."""
    same = {name: entries[0][name] for name in ("day", "time_slot", "start_time", "end_time")}
    spoilt = {"variants": [{"timetable_entries": [{**entry, **same} for entry in entries]}]}
    with psycopg.connect(django.database) as connection:
        connection.execute("UPDATE generation_jobs SET timetable_data = %s WHERE id = %s", (Jsonb(spoilt), job_id))
    assert django.ask("/api/conflicts/detect/", job_id=job_id, variant_id=0)["total"] > 0
    assert django.rows(STUDENTS_TWICE, job=job_id, variant=0)


def test_by_a_task_with_the_variants_inline(django: Platform, tmp_path: Path) -> None:
    with django.service(tmp_path, **celery(django, "inline")):
        job_id = django.create(ORGANISATION)
        data = completed(django, job_id)
        assert data.keys() == {"variants"}
        shows_a_sound_timetable(django, job_id, data["variants"])


def posted(django: Platform, job_id: str, times: int) -> None:
    """Waits until the worker has posted a job so often, and has marked its row as running each time."""
    until(lambda: django.redis.get(f"times_posted_{job_id}") == str(times), "the worker does not post it")


def test_a_cancel_before_the_post_is_the_end_of_the_job_whenever_the_post_comes(
    django: Platform, tmp_path: Path
) -> None:
    """
    Nobody hears of the first cancel, because the service is down; the second comes before its job.

    The service wants a key, and the platform knows no other place for it than the address.
    """
    unheard = django.create(ORGANISATION)
    assert django.steer(unheard, "cancel")["told"] is None
    locked = {"keys_dir": str(django.keys), "platform_update": "yes", **celery(django, "committed")}
    with django.service(tmp_path, **locked) as service:
        assert httpx.get(str(service.base_url.join("/jobs"))).status_code == 401
        assert django.row_is(unheard, "cancelled") == "Cancelled by user"
        early = str(uuid.uuid4())
        with psycopg.connect(django.database) as connection:
            connection.execute(COPY_OF_ROW, {"job": early, "of": unheard})
        assert django.steer(early, "cancel")["told"] == 200
        assert django.row_is(early, "cancelled") == "Cancelled by user"
        for job_id in (unheard, early):
            django.steer(job_id, "again")
            posted(django, job_id, 1)
            assert service.get(f"/jobs/{job_id}").json()["attempts"] == []
            assert followed(django, job_id)[-1]["status"] == "cancelled"
            django.row_is(job_id, "cancelled")


def test_a_second_post_after_the_end_leaves_the_row_as_it_ended(django: Platform, tmp_path: Path) -> None:
    with django.service(tmp_path, platform_update="yes") as service:
        job_id = django.create(ORGANISATION)
        first = completed(django, job_id)
        deliveries = service.get(f"/jobs/{job_id}").json()["deliveries"]
        django.steer(job_id, "again")
        posted(django, job_id, 2)
        assert django.row_is(job_id, "completed") is None
        told = django.steer(job_id, "directly")
        assert (told["code"], told["answer"]["created"]) == (200, False), "both ways of the platform mean one job"
        assert completed(django, job_id)["variants"] == first["variants"]
        again = service.get(f"/jobs/{job_id}").json()["deliveries"]
        assert [row["event_id"] for row in again] == [row["event_id"] for row in deliveries]


def test_by_the_callback_into_rows(django: Platform, tmp_path: Path) -> None:
    url = f"{django.web.base_url}/api/timetable/callback/".replace("//api", "/api")
    with django.service(tmp_path, platform_callback_url=url):
        job_id = django.create(ORGANISATION)
        completed(django, job_id)
    sessions = sum(course.sessions_per_week for course in sample("tiny").courses)
    count = "SELECT count(*) FROM timetable_slots JOIN timetables t ON t.id = timetable_id WHERE job_id = %(job)s"
    assert django.rows(f"{count} GROUP BY timetable_id", job=job_id) == [(sessions,), (sessions,)]
    for who, joined in (("faculty_id", ""), ("classroom_id", ""), ("student_id", ENROLLED)):
        question = TWICE_IN_SLOTS.format(who=who, joined=joined)
        assert django.rows(question, job=job_id, most=1) == [], who
        assert django.rows(question, job=job_id, most=0), who
