from __future__ import annotations

import json
from dataclasses import replace

import pytest

from app.domain.jobs import JobRequest, new_job
from app.views.entries import Entries
from app.views.flags import breaches_of, conflicts_of
from app.views.quality import quality_metrics, statistics
from app.views.variants import account_view, job_view, result_view, variant_view
from solver.model import Dataset, Timetable
from solver.result import (
    Concession,
    Coverage,
    CurvePoint,
    Diagnosis,
    OpenSession,
    Proof,
    Quality,
    Repair,
    Result,
    RungVisit,
    StoppedBy,
    Variant,
)
from solver.rules import RULES
from solver.verify import verify
from tests.builders import course, dataset, grid, group, room, teacher, timetable

ENTRY_NAMES = {
    "day", "time_slot", "start_time", "end_time", "course_id", "course_code", "subject_code", "subject_name",
    "course_name", "faculty_id", "faculty_name", "room_id", "room_code", "room_number", "batch_name", "batch_ids",
    "department_id", "year", "section", "time_slot_id", "session_number", "enrolled_count", "room_capacity",
    "has_conflict", "conflict_description", "day_of_week",
}  # fmt: skip
VARIANT_NAMES = {
    "variant_id", "id", "name", "label", "score", "fitness", "conflicts", "room_utilization", "quality_metrics",
    "statistics", "optimization_priority", "rung", "quality", "stopped_by", "lower_bound", "rules", "concessions",
    "unplaced", "better_at", "distances", "verified", "timetable_entries", "faculty_satisfaction", "compactness",
}  # fmt: skip
METRIC_NAMES = {
    "overall_score", "total_conflicts", "room_utilization_score", "workload_balance_score", "faculty_satisfaction",
    "workload_balance", "compactness_score", "student_gap_score", "soft_violation_count", "entry_count",
    "faculty_workload_balance_score", "student_compactness_score", "hard_constraint_violations",
    "soft_constraint_violations", "faculty_conflicts", "room_conflicts", "student_conflicts",
}  # fmt: skip
STATISTIC_NAMES = {
    "total_classes", "total_conflicts", "total_hours", "unique_subjects", "unique_faculty", "unique_rooms",
    "average_classes_per_day", "total_courses", "total_sessions", "scheduled_sessions", "total_students",
    "total_faculty", "total_rooms", "total_time_slots",
}  # fmt: skip


def variant_of(data: Dataset, table: Timetable, **changes: object) -> Variant:
    fields = {"name": "balanced", "label": "Balanced", "rung": "full", "quality": Quality.FEASIBLE, **changes}
    return Variant(timetable=table, report=verify(data, table), **fields)  # type: ignore[arg-type]


def result_of(*variants: Variant, **changes: object) -> Result:
    fields = {
        "stopped_by": StoppedBy.DEADLINE,
        "lower_bound": 0,
        "diagnosis": Diagnosis(),
        "journal": (RungVisit(rung="full", entered=0.5, left=2.25, outcome="kept", why="all placed"),),
        **changes,
    }
    return Result(variants=variants, **fields)  # type: ignore[arg-type]


def metrics_of(data: Dataset, table: Timetable) -> dict[str, int | float]:
    report = verify(data, table)
    return quality_metrics(data, table, report, len(breaches_of(data, table, report)))


def small() -> tuple[Dataset, Timetable]:
    """Two courses of one group after lunch and before; four periods from 08:00, lunch after two."""
    data = dataset(
        course("c1", faculty="f1", groups="g1", code="CS101", name="Programming", slots=2, size=30),
        course("c2", faculty="f1 f2", groups="g1 g2", code="CS102", name="Logic", size=50),
        room("r1", 60, name="LH-1", building="A"),
        room("r2", 40, name="LH-2", unavailable=(0,)),
        teacher("f1", name="A. Rao", department_id="D1"),
        teacher("f2", name="B. Sen"),
        group("g1", 30, name="CSE-1", department_id="D1"),
        group("g2", 20, name="CSE-2"),
        grid=grid(days=2, periods=4, lunch_after=2),
    )
    return data, timetable(c1=(4, "r2"), c2=(2, "r1"))


