"""
What a dataset demands, as one named assumption after the other, so that a solver can say which of them cannot hold
together.

Rooms are not assigned here: an assumption says how many sessions some set of rooms can hold in a slot. That, and
leaving out room links and soft rules made hard, only drops assumptions: whatever is found impossible is impossible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from ortools.sat.python import cp_model

from solver.compiled import Compiled
from solver.cpsat.links import block_begins
from solver.cpsat.model_builder import ModelBuilder
from solver.cpsat.plan import Array, Treatment, limited, on_grid, treatments
from solver.cpsat.supply import held_by
from solver.links import LINKS, NO_MOST, times_keep
from solver.model import Course, Dataset, Link
from solver.names import Names, counted, days_in_words, default_note, listed

MAX_PAIR_CONSTRAINTS = 300_000
"""Above this many (pair of courses, slot) common students are left out."""

AtMost = Callable[[Sequence[cp_model.LiteralT], int], None]
"""Posts: at most so many of the literals are set."""
Post = Callable[[ModelBuilder, AtMost], None]


@dataclass(frozen=True, slots=True)
class Assumption:
    """
    One thing somebody demands, assumed to hold.

    `courses` are the indices of the courses it is about; `places` is the course it wants placed, None where it forbids
    something: a course that nobody wants placed plays no part, unless it is one of `joined`, whose sessions may help to
    keep the demand.
    """

    rules: tuple[str, ...]
    sentence: str
    courses: frozenset[int]
    post: Post
    places: int | None = None
    joined: frozenset[int] = frozenset()


def assumptions_of(dataset: Dataset, compiled: Compiled) -> list[Assumption]:
    """Every assumption of the hard rules, placements first."""
    writer = _Writer(dataset, compiled)
    return [
        *writer.placements(),
        *writer.starts(),
        *writer.fixed(),
        *writer.people("faculty"),
        *writer.people("group"),
        *writer.course_days(),
        *writer.room_supply(),
        *writer.links(),
        *writer.students(),
    ]


class _Writer:
    """Finds the assumptions of one dataset and puts them into words."""

    def __init__(self, dataset: Dataset, compiled: Compiled) -> None:
        self.dataset, self.compiled, self.names = dataset, compiled, Names(dataset)
        self.treat = treatments(compiled, bend=False)
        self.whole_course: dict[str, list[int]] = {}
        for c, course in enumerate(dataset.parts):
            self.whole_course.setdefault(course.id, []).append(c)

    def hard(self, rule_id: str) -> bool:
        return self.treat[rule_id] is Treatment.FORBID

    def course(self, c: int) -> str:
        return self.names.part(self.dataset.parts[c])

    def courses(self, indices: Iterable[int]) -> str:
        return listed(list(dict.fromkeys(self.course(c) for c in indices)))

    # --- courses -----------------------------------------------------------------------------------------------------

    def placements(self) -> Iterator[Assumption]:
        for c, course in enumerate(self.dataset.parts):
            each = "" if course.session_slots == 1 else f" of {course.session_slots} slots"
            sentence = f"{self.course(c)} has {counted(course.sessions_per_week, 'session')}{each} a week."
            yield Assumption(("unplaced",), sentence, frozenset((c,)), _place(c), places=c)

    def starts(self) -> Iterator[Assumption]:
        for c in range(len(self.dataset.parts)) if self.hard("slot_forbidden") else ():
            grid = on_grid(self.compiled, int(self.compiled.length[c]))
            allowed = grid & (self.compiled.slot_forbidden[c] == 0)
            if allowed.sum() < grid.sum():
                open_slots = [self.names.slot(t) for t in np.flatnonzero(allowed).tolist()]
                sentence = f"{self.course(c)} may start {'only at ' + listed(open_slots) if open_slots else 'nowhere'}."
                yield Assumption(("slot_forbidden",), sentence, frozenset((c,)), _forbid_starts({c: ~allowed}))

    def fixed(self) -> Iterator[Assumption]:
        for s in np.flatnonzero(self.compiled.fixed_slot >= 0).tolist() if self.hard("fixed_moved") else ():
            c, slot = int(self.compiled.course_of_session[s]), int(self.compiled.fixed_slot[s])
            room = int(self.compiled.fixed_room[s])
            where = f" in {self.names.rooms(self.dataset.places[room].ids)}" if room >= 0 else ""
            sentence = f"{self.names.session(self.dataset.sessions[s])} is fixed to {self.names.slot(slot)}{where}."
            yield Assumption(("fixed_moved",), sentence, frozenset((c,)), _fix(s, slot))

    def course_days(self) -> Iterator[Assumption]:
        for w, limit in enumerate(self.compiled.course_day_limit.tolist()) if self.hard("course_daily_limit") else ():
            course = self.dataset.courses[w]
            if limited(limit) and limit < course.sessions_per_week:
                name, parts = self.names.course(course.id), self.whole_course[course.id]
                sentence = f"{name} has at most {counted(limit, 'session')} a day{default_note(limit)}."
                yield Assumption(("course_daily_limit",), sentence, frozenset(parts), _limit_days(parts, limit))

    # --- teachers and groups -----------------------------------------------------------------------------------------

    def people(self, kind: str) -> Iterator[Assumption]:
        compiled = self.compiled
        pointers, items = (
            (compiled.faculty_ptr, compiled.faculty) if kind == "faculty" else (compiled.group_ptr, compiled.group)
        )
        owned: dict[int, list[int]] = {}
        for c in range(compiled.num_courses):
            for owner in items[pointers[c] : pointers[c + 1]].tolist():
                owned.setdefault(owner, []).append(c)
        for owner, courses in owned.items():
            if kind == "faculty":
                yield from self.teacher(owner, courses)
            elif owner < compiled.num_groups:
                yield from self.group(owner, courses)
            elif self.hard("group_clash"):
                name = self.names.course(self.dataset.parts[courses[0]].id)
                yield from self.one_at_a_time("group_clash", name, courses)

    def teacher(self, f: int, courses: list[int]) -> Iterator[Assumption]:
        teacher = self.dataset.faculty[f]
        who = self.names.teacher(teacher.id)
        yield from self.one_at_a_time("faculty_clash", who, courses) if self.hard("faculty_clash") else ()
        if teacher.unavailable and self.hard("faculty_unavailable"):
            yield self.away("faculty_unavailable", who, teacher.unavailable, courses)
        yield from self.daily("faculty_daily_limit", who, teacher.max_sessions_per_day, courses)
        week = teacher.max_sessions_per_week
        if week is not None and self.hard("faculty_weekly_limit") and week < self.sessions(courses):
            sentence = f"{who} gives at most {counted(week, 'session')} a week."
            yield Assumption(("faculty_weekly_limit",), sentence, frozenset(courses), _limit_week(courses, week))

    def group(self, g: int, courses: list[int]) -> Iterator[Assumption]:
        group = self.dataset.cohorts[g]
        who = self.names.cohort(group.id)
        yield from self.one_at_a_time("group_clash", who, courses) if self.hard("group_clash") else ()
        if group.unavailable and self.hard("group_unavailable"):
            yield self.away("group_unavailable", who, group.unavailable, courses)
        yield from self.daily("group_daily_limit", who, group.max_sessions_per_day, courses)

    def one_at_a_time(self, rule_id: str, who: str, courses: list[int]) -> Iterator[Assumption]:
        if self.sessions(courses) > 1:
            yield Assumption(
                (rule_id,), f"{who} has one session at a time.", frozenset(courses), _one_at_a_time(courses)
            )

    def away(self, rule_id: str, who: str, unavailable: tuple[int, ...], courses: list[int]) -> Assumption:
        closed = np.zeros(self.compiled.num_slots, dtype=bool)
        closed[list(unavailable)] = True
        there = [self.names.slot(t) for t in self.dataset.time_grid.slots if not closed[t]]
        sentence = f"{who} is available in {counted(len(there), 'slot')}{': ' + listed(there) if there else ''}."
        return Assumption((rule_id,), sentence, frozenset(courses), _forbid_covered(courses, closed))

    def daily(self, rule_id: str, who: str, limit: int | None, courses: list[int]) -> Iterator[Assumption]:
        if limit is not None and self.hard(rule_id) and limit < self.sessions(courses):
            sentence = f"{who} has at most {counted(limit, 'session')} a day."
            yield Assumption((rule_id,), sentence, frozenset(courses), _limit_days(courses, limit))

    def sessions(self, courses: Iterable[int]) -> int:
        return sum(self.dataset.parts[c].sessions_per_week for c in courses)

    # --- rooms -------------------------------------------------------------------------------------------------------

    def room_supply(self) -> Iterator[Assumption]:
        """For each set of places that some session is confined to: it holds only so many sessions in a slot."""
        confined: dict[tuple[int, ...], list[int]] = {}
        for s, rooms in enumerate(self._usable_rooms()):
            confined.setdefault(rooms, []).append(s)
        fewest = sorted(confined, key=lambda rooms: (len(rooms), rooms))
        for rooms in fewest if self.hard("room_clash") else [rooms for rooms in fewest if not rooms]:
            inside = set(rooms)
            sessions = [
                s for other, own in confined.items() if other == rooms or (other and inside > set(other)) for s in own
            ]
            supply = np.array([held_by(self.compiled, rooms, t) for t in range(self.compiled.num_slots)])
            if (supply < len(sessions)).any():
                yield self._supply(rooms, sessions, supply)

    def _usable_rooms(self) -> list[tuple[int, ...]]:
        """Places each session may use by the hard rules."""
        compiled = self.compiled
        by_demand: dict[tuple[int, int, bytes], Array] = {}
        usable = []
        for s in range(compiled.num_sessions):
            c, pinned = int(compiled.course_of_session[s]), int(compiled.fixed_room[s])
            key = (int(compiled.seats[c]), int(compiled.rooms_needed[c]), compiled.room_unsuitable[c].tobytes())
            if key not in by_demand:
                fits = np.array(compiled.place_offered[c] > 0)
                if self.hard("room_unsuitable"):
                    fits &= compiled.room_unsuitable[c] == 0
                if self.hard("room_capacity"):
                    fits &= compiled.room_seats >= compiled.seats[c]
                by_demand[key] = np.flatnonzero(fits)
            rooms = tuple(by_demand[key].tolist())
            usable.append(tuple(r for r in rooms if r == pinned) if pinned >= 0 and self.hard("fixed_moved") else rooms)
        return usable

    def _supply(self, places: tuple[int, ...], sessions: list[int], supply: Array) -> Assumption:
        compiled = self.compiled
        courses = list(dict.fromkeys(compiled.course_of_session[sessions].tolist()))
        rooms = list(dict.fromkeys(id for q in places for id in self.dataset.places[q].ids))
        if not self.hard("room_clash"):
            supply = np.full(compiled.num_slots, len(sessions) if rooms else 0)
        names = listed([self.names.room(id) for id in rooms])
        if not rooms:
            sentence = f"No room suits {self.courses(courses)}: {self._wishes(self.dataset.parts[courses[0]])}."
        else:
            verb = "is the only room" if len(rooms) == 1 else "are the only rooms"
            total = counted(int(supply.sum()), "session slot")
            sentence = f"{names} {verb} for {self.courses(courses)}, with {total} a week."
        rules = [*(["room_clash"] if rooms else []), *self._confining(sessions)]
        return Assumption(tuple(rules), sentence, frozenset(courses), _limit_cover(sessions, supply))

    def _confining(self, sessions: list[int]) -> list[str]:
        """Rules that keep the sessions out of other rooms."""
        compiled = self.compiled
        pinned = (compiled.fixed_room[sessions] >= 0) & self.hard("fixed_moved")
        free = compiled.course_of_session[sessions][~pinned]
        found = {
            "fixed_moved": pinned.any(),
            "room_unsuitable": self.hard("room_unsuitable") and compiled.room_unsuitable[free].any(),
            "room_capacity": self.hard("room_capacity") and (compiled.seats[free] > compiled.room_seats.min()).any(),
        }
        return [rule for rule, confines in found.items() if confines]

    def _wishes(self, course: Course) -> str:
        kind = " or ".join(course.room_types) or "room of any type"
        features = f" with {listed(course.required_features)}" if course.required_features else ""
        return f"{counted(self.dataset.expected_students(course), 'seat')}, {kind}{features}"

    # --- between sessions --------------------------------------------------------------------------------------------

    def links(self) -> Iterator[Assumption]:
        index = {key: s for s, key in enumerate(self.dataset.sessions)}
        for link in self.dataset.links if self.hard("link") else ():
            about = LINKS[link.type].about
            if link.tier != "hard" or about in ("room", "people"):
                continue
            if about == "blocks":
                post = _keep_block([index[key] for key in self.dataset.sessions_of(link)])
            else:
                post = _keep_link(link, [(index[a], index[b]) for a, b in self.dataset.expand(link)])
            members = [self.names.course(c) if s is None else self.names.session((c, s)) for c, s in link.sessions]
            says = {"min_gap": f" ({counted(link.value or 0, 'slot')})", "days_apart": f" ({days_in_words(link)})"}
            sentence = f"Link {link.type.replace('_', ' ')}{says.get(link.type, '')}: {listed(members)}."
            courses = frozenset(c for course_id, _ in link.sessions for c in self.whole_course[course_id])
            # A session that nobody wants placed may stand all the same, and fill a hole between the others.
            joined = courses if about == "blocks" else frozenset[int]()
            yield Assumption(("link",), sentence, courses, post, joined=joined)

    def students(self) -> Iterator[Assumption]:
        compiled = self.compiled
        too_many = len(compiled.conflict) // 2 * compiled.num_slots > MAX_PAIR_CONSTRAINTS
        if too_many or not self.hard("student_clash"):
            return
        for c in range(compiled.num_courses):
            row = slice(compiled.conflict_ptr[c], compiled.conflict_ptr[c + 1])
            for other, common in zip(
                compiled.conflict[row].tolist(), compiled.conflict_students[row].tolist(), strict=True
            ):
                if other > c:
                    who = counted(common, "student")
                    sentence = f"{self.courses((c, other))} share {who} and may not run at the same time."
                    yield Assumption(("student_clash",), sentence, frozenset((c, other)), _apart(c, other))


# --- constraints -----------------------------------------------------------------------------------------------------


def _units(builder: ModelBuilder, courses: Iterable[int]) -> list[int]:
    return [u for c in courses for u in builder.units_of_course.get(c, ())]


def _place(course: int) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        for u in builder.units_of_course[course]:
            literals, size = list(builder.x[u].values()), builder.plan.units[u].size
            # "At least n" as "at most len - n of the negations", to have one kind of constraint.
            at_most([~literal for literal in literals], len(literals) - size)

    return post


def _forbid_starts(forbidden: dict[int, Array]) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        for c, mask in forbidden.items():
            for u in builder.units_of_course.get(c, ()):
                at_most([literal for t, literal in builder.x[u].items() if mask[t]], 0)

    return post


def _forbid_covered(courses: list[int], closed: Array) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        for u in _units(builder, courses):
            length = builder.plan.units[u].length
            at_most([literal for t, literal in builder.x[u].items() if closed[t : t + length].any()], 0)

    return post


def _fix(session: int, slot: int) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        for u, unit in enumerate(builder.plan.units):
            if unit.sessions == (session,):
                at_most([literal for t, literal in builder.x[u].items() if t != slot], 0)

    return post


def _one_at_a_time(courses: list[int]) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        units = _units(builder, courses)
        for t in range(builder.compiled.num_slots):
            at_most(builder.apart_covers(units, t), 1)

    return post


def _limit_days(courses: Iterable[int], limit: int) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        units = _units(builder, courses)
        for day in range(builder.compiled.num_days):
            at_most(builder.starting(units, day), limit)

    return post


def _limit_week(courses: list[int], limit: int) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        at_most([literal for u in _units(builder, courses) for literal in builder.x[u].values()], limit)

    return post


def _limit_cover(sessions: list[int], supply: Array) -> Post:
    wanted = set(sessions)

    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        units = [u for u, unit in enumerate(builder.plan.units) if unit.sessions[0] in wanted]
        for t in range(builder.compiled.num_slots):
            at_most(builder.covers(units, t), int(supply[t]))

    return post


def _keep_link(link: Link, pairs: list[tuple[int, int]]) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        unit_of = {unit.sessions[0]: u for u, unit in enumerate(builder.plan.units) if unit.size == 1}
        for a, b in pairs:
            if a in unit_of and b in unit_of:
                _keep_pair(builder, at_most, link, unit_of[a], unit_of[b])

    return post


def _keep_pair(builder: ModelBuilder, at_most: AtMost, link: Link, u: int, v: int) -> None:
    starts, others = list(builder.x[u]), list(builder.x[v])
    lengths = (builder.plan.units[u].length, builder.plan.units[v].length)
    says = (link.value or 0, NO_MOST if link.most is None else link.most)
    holds = times_keep(link.type, np.array(starts), np.array(others), lengths, builder.compiled.clock, *says)
    for i, t in enumerate(starts):
        bad = [builder.x[v][others[j]] for j in np.flatnonzero(~holds[i])]
        for literal in bad:
            at_most([builder.x[u][t], literal], 1)


def _keep_block(sessions: list[int]) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        unit_of = {unit.sessions[0]: u for u, unit in enumerate(builder.plan.units) if unit.size == 1}
        units = [(builder.plan.units[unit_of[s]].length, builder.x[unit_of[s]]) for s in sessions]
        at_most([term for term in block_begins(builder, units) if not isinstance(term, int)], 1)

    return post


def _apart(course: int, other: int) -> Post:
    def post(builder: ModelBuilder, at_most: AtMost) -> None:
        first, second = _units(builder, (course,)), _units(builder, (other,))
        for t in range(builder.compiled.num_slots):
            for u in first:
                for v in second:
                    if not builder.may_clash(u, v):
                        at_most([*builder.cover(u, t), *builder.cover(v, t)], 1)

    return post
