"""What a request may ask for at most, how it is repeated safely, and how its faults are told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.messages import unpack
from app.domain.requests import MAX_BATCHES, MAX_RULES, GenerateRequest
from app.processes.intake import body_hash, canonical, read_order
from app.processes.parse_pool import SMALL_BODY, ParsePool
from app.processes.questions import Question, order_of
from app.settings import Settings
from solver.calendar import TimeGrid
from solver.errors import InputError
from solver.formats.native import load_dataset
from tests.app.test_main import SMALL
from tests.solver.formats.test_json_text import JSON

pytestmark = pytest.mark.anyio
KEY = "Idempotency-Key"
ID_IN_WORDS = "be 1 to 128 letters, digits, spaces or . _ : -, begin with a letter or digit and end with no space"


async def post(client: httpx.AsyncClient, key: str | None = None, **fields: object) -> httpx.Response:
    body = {"time_limit_seconds": 1, "num_variants": 1, "dataset": SMALL, **fields}
    return await client.post("/generate_variants", json=body, headers={} if key is None else {KEY: key})


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


async def test_a_repeated_post_with_one_key_is_one_job_however_many_come_at_once(client: httpx.AsyncClient) -> None:
    answers: list[httpx.Response] = []

    async def send() -> None:
        answers.append(await post(client, "order 17"))

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(send)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum(answer.json()["created"] for answer in answers) == 1
    await client.post(f"/cancel/{answers[0].json()['job_id']}")


async def test_a_key_with_another_body_is_refused_and_another_key_is_another_job(client: httpx.AsyncClient) -> None:
    first = await post(client, "order 18")
    other = await post(client, "order 18", seed=7)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await post(client, "order 19")).json()["job_id"] != first.json()["job_id"]


async def test_a_job_id_in_the_body_wins_over_the_key(client: httpx.AsyncClient) -> None:
    assert (await post(client, "order 20", job_id="named-by-body")).json()["job_id"] == "named-by-body"
    conflict = await post(client, "order 20", job_id="named-by-body", seed=7)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "job_conflict")


@pytest.mark.parametrize("key", ["", "x" * 256, "täglich"])
async def test_a_key_that_cannot_be_used_is_refused(client: httpx.AsyncClient, key: str) -> None:
    answer = await client.post(
        "/generate_variants", json={"dataset": SMALL}, headers=[(b"idempotency-key", key.encode())]
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_header")


# --- caps ------------------------------------------------------------------------------------------------------------


async def test_more_solver_threads_than_a_job_may_have_are_clamped_and_said(client: httpx.AsyncClient) -> None:
    answer = (await post(client, workers=64)).json()
    assert answer["adjusted"]["workers"] == {"asked": 64, "given": 1}
    assert "workers was set to 1 instead of 64" in answer["message"]
    assert (await post(client, workers=1)).json()["adjusted"] == {}


async def test_a_day_shorter_than_asked_for_is_said_when_data_is_checked_and_when_a_job_is_posted(
    client: httpx.AsyncClient,
) -> None:
    data = {**SMALL, "time_grid": {"working_days": 5, "slots_per_day": 8, "start_time": "09:00"}}
    checked = (await client.post("/validate", json=data)).json()
    (warning,) = checked["warnings"]
    assert (warning["pointer"], warning["code"]) == ("/dataset/time_grid/slots_per_day", "shorter_day")
    assert "only 7 slots of 60 minutes fit" in warning["message"]
    answer = (await post(client, dataset=data)).json()
    assert warning["message"] in answer["message"] and answer["warnings"] == [warning]
    for slot, status in ((16, 200), (38, 422)):
        placed = {"placements": [{"course_id": "C1", "session": 0, "slot": slot, "room_id": "R1"}]}
        scored = await client.post("/score", json={"dataset": data, "timetable": placed})
        assert scored.status_code == status
        assert "slots are numbered 7 a day" in scored.text
    data["courses"] = [{**data["courses"][0], "allowed_slots": [38]}, *data["courses"][1:]]
    for route, body in (("/validate", data), ("/generate_variants", {"dataset": data})):
        refused = await client.post(route, json=body)
        assert refused.status_code == 422
        assert "shorter_day" in {error["code"] for error in refused.json()["errors"]}
    assert (await client.post("/validate", json=SMALL)).json()["warnings"] == []


@pytest.mark.parametrize(("start", "said"), [("09:00", True), ("08:00", False)])
def test_a_grid_for_data_of_the_platform_that_is_shorter_than_asked_for_is_said(start: str, said: bool) -> None:
    body = {"organization_id": "BHU", "time_config": {"slots_per_day": 8, "start_time": start}}
    order = read_order(json.dumps(body).encode(), Settings(), has_platform=True)
    assert any("only 7 slots" in note for note in order.notes) is said


async def test_workers_beyond_those_that_may_share_a_job_are_clamped_and_kept_with_it(
    client: httpx.AsyncClient,
) -> None:
    answer = (await post(client, portfolio_workers=8)).json()
    assert answer["adjusted"]["portfolio_workers"] == {"asked": 8, "given": 1}
    assert (await client.get(f"/jobs/{answer['job_id']}")).json()["metadata"]["portfolio_workers"] == 1
    plain = (await post(client)).json()
    assert "portfolio_workers" not in (await client.get(f"/jobs/{plain['job_id']}")).json()["metadata"]


@pytest.mark.parametrize(
    ("queue", "adjusted"), [("embedded", {"portfolio_workers": {"asked": 3, "given": 1}}), ("celery", {})]
)
async def test_nobody_is_promised_workers_that_a_service_without_workers_does_not_have(
    queue: str, adjusted: dict[str, object], tmp_path: Path
) -> None:
    addresses = {"database_url": "postgresql://x", "broker_url": "redis://x"}
    settings = Settings(data_dir=tmp_path, portfolio_workers=4, queue=queue, **addresses)
    body = json.dumps({"dataset": SMALL, "portfolio_workers": 3}).encode()
    async with ParsePool(settings) as pool:
        for sent in (body, body + b" " * SMALL_BODY):  # read here, and in a process that does not know of queues
            assert order_of(await pool.ask(Question("order", sent))).adjusted == adjusted


def hash_of_the_whole(asked: GenerateRequest) -> str:
    """How hashes were made at first, of one text of the whole request: stored jobs have them."""
    left_out = {"job_id", *(name for name in ("workers", "portfolio_workers") if getattr(asked, name) is None)}
    text = json.dumps(asked.model_dump(mode="json", exclude=left_out), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@given(
    dataset=st.none() | st.dictionaries(st.text(), JSON, max_size=5),
    name=st.none() | st.text(max_size=50),
    seed=st.integers(0, 2**31 - 1),
    workers=st.none() | st.integers(1, 9),
)
def test_a_hash_joined_from_parts_is_that_of_the_whole_request(
    dataset: object, name: str | None, seed: int, workers: int | None
) -> None:
    sent = {"job_id": "a", "dataset": dataset, "academic_year": name, "seed": seed, "workers": workers}
    asked = GenerateRequest.model_validate(json.loads(json.dumps(sent)))
    assert body_hash(asked) == hash_of_the_whole(asked)
    assert body_hash(asked, canonical(asked.dataset)) == hash_of_the_whole(asked)


@pytest.mark.parametrize("year", ["2026", "२०२६ Sömmer"])
@pytest.mark.parametrize("time_config", [None, {"working_days": 5}])
def test_an_order_has_the_hash_of_its_request_and_the_data_that_were_sent(
    settings: Settings, year: str, time_config: dict[str, int] | None
) -> None:
    gridless = {key: value for key, value in SMALL.items() if key != "time_grid"}
    dataset = {**gridless, "name": "Hochschule für Müßiggang"}
    sent = {"academic_year": year, "time_config": time_config, "dataset": dataset}
    order = read_order(json.dumps(sent, ensure_ascii=False).encode(), settings)
    assert order.request.body_hash == hash_of_the_whole(GenerateRequest.model_validate(sent))
    packed = unpack(order.request.packed)
    assert {key: value for key, value in packed.items() if key != "time_grid"} == dataset
    assert load_dataset(packed).time_grid.working_days == (5 if time_config else TimeGrid().working_days)


def test_a_body_that_names_no_new_field_has_the_hash_that_earlier_versions_gave_it(settings: Settings) -> None:
    asked = GenerateRequest.model_validate({"dataset": SMALL, "seed": 3})
    assert body_hash(asked) == "9a7f97c6b5340269af2176c9d47351198a509b5ff6a7246acfbbc794368ac64c"
    assert body_hash(asked.model_copy(update={"workers": 1})) != body_hash(asked)


@pytest.mark.parametrize("source", ["dataset", "content"])
def test_a_dataset_above_a_limit_is_named_with_its_amount(settings: Settings, source: str) -> None:
    small = Settings(data_dir=settings.data_dir, max_sessions=2)
    body = {"dataset": SMALL} if source == "dataset" else {"content": json.dumps(SMALL), "format": "json"}
    with pytest.raises(InputError) as caught:
        read_order(json.dumps(body).encode(), small)
    (issue,) = caught.value.issues
    assert (issue.pointer, issue.code, issue.value) == (f"/{source}/courses", "too_large", 3)
    assert "TIMETABLE_MAX_SESSIONS" in issue.message


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "code", "told"),
    [
        ("num_variants", 0, "out_of_range", "be at least 1, got the whole number 0"),
        ("num_variants", "3", "wrong_type", "be a number, got text '3'"),
        ("num_variants", 1.5, "wrong_type", "be a whole number, got the number 1.5"),
        ("seed", True, "wrong_type", "be a number, got true"),
        ("seed", 2**31, "out_of_range", f"be less than {2**31}, got the whole number {2**31}"),
        ("time_limit_seconds", 0, "out_of_range", "be more than 0, got the whole number 0"),
        ("batch_ids", {}, "wrong_type", "be a list, got an object"),
        ("batch_ids", ["b"] * (MAX_BATCHES + 1), "too_large", f"have at most {MAX_BATCHES} entries, got a list"),
        (
            "rules",
            {str(n): {} for n in range(MAX_RULES + 1)},
            "too_large",
            "have at most 100 entries, got an object",
        ),
        ("job_id", "a/b", "bad_id", f"{ID_IN_WORDS}, got text 'a/b'"),
    ],
)
async def test_a_fault_of_the_request_is_told_in_a_plain_sentence(
    client: httpx.AsyncClient, field: str, value: object, code: str, told: str
) -> None:
    answer = await post(client, **{field: value})
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"], error["message"]) == (f"/{field}", code, f"{field} must {told}")


async def test_all_faults_of_a_request_are_told_at_once(client: httpx.AsyncClient) -> None:
    errors = (await post(client, seed=-1, num_variants=0, batch_ids=5, job_id="?")).json()["errors"]
    assert {error["pointer"] for error in errors} == {"/seed", "/num_variants", "/batch_ids", "/job_id"}


# --- ids in paths ----------------------------------------------------------------------------------------------------

STEERING = ("POST /cancel/{}", "POST /finish/{}", "POST /restart/{}")
ROUTES = ("GET /progress/{}", "GET /jobs/{}", "GET /variants/{}", "GET /variants/{}/1", *STEERING)
BAD_IDS = ("x" * 129, "%00", "a%0Ab", "..%5Cetc", "%2e%2e", "%20a", "a%20", "%C3%A4", "-x", "a%1b[31m")


@pytest.mark.parametrize("id", BAD_IDS)
async def test_an_id_that_no_job_can_have_is_refused_in_words(client: httpx.AsyncClient, id: str) -> None:
    for route in ROUTES:
        method, path = route.format(id).split(" ", 1)
        answer = await client.request(method, path)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "bad_id"), route
        assert "letters, digits" in answer.json()["errors"][0]["message"]
        assert answer.text.isprintable(), "nothing of it can harm a terminal or a log"


async def test_a_job_may_be_called_what_people_call_it_and_is_found_where_the_answer_says(
    client: httpx.AsyncClient,
) -> None:
    answer = (await post(client, job_id="Spring term 2027")).json()
    assert answer["job_id"] == "Spring term 2027" and " " not in answer["progress_url"]
    assert (await client.get(answer["progress_url"])).json()["job_id"] == "Spring term 2027"
    await client.post("/cancel/Spring%20term%202027")


@pytest.mark.parametrize("path", ["/jobs/..%2f..%2fetc%2fpasswd", "/datasets/..%2fx", "/progress/a/b/c"])
async def test_a_path_inside_an_id_leads_nowhere(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/health", "/jobs", "/generate_variants", "/openapi.json"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
async def test_other_methods_are_refused_with_those_that_there_are(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    wanted = "POST" if path == "/generate_variants" else "GET"
    assert wanted in answer.headers["allow"].split(", ")


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/jobs?limt=1", "limit"),
        ("/jobs?stauts=failed", "status"),
        ("/jobs?Status=failed", "status"),
        ("/preview?dataset_nam=tiny", "dataset_name"),
    ],
)
async def test_a_misspelt_parameter_is_refused_by_its_name(client: httpx.AsyncClient, path: str, meant: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["code"] == "unknown_parameter" and f"did you mean '{meant}'?" in error["message"]
    assert (await client.get("/jobs?_=1700000000&nocache=1")).status_code == 200