def test_an_entry_carries_every_name_that_the_platform_reads() -> None:
    data, table = small()
    first, second = Entries(data).of(table, verify(data, table))
    assert set(first) >= ENTRY_NAMES
    assert (first["course_code"], first["subject_code"], first["subject_name"]) == ("CS102", "CS102", "Logic")
    assert (first["room_id"], first["room_code"], first["room_number"]) == ("r1", "LH-1", "LH-1")
    assert (first["faculty_id"], first["faculty_name"]) == ("f1", "A. Rao, B. Sen")
    assert (first["batch_name"], first["batch_ids"]) == ("CSE-1, CSE-2", ["g1", "g2"])
    assert first["department_id"] == "D1"
    assert (first["enrolled_count"], first["room_capacity"]) == (50, 60)
    assert second["course_id"] == "c1"


def test_times_jump_over_lunch_and_cover_the_whole_session() -> None:
    data, table = small()
    after_lunch, next_day = Entries(data).of(table, verify(data, table))
    assert (after_lunch["day"], after_lunch["day_of_week"], after_lunch["time_slot_id"]) == (0, "monday", "2")
    assert (after_lunch["time_slot"], after_lunch["start_time"]) == ("11:00-12:00", "11:00")
    assert (next_day["day"], next_day["time_slot"], next_day["end_time"]) == (1, "08:00-10:00", "10:00")


def test_entries_stand_in_the_order_of_the_week() -> None:
    data = dataset(course("a", sessions=2), course("b"))
    entries = Entries(data).of(timetable(a=[9, 1], b=5), verify(data, timetable(a=[9, 1], b=5)))
    assert [(entry["course_id"], entry["session_number"]) for entry in entries] == [("a", 1), ("b", 0), ("a", 0)]


def test_a_session_in_a_hard_breach_is_flagged_and_the_others_are_not() -> None:
    data = dataset(course("a", faculty="f"), course("b", faculty="f"), course("c"), room("r1"), room("r2"))
    table = timetable(a=(0, "r1"), b=(0, "r2"), c=(3, "r1"))
    flags = {
        e["course_id"]: (e["has_conflict"], e["conflict_description"])
        for e in Entries(data).of(table, verify(data, table))
    }
    assert flags["a"][0]
    assert "f" in str(flags["a"][1])
    assert flags["c"] == (False, "")


def test_every_offender_is_flagged_also_beyond_those_that_a_stored_report_names() -> None:
    data = dataset(*(course(f"c{i}", size=2000) for i in range(30)), grid=grid(5, 6))
    table = timetable({f"c{i}": i for i in range(30)})
    report = verify(data, table, max_offences=3)
    assert len(report.rules["room_capacity"].offences) == 3
    assert len(conflicts_of(data, table, report)) == 30


