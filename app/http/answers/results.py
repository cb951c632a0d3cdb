"""Answers about results: variants with their figures, and the account of how they came about."""

from __future__ import annotations

from typing import Any

from app.http.answers.common import (
    Answer,
    Diagnosis,
    Entry,
    JobStatus,
    Levels,
    Offence,
    OpenSession,
    QualityName,
    RungName,
    Seconds,
    StopReason,
    TierName,
)


class RuleCount(Answer):
    """One rule of the table, on or off: how often it is broken, and where."""

    id: str
    name: str
    tier: TierName
    sentence: str
    count: int
    unit: str
    units: str
    weight: int
    cost: int
    checks: int
    broken: int
    kept_percent: float
    offences: list[Offence]


class Concession(Answer):
    """A rule that was given up, counted on the original rules."""

    rule: str
    name: str
    sentence: str
    count: int
    unit: str
    units: str
    cost: int
    offences: list[Offence]


class QualityMetrics(Answer):
    """Figures of 0 to 100, and counts; their formulas stand in the documentation."""

    overall_score: float
    quality_index: float
    total_conflicts: int
    double_bookings: int
    open_sessions: int
    faculty_conflicts: int
    room_conflicts: int
    group_conflicts: int
    student_conflicts: int
    room_utilization: float
    rooms_used: float
    seat_fill: float
    room_utilization_score: float
    faculty_workload_balance_score: float
    workload_balance_score: float
    workload_balance: float
    faculty_satisfaction: float
    student_compactness_score: float
    compactness_score: float
    student_gap_score: float
    placed_percent: float
    hard_constraint_violations: int
    soft_constraint_violations: int
    soft_violation_count: int
    entry_count: int


class Statistics(Answer):
    """Plain totals; hours are clock hours."""

    total_classes: int
    total_sessions: int
    scheduled_sessions: int
    open_sessions: int
    total_conflicts: int
    total_hours: float
    unique_subjects: int
    unique_faculty: int
    unique_rooms: int
    average_classes_per_day: float
    total_courses: int
    total_students: int
    total_faculty: int
    total_rooms: int
    total_time_slots: int


class Variant(Answer):
    """One verified timetable. `timetable_entries` is missing where it was not asked for."""

    variant_id: int
    id: int
    name: str
    label: str
    emphasis: str
    optimization_priority: str
    is_selected: bool
    score: float
    fitness: float
    conflicts: int
    room_utilization: float
    faculty_satisfaction: float
    compactness: float
    rung: RungName
    promise: str
    quality: QualityName
    stopped_by: StopReason
    lower_bound: int | None
    cost: int
    levels: Levels
    distance_to_feasibility: int
    quality_metrics: QualityMetrics
    statistics: Statistics
    rules: list[RuleCount]
    concessions: list[Concession]
    unplaced: list[OpenSession]
    better_at: list[str]
    distances: dict[str, float]
    verified: bool
    timetable_entries: list[Entry] | None = None


class RungVisit(Answer):
    """A line of the journal: a rung, when it was entered and left, and why. Seconds from the start of the solve."""

    rung: RungName
    entered: Seconds
    left: Seconds
    seconds: Seconds
    outcome: str
    why: str
    cost: int | None = None
    levels: Levels | None = None


class Coverage(Answer):
    """What became of the courses where a core was solved first."""

    core_courses: int
    reinserted_courses: int
    open_courses: int
    total_courses: int


class Improvement(Answer):
    """When a timetable was found, by what, and what it cost."""

    seconds: Seconds
    source: str
    cost: int
    levels: Levels


class Account(Answer):
    """How a result came about and what it gave up."""

    journal: list[RungVisit]
    ledger: list[Concession]
    work_list: list[OpenSession]
    diagnosis: Diagnosis | None
    coverage: Coverage | None = None
    curve: list[Improvement] | None = None
    context: dict[str, Any] | None = None
    notes: list[str] | None = None
    seed: int | None = None
    seconds: Seconds | None = None
    versions: dict[str, str] | None = None


class Totals(Answer):
    """How much of the data the best variant has placed."""

    total_sessions_scheduled: int
    total_sessions: int
    total_courses: int
    variants_count: int


class OfJob(Answer):
    """What the job knows about a result."""

    job_id: str
    status: JobStatus
    metadata: dict[str, Any]


class Variants(Account, OfJob):
    """Every variant of a job, the best first, with the account of how they came about."""

    rung: RungName
    promise: str
    quality: QualityName
    stopped_by: StopReason
    lower_bound: int | None
    gap: float | None
    verified: bool
    variants: list[Variant]
    timetable: Totals


class OneVariant(Variant, OfJob):
    """One variant of a job."""
