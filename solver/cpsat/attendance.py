"""
Rules about how the days and the week look to a person: a teacher, a cohort, a student.

They share one set of occupancy variables per person and slot, which are exact in both directions, because a gap falls
and an isolated slot rises with them. Students with the same free courses, the same background and the same limits are
one person with a weight, those with and those without a group apart.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from ortools.sat.python import cp_model
from scipy import sparse

from solver.cpsat.model_builder import ModelBuilder, Row, Term
from solver.cpsat.plan import Array, Treatment
from solver.person_rules import DAY_KINDS, PERSON_RULES, KindName, PersonRule

Terms = list[Term]
DAY_MINUTES, HOUR = 24 * 60, 60


@dataclass(frozen=True, slots=True)
class Person:
    """
    `busy` is ``(slots,)``: where the background occupies them, `closed` likewise; `weight` is how many people this one
    stands for, `number` the index of one of them among all people of `Compiled.closed`.
    """

    units: tuple[int, ...]
    busy: Array
    closed: Array
    weight: int
    number: int
    exclusive: bool
    """The model keeps their sessions apart, so occupancy is a plain sum."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rule asks of a person, see `Compiled.person_limit`."""

    rule_id: str
    kind: KindName
    limit: int
    in_minutes: bool
    window: tuple[int, int]
    weight: int


