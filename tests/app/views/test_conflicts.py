"""Conflicts: every hard breach and no other, under an id that stays; repairs that were checked, and nothing changed."""

from __future__ import annotations

from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.views.conflicts import TYPES, conflicts_of, conflicts_view, resolution_view, resolutions_view
from solver.model import Dataset, Placement, Timetable
from solver.rules import RULES
from solver.verify import verify
from tests.app.conftest import finished
from tests.app.views.test_insights import variant
from tests.builders import course, dataset, datasets, grid, random_timetable, room, timetable

ONE_DAY = grid(days=1, periods=4)


def view_of(data: Dataset, answer: Timetable, limit: int = 1000) -> dict[str, Any]:
    return conflicts_view(data, variant(data, answer), limit, 0, "j")


def resolved(data: Dataset, answer: Timetable, limit: int = 1000) -> dict[str, Any]:
    return resolutions_view(data, variant(data, answer), limit)


def test_a_conflict_says_who_what_and_when_in_the_platforms_words() -> None:
    data = dataset(
        course("a", faculty="f", students="s"), course("b", faculty="f", students="s"), room("r1"), grid=ONE_DAY
    )
    found = view_of(data, timetable(a=0, b=0))
    assert [(c["conflict_type"], c["severity"], c["rule"]) for c in found["conflicts"]] == [
        ("faculty", "critical", "faculty_clash"),
        ("student", "high", "student_clash"),
        ("room", "high", "room_clash"),
    ]
    first = found["conflicts"][0]
    assert (first["affected_courses"], first["affected_entities"]) == (["a", "b"], ["f"])
    assert first["description"].startswith("teacher f has 2 sessions at once on Monday 08:00")
    assert first["timestamp"] == "1970-01-01T00:00:00+00:00"
    assert (found["total"], found["by_type"]) == (3, {"faculty": 1, "student": 1, "room": 1})


def test_two_core_courses_at_once_are_one_conflict_and_marked_where_there_are_electives() -> None:
    courses = [course(id, students="s") for id in "ab"]
    data = dataset(*courses, course("c", students="s", subject_type="elective"), room("r1"), room("r2"), grid=ONE_DAY)
    found = view_of(data, timetable(a=0, b=(0, "r2"), c=1))
    assert [(c["conflict_type"], c["rule"], c["description"]) for c in found["conflicts"]] == [
        ("student", "student_clash", "1 student (s) should be in a and b at once on Monday 08:00; both are core")
    ]


def test_every_rule_that_is_hard_by_default_has_a_type_or_is_about_the_course_alone() -> None:
    about_courses = {"slot_forbidden", "fixed_moved", "course_daily_limit", "link"}
    assert {rule.id for rule in RULES if rule.tier == "hard"} == TYPES.keys() | about_courses


@given(data=datasets(), seed=st.integers(0, 1000))
def test_all_breaches_are_counted_however_few_are_listed_and_ids_stay(data: Dataset, seed: int) -> None:
    answer = random_timetable(data, Random(seed))
    report = verify(data, answer, max_offences=1000)
    hard = report.breaches
    found, few = view_of(data, answer), view_of(data, answer, 2)
    assert found["total"] == few["total"] == sum(len(rule.offences) for rule in hard)
    assert few["conflicts"] == found["conflicts"][:2]
    assert sum(c["amount"] for c in found["conflicts"]) == sum(rule.count for rule in hard)
    ids = [c["conflict_id"] for c in found["conflicts"]]
    assert len(set(ids)) == len(ids) and view_of(data, answer) == found
    assert found["unplaced"] == len(report.unplaced)


