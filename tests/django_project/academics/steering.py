"""What the platform does to a job beside starting it: a person cancels, a task comes twice, a fallback posts, too."""

from __future__ import annotations

import uuid

import httpx
from django.conf import settings
from django.http import HttpRequest, JsonResponse

from tests.django_project.academics.celery_tasks import generate_timetable_task
from tests.django_project.academics.models import GenerationJob

CANCEL_SECONDS = 5
DIRECT_SECONDS = 3


def cancel(request: HttpRequest, job_id: uuid.UUID) -> JsonResponse:
    """Asks the service once; whatever comes of that, the row says "cancelling" from then on."""
    try:
        answer = httpx.post(f"{settings.FASTAPI_URL}/api/cancel/{job_id}", timeout=CANCEL_SECONDS)
        told = answer.status_code
    except httpx.TransportError:
        told = None
    GenerationJob.objects.filter(id=job_id).update(status="cancelling")
    return JsonResponse({"success": True, "told": told})


def again(request: HttpRequest, job_id: uuid.UUID) -> JsonResponse:
    """The task comes once more, as after a time-out of the queue, with the body of the first time."""
    data = GenerationJob.objects.get(id=job_id).timetable_data
    generate_timetable_task.delay(str(job_id), data["org_id"], data["time_config"])
    return JsonResponse({"success": True})


def directly(request: HttpRequest, job_id: uuid.UUID) -> JsonResponse:
    """The fallback without a worker: it says the semester in words and knows of no time form."""
    job = GenerationJob.objects.get(id=job_id)
    body = {
        "job_id": str(job_id),
        "organization_id": job.timetable_data["org_id"],
        "semester": "even" if job.semester == 2 else "odd",
        "academic_year": job.academic_year,
        "quality_mode": "balanced",
    }
    answer = httpx.post(f"{settings.FASTAPI_URL}/api/generate_variants", json=body, timeout=DIRECT_SECONDS)
    return JsonResponse({"code": answer.status_code, "answer": answer.json()})
