"""
What the newest state of the platform shows of a stored result: cards, the comparison of two variants, and the weeks of
one student and one teacher, each with the platform's own way of finding and counting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpRequest, JsonResponse

from tests.django_project.academics.models import CourseEnrollment, Faculty, GenerationJob, Student

Entry = dict[str, Any]


def _variants(request: HttpRequest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = GenerationJob.objects.get(id=request.GET["job_id"]).timetable_data["variants"]
    return found


def _shown(request: HttpRequest) -> list[Entry]:
    """People are shown the variant that is selected, else the first one."""
    variants = _variants(request)
    chosen = next((variant for variant in variants if variant.get("is_selected")), variants[0])
    entries: list[Entry] = chosen["timetable_entries"]
    return entries


def student_week(request: HttpRequest) -> JsonResponse:
    """Who is in no batch sees nothing; else an entry is found by the batch, by one of several, or by the student."""
    student = Student.objects.get(student_id=request.GET["student_id"])
    slots = [entry for entry in _shown(request) if student.batch_id and _is_for(entry, student)]
    return JsonResponse({"slots": slots})


def _is_for(entry: Entry, student: Student) -> bool:
    return (
        entry.get("batch_id") == student.batch_id
        or student.batch_id in (entry.get("batch_ids") or [])
        or student.student_id in (entry.get("student_ids") or [])
    )


def student_scope(request: HttpRequest) -> JsonResponse:
    """On the page for reviews: by the student alone, and only where no entry names one by the offerings."""
    student = request.GET["student_id"]
    entries = _shown(request)
    found = [entry for entry in entries if student in (entry.get("student_ids") or [])]
    if not found:
        offerings = set(CourseEnrollment.objects.filter(student_id=student).values_list("offering_id", flat=True))
        found = [entry for entry in entries if entry.get("offering_id") in offerings]
    return JsonResponse({"timetable_entries": found})


def faculty_week(request: HttpRequest) -> JsonResponse:
    """By the id, or by the name as it stands in the table of teachers."""
    teacher = Faculty.objects.get(faculty_id=request.GET["faculty_id"])
    name = " ".join(filter(None, (teacher.first_name, teacher.last_name)))
    slots = [e for e in _shown(request) if e.get("faculty_id") == teacher.faculty_id or e.get("faculty_name") == name]
    return JsonResponse({"slots": slots})


def cards(request: HttpRequest) -> JsonResponse:
    """The figures on the card of each variant."""
    return JsonResponse({"variants": [_card(variant) for variant in _variants(request)]})


def _card(variant: Mapping[str, Any]) -> dict[str, Any]:
    metrics = variant.get("quality_metrics") or {}
    faculty = metrics.get("workload_balance_score") or metrics.get("faculty_satisfaction")
    return {
        "label": variant["label"],
        "conflict_count": int(metrics.get("total_conflicts", variant.get("conflicts", 0)) or 0),
        "score_room_utilization": round(metrics.get("room_utilization_score", 0)),
        "score_faculty_load": round(faculty if faculty is not None else 70),
        "score_student_gaps": round(metrics.get("compactness_score") or metrics.get("student_gap_score") or 0),
    }


def compare(request: HttpRequest) -> JsonResponse:
    """Entries with a conflict in the two variants `a` and `b`, counted from 1, under the names that the pages use."""
    a, b = ([_shown_entry(e) for e in _variants(request)[int(request.GET[n]) - 1]["timetable_entries"]] for n in "ab")
    keys_a, keys_b = set(map(_key, a)), set(map(_key, b))
    return JsonResponse(
        {
            "identical": len(keys_a & keys_b),
            "entries": [len(a), len(b)],
            "distinct": [len(keys_a), len(keys_b)],
            "conflicts_a": _in_conflict(a),
            "conflicts_b": _in_conflict(b),
        }
    )


def _shown_entry(entry: Entry) -> Entry:
    """The pages write the code of a room where there is one."""
    return {**entry, "room_number": entry.get("room_code", entry.get("room_number", ""))}


def _key(entry: Entry) -> tuple[str, ...]:
    names = ("day", "time_slot", "subject_code", "faculty_id", "room_number", "batch_name")
    return tuple(str(entry.get(name, "")) for name in names)


def _in_conflict(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.get("has_conflict")]
