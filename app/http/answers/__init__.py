"""
What every route answers: one table of the names of operations and the classes of their JSON.

Nothing here is used to make an answer: views make them, often in another process. Tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic.json_schema import models_json_schema

from app.http.answers import insights, jobs, operations, results
from app.http.answers.common import Answer

REFERENCE = "#/components/schemas/{model}"


class Operation(NamedTuple):
    """The name that generated clients give an operation, and what it answers; None for what is no JSON."""

    id: str
    answer: type[Answer] | None


OPERATIONS: Mapping[str, Operation] = {
    "POST /generate_variants": Operation("generate_variants", jobs.Accepted),
    "GET /progress/{job_id}": Operation("get_progress", jobs.Progress),
    "GET /progress/{job_id}/curve": Operation("get_curve", jobs.Curve),
    "GET /progress/{job_id}/events": Operation("follow_progress", None),
    "POST /cancel/{job_id}": Operation("cancel_job", jobs.Steered),
    "POST /finish/{job_id}": Operation("finish_job", jobs.Steered),
    "POST /restart/{job_id}": Operation("restart_job", jobs.Steered),
    "GET /jobs": Operation("list_jobs", jobs.JobList),
    "GET /jobs/{job_id}": Operation("get_job", jobs.JobAccount),
    "DELETE /jobs/{job_id}": Operation("delete_job", jobs.Steered),
    "POST /jobs/{job_id}/deliver": Operation("deliver_again", jobs.Steered),
    "GET /jobs/{job_id}/attempts/{n}/diagnosis": Operation("get_diagnosis_of_attempt", jobs.AttemptDiagnosis),
    "GET /variants/{job_id}": Operation("get_variants", results.Variants),
    "GET /variants/{job_id}/{n}": Operation("get_variant", results.OneVariant),
    "GET /variants/{job_id}/{n}/file": Operation("get_variant_file", None),
    "GET /variants/{job_id}/who": Operation("get_people_and_rooms", insights.Who),
    "GET /variants/{job_id}/students": Operation("find_students", insights.Students),
    "GET /variants/{job_id}/{n}/week": Operation("get_week", insights.Week),
    "GET /variants/{job_id}/{n}/load": Operation("get_load", insights.Load),
    "GET /variants/{job_id}/{n}/difference": Operation("compare_variants", insights.Difference),
    "GET /variants/{job_id}/{n}/session": Operation("explain_session", insights.Session),
    "GET /timetables/{job_id}/department/{dept_id}": Operation("get_department", insights.Department),
    "GET /conflicts/detect": Operation("detect_conflicts", insights.Conflicts),
    "POST /conflicts/resolve": Operation("propose_repairs", insights.Resolutions),
    "POST /conflicts/resolve/{conflict_id}": Operation("propose_repair", insights.Resolution),
    "POST /validate": Operation("validate_dataset", operations.Validation),
    "POST /score": Operation("score_timetable", operations.ScoreReport),
    "GET /datasets": Operation("list_samples", operations.SampleList),
    "GET /datasets/{name}": Operation("get_sample", operations.SampleBody),
    "GET /cache/stats": Operation("get_cache_stats", operations.CacheStats),
    "POST /cache/invalidate": Operation("invalidate_cache", operations.CacheDropped),
    "POST /cache/warm": Operation("warm_cache", operations.CacheWarmed),
    "POST /admin/backup": Operation("make_backup", operations.Backup),
    "GET /health": Operation("get_health", operations.Health),
    "GET /health/live": Operation("is_alive", operations.Alive),
    "GET /health/ready": Operation("is_ready", operations.Ready),
    "GET /metrics": Operation("get_metrics", None),
    "GET /hardware": Operation("get_hardware", operations.Hardware),
    "GET /preview": Operation("preview_job", operations.Preview),
    "GET /workers": Operation("list_workers", operations.Workers),
    "GET /options": Operation("get_options", operations.Options),
    "GET /": Operation("get_service", operations.ServiceName),
}


def answer_schemas() -> dict[str, Any]:
    """The schemas of all answers by name, for `components`."""
    models = dict.fromkeys(operation.answer for operation in OPERATIONS.values() if operation.answer is not None)
    _, document = models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)
    schemas: dict[str, Any] = document["$defs"]
    return schemas
