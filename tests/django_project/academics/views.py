"""What the platform's pages ask, and its side of our HTTP callback."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.http import HttpRequest, JsonResponse

from tests.django_project.academics.celery_tasks import generate_timetable_task, redis
from tests.django_project.academics.models import GenerationJob, Timetable, TimetableConfiguration, TimetableSlot

TIME_FIELDS = (
    *("working_days", "slots_per_day", "start_time", "end_time", "slot_duration_minutes"),
    *("lunch_break_enabled", "lunch_break_start", "lunch_break_end"),
)
MOST_CONFLICTS = 100


def generate(request: HttpRequest) -> JsonResponse:
    """Makes the row, already running, and has a worker start the job once the row can be seen."""
    asked = json.loads(request.body)
    semester = 2 if asked["semester"] == "even" else 1
    with transaction.atomic():
        job = GenerationJob.objects.create(
            status="running",
            academic_year=asked["academic_year"],
            semester=semester,
            timetable_data={**asked, "scope": "university", "time_config": _time_config(asked["org_id"])},
        )
        arguments = (str(job.id), asked["org_id"], job.timetable_data["time_config"])
        transaction.on_commit(lambda: generate_timetable_task.delay(*arguments))
    return JsonResponse({"success": True, "job_id": str(job.id), "estimated_time": "8-11 minutes"}, status=201)


def _time_config(organization: str) -> dict[str, Any] | None:
    """The configuration used last, its times as the database gives them: with seconds, and null for no lunch."""
    stored = TimetableConfiguration.objects.filter(org__org_name=organization).order_by("-last_used_at").first()
    if stored is None:
        return None
    found = {name: getattr(stored, name) for name in TIME_FIELDS}
    return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in found.items()}


def progress(request: HttpRequest, job_id: uuid.UUID) -> JsonResponse:
    """The raw text in Redis, else what the row says."""
    with redis() as client:
        text = client.get(f"progress:job:{job_id}")
    if text is not None:
        return JsonResponse(json.loads(text))
    job = GenerationJob.objects.get(id=job_id)
    return JsonResponse({"job_id": str(job_id), "progress": job.progress, "status": job.status, "eta": None})


def callback(request: HttpRequest) -> JsonResponse:
    """Stores the rows of every variant; there is no column for a batch."""
    told = json.loads(request.body)
    found = GenerationJob.objects.filter(id=told["job_id"])
    with transaction.atomic():
        if not found.update(status=told["status"], error_message=told["error"], progress=100):
            return JsonResponse({"success": False, "message": "unknown job", "status": told["status"]}, status=404)
        for variant in told["variants"]:
            timetable = Timetable.objects.create(job=found.get(), name=variant["name"])
            rows = ({k: v for k, v in entry.items() if k != "batch_id"} for entry in variant["entries"])
            TimetableSlot.objects.bulk_create(TimetableSlot(timetable=timetable, **row) for row in rows)
    return JsonResponse({"success": True, "message": "stored", "status": told["status"]})


def _entries(request: HttpRequest, number: int) -> list[dict[str, Any]]:
    """Of the variant with this number, from 0."""
    job = GenerationJob.objects.get(id=request.GET["job_id"])
    entries: list[dict[str, Any]] = job.timetable_data["variants"][number]["timetable_entries"]
    return entries


def department_view(request: HttpRequest, variant_id: str) -> JsonResponse:
    """`variant_id` is `{job_id}-variant-{n}`, counted from 1; a department is compared for equality."""
    entries = _entries(request, int(variant_id.rpartition("-")[2]) - 1)
    counts: dict[str, int] = defaultdict(int)
    for entry in entries:
        counts[entry["department_id"]] += 1
    shown = [entry for entry in entries if entry["department_id"] == request.GET.get("department_id")]
    return JsonResponse({"timetable_entries": shown, "departments": counts})


def detect_conflicts(request: HttpRequest) -> JsonResponse:
    """As the platform's detector does: within a day and time slot it compares names. `variant_id` counts from 0."""
    entries = _entries(request, int(request.GET["variant_id"]))
    found = [*_double(entries, "faculty_name"), *_double(entries, "room_number")]
    return JsonResponse({"conflicts": found[:MOST_CONFLICTS], "total": len(found)})


def _double(entries: Iterable[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    seen: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    for entry in entries:
        if entry[name]:
            seen[entry["day"], entry["time_slot"], entry[name]].append(entry["subject_code"])
    return [{"type": name, "at": at, "subjects": codes} for at, codes in seen.items() if len(codes) > 1]
