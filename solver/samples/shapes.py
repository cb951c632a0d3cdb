"""How large and of what make each sample university is: the only numbers of the generator that differ by preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

from solver.calendar import TimeGrid
from solver.model import RuleSetting

Shift: TypeAlias = Literal["day", "morning", "afternoon"]


@dataclass(frozen=True, slots=True, kw_only=True)
class YearPlan:
    """
    What a student of one year takes: `combined` lectures heard by all batches of the cohort together, `lectures` and
    `labs` per batch, electives of the own school and open electives across schools.
    """

    combined: int
    lectures: int
    labs: int
    electives: int = 0
    open_electives: int = 0
    shift: Shift = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """
    One university in numbers. `sections` (courses) is met exactly: electives are what core teaching leaves over.

    The schools of a campus stand on each of the `campuses` again, with departments of their own.
    `sessions` and `rooms` None means: as many as the curriculum needs. `*_meetings` are drawn from uniformly.
    `room_load` is the planned share of taught slots per room; the `*_share` are shares of the entities in [0, 1].
    """

    title: str
    grid: TimeGrid = field(default_factory=TimeGrid)
    campuses: int = 1
    schools: int
    departments: int
    buildings: int
    batches: int
    students: int
    sections: int
    teachers: int
    years: tuple[YearPlan, ...]
    sessions: int | None = None
    rooms: int | None = None
    pool_batches: int = 6
    batch_spread: float = 0.1
    lecture_meetings: tuple[int, ...] = (3, 4)
    lab_meetings: tuple[int, ...] = (2,)
    elective_meetings: tuple[int, ...] = (3,)
    room_load: float = 0.65
    preference_share: float = 0.6
    part_time_share: float = 0.15
    shift_share: float = 0.5
    pin_share: float = 0.02
    links: int = 12
    rules: Mapping[str, RuleSetting] = field(default_factory=dict)

    def times(self, scale: int) -> Shape:
        """A university `scale` times as large, of the same make: everything that is counted grows, no share changes."""
        counted = (
            "campuses",
            "schools",
            "departments",
            "buildings",
            "batches",
            "students",
            "sections",
            "sessions",
            "teachers",
        )
        counts = {name: getattr(self, name) for name in (*counted, "rooms", "links")}
        return replace(self, **{name: count and count * scale for name, count in counts.items()})


_CONTEXT_ON = {"context": RuleSetting(tier="soft", weight=1)}

_THREE_YEARS = (
    YearPlan(combined=3, lectures=2, labs=1, shift="morning"),
    YearPlan(combined=2, lectures=2, labs=1, electives=1),
    YearPlan(combined=1, lectures=2, labs=1, electives=1, open_electives=1, shift="afternoon"),
)

SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "tiny": Shape(
            title="Tiny college",
            grid=TimeGrid(working_days=5, slots_per_day=6, start_time="09:00", end_time="16:00"),
            schools=1,
            departments=2,
            buildings=2,
            batches=2,
            students=70,
            sections=10,
            teachers=6,
            years=(YearPlan(combined=0, lectures=3, labs=1, electives=1),),
            pool_batches=2,
            shift_share=0.0,
            pin_share=0.03,
            links=3,
            rules=_CONTEXT_ON,
        ),
        "college": Shape(
            title="Small college",
            schools=2,
            departments=4,
            buildings=3,
            batches=24,
            students=1500,
            sections=120,
            teachers=42,
            years=_THREE_YEARS,
            pool_batches=4,
            rules=_CONTEXT_ON,
        ),
        "university": Shape(
            title="Mid-size university",
            schools=4,
            departments=16,
            buildings=7,
            batches=96,
            students=6000,
            sections=500,
            teachers=165,
            years=_THREE_YEARS,
            links=40,
            rules=_CONTEXT_ON,
        ),
        "bhu": Shape(
            title="University of the size of BHU",
            schools=11,
            departments=127,
            buildings=38,
            batches=635,
            students=19_072,
            sections=2494,
            sessions=8270,
            teachers=2320,
            rooms=1147,
            years=tuple(
                YearPlan(combined=0, lectures=2, labs=1, electives=1, open_electives=1, shift=shift)
                for shift in ("morning", "day", "afternoon", "day", "day")
            ),
            batch_spread=0.4,
            pin_share=0.01,
            lecture_meetings=(3, 4, 4),
            elective_meetings=(3, 4),
            room_load=0.4,
            links=120,
            rules={**_CONTEXT_ON, "student_gap": RuleSetting(tier="off")},
        ),
        "infeasible": Shape(
            title="Overcommitted college",
            schools=1,
            departments=3,
            buildings=2,
            batches=6,
            students=330,
            sections=34,
            teachers=14,
            years=(YearPlan(combined=0, lectures=4, labs=1), YearPlan(combined=0, lectures=3, labs=1, electives=1)),
            pool_batches=3,
            room_load=0.5,
            part_time_share=0.0,
            shift_share=0.0,
            pin_share=0.0,
            links=0,
            rules=_CONTEXT_ON,
        ),
    }
)
