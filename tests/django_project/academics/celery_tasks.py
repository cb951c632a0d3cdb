"""The tasks of the platform: one starts a job at the service, the other hears of its end (contract, 2 and 3.1)."""

from __future__ import annotations

import json
from typing import Any

import httpx
from celery import Task, shared_task
from django.conf import settings
from django.utils import timezone
from redis import Redis

from tests.django_project.academics.models import GenerationJob

POST_SECONDS = 30
RETRY_SECONDS, MOST_RETRIES = 30, 2
AGAIN_LATER = (429, 503)
MOST_ERROR = 500
CACHED_SECONDS = 3600


def redis() -> Redis:
    """A plain client, as the platform reads progress with."""
    return Redis.from_url(settings.REDIS_URL, decode_responses=True)


def cached_list(job_id: str) -> str:
    return f"variants_list_{job_id}"


def times_posted(job_id: str) -> str:
    """The key that counts how often a job was posted and the answer written down, for whoever waits for that."""
    return f"times_posted_{job_id}"


@shared_task(bind=True, name="academics.celery_tasks.generate_timetable_task", max_retries=MOST_RETRIES)
def generate_timetable_task(self: Task, job_id: str, org_id: str, time_config: dict[str, Any] | None) -> None:
    """
    Only 200 is success, and marks the row as running, whatever it says by then; 429 and 503 are tried again; every
    other answer is the end of the job. Where nobody answers the row stays as it is.
    """
    job = GenerationJob.objects.get(id=job_id)
    body = {
        "job_id": job_id,
        "organization_id": org_id,
        "department_id": None,
        "batch_ids": [],
        "semester": job.semester,
        "academic_year": job.academic_year,
        "time_config": time_config,
    }
    answer = httpx.post(f"{settings.FASTAPI_URL}/api/generate_variants", json=body, timeout=POST_SECONDS)
    if answer.status_code in AGAIN_LATER:
        raise self.retry(countdown=RETRY_SECONDS)
    if answer.status_code == 200:
        GenerationJob.objects.filter(id=job_id).update(status="running")
    else:
        GenerationJob.objects.filter(id=job_id).update(status="failed", error_message=answer.text[:MOST_ERROR])
    with redis() as client:
        client.incr(times_posted(job_id))


@shared_task(name="academics.celery_tasks.fastapi_callback_task")
def fastapi_callback_task(
    job_id: str, status: str, variants: list[dict[str, Any]] | None = None, error: str | None = None
) -> None:
    """With variants they are the whole result; without, the row has it already, and only a cache is warmed."""
    job = GenerationJob.objects.get(id=job_id)
    if status == "completed":
        job.status, job.progress, job.completed_at = status, 100, timezone.now()
        if variants is not None:
            job.timetable_data = {"variants": variants}
    else:
        job.status, job.error_message = status, error or "Generation failed"
    job.save()
    names = [variant["label"] for variant in (job.timetable_data or {}).get("variants", [])]
    with redis() as client:
        client.set(cached_list(job_id), json.dumps(names), ex=CACHED_SECONDS)
