from __future__ import annotations

import json
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI

from app.domain.jobs import Status
from app.main import create_app
from app.settings import Settings
from solver.formats.native import dump_dataset, dump_timetable
from solver.samples import PRESETS, planted, sample
from tests.app.conftest import finished
from tests.malformed.corpus import CASES, UNREADABLE, Case
from tests.solver.formats.tim_cases import count, tim_case

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(400)]

PLATFORM_BODY = {
    "organization_id": "Banaras Hindu University",
    "department_id": None,
    "batch_ids": [],
    "semester": 1,
    "academic_year": "2024-2025",
    "time_config": {
        "working_days": 6,
        "slots_per_day": 8,
        "start_time": "08:00",
        "end_time": "17:00",
        "slot_duration_minutes": 60,
        "lunch_break_enabled": False,
        "lunch_break_start": None,
        "lunch_break_end": None,
    },
    "quality_mode": "balanced",
    "surprise": {"from": "a later version"},
}
SMALL: dict[str, Any] = {
    "schema": "timetable-dataset/1",
    "rooms": [{"id": "R1", "capacity": 50}],
    "courses": [{"id": "C1", "sessions_per_week": 2}, {"id": "C2", "sessions_per_week": 1}],
}


LIMITS_OF_THE_BODY = {"more than two million values", "nested 33 levels deep"}
"""The whole body meets these limits, a level before or at another place than the dataset alone."""
CTT = """Name: Toy
Courses: 2
Rooms: 1
Days: 2
Periods_per_day: 2
Curricula: 1
Constraints: 0

COURSES:
SceCosC Ocra 2 2 30
ArcTec Indaco 1 1 42

ROOMS:
rA 50

CURRICULA:
Cur1 2 SceCosC ArcTec

UNAVAILABILITY_CONSTRAINTS:

END.
"""


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads`: an object, every member of which stands there once."""
    assert len(dict(pairs)) == len(pairs), [key for key, _ in pairs]
    return dict(pairs)


def body_of(job_id: str, **fields: object) -> dict[str, object]:
    return {"job_id": job_id, "time_limit_seconds": 2, "num_variants": 1, **fields}


async def post(client: httpx.AsyncClient, job_id: str, **fields: object) -> httpx.Response:
    return await client.post("/generate_variants", json=body_of(job_id, **fields))


# --- submitting ------------------------------------------------------------------------------------------------------


async def test_the_platforms_own_body_is_answered_at_once_with_both_versions_fields(client: httpx.AsyncClient) -> None:
    answer = await post(client, "platform", **PLATFORM_BODY, dataset_name="college", time_limit_seconds=120)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["job_id"], body["status"]) == ("platform", "queued")
    assert (body["estimated_time_seconds"], body["estimated_time_minutes"]) == (120, 2)
    assert "own time grid" in body["message"]
    assert (await client.post("/cancel/platform")).json()["status"] == "cancellation_requested"
    last = (await finished(client, "platform"))[-1]
    assert last["status"] == "cancelled"
    assert (last["metadata"]["semester"], last["metadata"]["academic_year"]) == (1, "2024-2025")


async def test_the_same_post_is_the_same_job_and_another_body_is_a_conflict(client: httpx.AsyncClient) -> None:
    first = await post(client, "twice", dataset=SMALL)
    again = await post(client, "twice", dataset=dict(reversed(SMALL.items())), unknown=1)
    assert (first.status_code, again.status_code) == (200, 200)
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    other = await post(client, "twice", dataset=SMALL, seed=7)
    assert (other.status_code, other.json()["code"]) == (409, "job_conflict")
    assert len([job for job in (await client.get("/jobs")).json()["jobs"] if job["job_id"] == "twice"]) == 1
    await finished(client, "twice")


async def test_a_missing_or_empty_job_id_is_made_up(client: httpx.AsyncClient) -> None:
    for job_id in (None, "", "  "):
        answer = await post(client, job_id, dataset=SMALL)  # type: ignore[arg-type]
        assert len(answer.json()["job_id"]) == 36
        await client.post(f"/cancel/{answer.json()['job_id']}")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [(1, 1), (2, 2), ("odd", 1), ("EVEN", 2), ("2", 2), (4, 2), (None, 1), ("summer", 1), ([], 1), (2.0, 2)],
)
async def test_a_semester_is_understood_in_every_form(client: httpx.AsyncClient, sent: object, kept: int) -> None:
    job_id = f"semester-{json.dumps(sent).strip(chr(34)).replace('[]', 'list')}"
    assert (await post(client, job_id, dataset=SMALL, semester=sent)).status_code == 200
    assert (await client.get(f"/jobs/{job_id}")).json()["metadata"]["semester"] == kept
    await client.post(f"/cancel/{job_id}")


async def test_asking_for_too_much_is_clamped_and_said(client: httpx.AsyncClient) -> None:
    answer = await post(client, "greedy", dataset=SMALL, num_variants=99, time_limit_seconds=1e9)
    body = answer.json()
    assert (body["num_variants"], body["time_limit_seconds"]) == (10, 600)
    assert body["adjusted"]["num_variants"] == {"asked": 99, "given": 10}
    assert "num_variants was set to 10" in body["message"]
    await client.post("/cancel/greedy")


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"dataset": SMALL, "num_variants": 0}, "/num_variants", "out_of_range"),
        ({"dataset": SMALL, "num_variants": "many"}, "/num_variants", "wrong_type"),
        ({"dataset": SMALL, "time_limit_seconds": -1}, "/time_limit_seconds", "out_of_range"),
        ({"dataset": SMALL, "rules": {"no/rule": {"tier": "soft"}}}, "/rules/no~1rule", "unknown_rule"),
        ({"dataset": SMALL, "rules": {"group_gap": {"tier": "holy"}}}, "/rules/group_gap/tier", "unknown_tier"),
        ({"dataset": SMALL, "rules": {"group_gap": {"wieght": 1}}}, "/rules/group_gap/wieght", "unknown_field"),
        ({"dataset": SMALL, "rules": {"group_gap": {"weight": -1}}}, "/rules/group_gap/weight", "out_of_range"),
        ({"dataset": SMALL, "dataset_name": "tiny"}, "/dataset_name", "too_many_sources"),
        ({"dataset": [1]}, "/dataset", "wrong_type"),
        ({"content": "Name: x", "format": "xlsx"}, "/format", "bad_value"),
        ({"content": "Name: x"}, "/format", "missing"),
        ({"dataset": SMALL, "job_id": "../../etc/passwd"}, "/job_id", "bad_id"),
        ({"dataset": SMALL, "job_id": 7}, "/job_id", "wrong_type"),
        ({"dataset": SMALL, "time_config": [1]}, "/time_config", "wrong_type"),
        ({"dataset": SMALL, "time_config": {"working_days": "six"}}, "/time_config/working_days", "wrong_type"),
        ({"dataset": SMALL, "time_config": {"working_days": 9}}, "/time_config/working_days", "out_of_range"),
        ({"dataset": SMALL, "time_config": {"start_time": "soon"}}, "/time_config/start_time", "bad_time"),
    ],
)
async def test_nonsense_is_refused_with_pointer_code_and_value(
    client: httpx.AsyncClient, fields: dict[str, object], pointer: str, code: str
) -> None:
    answer = (
        await post(client, "nonsense", **fields)
        if "job_id" not in fields
        else await client.post("/generate_variants", json=fields)
    )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = [(error["pointer"], error["code"]) for error in answer.json()["errors"]]
    assert (pointer, code) in found
    assert (await client.get("/progress/nonsense")).status_code == 404


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_a_malformed_dataset_is_a_422_that_points_at_the_fault(client: httpx.AsyncClient, case: Case) -> None:
    answer = await client.post("/generate_variants", content=b'{"job_id": "bad", "dataset": ' + case.body + b"}")
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    errors = answer.json()["errors"]
    assert all({"pointer", "code", "message", "value"} == set(error) for error in errors)
    found = [(error["pointer"], error["code"], error["value"]) for error in errors]
    if case.name == "null":
        assert answer.json()["code"] == "source_not_configured", "a null is a source that was not given"
    elif not case.has_place:
        assert errors[0]["code"] in UNREADABLE
    elif case.name in LIMITS_OF_THE_BODY:
        assert case.code in {code for _, code, _ in found}
    else:
        assert (case.pointer_below("/dataset"), case.code, json.loads(json.dumps(case.value))) in found
    assert (await client.get("/progress/bad")).status_code == 404
    assert (await client.get("/health/live")).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'"text"', b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff\xfe", b'{"a": "\\ud800"}',
     b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b'{"seed": ' + b"9" * 5000 + b"}"],
    ids=["empty", "cut", "list", "null", "text", "nan", "repeated", "utf8", "surrogate", "deep", "huge"],
)  # fmt: skip
@pytest.mark.parametrize("route", ["/generate_variants", "/validate", "/score"])
async def test_a_body_that_no_honest_client_sends_is_refused(client: httpx.AsyncClient, route: str, raw: bytes) -> None:
    answer = await client.post(route, content=raw)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"]


async def test_a_body_above_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/generate_variants", content=b" " * 16_000_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_body_that_dribbles_in_is_given_up(settings: Settings) -> None:
    async def dribble() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep(5)

    app = create_app(Settings(data_dir=settings.data_dir.with_name("slow"), body_seconds=0.2))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        answer = await client.post("/validate", content=dribble())
    assert (answer.status_code, answer.json()["code"]) == (408, "body_too_slow")


async def test_a_whole_file_can_be_sent_as_text(client: httpx.AsyncClient) -> None:
    answer = await client.post("/validate", json={"content": CTT, "format": "ctt"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["summary"]["sessions"] == 3
    broken = await client.post("/validate", json={"content": CTT.replace("Rooms: 1", "Rooms: 2"), "format": "ctt"})
    assert broken.status_code == 422
    assert all(error["pointer"].startswith("/content") for error in broken.json()["errors"])
    long = json.dumps({**SMALL, "name": "n" * 60_000}) + " " * 60_000
    answer = await client.post("/validate", json={"content": long, "format": "json"})
    assert answer.status_code == 200, "only the texts inside the file are limited"
    broken = await client.post("/validate", json={"content": '{"rooms": [}', "format": "json"})
    assert (broken.status_code, broken.json()["errors"][0]["code"]) == (422, "bad_json")


async def test_a_post_enrolment_problem_and_its_answer_can_be_sent_as_text(client: httpx.AsyncClient) -> None:
    case = tim_case(Random(5))
    source = {"content": case.problem, "format": "tim"}
    valid = await client.post("/validate", json=source)
    assert valid.status_code == 200, valid.text
    assert (valid.json()["summary"]["sessions"], valid.json()["summary"]["time_slots"]) == (12, 45)
    scored = await client.post("/score", json={**source, "solution": case.answer})
    told = count(case.problem, case.answer)
    assert (scored.json()["complete"], scored.json()["cost"]) == (True, told.cost)
    nothing = await client.post("/score", json={**source, "solution": "-1 -1\n" * 12})
    assert nothing.json()["distance_to_feasibility"] == count(case.problem, "-1 -1\n" * 12).distance
    broken = await client.post("/validate", json={"content": case.problem + "0\n", "format": "tim"})
    assert [error["pointer"] for error in broken.json()["errors"]] == ["/content/line/1"]


async def test_without_a_source_the_missing_platform_database_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.post("/generate_variants", json=PLATFORM_BODY)
    assert (answer.status_code, answer.json()["code"]) == (422, "source_not_configured")
    assert "dataset_name" in answer.json()["detail"]


async def test_an_unknown_sample_is_named_with_those_that_exist(client: httpx.AsyncClient) -> None:
    answer = await post(client, "unknown-sample", dataset_name="oxford")
    assert (answer.status_code, answer.json()["code"]) == (404, "dataset_not_found")
    assert "college" in answer.json()["detail"]


async def test_time_config_is_the_grid_of_a_dataset_without_one(client: httpx.AsyncClient) -> None:
    config = {"working_days": 7, "slots_per_day": 9, "start_time": "09:00:00", "end_time": "12:30:00",
              "slot_duration_minutes": 60, "lunch_break_start": None, "lunch_break_end": None}  # fmt: skip
    answer = await post(client, "gridless", dataset=SMALL, time_config=config)
    assert "time_config" in answer.json()["message"]
    await finished(client, "gridless")
    variant = (await client.get("/variants/gridless/1")).json()
    assert variant["statistics"]["total_time_slots"] == 21
    assert {entry["start_time"] for entry in variant["timetable_entries"]} <= {"09:00", "10:00", "11:00"}


async def test_a_full_queue_is_a_429_with_a_time_to_come_back(settings: Settings) -> None:
    full = Settings(data_dir=settings.data_dir.with_name("full"), slots=1, queue_limit=1)
    app = create_app(full)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        answers = [await post(client, f"q{i}", dataset_name="college", time_limit_seconds=300) for i in range(4)]
        refused = [answer for answer in answers if answer.status_code != 200]
        assert refused
        assert {answer.status_code for answer in refused} == {429}
        assert refused[-1].headers["retry-after"] == "30"
        for i in range(4):
            await client.post(f"/cancel/q{i}")


# --- following a job -------------------------------------------------------------------------------------------------


async def test_a_job_runs_through_and_its_progress_never_goes_back(client: httpx.AsyncClient) -> None:
    await post(client, "whole", dataset_name="tiny", time_limit_seconds=5, num_variants=3, semester="even")
    seen = await finished(client, "whole")
    shares = [snapshot["overall_progress"] for snapshot in seen]
    assert shares == sorted(shares)
    assert (seen[-1]["status"], shares[-1]) == ("completed", 100)
    for snapshot in seen:
        assert {"stage", "stage_progress", "percentage", "progress", "message", "metadata", "eta_seconds"} <= set(
            snapshot
        )

    result = json.loads((await client.get("/variants/whole")).content, object_pairs_hook=without_repeats)
    assert (result["job_id"], result["status"], result["verified"]) == ("whole", "completed", True)
    assert len(result["variants"]) == 3
    assert all(variant["verified"] and variant["timetable_entries"] for variant in result["variants"])
    assert [variant["id"] for variant in result["variants"]] == [1, 2, 3]
    assert result["metadata"]["semester"] == 2
    assert {visit["rung"] for visit in result["journal"]} >= {"full"}
    without = (await client.get("/variants/whole?entries=false")).json()
    assert "timetable_entries" not in without["variants"][0]

    job = json.loads((await client.get("/jobs/whole")).content, object_pairs_hook=without_repeats)
    assert (job["status"], job["has_result"], len(job["attempts"])) == ("completed", True, 1)
    assert job["journal"] == result["journal"]
    assert "whole" in {row["job_id"] for row in (await client.get("/jobs?status=completed&limit=5")).json()["jobs"]}

    variant = (await client.get("/variants/whole/2")).json()
    assert variant["timetable_entries"] == result["variants"][1]["timetable_entries"]
    csv = await client.get("/variants/whole/1?format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == 1 + len(result["variants"][0]["timetable_entries"])
    assert 'filename="whole-variant-1.csv"' in csv.headers["content-disposition"]
    sol = await client.get("/variants/whole/1?format=ctt")
    assert all(len(line.split()) == 4 for line in sol.text.splitlines())

    sln = await client.get("/variants/whole/1?format=tim")
    assert all(len(line.split()) == 2 for line in sln.text.splitlines())

    refused = await client.get("/variants/whole/1?format=pdf")
    assert (refused.status_code, refused.json()["code"]) == (406, "not_available")
    assert refused.json()["formats"] == ["json", "csv", "xlsx", "ics", "html", "svg", "ctt", "tim"]
    missing = await client.get("/variants/whole/4")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_result")
    assert (await client.post("/cancel/whole")).json()["code"] == "job_state"


async def test_events_tell_connected_progress_and_done(client: httpx.AsyncClient) -> None:
    await post(client, "events", dataset_name="tiny")
    answer = await client.get("/progress/events/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-accel-buffering"] == "no"
    blocks = [block.split("\n") for block in answer.text.strip().split("\n\n")]
    names = [block[0].removeprefix("event: ") for block in blocks if block[0].startswith("event")]
    assert (names[0], names[-1]) == ("connected", "done")
    assert set(names[1:-1]) == {"progress"}
    assert json.loads(blocks[0][1].removeprefix("data: ")) == {"job_id": "events"}
    assert json.loads(blocks[-1][1].removeprefix("data: ")) == {"status": "completed"}


async def test_finish_publishes_what_there_is(client: httpx.AsyncClient) -> None:
    await post(client, "early", dataset_name="college", time_limit_seconds=300)
    while ((await client.get("/progress/early")).json().get("placed") or 0) == 0:
        await anyio.sleep(0.05)
    early = await client.get("/variants/early")
    assert (early.status_code, early.json()["code"]) == (409, "result_not_ready")
    assert (await client.post("/finish/early")).json()["status"] == "finish_requested"
    assert (await finished(client, "early"))[-1]["status"] == "completed"
    assert (await client.get("/variants/early?entries=false")).json()["stopped_by"] == "finished_early"
    again = await client.post("/restart/early")
    assert again.json()["status"] == "queued"
    await client.post("/cancel/early")
    await finished(client, "early")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/progress/nobody"),
        ("GET", "/progress/nobody/events"),
        ("GET", "/variants/nobody"),
        ("GET", "/variants/nobody/1"),
        ("GET", "/jobs/nobody"),
        ("POST", "/finish/nobody"),
        ("POST", "/restart/nobody"),
    ],
)
async def test_an_unknown_job_is_a_404(client: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "job_not_found"
    assert answer.json()["job_id"] == "nobody"


async def test_a_cancel_of_an_unknown_job_is_taken_and_calls_it_off_when_it_comes(client: httpx.AsyncClient) -> None:
    told = await client.post("/api/cancel/to-come/")
    assert (told.status_code, told.json()["status"], told.json()["job_status"]) == (
        200,
        "cancellation_requested",
        "unknown",
    )
    assert (await client.get("/progress/to-come")).status_code == 404
    answer = (await post(client, "to-come", dataset=SMALL)).json()
    assert (answer["status"], answer["created"]) == ("cancelled", True) and "cancelled before" in answer["message"]
    assert [one["status"] for one in await finished(client, "to-come")] == ["cancelled"]


async def test_the_two_ways_of_the_platform_post_one_job(client: httpx.AsyncClient) -> None:
    shared = {"dataset": SMALL, "organization_id": "BHU", "academic_year": "2024-2025"}
    first = await post(client, "both-ways", **shared, semester="odd", quality_mode="balanced")
    again = await post(client, "both-ways", **shared, semester=1, time_config={"working_days": 6}, batch_ids=[])
    assert (first.json()["created"], again.status_code, again.json()["created"]) == (True, 200, False)
    assert "taken without time_config" in again.json()["message"]
    other = await post(client, "both-ways", **shared, semester=2)
    assert (other.status_code, other.json()["code"]) == (409, "job_conflict")
    await finished(client, "both-ways")


async def test_progress_of_an_unknown_job_is_readable_by_the_platforms_poller(client: httpx.AsyncClient) -> None:
    body = (await client.get("/api/progress/nobody/")).json()
    assert (body["job_id"], body["progress"], body["status"]) == ("nobody", 0, "not_found")
    assert "nobody" in body["message"]


# --- answers without solving -----------------------------------------------------------------------------------------


async def test_every_sample_comes_as_a_body_that_can_be_posted(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/datasets")).json()["datasets"]
    assert [entry["name"] for entry in listed] == list(PRESETS)
    body = (await client.get("/datasets/tiny?seed=3")).json()
    assert body["dataset"] == json.loads(json.dumps(dump_dataset(sample("tiny", 3))))
    answer = await client.post("/generate", json={**body, "job_id": "sample-body"})
    assert answer.status_code == 200, answer.text
    await client.post("/cancel/sample-body")
    assert (await client.get("/datasets/oxford")).json()["code"] == "dataset_not_found"


async def test_a_usable_dataset_is_measured_and_diagnosed(client: httpx.AsyncClient) -> None:
    for body in ({"dataset": SMALL}, SMALL, {"dataset_name": "tiny"}):
        answer = await client.post("/validate", json=body)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["valid"], answer.json()["feasible"]) == (True, None)
    assert (await client.post("/validate", json=SMALL)).json()["summary"]["sessions"] == 3
    impossible = (await client.post("/validate", json={"dataset_name": "infeasible"})).json()
    assert impossible["feasible"] is False
    assert impossible["diagnosis"]["proofs"][0]["sentence"]


async def test_an_unusable_dataset_is_refused_by_validate_with_every_fault(client: httpx.AsyncClient) -> None:
    broken = {"rooms": [{"id": "R1", "capacity": -1}], "courses": [{"id": "C1", "faculty_ids": ["nobody"]}]}
    answer = await client.post("/validate", json={"dataset": broken})
    assert answer.status_code == 422
    assert {"/dataset/rooms/0/capacity", "/dataset/courses/0/faculty_ids/0"} <= {
        error["pointer"] for error in answer.json()["errors"]
    }


async def test_a_timetable_made_elsewhere_is_scored_by_every_rule(client: httpx.AsyncClient) -> None:
    body = {"dataset_name": "tiny", "timetable": dump_timetable(planted("tiny"))}
    good = (await client.post("/score", json=body)).json()
    assert (good["verified"], good["complete"], good["placed"]) == (True, True, good["total"])
    assert all(rule["count"] == 0 for rule in good["rules"] if rule["tier"] == "hard")
    two = {"placements": [{"course_id": c, "session": 0, "slot": 0, "room_id": "R1"} for c in ("C1", "C2")]}
    bad = (await client.post("/score", json={"dataset": SMALL, "timetable": two})).json()
    assert next(rule for rule in bad["rules"] if rule["id"] == "room_clash")["count"] == 1
    assert [(row["course_id"], row["session"]) for row in bad["unplaced"]] == [("C1", 1)]
    assert not bad["complete"]
    off = {"dataset": SMALL, "timetable": two, "rules": {"room_clash": {"tier": "off"}}}
    assert (
        next(r for r in (await client.post("/score", json=off)).json()["rules"] if r["id"] == "room_clash")["cost"] == 0
    )


async def test_a_timetable_that_does_not_fit_its_dataset_is_refused(client: httpx.AsyncClient) -> None:
    placement = {"course_id": "C9", "session": 0, "slot": 0, "room_id": "R1"}
    answer = await client.post("/score", json={"dataset": SMALL, "timetable": {"placements": [placement]}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/timetable/placements/0/course_id"
    assert (await client.post("/score", json={"dataset": SMALL})).json()["errors"][0]["code"] == "missing"


# --- operations ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/health/", "/api/health", "/api/health/"])
async def test_health_has_the_fields_of_both_platform_versions(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, follow_redirects=False)
    assert answer.status_code == 200
    body = answer.json()
    assert {"service", "status", "version", "timestamp", "redis", "thread_pools", "resources", "alarms"} <= set(body)
    assert body["status"] == "healthy"
    assert {"cpu_percent", "memory_percent"} <= set(body["resources"])
    assert (await client.head(path)).status_code == 200


async def test_a_busy_machine_raises_alarms_and_stays_healthy(settings: Settings) -> None:
    app = create_app(Settings(data_dir=settings.data_dir.with_name("busy"), alarm_memory_percent=0, slots=1))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://s") as client:
        body = (await client.get("/health")).json()
        assert (await client.get("/health/ready")).status_code == 200
    assert body["status"] == "healthy"
    assert any(alarm.startswith("memory_percent") for alarm in body["alarms"])


async def test_liveness_and_readiness_are_two_answers(client: httpx.AsyncClient) -> None:
    assert (await client.get("/health/live")).json() == {"status": "alive"}
    assert (await client.get("/health/ready")).json()["ready"] is True


async def test_metrics_carry_the_guides_three_names_and_no_ids(client: httpx.AsyncClient) -> None:
    await client.get("/progress/very-secret-id")
    text = (await client.get("/metrics")).text
    assert 'app_errors_total{error_type="job_not_found",service="timetable"}' in text
    assert 'app_response_time_seconds_count{endpoint="/progress/{job_id}"}' in text
    assert "app_active_connections 1.0" in text
    assert "timetable_children" in text
    for status in Status:
        assert f'timetable_jobs{{status="{status.value}"}}' in text
    assert "very-secret-id" not in text


async def test_preview_and_hardware_answer_in_the_platforms_shape(client: httpx.AsyncClient) -> None:
    body = (await client.get("/preview?organization_id=BHU&semester=even&dataset_name=tiny")).json()
    assert (body["organization_id"], body["semester"]) == ("BHU", 2)
    assert {"courses", "faculty", "rooms", "time_slots", "students"} <= set(body["data"])
    assert {"time_minutes", "strategy", "hardware_tier"} == set(body["estimation"])
    assert (await client.get("/preview?organization_id=BHU&semester=1")).json()["code"] == "source_not_configured"
    assert (await client.get("/hardware")).json()["slots"] == 1


async def test_the_root_says_where_to_look_and_nothing_needs_another_host(client: httpx.AsyncClient) -> None:
    root = (await client.get("/")).json()
    assert root["status"] == "operational"
    assert "://" not in (await client.get("/docs")).text
    description = (await client.get(root["docs"])).json()
    paths = description["paths"]
    assert {"/generate_variants", "/progress/{job_id}", "/variants/{job_id}/{n}", "/validate", "/score"} <= set(paths)
    assert paths["/generate_variants"]["post"]["requestBody"]["required"]
    schema = description["components"]["schemas"]["GenerateRequest"]
    assert {"job_id", "organization_id", "semester", "time_config", "dataset_name"} <= set(schema["properties"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_only_listed_methods_are_served(application: FastAPI, client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/generate_variants")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
