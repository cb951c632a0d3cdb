"""Names that are close to a known one: refused where only we can be meant, told in a body of the platform."""

from __future__ import annotations

import json

import pytest

from app.domain.requests import GenerateRequest
from app.domain.unknown_fields import meant_by
from app.processes.intake import Order, read_order
from app.processes.validation import score_timetable, validate_dataset
from app.settings import Settings
from solver.errors import InputError

SETTINGS = Settings()
PLATFORM = {"organization_id": "BHU", "semester": 1, "academic_year": "2024-2025"}


def order(**body: object) -> Order:
    return read_order(json.dumps({"dataset_name": "tiny", **body}).encode(), SETTINGS)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("time_limit_second", "time_limit_seconds"),
        ("timeLimitSeconds", "time_limit_seconds"),
        ("time-limit-seconds", "time_limit_seconds"),
        ("time_limit", "time_limit_seconds"),
        ("timeout", "time_limit_seconds"),
        ("variants", "num_variants"),
        ("num_variant", "num_variants"),
        ("seeds", "seed"),
        ("worker", "workers"),
        ("dataset_nane", "dataset_name"),
        ("rule", "rules"),
    ],
)
def test_a_field_that_is_close_to_one_of_ours_is_refused_by_its_name(name: str, meant: str) -> None:
    with pytest.raises(InputError) as refused:
        order(**{name: 1})
    (issue,) = refused.value.issues
    assert (issue.pointer, issue.code) == (f"/{name}", "unknown_field")
    assert f"did you mean {meant!r}?" in issue.message


def test_in_a_body_of_the_platform_it_is_told_and_the_job_is_taken() -> None:
    found = order(**PLATFORM, time_limit_second=1, timeConfig={}, time_config={"slot_per_day": 9})
    assert found.adjusted["time_limit_second"] == {"asked": 1, "given": None, "meant": "time_limit_seconds"}
    assert found.adjusted["timeConfig"] == {"asked": "an object", "given": None, "meant": "time_config"}
    assert found.adjusted["time_config.slot_per_day"]["meant"] == "time_config.slots_per_day"
    assert found.request.options.time_limit_seconds == SETTINGS.solve_seconds
    assert any("time_limit_second is no known field" in note for note in found.notes)


def test_what_the_platform_sends_is_taken_without_a_word() -> None:
    fallback = {"university_id": "u", "generation_type": "full", "scope": "all", "priority": 5, "created_at": "now"}
    found = order(**PLATFORM, **fallback, department_id=None, batch_ids=[], quality_mode="balanced", job_id="a")
    assert found.adjusted == {} and found.notes == ()


def test_other_unknown_fields_are_named_and_make_no_other_job() -> None:
    plain, more = order(job_id="a"), order(job_id="a", hostel="x", **{f"field{n}\n": n for n in range(9)})
    assert more.request.body_hash == plain.request.body_hash
    assert [note for note in more.notes if "hostel" in note and "\n" not in note] and more.adjusted == {}


def test_all_slips_are_told_at_once() -> None:
    with pytest.raises(InputError) as refused:
        order(time_limit_second=1, variants=2)
    assert [issue.pointer for issue in refused.value.issues] == ["/time_limit_second", "/variants"]


@pytest.mark.parametrize("check", [validate_dataset, score_timetable])
def test_checks_refuse_them_as_well(check: object) -> None:
    with pytest.raises(InputError, match="did you mean 'dataset_name'"):
        check(json.dumps({"dataset_nam": "tiny"}).encode(), SETTINGS)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["id", "name", "org_id", "user_id", "status", "config", "notes", "semester_name", "x"])
def test_other_words_are_close_to_nothing(name: str) -> None:
    assert meant_by(name, GenerateRequest.model_fields) is None
