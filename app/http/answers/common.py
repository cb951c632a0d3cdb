"""What answers of several routes have in common."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from solver.result import RungId

Seconds: TypeAlias = float
"""A duration, or seconds since 1970 where a name ends in `_at`."""
SessionRef: TypeAlias = list[Any]
"""`[course_id, session]`."""
JobStatus: TypeAlias = Literal["queued", "running", "completed", "failed", "cancelled"]
RungName: TypeAlias = RungId
QualityName: TypeAlias = Literal["optimal", "feasible", "relaxed", "partial"]
StopReason: TypeAlias = Literal["proved", "deadline", "stalled", "cancelled", "finished_early", "memory", "crash"]
TierName: TypeAlias = Literal["hard", "soft", "off"]


class Answer(BaseModel):
    """
    A JSON object of an answer. A later version may add fields; none goes away.

    These classes describe: what is sent is made by the views, and tests hold every answer against its class.
    """

    model_config = ConfigDict(extra="allow", protected_namespaces=())


class Notice(Answer):
    """Something in the request that keeps nobody from solving, and that a person should look at."""

    pointer: str
    code: str
    message: str
    value: Any


class Levels(Answer):
    """What a timetable costs, dearest level first: the first that differs decides between two timetables."""

    rigid: int
    unplaced: int
    bent: int
    soft: int


class Period(Answer):
    """Clock times like 09:00."""

    start: str
    end: str


class BreakTime(Period):
    """A break right before period `before` of the days in `days`, both counted from 0."""

    before: int
    name: str
    days: list[int]


class Holiday(Answer):
    """Dates like 2026-10-05, both without lessons."""

    first: str
    last: str
    name: str


class Term(Answer):
    """The weeks of the dataset, and their dates where it names the first; `moved_days` follow the day named there."""

    weeks: int
    first_day: str | None
    last_day: str | None
    time_zone: str | None
    holidays: list[Holiday]
    moved_days: dict[str, str]


class Grid(Answer):
    """
    The week: names of days, clock times of the periods of the longest day and (`bells`) of each day, and the breaks.

    `lunch_period` is the first period after lunch, null where there is none or it is not the same on all days.
    """

    days: list[str]
    periods: list[Period]
    bells: list[list[Period]]
    breaks: list[BreakTime]
    lunch_period: int | None
    term: Term | None


class Offence(Answer):
    """One place where a rule is broken."""

    amount: int
    message: str
    sessions: list[SessionRef]
    entities: list[str]


class Entry(Answer):
    """One placed session, under the names of both platform versions."""

    day: int
    day_name: str
    day_of_week: str
    period: int
    time_slot_id: str
    time_slot: str
    start_time: str
    end_time: str
    duration_slots: int
    course_id: str
    offering_id: str | None
    course_code: str
    subject_code: str
    course_name: str
    subject_name: str
    subject_type: str
    faculty_id: str | None
    faculty_ids: list[str]
    faculty_name: str
    batch_name: str
    batch_id: str | None
    batch_ids: list[str]
    department_id: str | None
    year: int | None
    section: str | None
    enrolled_count: int
    room_id: str | None
    room_code: str
    room_number: str
    room_type: str
    room_capacity: int
    building: str | None
    session_number: int
    has_conflict: bool
    conflict_description: str


class Row(Entry):
    """The same as the platform stores it: with one teacher, and the students, who stand in the row of the first one."""

    student_ids: list[str]


class Move(Answer):
    """Where a repair puts a session."""

    session: SessionRef
    slot: int
    room_id: str | None


class Repair(Answer):
    """
    A place that was checked: where a session could go, and what has to move for it. `room_id` is null where it needs no
    room; where it takes several at once, `more_rooms` are the others.
    """

    sentence: str
    slot: int
    time: str
    room_id: str | None
    more_rooms: list[str]
    moves: list[Move]


class OpenSession(Answer):
    """A session without a place: what keeps it from one, and checked repairs."""

    course_id: str
    session: int
    name: str
    reasons: list[str]
    repairs: list[Repair]


class Proof(Answer):
    """Something that cannot work, shown by counting."""

    code: str
    sentence: str
    entities: list[str]
    rules: list[str]
    needed: int | None
    available: int | None


class ConflictSet(Answer):
    """Wishes that do not go together; `minimal` when they do as soon as any one is dropped."""

    sentences: list[str]
    rules: list[str]
    minimal: bool


class Diagnosis(Answer):
    """Why not every hard rule can hold; `evidence` says how sure that is, null when nothing was shown."""

    evidence: str | None
    proofs: list[Proof]
    conflicts: list[ConflictSet]