@given(data=datasets(max_courses=5), seed=st.integers(0, 1000))
def test_a_repair_that_is_told_holds_when_the_whole_timetable_is_counted_again(data: Dataset, seed: int) -> None:
    answer = random_timetable(data, Random(seed))
    told, before = resolved(data, answer, 5), verify(data, answer)
    assert told["resolved"] == 0 and not any(detail["success"] or detail["applied"] for detail in told["details"])
    assert told["repairable"] + told["manual_review"] + told["not_looked_at"] == told["total"]
    for detail in told["details"]:
        if detail["method"] == "manual_review":
            continue
        places = dict(answer.by_session)
        session = [detail["course_id"], detail["session"]]
        new = {"slot": detail["new_slot"], "room_id": detail["new_room_id"], "more_rooms": detail["new_more_rooms"]}
        for move in ({"session": session, **new}, *detail["moves"]):
            id, number = move["session"]
            more = tuple(move.get("more_rooms", ()))
            places[id, number] = Placement(
                course_id=id, session=number, slot=move["slot"], room_id=move["room_id"], more_rooms=more
            )
        after = verify(data, Timetable(placements=tuple(places.values())))
        assert after.rules[detail["rule"]].count < before.rules[detail["rule"]].count
        assert all(after.rules[id].count <= rule.count for id, rule in before.rules.items() if rule.tier == "hard")


def test_what_there_is_no_time_for_is_said_and_found_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.views.conflicts.LOOKING_SECONDS", 0.0)
    data = dataset(course("a", size=60), room("r1", 50), room("r2", 60), grid=ONE_DAY)
    told = resolved(data, timetable(a=0))
    assert (told["total"], told["not_looked_at"], told["details"]) == (1, 1, [])
    (conflict,) = view_of(data, timetable(a=0))["conflicts"]
    in_no_time = resolution_view(data, variant(data, timetable(a=0)), conflict["conflict_id"])
    assert in_no_time is not None and in_no_time["method"] == "manual_review"
    assert "no place was found within 0 s for" in str(in_no_time["suggested_resolution"])
    monkeypatch.undo()
    one = resolution_view(data, variant(data, timetable(a=0)), conflict["conflict_id"])
    assert one is not None and one["method"] == "move_room"


def test_where_nothing_helps_people_are_asked() -> None:
    data = dataset(course("a", size=60), room("r1", 50), grid=ONE_DAY)
    answer = timetable(a=0)
    (detail,) = resolved(data, answer)["details"]
    assert (detail["method"], detail["rule"]) == ("manual_review", "room_capacity")
    assert "bend the rule 'room_capacity'" in detail["suggested_resolution"]


def test_a_room_alone_is_changed_where_that_helps() -> None:
    data = dataset(course("a", size=60), room("r1", 50), room("r2", 60), grid=ONE_DAY)
    (detail,) = resolved(data, timetable(a=0))["details"]
    assert (detail["method"], detail["old_room_id"], detail["new_room_id"]) == ("move_room", "r1", "r2")


def test_one_conflict_is_found_by_its_id_and_by_no_other() -> None:
    data = dataset(course("a", faculty="f"), course("b", faculty="f"), room("r1"), room("r2"), grid=ONE_DAY)
    held = variant(data, timetable(a=0, b=(0, "r2")))
    (conflict,) = conflicts_of(data, held)
    found = resolution_view(data, held, conflict.id)
    assert found is not None
    assert (found["method"], found["old_slot"], found["new_slot"]) == ("move_slot", 0, 1)
    assert resolution_view(data, held, "faculty_0123456789abcdef") is None


# --- over HTTP -------------------------------------------------------------------------------------------------------

CROWDED = {
    "schema": "timetable-dataset/1",
    "rooms": [{"id": "R1", "capacity": 50}],
    "courses": [{"id": "C1", "sessions_per_week": 2, "expected_students": 60}],
}


@pytest.fixture(scope="module")
async def crowded(client: httpx.AsyncClient) -> str:
    """A job whose only room is too small: its timetable breaks a rule twice."""
    job = "crowded-variant-7"  # a job may be called like a variant of another one
    body = {"job_id": job, "dataset": CROWDED, "num_variants": 1, "time_limit_seconds": 3}
    assert (await client.post("/generate_variants", json=body)).status_code == 200
    assert (await finished(client, job))[-1]["status"] == "completed"
    return job