class Day:
    """One day of a person, and the variables about it that several rules use; each is made when it is first asked."""

    def __init__(self, builder: ModelBuilder, person: Person, occupied: Terms, slots: Sequence[int]) -> None:
        self.builder, self.occupied = builder, occupied
        compiled = builder.compiled
        self.closed = [bool(person.closed[t]) for t in slots]
        midnight = DAY_MINUTES * (slots[0] // compiled.num_periods)
        self.start = [int(compiled.slot_start[t]) - midnight for t in slots]
        self.end = [int(compiled.slot_end[t]) - midnight for t in slots]
        self.rest = [bool(compiled.rest[t]) for t in slots]

    def minutes(self, p: int) -> int:
        return self.end[p] - self.start[p]

    @cached_property
    def begun(self) -> Terms:
        """Per period, at least 1 when it or one before it is occupied."""
        return self._running(self.occupied)

    @cached_property
    def left(self) -> Terms:
        """Per period, at least 1 when it or one after it is occupied."""
        return self._running(self.occupied[::-1])[::-1]

    def _running(self, day: Terms) -> Terms:
        running: Terms = [day[0]]
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

    @property
    def used(self) -> Term:
        """At least 1 when any period is occupied."""
        return self.begun[-1]

    @cached_property
    def used_exactly(self) -> Term:
        """1 when any period is occupied, else 0."""
        literals = [here for here in self.occupied if not isinstance(here, int)]
        if any(here for here in self.occupied if isinstance(here, int)):
            return 1
        if len(literals) < 2:
            return literals[0] if literals else 0
        used = self.builder.new_bool(any(map(self.builder.value, literals)))
        self.builder.model.add_max_equality(used, literals)
        return used

    @cached_property
    def gap_rows(self) -> list[Row]:
        """For each open period that may be free between occupied ones: 1 when it is."""
        inner = (p for p in range(1, len(self.occupied) - 1) if not self.closed[p])
        return [([(1, self.begun[p - 1]), (1, self.left[p + 1]), (-1, self.occupied[p])], -1) for p in inner]

    @cached_property
    def gaps(self) -> Terms:
        """The same as variables that are at least that."""
        return [self.builder.at_least(row) for row in self.gap_rows]


class Attendance:
    """Builds the rules about days and weeks of one model."""

    def __init__(self, builder: ModelBuilder) -> None:
        self.builder, self.compiled = builder, builder.compiled

    def add_rules(self) -> None:
        for person in self.people():
            if self.builder.control.should_stop:
                return
            self._count(person, self.asked(person))

    def add_group_rules(self, chosen: Container[int] | None = None) -> None:
        """The rules about the days of cohorts: of all of them, or of those chosen by number."""
        for person in self.groups(chosen):
            self._count(person, self.asked(person))

    @cached_property
    def rows(self) -> list[tuple[int, PersonRule]]:
        """The rules that the model counts or keeps, with their rows of `Compiled.person_limit`."""
        rules = [(k, PERSON_RULES[r]) for k, r in enumerate(self.compiled.person_rule.tolist())]
        return [(k, rule) for k, rule in rules if self.builder.treatment(rule.id) is not Treatment.IGNORE]

    def asked(self, person: Person) -> list[Asked]:
        compiled = self.compiled
        found = []
        for k, rule in self.rows:
            limit = int(compiled.person_limit[k, person.number])
            if limit >= 0:
                begin, end = compiled.person_window[k].tolist()
                in_minutes = bool(compiled.person_in_minutes[k])
                found.append(Asked(rule.id, rule.kind, limit, in_minutes, (begin, end), person.weight))
        return found

    def _count(self, person: Person, asked: list[Asked]) -> None:
        touched = self._touched(person) if asked else set()
        if not touched:
            return
        weekly = any(each.kind not in DAY_KINDS for each in asked)
        week = [(day, self._day(person, day)) for day in range(self.compiled.num_days) if weekly or day in touched]
        for each in asked:
            if each.kind in DAY_KINDS:
                for number, day in week:
                    if number in touched:
                        DAY_BUILDERS[each.kind](self, each, day)
            else:
                WEEK_BUILDERS[each.kind](self, each, week)

    def _touched(self, person: Person) -> set[int]:
        """The days on which free sessions may stand; on the others nothing changes."""
        periods = self.compiled.num_periods
        slots = (t for t in range(self.compiled.num_slots) if any(self.builder.cover(u, t) for u in person.units))
        return {t // periods for t in slots}

    def _day(self, person: Person, day: int) -> Day:
        first = day * self.compiled.num_periods
        slots = range(first, first + int(self.compiled.day_periods[day]))
        return Day(self.builder, person, [self.occupied(person, t) for t in slots], slots)

    # --- who there is -------------------------------------------------------------------------------------------------

    def people(self) -> Iterator[Person]:
        """Everybody with a free session and a rule that looks at them."""
        kinds = {kind for _, rule in self.rows for kind in rule.who}
        if "faculty" in kinds:
            yield from self.teachers()
        if "group" in kinds:
            yield from self.groups()
        if kinds & {"student", "lone"}:
            yield from self.students(everybody="student" in kinds)

    def teachers(self) -> Iterator[Person]:
        compiled, busy = self.compiled, self.builder.plan.background.faculty
        exclusive = self.builder.treatment("faculty_clash") is Treatment.FORBID
        for f, units in self.builder.units_by(compiled.faculty_ptr, compiled.faculty).items():
            yield Person(tuple(units), busy[f] > 0, compiled.closed[f], 1, f, exclusive)

    def groups(self, chosen: Container[int] | None = None) -> Iterator[Person]:
        compiled, busy = self.compiled, self.builder.plan.background.group
        exclusive = self.builder.treatment("group_clash") is Treatment.FORBID
        for g, units in self.builder.units_by(compiled.group_ptr, compiled.group).items():
            if g < compiled.num_groups and (chosen is None or g in chosen):
                number = compiled.num_faculty + g
                yield Person(tuple(units), busy[g] > 0, compiled.closed[number], 1, number, exclusive)

    def students(self, *, everybody: bool) -> Iterator[Person]:
        """Students, or those without a group only, by what they attend; ``membership`` is students by courses."""
        compiled, background = self.compiled, self.builder.plan.background
        exclusive = all(self.builder.treatment(rule) is Treatment.FORBID for rule in ("student_clash", "group_clash"))
        units_of = self.builder.units_by(compiled.student_ptr, compiled.student)
        touched = [student for student in units_of if everybody or compiled.lone_student[student]]
        if not touched:
            return
        by_course = sparse.csr_array(
            (np.ones(len(compiled.student), dtype=np.int32), compiled.student, compiled.student_ptr),
            shape=(compiled.num_courses, compiled.num_students),
        )
        busy = (by_course.T.tocsr()[touched] @ background.course) > 0
        numbers = compiled.num_faculty + compiled.num_groups + np.array(touched)
        rows = [k for k, _ in self.rows]
        alike: dict[tuple[tuple[int, ...], bytes, bytes, bytes], list[int]] = {}
        for i, student in enumerate(touched):
            limits, closed = compiled.person_limit[rows, numbers[i]], compiled.closed[numbers[i]]
            key = (tuple(units_of[student]), busy[i].tobytes(), limits.tobytes(), closed.tobytes())
            alike.setdefault(key, []).append(i)
        for (units, *_), same in alike.items():
            number = int(numbers[same[0]])
            yield Person(units, busy[same[0]], compiled.closed[number], len(same), number, exclusive)

    def occupied(self, person: Person, t: int) -> Term:
        """1 when a session of theirs covers slot t, else 0; exact in both directions."""
        if person.busy[t]:
            return 1
        literals = self.builder.covers(person.units, t)
        if len(literals) < 2:
            return literals[0] if literals else 0
        occupied = self.builder.new_bool(any(map(self.builder.value, literals)))
        if person.exclusive and all(self.builder.class_of(u) < 0 for u in person.units):
            self.builder.model.add(cp_model.LinearExpr.sum(literals) == occupied)
        else:
            self.builder.model.add_max_equality(occupied, literals)
        return occupied

    # --- what a day costs --------------------------------------------------------------------------------------------

    def penalise(self, asked: Asked, rows: list[Row]) -> None:
        self.builder.penalise(asked.rule_id, rows, asked.weight)

    def above(self, asked: Asked, row: Row) -> None:
        """Charges what the row is above 0, in started hours where the rule counts minutes."""
        if asked.in_minutes:
            self.builder.penalise_started(asked.rule_id, row, HOUR, asked.weight)
        else:
            self.penalise(asked, [row])

    def size(self, asked: Asked, day: Day) -> list[tuple[int, Term]]:
        """What is taken of the day, in slots or in minutes."""
        return [(day.minutes(p) if asked.in_minutes else 1, here) for p, here in enumerate(day.occupied)]

    def gap(self, asked: Asked, day: Day) -> None:
        if asked.limit == 0:
            for row in day.gap_rows:
                self.penalise(asked, [row])
        else:
            self.penalise(asked, [([(1, free) for free in day.gaps], -asked.limit)])

    def isolated(self, asked: Asked, day: Day) -> None:
        """The next period on either side counts, and those behind it as long as they are closed."""
        for p, here in enumerate(day.occupied):
            neighbours: list[tuple[int, Term]] = []
            for way in (range(p - 1, -1, -1), range(p + 1, len(day.occupied))):
                for q in way:
                    neighbours.append((-1, day.occupied[q]))
                    if not day.closed[q]:
                        break
            self.penalise(asked, [([(1, here), *neighbours], 0)])

    def late_start(self, asked: Asked, day: Day) -> None:
        """Open free periods with an occupied one after them on the day and none before."""
        rows: list[Row] = [
            ([(1, day.left[p + 1]), *((-1, here) for here in day.occupied[: p + 1])], 0)
            for p in range(len(day.occupied) - 1)
            if not day.closed[p]
        ]
        if asked.limit == 0:
            for row in rows:
                self.penalise(asked, [row])
        else:
            self.penalise(asked, [([(1, self.builder.at_least(row)) for row in rows], -asked.limit)])

    def early_end(self, asked: Asked, day: Day) -> None:
        for late in day.left[max(0, len(day.occupied) - asked.limit) :]:
            self.penalise(asked, [([(1, late)], 0)])

    def run(self, asked: Asked, day: Day) -> None:
        """Every period that ends a run longer than the limit: the shortest such run is occupied."""
        for p in range(len(day.occupied)):
            length, q = 0, p
            while q >= 0:
                length += day.minutes(q) if asked.in_minutes else 1
                if length > asked.limit:
                    window = day.occupied[q : p + 1]
                    self.penalise(asked, [([(1, here) for here in window], 1 - len(window))])
                    break
                if day.rest[q]:
                    break
                q -= 1

    def single(self, asked: Asked, day: Day) -> None:
        occupied = day.occupied
        rows: list[Row] = [
            ([(1, here), *((-1, other) for q, other in enumerate(occupied) if q != p)], 0)
            for p, here in enumerate(occupied)
        ]
        self.penalise(asked, rows)

    def span(self, asked: Asked, day: Day) -> None:
        """In minutes: the end of the last period less the start of the first, as sums over where the day has begun."""
        if not asked.in_minutes:
            terms = [*((1, here) for here in day.occupied), *((1, free) for free in day.gaps)]
            self.above(asked, (terms, -asked.limit))
            return
        ends = [day.start[0], *day.end]
        terms = [(ends[p + 1] - ends[p], left) for p, left in enumerate(day.left)]
        for p in range(len(day.occupied) - 1):
            step = day.start[p + 1] - day.start[p]
            terms += [(step, day.begun[p]), (-step, day.used_exactly)]
        self.above(asked, (terms, -asked.limit))

    def daily_limit(self, asked: Asked, day: Day) -> None:
        self.above(asked, (self.size(asked, day), -asked.limit))

    def daily_least(self, asked: Asked, day: Day) -> None:
        taken = [(-size, here) for size, here in self.size(asked, day)]
        self.above(asked, ([(asked.limit, day.used), *taken], 0))

    def lunch(self, asked: Asked, day: Day) -> None:
        """A piece between the end of one period and the start of another is free when none in between is occupied."""
        begin, end = asked.window
        ends, starts = [begin, *day.end], [*day.start, end]
        pieces: list[Term] = []
        for i, since in enumerate(ends):
            j = next((j for j in range(i, len(starts)) if min(starts[j], end) - max(since, begin) >= asked.limit), None)
            if j == i:
                return
            if j is not None:
                inside = day.occupied[i:j]
                free = self.builder.new_bool(not any(map(self.builder.value, inside)))
                for here in inside:
                    self.builder.bound([(1, free), (1, here)], 1)
                pieces.append(free)
        if pieces:
            self.penalise(asked, [([(-1, free) for free in pieces], 1)])
        else:
            self.penalise(asked, [([(1, day.used)], 0)])

    # --- what a week costs -------------------------------------------------------------------------------------------

    def week_gap(self, asked: Asked, week: list[tuple[int, Day]]) -> None:
        self.penalise(asked, [([(1, free) for _, day in week for free in day.gaps], -asked.limit)])

    def days(self, asked: Asked, week: list[tuple[int, Day]]) -> None:
        self.penalise(asked, [([(1, day.used) for _, day in week], -asked.limit)])

    def weekly_limit(self, asked: Asked, week: list[tuple[int, Day]]) -> None:
        self.above(asked, ([term for _, day in week for term in self.size(asked, day)], -asked.limit))

    def rest(self, asked: Asked, week: list[tuple[int, Day]]) -> None:
        """A night is too short when something ends late on the one day and something begins early on the next."""
        for (number, day), (following, next_day) in pairwise(week):
            if following != number + 1:
                continue
            rows: list[Row] = []
            for p, until in enumerate(day.end):
                early = [q for q, since in enumerate(next_day.start) if DAY_MINUTES - until + since < asked.limit]
                if early:
                    rows.append(([(1, day.left[p]), (1, next_day.begun[early[-1]])], -1))
            if rows:
                self.penalise(asked, rows)


DAY_BUILDERS: Mapping[str, Callable[[Attendance, Asked, Day], None]] = {
    kind: getattr(Attendance, kind) for kind in DAY_KINDS
}
WEEK_BUILDERS: Mapping[str, Callable[[Attendance, Asked, list[tuple[int, Day]]], None]] = {
    kind: getattr(Attendance, kind) for kind in ("week_gap", "days", "weekly_limit", "rest")
}
