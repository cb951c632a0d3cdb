"""
The figures of a timetable for people, each with its formula. All scores are 0 to 100 with two decimals.

`kept` of a rule is the share of its checks that hold, as the verifier counted them; 1 where there was nothing to check.

- `score`, `overall_score` = 100 x placed/total x product of `kept` over the hard rules that are on x quality index,
  where the quality index is the weighted share of the soft checks that hold.
- `room_utilization` = 100 x occupied room slots / open room slots; `rooms_used` = 100 x rooms used / rooms;
  `seat_fill` = 100 x seats taken / seats, over the placed sessions, where nobody sits who has no seat;
  `room_utilization_score` = `seat_fill` x placed/total: how well the rooms fit those who sit in them. The share of
  occupied slots would be the same for every complete timetable.
- `faculty_workload_balance_score` = 100 x kept(`load_balance`) x placed/total;
  `faculty_satisfaction` = 100 x kept(`faculty_preference`) x placed/total;
  `student_compactness_score` = 100 x kept(`group_gap`) x placed/total, or of `student_gap` where no course is taught to
  a group. What is not placed keeps every wish, so each of these is scaled by what is.
- `total_conflicts` = sessions that people must look at: those that are in a breach of a hard rule, and the open ones.
  So many entries say `has_conflict`, if there are so many, see `app.views.flags`. `double_bookings` = those of
  teachers, rooms, groups and students.
- `hard_constraint_violations` and `soft_constraint_violations` = units broken over the rules of that tier, and one for
  each open session. A rule that only makes breaches of another hard rule dearer counts in none of these figures.
"""

from __future__ import annotations

from math import prod

from solver.model import Dataset, Timetable
from solver.result import Report

Figures = dict[str, int | float]

CLASH_RULES = {"faculty": "faculty_clash", "room": "room_clash", "group": "group_clash", "student": "student_clash"}


LEAST = 0.01
"""The platform takes a score of 0 for one that is not given, and shows another one in its place; this shows as 0."""


def quality_metrics(dataset: Dataset, timetable: Timetable, report: Report, in_breach: int) -> Figures:
    """
    The figures of the module header, under the names of the platform's detector, tables and pages.

    `in_breach` is the number of sessions that are in a breach of a hard rule.
    """
    placed_share = report.placed / report.total
    kept = {id: percent(rule.kept * placed_share) for id, rule in report.rules.items()}
    clashes = {who: report.rules[rule].count for who, rule in CLASH_RULES.items()}
    compactness = kept["group_gap"] if dataset.teaches_groups else kept["student_gap"]
    hard = report.breaches
    soft = [rule for rule in report.rules.values() if rule.tier == "soft"]
    rooms = _room_metrics(dataset, timetable)
    return {
        "overall_score": percent(placed_share * prod(rule.kept for rule in hard) * report.quality_index),
        "quality_index": round(report.quality_index, 4),
        "total_conflicts": in_breach + len(report.unplaced),
        "double_bookings": sum(clashes.values()),
        **{f"{who}_conflicts": count for who, count in clashes.items()},
        **rooms,
        "room_utilization_score": round(rooms["seat_fill"] * placed_share, 2),
        "faculty_workload_balance_score": kept["load_balance"],
        "workload_balance_score": max(kept["load_balance"], LEAST),
        "workload_balance": kept["load_balance"],
        "faculty_satisfaction": kept["faculty_preference"],
        "student_compactness_score": compactness,
        "compactness_score": compactness,
        "student_gap_score": compactness,
        "placed_percent": percent(placed_share),
        "open_sessions": len(report.unplaced),
        "hard_constraint_violations": sum(rule.count for rule in hard) + len(report.unplaced),
        "soft_constraint_violations": sum(rule.count for rule in soft),
        "soft_violation_count": sum(rule.count for rule in soft),
        "entry_count": report.placed,
    }


def _room_metrics(dataset: Dataset, timetable: Timetable) -> Figures:
    slots = len(dataset.time_grid.slots)
    occupied: set[tuple[str, int]] = set()
    taken = seats = 0
    for placement in timetable.placements:
        course, ids = dataset.part_of(placement.key), placement.room_ids
        capacity = sum(dataset.room[id].capacity for id in ids)
        occupied |= {(id, placement.slot + k) for id in ids for k in range(course.session_slots)}
        taken += min(dataset.expected_students(course), capacity)
        seats += capacity
    open_slots = sum(slots - len(set(room.unavailable)) for room in dataset.rooms)
    used = len({id for placement in timetable.placements for id in placement.room_ids})
    return {
        "room_utilization": percent(len(occupied) / max(open_slots, 1)),
        "rooms_used": percent(used / max(len(dataset.rooms), 1)),
        "seat_fill": percent(taken / max(seats, 1)),
    }


def statistics(dataset: Dataset, timetable: Timetable, report: Report, in_breach: int) -> Figures:
    """Plain totals; hours are clock hours of the slots that sessions cover. `in_breach` as in `quality_metrics`."""
    courses = [dataset.part_of(placement.key) for placement in timetable.placements]
    grid = dataset.time_grid
    covered = (
        slot
        for placement, course in zip(timetable.placements, courses, strict=True)
        for slot in range(placement.slot, placement.slot + course.session_slots)
        if grid.exists(slot)
    )
    return {
        "total_classes": report.placed,
        "total_sessions": report.total,
        "scheduled_sessions": report.placed,
        "open_sessions": len(report.unplaced),
        "total_conflicts": in_breach + len(report.unplaced),
        "total_hours": round(sum(grid.end_of(slot) - grid.start_of(slot) for slot in covered) / 60, 2),
        "unique_subjects": len({course.title for course in courses}),
        "unique_faculty": len({id for course in courses for id in course.faculty_ids}),
        "unique_rooms": len({id for placement in timetable.placements for id in placement.room_ids}),
        "average_classes_per_day": round(report.placed / grid.num_days, 2),
        "total_courses": len(dataset.courses),
        "total_students": dataset.num_people,
        "total_faculty": len(dataset.faculty),
        "total_rooms": len(dataset.rooms),
        "total_time_slots": len(grid.slots),
    }


def percent(share: float) -> float:
    """A share in [0, 1] as 0 to 100."""
    return round(100 * share, 2)