def test_a_variant_carries_both_naming_families_and_can_be_sent_as_json() -> None:
    data, table = small()
    view = variant_view(data, result_of(variant_of(data, table)), 1)
    assert set(view) >= VARIANT_NAMES
    assert set(view["quality_metrics"]) >= METRIC_NAMES  # type: ignore[call-overload]
    assert set(view["statistics"]) >= STATISTIC_NAMES  # type: ignore[call-overload]
    assert (view["variant_id"], view["id"], view["name"], view["label"]) == (1, 1, "Balanced", "Balanced")
    assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_every_known_rule_is_listed_in_order_also_those_that_are_off() -> None:
    data, table = small()
    rules = variant_view(data, result_of(variant_of(data, table)), 1)["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]  # type: ignore[attr-defined]
    assert "off" in {rule["tier"] for rule in rules}  # type: ignore[attr-defined]


def test_a_faultless_timetable_scores_one_hundred() -> None:
    data = dataset(
        course("a", sessions=2), course("b"), rules={rule.id: "off" for rule in RULES if rule.tier == "soft"}
    )
    table = timetable(a=[0, 5], b=10)
    metrics = metrics_of(data, table)
    assert metrics["overall_score"] == 100.0
    assert metrics["total_conflicts"] == metrics["hard_constraint_violations"] == 0


def test_an_unplaced_session_lowers_the_score_by_its_share() -> None:
    data = dataset(course("a", sessions=4), rules={rule.id: "off" for rule in RULES if rule.tier == "soft"})
    table = timetable(a=[0, 5, 10, None])
    metrics = metrics_of(data, table)
    assert metrics["overall_score"] == metrics["placed_percent"] == 75.0


def test_no_figure_of_a_partial_timetable_looks_better_than_what_is_placed() -> None:
    data = dataset(course("a", sessions=4, students="s", faculty="f"), course("b"), room("r1", 100))
    table = timetable(a=[0, 5, 10, None], b=15)
    found = result_of(variant_of(data, table), variant_of(data, timetable(a=[0, 5, 10, 15], b=16)))
    partial, whole = result_view(data, found)["variants"]  # type: ignore[misc]
    figures = partial["quality_metrics"]
    scores = [
        name for name in figures if name.endswith("_score") or name in ("faculty_satisfaction", "workload_balance")
    ]
    assert len(scores) >= 8
    assert {name: figures[name] for name in scores if figures[name] > 80} == {}, "4 of 5 sessions are placed"
    assert partial["fitness"] < whole["fitness"]
    assert (partial["name"], whole["name"]) == ("Balanced (1 of 5 sessions has no place)", "Balanced")


def test_what_is_flagged_and_what_is_open_are_the_conflicts_in_every_place() -> None:
    """The entries are what the platform compares variants by, the figures what it writes on their cards."""
    courses = (course("a", sessions=2, faculty="f"), course("b", faculty="f"), course("c"), course("d", sessions=2))
    data = dataset(*courses, room("r1"), room("r2"), room("r3"))
    table = timetable(a=[(0, "r1"), (5, "r1")], b=(0, "r2"), c=(0, "r3"), d=[(9, "r1"), None])
    view = variant_view(data, result_of(variant_of(data, table)), 1)
    flagged = [e for e in view["timetable_entries"] if e["has_conflict"]]  # type: ignore[attr-defined]
    assert [(e["course_id"], e["session_number"]) for e in flagged] == [("a", 0), ("b", 0), ("d", 0)]
    assert flagged[-1]["conflict_description"] == "d session 2 has no place in this timetable"
    counts = (view["conflicts"], view["quality_metrics"]["total_conflicts"], view["statistics"]["total_conflicts"])  # type: ignore[index]
    assert counts == (3, 3, 3)
    assert view["quality_metrics"]["hard_constraint_violations"] == 2  # type: ignore[index]


def test_the_room_score_tells_variants_apart() -> None:
    data = dataset(course("a", size=30), course("b", size=30), room("small", 40), room("large", 120))
    tight, wide = (timetable(a=(0, where), b=(1, where)) for where in ("small", "large"))
    figures = [metrics_of(data, table) for table in (tight, wide)]
    assert figures[0]["room_utilization"] == figures[1]["room_utilization"]
    assert [each["room_utilization_score"] for each in figures] == [75.0, 25.0]
    crowded = dataset(course("a", size=90), course("b", size=10), room("r1", 45))
    assert metrics_of(crowded, timetable(a=0, b=1))["seat_fill"] == round(100 * 55 / 90, 2), "who stands fills no seat"


def test_room_figures_follow_their_formulas() -> None:
    data, table = small()
    metrics = metrics_of(data, table)
    assert metrics["room_utilization"] == round(100 * 3 / (8 + 7), 2)  # 2 slots in r2 and 1 in r1; r2 is closed in one
    assert metrics["rooms_used"] == 100.0
    assert metrics["seat_fill"] == 80.0  # 30 + 50 students on 40 + 60 seats


def test_double_bookings_of_students_count_as_conflicts() -> None:
    data = dataset(course("a", students="s1 s2"), course("b", students="s1 s2"), room("r1"), room("r2"))
    table = timetable(a=(0, "r1"), b=(0, "r2"))
    metrics = metrics_of(data, table)
    assert (metrics["total_conflicts"], metrics["student_conflicts"], metrics["room_conflicts"]) == (2, 2, 0)


def test_statistics_are_plain_totals() -> None:
    data, table = small()
    figures = statistics(data, table, verify(data, table), 0)
    assert (figures["total_classes"], figures["total_hours"], figures["average_classes_per_day"]) == (2, 3.0, 1.0)
    assert (figures["unique_subjects"], figures["unique_faculty"], figures["unique_rooms"]) == (2, 2, 2)
    assert (figures["total_students"], figures["total_time_slots"]) == (50, 8)


def test_an_unplaced_session_is_listed_with_its_reasons_and_repairs() -> None:
    data = dataset(course("a", sessions=2), course("b"), room("r1"))
    repair = Repair(
        slot=3, room_id="r1", more_rooms=("r2",), moves=((("b", 0), 7, "r1"),), sentence="Move b to slot 7."
    )
    explained = OpenSession(course_id="a", session=1, blockers=("r1 is taken",), repairs=(repair,))
    variant = variant_of(data, timetable(a=[0, None], b=None), rung="manual", open_sessions=(explained,))
    view = variant_view(data, result_of(variant), 1)
    first, second = view["unplaced"]  # type: ignore[misc]
    assert (first["course_id"], first["session"], first["reasons"]) == ("a", 1, ["r1 is taken"])
    assert first["repairs"][0]["moves"] == [{"session": ["b", 0], "slot": 7, "room_id": "r1"}]
    assert (first["repairs"][0]["room_id"], first["repairs"][0]["more_rooms"]) == ("r1", ["r2"])
    assert first["repairs"][0]["time"] == "Monday 11:00"
    assert (second["course_id"], second["reasons"]) == ("b", []), "a session that nobody explained is not hidden"


def test_what_is_left_open_is_listed_by_what_matters_most_and_counted_as_ever() -> None:
    courses = (course("e", subject_type="elective", sessions=2), course("a"), course("b", priority=3))
    data = dataset(*courses, room("r1"), grid=grid(1, 2))
    view = variant_view(data, result_of(variant_of(data, timetable())), 1)
    assert [row["course_id"] for row in view["unplaced"]] == ["b", "a", "e", "e"]  # type: ignore[attr-defined]
    assert view["levels"] == {"rigid": 0, "unplaced": 4, "bent": 0, "soft": 0}


def test_concessions_and_diagnosis_reach_the_result_in_words() -> None:
    data, table = small()
    given_up = Concession(rule="room_capacity", sentence="Seats.", count=5, unit="student", cost=5, offences=())
    proof = Proof(code="room_supply", sentence="Too few rooms.", entities=("r1",), needed=3, available=2)
    variant = variant_of(data, table, rung="relaxed", quality=Quality.RELAXED, concessions=(given_up,))
    coverage = Coverage(core_courses=1, reinserted_courses=1, open_courses=0, total_courses=2)
    curve = (CurvePoint(seconds=1.23456, score=variant.score, source="floor"),)
    result = result_of(
        variant,
        lower_bound=None,
        diagnosis=Diagnosis(proofs=(proof,), evidence="certificate"),
        coverage=coverage,
        curve=curve,
    )
    view = result_view(data, result)
    assert view["ledger"] == view["variants"][0]["concessions"]  # type: ignore[index]
    assert view["ledger"][0]["count"] == 5  # type: ignore[index]
    assert view["diagnosis"]["evidence"] == "certificate"  # type: ignore[index]
    assert view["diagnosis"]["proofs"][0]["needed"] == 3  # type: ignore[index]
    assert (view["rung"], view["quality"], view["gap"], view["lower_bound"]) == ("relaxed", "relaxed", None, None)
    assert account_view(data, result)["coverage"]["total_courses"] == 2  # type: ignore[index]
    assert json.loads(json.dumps(view, allow_nan=False)) == view


def test_rows_can_be_left_out_of_a_result() -> None:
    data, table = small()
    view = result_view(data, result_of(variant_of(data, table)), entries=False)
    assert "timetable_entries" not in view["variants"][0]  # type: ignore[index]


def test_our_emphasis_is_translated_where_the_platform_has_another_name() -> None:
    data, table = small()
    view = variant_view(data, result_of(variant_of(data, table, name="room_economy", label="Room economy")), 1)
    assert (view["optimization_priority"], view["emphasis"]) == ("room_utilization", "room_economy")


@pytest.mark.parametrize("with_score", [True, False])
def test_a_job_row_says_null_for_what_is_not_known_yet(with_score: bool) -> None:
    data, table = small()
    job = new_job(JobRequest(job_id="j1", body_hash="0", packed=b"", meta={"semester": 2}), at=5.0)
    if with_score:
        job = replace(job, score=verify(data, table).score, quality=Quality.FEASIBLE)
    view = job_view(job)
    assert (view["job_id"], view["status"], view["metadata"]) == ("j1", "queued", {"semester": 2})
    assert (view["cost"] is not None, view["quality"]) == (with_score, "feasible" if with_score else None)
    json.dumps(view, allow_nan=False)