@pytest.mark.anyio
@pytest.mark.timeout(400)
async def test_the_conflicts_of_a_published_timetable_are_listed_and_stay_there(
    client: httpx.AsyncClient, crowded: str
) -> None:
    before = (await client.get(f"/variants/{crowded}/1")).json()
    for timetable_id in (crowded, f"{crowded}-variant-1"):
        found = (await client.get("/api/conflicts/detect/", params={"timetable_id": timetable_id})).json()
        assert (found["timetable_id"], found["job_id"], found["variant"]) == (timetable_id, crowded, 1)
        assert (found["total"], found["by_type"]) == (2, {"room": 2})
    numbered = (await client.get("/conflicts/detect", params={"timetable_id": crowded, "variant_id": 1})).json()
    assert (numbered["variant"], numbered["total"]) == (1, 2)
    beyond = await client.get("/conflicts/detect", params={"timetable_id": crowded, "variant_id": "2"})
    assert (beyond.status_code, beyond.json()["code"]) == (404, "no_result")
    few = (await client.get("/conflicts/detect", params={"timetable_id": crowded, "limit": 1})).json()
    assert (len(few["conflicts"]), few["total"]) == (1, 2)
    for auto_resolve in (True, False):
        asked = {"timetable_id": crowded, "auto_resolve": auto_resolve}
        told = (await client.post("/conflicts/resolve", params=asked)).json()
        assert (told["total"], told["resolved"], told["manual_review"], told["auto_resolve"]) == (2, 0, 2, auto_resolve)
    for conflict in found["conflicts"]:
        method, path, _ = conflict["suggested_resolution"].split(maxsplit=2)
        one = (await client.request(method, path)).json()
        assert (one["method"], one["conflict_id"], one["success"]) == (
            "manual_review",
            conflict["conflict_id"],
            False,
        )
    assert (await client.get(f"/variants/{crowded}/1")).json() == before


@pytest.mark.anyio
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/conflicts/resolve/xx?timetable_id=a", "conflict_id must be an id that /conflicts/detect has told"),
        ("/conflicts/resolve?timetable_id=" + "x" * 129, "n from 1 to 999 may follow"),
        ("/conflicts/resolve?timetable_id=" + "x" * 128 + "-variant-0", "n from 1 to 999 may follow"),
        ("/conflicts/resolve?timetable_id=" + "x" * 128 + "-variant-999", "There is no job"),
    ],
)
async def test_each_kind_of_id_is_asked_for_in_its_own_words(client: httpx.AsyncClient, path: str, said: str) -> None:
    assert said in (await client.post(path)).json()["detail"]


@pytest.mark.anyio
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/conflicts/detect", 422, "invalid_parameter"),
        ("GET", "/conflicts/detect?timetable_id=../etc", 422, "invalid_parameter"),
        ("GET", "/conflicts/detect?timetable_id=" + "x" * 200, 422, "invalid_parameter"),
        ("GET", "/conflicts/detect?timetable_id=nobody-variant-1", 404, "job_not_found"),
        ("GET", "/conflicts/detect?timetable_id=crowded-variant-7-variant-2", 404, "no_result"),
        ("GET", "/conflicts/detect?timetable_id=crowded-variant-7&limit=0", 422, "invalid_parameter"),
        ("POST", "/conflicts/resolve?timetable_id=crowded-variant-7&limit=51", 422, "invalid_parameter"),
        ("POST", "/conflicts/resolve?timetable_id=crowded-variant-7&auto_resolve=maybe", 422, "invalid_parameter"),
        ("POST", "/conflicts/resolve/room_1?timetable_id=crowded-variant-7", 422, "invalid_parameter"),
        (
            "POST",
            "/conflicts/resolve/room_0123456789abcdef?timetable_id=crowded-variant-7",
            404,
            "conflict_not_found",
        ),
    ],
)
async def test_what_cannot_be_answered_is_said(
    client: httpx.AsyncClient, crowded: str, method: str, path: str, status: int, code: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
