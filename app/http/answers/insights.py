"""Answers about one timetable piece by piece, and about its conflicts."""

from __future__ import annotations

from typing import Any, Literal

from app.http.answers.common import Answer, Entry, Grid, Move, Row, SessionRef, TierName


class Who(Answer):
    """Everybody who has a week, each as `[id, name, about]`; students are only counted."""

    group: list[list[str]]
    teacher: list[list[str]]
    room: list[list[str]]
    students: int
    grid: Grid


class Students(Answer):
    """Some students as `[id, how many courses]`, and how many were found in all."""

    students: list[list[Any]]
    found: int
    total: int


class OpenRow(Answer):
    """A session that is not placed."""

    course_id: str
    session: int
    name: str


class Week(Answer):
    """The week of one group, teacher, room or student; slots of `unavailable` are closed to them."""

    of: Literal["group", "teacher", "room", "student"]
    id: str
    name: str
    about: str
    grid: Grid
    unavailable: list[int]
    entries: list[Entry]
    open: list[OpenRow]


class Load(Answer):
    """
    How many sessions run in each slot, and the slots in which each room and teacher is used.

    The last field of a row has a letter per slot: `1` used, `0` free, `x` closed.
    """

    grid: Grid
    sessions: list[int]
    rooms: list[list[Any]]
    teachers: list[list[Any]]


class Difference(Answer):
    """Every session that stands elsewhere in another variant: its name, then slot and room here and there."""

    grid: Grid
    rooms: dict[str, str]
    counts: dict[str, int]
    rows: list[list[Any]]


class BrokenRule(Answer):
    """A rule that a session breaks where it stands; `amount` in units of the rule."""

    rule: str
    tier: TierName
    name: str
    sentence: str
    message: str
    amount: int
    unit: str
    units: str
    cost: int


class SessionFacts(Answer):
    """What the data say of a session, as far as it decides where it may stand."""

    students: int
    room_types: list[str]
    required_features: list[str]
    fixed: bool
    sessions_per_week: int


class Session(Answer):
    """
    Why a session stands where it stands.

    `starts` has a line per slot: null where the session would find a free room, else what keeps it from there.
    """

    course_id: str
    session: int
    name: str
    entry: Entry | None
    grid: Grid
    broken: list[BrokenRule]
    starts: list[str | None]
    facts: SessionFacts


class Department(Answer):
    """The entries of the courses of one department, and how many of them are in a hard breach."""

    job_id: str
    dept_id: str
    variant: int
    entries: list[Row]
    total: int
    conflicts: int


class Conflict(Answer):
    """One place where a hard rule is broken."""

    conflict_id: str
    conflict_type: Literal["faculty", "student", "room", "course"]
    severity: Literal["critical", "high"]
    rule: str
    amount: int
    unit: str
    description: str
    affected_courses: list[str]
    affected_entities: list[str]
    affected_sessions: list[SessionRef]
    suggested_resolution: str
    timestamp: str


class Conflicts(Answer):
    """The conflicts of a variant, and how many there are of each type."""

    timetable_id: str
    job_id: str
    variant: int
    conflicts: list[Conflict]
    total: int
    by_type: dict[str, int]
    unplaced: int


class ResolutionDetail(Answer):
    """A checked repair of one conflict, or `manual_review` where none was found; nothing was changed."""

    conflict_id: str
    conflict_type: str
    rule: str
    description: str
    success: bool
    applied: bool
    method: Literal["manual_review", "exchange", "move_room", "move_slot"]
    suggested_resolution: str
    course_id: str | None = None
    session: int | None = None
    old_slot: int | None = None
    old_time: str | None = None
    old_room_id: str | None = None
    new_slot: int | None = None
    new_time: str | None = None
    new_room_id: str | None = None
    new_more_rooms: list[str] | None = None
    moves: list[Move] | None = None


class Resolutions(Answer):
    """What can be done about each conflict of a variant."""

    timetable_id: str
    job_id: str
    variant: int
    auto_resolve: bool
    total: int
    resolved: int
    repairable: int
    manual_review: int
    not_looked_at: int
    details: list[ResolutionDetail]
    message: str


class Resolution(ResolutionDetail):
    """What can be done about one conflict."""

    timetable_id: str
    job_id: str
    variant: int
    message: str
