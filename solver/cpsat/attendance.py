"""
Rules about how a day looks to those who attend it: cohorts, and students.

They share one set of occupancy variables per attendee and slot, which are exact in both directions, because a gap falls
and an isolated slot rises with them. Students with the same free courses and the same background are one attendee with
a weight, those with and those without a group apart.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from ortools.sat.python import cp_model
from scipy import sparse

from solver.cpsat.model_builder import ModelBuilder, Row, Term
from solver.cpsat.plan import Array, Treatment


class Day(list[Term]):
    """Occupancy of the periods of one day; a break lies before each period of `rests`, in order."""

    rests: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Attendee:
    """`busy` is ``(slots,)``: where the background occupies them; `weight` is how many people this one stands for."""

    units: tuple[int, ...]
    busy: Array
    weight: int
    exclusive: bool
    """The model keeps their sessions apart, so occupancy is a plain sum."""
    lone: bool = False
    """Students without a group."""


class Attendance:
    """Builds the compactness rules of one model."""

    def __init__(self, builder: ModelBuilder) -> None:
        self.builder = builder
        self.limit = builder.compiled.consecutive_limit

    def add_rules(self) -> None:
        self.add_group_rules()
        everybody, lone = self._wanted(STUDENT_RULES), self._wanted(ATTENDEE_RULES)
        for attendee in self.students(everybody=bool(everybody)) if everybody or lone else []:
            self._count(attendee, everybody | lone if attendee.lone else everybody)

    def add_group_rules(self, chosen: Container[int] | None = None) -> None:
        """The rules about the days of cohorts: of all of them, or of those chosen by number."""
        rules = self._wanted(GROUP_RULES) | self._wanted(ATTENDEE_RULES)
        for attendee in self.groups(chosen) if rules else []:
            self._count(attendee, rules)

    def _wanted(self, rules: Mapping[str, DayRule]) -> dict[str, DayRule]:
        return {rule: build for rule, build in rules.items() if self.builder.treatment(rule) is not Treatment.IGNORE}

    def _count(self, attendee: Attendee, rules: Mapping[str, DayRule]) -> None:
        periods = self.builder.compiled.num_periods
        for day in range(self.builder.compiled.num_days if not self.builder.control.should_stop else 0):
            slots = range(day * periods, day * periods + int(self.builder.compiled.day_periods[day]))
            if not any(self.builder.cover(u, t) for u in attendee.units for t in slots):
                continue
            occupied = Day(self.occupied(attendee, t) for t in slots)
            occupied.rests = tuple(p for p, t in enumerate(slots) if self.builder.compiled.rest[t])
            for rule_id, build in rules.items():
                build(self, rule_id, occupied, attendee.weight)

    # --- who attends --------------------------------------------------------------------------------------------------

    def groups(self, chosen: Container[int] | None = None) -> list[Attendee]:
        compiled = self.builder.compiled
        exclusive = self.builder.treatment("group_clash") is Treatment.FORBID
        return [
            Attendee(tuple(units), self.builder.plan.background.group[g] > 0, 1, exclusive)
            for g, units in self.builder.units_by(compiled.group_ptr, compiled.group).items()
            if g < compiled.num_groups and (chosen is None or g in chosen)
        ]

    def students(self, *, everybody: bool) -> list[Attendee]:
        """Students, or those without a group only, by what they attend; ``membership`` is students by courses."""
        compiled, background = self.builder.compiled, self.builder.plan.background
        exclusive = all(self.builder.treatment(rule) is Treatment.FORBID for rule in ("student_clash", "group_clash"))
        units_of = self.builder.units_by(compiled.student_ptr, compiled.student)
        if not units_of:
            return []
        by_course = sparse.csr_array(
            (np.ones(len(compiled.student), dtype=np.int32), compiled.student, compiled.student_ptr),
            shape=(compiled.num_courses, compiled.num_students),
        )
        membership = by_course.T.tocsr()
        touched = [student for student in units_of if everybody or compiled.lone_student[student]]
        busy = (membership[touched] @ background.course) > 0
        weights: dict[tuple[tuple[int, ...], bytes, bool], int] = {}
        for i, student in enumerate(touched):
            key = (tuple(units_of[student]), busy[i].tobytes(), bool(compiled.lone_student[student]))
            weights[key] = weights.get(key, 0) + 1
        return [
            Attendee(units, np.frombuffer(pattern, dtype=bool), weight, exclusive, lone)
            for (units, pattern, lone), weight in weights.items()
        ]

    def occupied(self, attendee: Attendee, t: int) -> Term:
        """1 when a session of theirs covers slot t, else 0; exact in both directions."""
        if attendee.busy[t]:
            return 1
        literals = self.builder.covers(attendee.units, t)
        if len(literals) < 2:
            return literals[0] if literals else 0
        occupied = self.builder.new_bool(any(map(self.builder.value, literals)))
        if attendee.exclusive and all(self.builder.class_of(u) < 0 for u in attendee.units):
            self.builder.model.add(cp_model.LinearExpr.sum(literals) == occupied)
        else:
            self.builder.model.add_max_equality(occupied, literals)
        return occupied

    # --- what a day costs --------------------------------------------------------------------------------------------

    def gaps(self, rule_id: str, day: Day, weight: int) -> None:
        """Free periods with an occupied one before and one after them on the day."""
        before: list[Term] = self._running(day)
        after: list[Term] = self._running(day[::-1])[::-1]
        for p in range(1, len(day) - 1):
            row: Row = ([(1, before[p - 1]), (1, after[p + 1]), (-1, day[p])], -1)
            self.builder.penalise(rule_id, [row], weight)

    def _running(self, day: list[Term]) -> list[Term]:
        """Per period, at least 1 when it or one before it is occupied."""
        running: list[Term] = [day[0]]
        for now in day[1:]:
            last = running[-1]
            if isinstance(last, int):
                running.append(1 if last else now)
            elif isinstance(now, int):
                running.append(1 if now else last)
            else:
                either = self.builder.new_bool(bool(self.builder.value(last) or self.builder.value(now)))
                self.builder.model.add_implication(last, either)
                self.builder.model.add_implication(now, either)
                running.append(either)
        return running

    def isolated(self, rule_id: str, day: Day, weight: int) -> None:
        for p, here in enumerate(day):
            neighbours = [(-1, day[q]) for q in (p - 1, p + 1) if 0 <= q < len(day)]
            self.builder.penalise(rule_id, [([(1, here), *neighbours], 0)], weight)

    def late(self, rule_id: str, day: Day, weight: int) -> None:
        """Free periods with an occupied one after them on the day and none before."""
        after = self._running(day[::-1])[::-1]
        for p in range(len(day) - 1):
            row: Row = ([(1, after[p + 1]), *((-1, here) for here in day[: p + 1])], 0)
            self.builder.penalise(rule_id, [row], weight)

    def long_runs(self, rule_id: str, day: Day, weight: int) -> None:
        """A run of n > limit periods holds n - limit windows of limit + 1 occupied periods, none over a break."""
        for start, end in pairwise([0, *day.rests, len(day)]):
            for first in range(start, end - self.limit):
                window = day[first : first + self.limit + 1]
                self.builder.penalise(rule_id, [([(1, here) for here in window], -self.limit)], weight)

    def single(self, rule_id: str, day: Day, weight: int) -> None:
        rows: list[Row] = [
            ([(1, here), *((-1, other) for q, other in enumerate(day) if q != p)], 0) for p, here in enumerate(day)
        ]
        self.builder.penalise(rule_id, rows, weight)

    def last(self, rule_id: str, day: Day, weight: int) -> None:
        self.builder.penalise(rule_id, [([(1, day[-1])], 0)], weight)


DayRule = Callable[[Attendance, str, Day, int], None]

GROUP_RULES: Mapping[str, DayRule] = {
    "group_gap": Attendance.gaps,
    "isolated_session": Attendance.isolated,
    "late_start": Attendance.late,
}
STUDENT_RULES: Mapping[str, DayRule] = {"student_gap": Attendance.gaps}
ATTENDEE_RULES: Mapping[str, DayRule] = {
    "consecutive_limit": Attendance.long_runs,
    "single_session_day": Attendance.single,
    "last_slot": Attendance.last,
}
