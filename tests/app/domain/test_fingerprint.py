"""One job, posted by both ways of the platform: what is only missing makes no other job, what differs does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.domain.fingerprint import added, is_same
from app.domain.requests import MAY_BE_MISSING, GenerateRequest
from app.processes.intake import body_hash, read_order
from app.settings import Settings

BY_WORKER: dict[str, Any] = {
    "job_id": "6c1f0bb2-8d0a-4d6c-9a51-3f1a5a3e9a10",
    "organization_id": "BHU",
    "department_id": None,
    "batch_ids": [],
    "semester": 1,
    "academic_year": "2024-2025",
    "time_config": {"working_days": 6, "slots_per_day": 8},
}
DIRECTLY = {
    "job_id": BY_WORKER["job_id"],
    "organization_id": "BHU",
    "semester": "odd",
    "academic_year": "2024-2025",
    "quality_mode": "balanced",
}


def print_of(tmp_path: Path, body: dict[str, Any]) -> str:
    settings = Settings(data_dir=tmp_path)
    return read_order(json.dumps(body).encode(), settings, has_platform=True).request.body_hash


def test_both_ways_of_the_platform_post_one_job_in_either_order(tmp_path: Path) -> None:
    worker, directly = print_of(tmp_path, BY_WORKER), print_of(tmp_path, DIRECTLY)
    assert is_same(worker, directly) and is_same(directly, worker) and is_same(worker, worker)
    assert added(directly, worker) == ["time_config"] and added(worker, directly) == ["quality_mode"]


@pytest.mark.parametrize("field", MAY_BE_MISSING)
def test_a_field_of_the_platform_that_one_of_them_lacks_makes_no_other_job_and_another_value_does(
    tmp_path: Path, field: str
) -> None:
    values: tuple[Any, Any] = (["b"], ["c"]) if field == "batch_ids" else ("one", "another")
    values = ({"working_days": 5}, {"working_days": 6}) if field == "time_config" else values
    bare = {"organization_id": "BHU", "semester": 2}
    one, other, none = (print_of(tmp_path, {**bare, **more}) for more in ({field: values[0]}, {field: values[1]}, {}))
    assert is_same(one, none) and is_same(none, other)
    assert not is_same(one, other)


@pytest.mark.parametrize(
    "change",
    [
        {"organization_id": "another"},
        {"organization_id": None, "dataset_name": "tiny"},
        {"semester": 2},
        {"academic_year": "2025-2026"},
        {"seed": 7},
        {"num_variants": 2},
        {"time_limit_seconds": 60},
        {"rules": {"group_gap": {"weight": 9}}},
        {"dataset_name": "tiny"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_work_or_whose_it_is_makes_another_job(tmp_path: Path, change: dict[str, Any]) -> None:
    assert not is_same(print_of(tmp_path, BY_WORKER), print_of(tmp_path, {**DIRECTLY, **change}))


def test_without_an_organisation_every_field_counts(tmp_path: Path) -> None:
    body = {"dataset_name": "tiny"}
    assert not is_same(print_of(tmp_path, body), print_of(tmp_path, {**body, "academic_year": "2024-2025"}))


def test_a_job_of_before_is_known_by_the_hash_of_its_whole_request(tmp_path: Path) -> None:
    stored = body_hash(GenerateRequest.model_validate(BY_WORKER))
    assert is_same(stored, print_of(tmp_path, BY_WORKER)) and added(stored, print_of(tmp_path, BY_WORKER)) == []
    assert not is_same(stored, print_of(tmp_path, DIRECTLY))
