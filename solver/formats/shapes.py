"""
The shapes of a native dataset: which fields there are and what type each has. Mirrors `solver/model.py` field by field.

Defaults are not repeated here: only the fields that a document states are handed on, and the model fills in the rest.
Strict throughout: text stays text, `true` is no number, 3.0 is no whole number.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from solver.formats.issues import SAFE_INTEGER
from solver.terms import LINK_TYPES, MAX_DAYS, MAX_NUMBER, MAX_SLOTS_PER_DAY, PAIRINGS, Tier, Unit

Integer: TypeAlias = Annotated[int, Field(ge=-SAFE_INTEGER, le=SAFE_INTEGER)]
Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
MAX_STUDENTS = 50_000
"""Students of one course."""
MAX_REFERENCES = 5_000
MAX_PARTS = 100
"""Of one course."""
MAX_CHOICES = 500
"""Rooms or starts that one course lists."""
# A JSON array arrives as a list; without `strict=False` only a tuple would do. Its entries stay strict.
Texts: TypeAlias = Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_REFERENCES)]
Students: TypeAlias = Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_STUDENTS)]
Slot: TypeAlias = Annotated[Integer, WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})]
"""A number; whoever reads a document in which words may stand for it turns these into numbers first."""
Slots: TypeAlias = Annotated[tuple[Slot, ...], Field(strict=False, max_length=MAX_DAYS * MAX_SLOTS_PER_DAY)]
Bells: TypeAlias = Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_SLOTS_PER_DAY)]
"""Periods of a day, each as "08:00-08:50"."""
MAX_WEEKS_NAMED = 1_000
Weeks: TypeAlias = Annotated[
    tuple[Integer, ...],
    Field(strict=False, max_length=MAX_WEEKS_NAMED),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "examples": ["odd", "even", "first half", "second half", "1-3, 5"]},
                {"type": "array", "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]}},
            ]
        }
    ),
]
"""Numbers from 1; words stand for them, see `week_words`."""
MAX_BREAKS = 100
MAX_DATES = 400
Member: TypeAlias = Annotated[tuple[str, Integer | None], Field(strict=False)]
Members: TypeAlias = Annotated[tuple[Member, ...], Field(strict=False, max_length=MAX_REFERENCES)]
UNSET: Any = None
"""Marks an optional field; never handed on."""


class Shape(BaseModel):
    """
    An object with known fields only.

    `newer` are those that `timetable-dataset/2` has and the first schema had not.
    """

    newer: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(extra="forbid", strict=True)

    def stated(self) -> dict[str, Any]:
        """The fields that the document names, by name, values not copied."""
        named = self.model_fields_set
        return {name: value for name, value in self.__dict__.items() if name in named}

    def newer_fields(self) -> Iterator[tuple[tuple[object, ...], object]]:
        """Path and value of every stated field that `timetable-dataset/1` has not, those of inner objects too."""
        for name, value in self.stated().items():
            if name in self.newer:
                yield (name,), value
            elif isinstance(value, Shape):
                yield from (((name, *path), inner) for path, inner in value.newer_fields())
            elif isinstance(value, tuple) and value and isinstance(value[0], Shape):
                for k, item in enumerate(value):
                    yield from (((name, k, *path), inner) for path, inner in item.newer_fields())


class LunchShape(Shape):
    start: str
    end: str


class BreakShape(Shape):
    name: str
    start: str
    end: str
    days: Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_DAYS)] = UNSET
    run_over: bool = UNSET


class TimeGridShape(Shape):
    working_days: Integer = UNSET
    slots_per_day: Integer = UNSET
    start_time: str = UNSET
    end_time: str = UNSET
    slot_minutes: Integer = UNSET
    lunch: LunchShape | None = UNSET
    days: Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_DAYS)] = UNSET
    bells: Annotated[dict[str, Bells], Field(max_length=MAX_DAYS + 1)] = UNSET
    breaks: Annotated[tuple[BreakShape, ...], Field(strict=False, max_length=MAX_BREAKS)] = UNSET
    newer = frozenset({"days", "bells", "breaks"})


class HolidayShape(Shape):
    """Dates like 2026-09-07; a text is a holiday of that one day."""

    first: str
    last: str
    name: str = UNSET

    @model_validator(mode="before")
    @classmethod
    def _one_day(cls, value: object) -> object:
        return {"first": value, "last": value} if isinstance(value, str) else value


HolidaySaid: TypeAlias = Annotated[HolidayShape, WithJsonSchema({"type": ["string", "object"]})]


class TermShape(Shape):
    """`moved_days` are dates and the days whose plan they follow."""

    weeks: Integer
    first_day: str | None = UNSET
    time_zone: str | None = UNSET
    holidays: Annotated[tuple[HolidaySaid, ...], Field(strict=False, max_length=MAX_DATES)] = UNSET
    moved_days: Annotated[dict[str, str], Field(max_length=MAX_DATES)] = UNSET


class RoomShape(Shape):
    id: str
    code: str = UNSET
    name: str = UNSET
    capacity: Integer
    type: str = UNSET
    features: Texts = UNSET
    building: str | None = UNSET
    department_id: str | None = UNSET
    unavailable: Slots = UNSET
    sessions_at_once: Integer = UNSET
    newer = frozenset({"sessions_at_once"})


class FacultyShape(Shape):
    id: str
    code: str = UNSET
    name: str = UNSET
    department_id: str | None = UNSET
    max_sessions_per_week: Integer | None = UNSET
    max_sessions_per_day: Integer | None = UNSET
    unavailable: Slots = UNSET
    preferences: Annotated[dict[str, Number], Field(max_length=MAX_DAYS * MAX_SLOTS_PER_DAY)] = UNSET


class GroupShape(Shape):
    id: str
    name: str = UNSET
    size: Integer = UNSET
    department_id: str | None = UNSET
    max_sessions_per_day: Integer | None = UNSET
    unavailable: Slots = UNSET
    part_of: Texts = UNSET
    division: str = UNSET
    student_ids: Students = UNSET
    newer = frozenset({"part_of", "division", "student_ids"})


class FixedShape(Shape):
    session: Integer
    slot: Slot
    room_id: str | None = UNSET
    more_rooms: Texts = UNSET
    newer = frozenset({"more_rooms"})


Penalty: TypeAlias = Integer | Literal["preferred", "discouraged", "strongly_discouraged"]
"""A number of points, or the word for it."""
Penalties: TypeAlias = Annotated[dict[str, Penalty | Literal["prohibited"]], Field(max_length=MAX_REFERENCES)]


class TimeChoiceShape(Shape):
    at: Slot
    penalty: Penalty = UNSET


class RoomChoiceShape(Shape):
    room: str
    penalty: Penalty = UNSET


Choice = TypeVar("Choice", RoomChoiceShape, TimeChoiceShape)


def _once_each(choices: tuple[Choice, ...] | None) -> tuple[Choice, ...] | None:
    named = Counter(choice.room if isinstance(choice, RoomChoiceShape) else choice.at for choice in choices or ())
    if twice := next((name for name, times in named.items() if times > 1), None):
        raise ValueError(f"{str(twice)[:80]!r} stands here twice")
    return choices


def _slot_keys(penalties: dict[str, Any] | None) -> dict[str, Any] | None:
    if bad := next((key for key in penalties or () if not re.fullmatch("0|[1-9][0-9]{0,8}", key)), None):
        raise ValueError(f"a slot is a whole number, got {bad[:80]!r}")
    return penalties


TimeChoices: TypeAlias = Annotated[
    tuple[TimeChoiceShape, ...], Field(strict=False, max_length=MAX_CHOICES), AfterValidator(_once_each)
]
TimePenalties: TypeAlias = Annotated[Penalties, AfterValidator(_slot_keys)]


RoomChoices: TypeAlias = Annotated[
    tuple[RoomChoiceShape, ...], Field(strict=False, max_length=MAX_CHOICES), AfterValidator(_once_each)
]


class PartShape(Shape):
    kind: str = UNSET
    sessions: Integer = UNSET
    session_slots: Integer | None = UNSET
    faculty_ids: Texts | None = UNSET
    group_ids: Texts | None = UNSET
    student_ids: Students | None = UNSET
    expected_students: Integer | None = UNSET
    room_types: Texts | None = UNSET
    required_features: Texts | None = UNSET
    allowed_slots: Slots | None = UNSET
    times: TimeChoices | None = UNSET
    time_penalties: TimePenalties | None = UNSET
    rooms: RoomChoices | None = UNSET
    room_penalties: Penalties | None = UNSET
    rooms_needed: Integer | None = UNSET
    weeks: Weeks | None = UNSET


class CourseShape(Shape):
    id: str
    code: str = UNSET
    name: str = UNSET
    department_id: str | None = UNSET
    subject_type: str = UNSET
    credits: Number = UNSET
    faculty_ids: Texts = UNSET
    group_ids: Texts = UNSET
    student_ids: Students = UNSET
    batches: Annotated[dict[str, str], Field(max_length=MAX_REFERENCES)] = UNSET
    expected_students: Integer | None = UNSET
    sessions_per_week: Integer = UNSET
    session_slots: Integer = UNSET
    room_types: Texts = UNSET
    required_features: Texts = UNSET
    min_days: Integer = UNSET
    max_sessions_per_day: Integer | None = UNSET
    allowed_slots: Slots | None = UNSET
    fixed: Annotated[tuple[FixedShape, ...], Field(strict=False, max_length=MAX_REFERENCES)] = UNSET
    prerequisites: Texts = UNSET
    priority: Integer = UNSET
    times: TimeChoices | None = UNSET
    time_penalties: TimePenalties = UNSET
    rooms: RoomChoices | None = UNSET
    room_penalties: Penalties = UNSET
    rooms_needed: Integer = UNSET
    weeks: Weeks | None = UNSET
    parts: Annotated[tuple[PartShape, ...], Field(strict=False, max_length=MAX_PARTS)] = UNSET
    newer = frozenset({"times", "time_penalties", "rooms", "room_penalties", "rooms_needed", "weeks", "parts"})


class LinkShape(Shape):
    """`type` and `pairing` are any text here; the model knows which there are."""

    newer = frozenset({"most", "pairing"})
    type: Annotated[str, Field(description=f"One of {', '.join(LINK_TYPES)}.")]
    sessions: Members
    tier: Tier = UNSET
    weight: Integer = UNSET
    value: Integer | None = UNSET
    most: Integer | None = UNSET
    pairing: Annotated[
        str | None, Field(description=f"One of {', '.join(PAIRINGS)}; null means what the type usually means.")
    ] = UNSET


class RatingShape(Shape):
    faculty_id: str
    slot: Slot
    rating: Number


class WindowShape(Shape):
    start: str
    end: str


class RuleShape(Shape):
    tier: Tier | None = UNSET
    weight: Annotated[int, Field(ge=0, le=MAX_NUMBER)] | None = UNSET
    value: Annotated[int, Field(ge=0, le=MAX_NUMBER)] | None = UNSET
    bendable: bool | None = UNSET
    values: Annotated[dict[str, Annotated[int, Field(ge=0, le=MAX_NUMBER)]], Field(max_length=MAX_STUDENTS)] = UNSET
    unit: Unit | None = UNSET
    window: WindowShape | None = UNSET
    newer = frozenset({"values", "unit", "window"})


class PlacementShape(Shape):
    course_id: str
    session: Integer
    slot: Slot
    room_id: str | None
    more_rooms: Texts = UNSET
