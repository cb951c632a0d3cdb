"""
What makes a dataset inconsistent: ids that lead nowhere, numbers out of range, slots off the grid, circles.

`Dataset` runs these checks on itself; nobody else has to. Each finding carries the JSON pointer of the native format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Protocol, TypeAlias

from solver.calendar import TimeGrid, minutes_of
from solver.calendar_checks import grid_issues, term_issues
from solver.cohorts import MAX_COHORTS, cohort_counts, divisions_of, memberships
from solver.dates import Term
from solver.errors import Issue
from solver.pairing import never_kept, pairing_fault
from solver.person_rules import IN_SESSIONS, KINDS, PERSON_RULE
from solver.places import MAX_ROOMS_AT_ONCE
from solver.records import Course, Faculty, Group, Link, Part, Rating, Room, RuleSetting
from solver.terms import LINK_TYPES, MAX_ID_LENGTH, MAX_NUMBER, MAX_PENALTY, PAIRINGS, PERMISSIONS
from solver.weeks import Weeks


class Records(Protocol):
    """What a `Dataset` holds, as far as it is checked here."""

    @property
    def time_grid(self) -> TimeGrid: ...
    @property
    def rooms(self) -> tuple[Room, ...]: ...
    @property
    def faculty(self) -> tuple[Faculty, ...]: ...
    @property
    def groups(self) -> tuple[Group, ...]: ...
    @property
    def courses(self) -> tuple[Course, ...]: ...
    @property
    def links(self) -> tuple[Link, ...]: ...
    @property
    def travel_minutes(self) -> Mapping[str, Mapping[str, int]]: ...
    @property
    def history(self) -> tuple[Rating, ...]: ...
    @property
    def rules(self) -> Mapping[str, RuleSetting]: ...
    @property
    def term(self) -> Term | None: ...


def dataset_issues(dataset: Records) -> Iterator[Issue]:
    """
    Every inconsistency of a dataset, in document order. Shapes and types are the parser's business, not ours.

    What a slot says about a grid that is shorter than asked for follows the first such slot.
    """
    yield from grid_issues(dataset.time_grid)
    if any(grid_issues(dataset.time_grid)):
        return
    told = dataset.time_grid.shortened is None
    for issue in _content_issues(dataset):
        yield issue
        if not told and (misfit := _counted_otherwise(dataset.time_grid, issue)):
            told = True
            yield misfit


def _counted_otherwise(grid: TimeGrid, issue: Issue) -> Issue | None:
    """A slot that our days have not, and days as long as asked for have: whoever sent it counts longer days."""
    slot = issue.value
    if issue.code != "bad_slot" or not isinstance(slot, int) or not 0 <= slot < grid.num_days * grid.slots_per_day:
        return None
    message = (
        f"{grid.shortened}. There is a slot {slot} only with {grid.slots_per_day} slots a day: "
        f"make the day long enough for them, or number the slots {grid.num_periods} a day"
    )
    return Issue(pointer="/time_grid/slots_per_day", code="shorter_day", message=message, value=grid.slots_per_day)


def _content_issues(dataset: Records) -> Iterator[Issue]:
    if dataset.term is not None:
        yield from term_issues(dataset.term, dataset.time_grid.day_names)
    yield from _collection_issues(dataset)
    yield from _room_issues(dataset)
    yield from _faculty_issues(dataset)
    yield from _group_issues(dataset)
    yield from _course_issues(dataset)
    yield from _cycle_issues(dataset)
    yield from _link_issues(dataset)
    yield from _travel_and_history_issues(dataset)
    yield from _rule_issues(dataset)


def _collection_issues(dataset: Records) -> Iterator[Issue]:
    no_rooms = not dataset.rooms and any(part.rooms_needed for course in dataset.courses for part in course.apart())
    for key, empty in (("rooms", no_rooms), ("courses", not dataset.courses)):
        if empty:
            yield Issue(pointer=f"/{key}", code="empty", message=f"at least one entry is needed in {key}", value=[])
    collections: tuple[tuple[str, tuple[Room | Faculty | Group | Course, ...]], ...] = (
        ("rooms", dataset.rooms),
        ("faculty", dataset.faculty),
        ("groups", dataset.groups),
        ("courses", dataset.courses),
    )
    for key, entities in collections:
        seen: dict[str, int] = {}
        for i, entity in enumerate(entities):
            pointer = f"/{key}/{i}/id"
            if not entity.id or len(entity.id) > MAX_ID_LENGTH or not entity.id.isprintable():
                yield Issue(
                    pointer=pointer,
                    code="bad_id",
                    message=f"an id has 1 to {MAX_ID_LENGTH} printable characters, got {entity.id[:40]!r}",
                    value=entity.id,
                )
            elif entity.id in seen:
                yield Issue(
                    pointer=pointer,
                    code="duplicate",
                    message=f"{key} entry {entity.id!r} already stands at /{key}/{seen[entity.id]}",
                    value=entity.id,
                )
            seen.setdefault(entity.id, i)


def _room_issues(dataset: Records) -> Iterator[Issue]:
    for i, room in enumerate(dataset.rooms):
        yield from _range(f"/rooms/{i}/capacity", room.capacity, 0, MAX_NUMBER)
        yield from _range(f"/rooms/{i}/sessions_at_once", room.sessions_at_once, 1, MAX_NUMBER)
        yield from _slots(f"/rooms/{i}/unavailable", room.unavailable, dataset)


def _faculty_issues(dataset: Records) -> Iterator[Issue]:
    for i, teacher in enumerate(dataset.faculty):
        here = f"/faculty/{i}"
        yield from _range(f"{here}/max_sessions_per_week", teacher.max_sessions_per_week, 0, MAX_NUMBER)
        yield from _range(f"{here}/max_sessions_per_day", teacher.max_sessions_per_day, 0, MAX_NUMBER)
        yield from _slots(f"{here}/unavailable", teacher.unavailable, dataset)
        for slot, liking in teacher.preferences.items():
            yield from _slots(f"{here}/preferences/{slot}", (slot,), dataset, single=True)
            yield from _range(f"{here}/preferences/{slot}", liking, 0, 1)


def _group_issues(dataset: Records) -> Iterator[Issue]:
    for i, group in enumerate(dataset.groups):
        here = f"/groups/{i}"
        yield from _range(f"{here}/size", group.size, 0, MAX_NUMBER)
        yield from _range(f"{here}/max_sessions_per_day", group.max_sessions_per_day, 0, MAX_NUMBER)
        yield from _slots(f"{here}/unavailable", group.unavailable, dataset)
        if group.student_ids:
            yield from _unique(f"{here}/student_ids", group.student_ids)
    if any(group.part_of for group in dataset.groups):
        yield from _part_issues(dataset.groups)


def _part_issues(groups: tuple[Group, ...]) -> Iterator[Issue]:
    """Groups that are parts of unknown ones, of each other, with too many cohorts, or with members in two parts."""
    known = {group.id for group in groups}
    for i, group in enumerate(groups):
        yield from _references(f"/groups/{i}/part_of", group.part_of, known, "group")
    if any(not known.issuperset(group.part_of) for group in groups):
        return
    graph = {group.id: list(group.part_of) for group in groups}
    circle = _circle(graph)
    if circle:
        i = next(i for i, group in enumerate(groups) if group.id == circle[0])
        yield _cycle_issue(f"/groups/{i}/part_of", "groups are parts of each other in a circle", circle)
        return
    divisions = divisions_of(groups)
    counts = cohort_counts(groups, divisions)
    for i, group in enumerate(groups):
        if not group.part_of and counts[group.id] > MAX_COHORTS:
            message = (
                f"the parts of group {group.id!r} make {counts[group.id]} different ways to belong to them, at most "
                f"{MAX_COHORTS} are accepted. Maybe parts with nobody in common should have the same division."
            )
            yield Issue(pointer=f"/groups/{i}", code="too_large", message=message, value=counts[group.id])
    yield from _shared_members(groups)


def _shared_members(groups: tuple[Group, ...]) -> Iterator[Issue]:
    """Members of two parts of one division, the first one of each two such parts."""
    position = {group.id: i for i, group in enumerate(groups)}
    told: set[tuple[str, str]] = set()
    for student, ids in memberships(groups).items():
        part_in: dict[tuple[str, str], str] = {}
        for id in ids:
            group = groups[position[id]]
            for whole in group.part_of:
                other = part_in.setdefault((whole, group.division), id)
                if other != id and (other, id) not in told:
                    told.add((other, id))
                    message = (
                        f"student {student!r} is in {other!r}, too, but parts of {whole!r} with the same division "
                        "have nobody in common"
                    )
                    pointer = f"/groups/{position[id]}/student_ids"
                    yield Issue(pointer=pointer, code="in_two_parts", message=message, value=student)


_COURSE_NUMBERS = (
    ("expected_students", 0),
    ("credits", 0),
    ("min_days", 0),
    ("max_sessions_per_day", 1),
    ("priority", -MAX_NUMBER),
)
"""Numbers of a course with their smallest value; the largest is `MAX_NUMBER`."""


def _course_issues(dataset: Records) -> Iterator[Issue]:
    rooms, teachers = {r.id for r in dataset.rooms}, {f.id for f in dataset.faculty}
    groups, courses = {g.id for g in dataset.groups}, {c.id for c in dataset.courses}
    named = (("faculty_ids", teachers, "faculty"), ("group_ids", groups, "group"), ("prerequisites", courses, "course"))
    num_slots, num_periods = len(dataset.time_grid.slots), dataset.time_grid.num_periods
    for i, course in enumerate(dataset.courses):
        here = f"/courses/{i}"
        # Parts for different groups may run at once, so all of them together may need more slots than there are.
        most = num_slots * max(1, len(course.parts))
        yield from _range(f"{here}/sessions_per_week", course.sessions_per_week, 1, most, f"course {course.id!r}")
        yield from _range(f"{here}/session_slots", course.session_slots, 1, num_periods, f"course {course.id!r}")
        yield from _wanted_time_issues(here, course, dataset)
        yield from _wanted_room_issues(here, course, rooms)
        if course.parts:
            yield from _course_part_issues(f"{here}/parts", course, named, rooms, dataset)
        for field, low in _COURSE_NUMBERS:
            value = getattr(course, field)
            if value is not None and not low <= value <= MAX_NUMBER:
                yield from _range(f"{here}/{field}", value, low, MAX_NUMBER)
        for field, known, kind in named:
            ids = getattr(course, field)
            if ids:
                yield from _references(f"{here}/{field}", ids, known, kind)
        if course.student_ids:
            yield from _unique(f"{here}/student_ids", course.student_ids)
        if course.allowed_slots is not None:
            yield from _slots(f"{here}/allowed_slots", course.allowed_slots, dataset)
        yield from _week_issues(f"{here}/weeks", course.weeks, dataset.term)
        if course.fixed:
            yield from _fixed_issues(f"{here}/fixed", course, rooms, dataset)


_Named: TypeAlias = tuple[tuple[str, set[str], str], ...]
"""Fields of ids, all the ids that there are, and what they are of."""


def _wanted_time_issues(pointer: str, owner: Course | Part, dataset: Records) -> Iterator[Issue]:
    """What a course, or a part of one, says of single starts."""
    for field, penalties in (("times", owner.times), ("time_penalties", owner.time_penalties)):
        for slot, penalty in (penalties or {}).items():
            yield from _slots(f"{pointer}/{field}/{slot}", (slot,), dataset, single=True)
            yield from _range(f"{pointer}/{field}/{slot}", penalty, 0, MAX_PENALTY)


def _wanted_room_issues(pointer: str, owner: Course | Part, rooms: set[str]) -> Iterator[Issue]:
    """What a course, or a part of one, says of single rooms and of their number."""
    for field, penalties in (("rooms", owner.rooms), ("room_penalties", owner.room_penalties)):
        for id, penalty in (penalties or {}).items():
            here = f"{pointer}/{field}/{_escape(id)}"
            yield from _references(here, (id,), rooms, "room", single=True)
            yield from _range(here, penalty, 0, MAX_PENALTY)
    most = min(MAX_ROOMS_AT_ONCE, len(rooms))
    yield from _range(f"{pointer}/rooms_needed", owner.rooms_needed, 0, max(1, most))


def _course_part_issues(
    pointer: str, course: Course, named: _Named, rooms: set[str], dataset: Records
) -> Iterator[Issue]:
    num_slots, num_periods = dataset.time_grid.num_slots, dataset.time_grid.num_periods
    for k, part in enumerate(course.parts):
        here = f"{pointer}/{k}"
        yield from _range(f"{here}/sessions", part.sessions, 1, num_slots, f"course {course.id!r}")
        yield from _range(f"{here}/session_slots", part.session_slots, 1, num_periods, f"course {course.id!r}")
        yield from _range(f"{here}/expected_students", part.expected_students, 0, MAX_NUMBER)
        yield from _wanted_time_issues(here, part, dataset)
        yield from _wanted_room_issues(here, part, rooms)
        for field, known, kind in named:
            if ids := getattr(part, field, None):
                yield from _references(f"{here}/{field}", ids, known, kind)
        if part.student_ids:
            yield from _unique(f"{here}/student_ids", part.student_ids)
        if part.allowed_slots is not None:
            yield from _slots(f"{here}/allowed_slots", part.allowed_slots, dataset)
        yield from _week_issues(f"{here}/weeks", part.weeks, dataset.term)
    total = sum(part.sessions for part in course.parts)
    if course.sessions_per_week != total:
        message = f"course {course.id!r}: its parts have {total} sessions together, so sessions_per_week is left out"
        yield Issue(
            pointer=f"{pointer.removesuffix('/parts')}/sessions_per_week",
            code="contradiction",
            message=message,
            value=course.sessions_per_week,
        )


def _week_issues(pointer: str, weeks: Weeks | None, term: Term | None) -> Iterator[Issue]:
    """Weeks of a term that is not known, that it does not have, or that stand out of order; or no week at all."""
    if weeks is None:
        return
    if term is None:
        message = "weeks are those of the term, so term has to say how many weeks it has"
        yield Issue(pointer=pointer, code="no_term", message=message, value=list(weeks))
    elif not weeks or list(weeks) != sorted({*weeks}):
        message = "weeks are one or more numbers, in order, each once"
        yield Issue(pointer=pointer, code="bad_weeks", message=message, value=list(weeks))
    else:
        for k, week in enumerate(weeks):
            yield from _range(f"{pointer}/{k}", week, 1, term.weeks)


def _fixed_issues(pointer: str, course: Course, rooms: set[str], dataset: Records) -> Iterator[Issue]:
    grid = dataset.time_grid
    yield from _unique(pointer, tuple(f.session for f in course.fixed), key="/session")
    for k, fixed in enumerate(course.fixed):
        yield from _range(f"{pointer}/{k}/session", fixed.session, 0, course.sessions_per_week - 1)
        for n, id in enumerate(fixed.room_ids):
            where = f"{pointer}/{k}/room_id" if n == 0 else f"{pointer}/{k}/more_rooms/{n - 1}"
            yield from _references(where, (id,), rooms, "room", single=True)
        part, distinct = _part_with(course, fixed.session), len(set(fixed.room_ids))
        if fixed.room_ids and (distinct != part.rooms_needed or distinct < len(fixed.room_ids)):
            yield Issue(
                pointer=f"{pointer}/{k}/room_id",
                code="wrong_rooms",
                message=f"course {course.id!r}: a session takes {part.rooms_needed} room"
                f"{'s' if part.rooms_needed != 1 else ''}, this one is fixed in {distinct}",
                value=list(fixed.room_ids),
            )
        length = part.session_slots
        if not grid.can_start(fixed.slot, length):
            when = f" ({grid.name_of(fixed.slot)})" if grid.exists(fixed.slot) else ""
            yield Issue(
                pointer=f"{pointer}/{k}/slot",
                code="bad_slot",
                message=f"course {course.id!r}: a session of {length} slot"
                f"{'s' if length > 1 else ''} cannot start at slot {fixed.slot}{when}",
                value=fixed.slot,
            )


def _part_with(course: Course, session: int) -> Course:
    """What one session is; there may be more of them than anybody could write down."""
    for part in course.apart():
        if session < part.sessions_per_week:
            return part
        session -= part.sessions_per_week
    return course


def _cycle_issues(dataset: Records) -> Iterator[Issue]:
    """Names one cycle of prerequisites, if there is any."""
    known = {course.id for course in dataset.courses}
    graph = {c.id: [p for p in c.prerequisites if p in known] for c in dataset.courses if c.prerequisites}
    cycle = _circle(graph)
    if cycle:
        position = next(i for i, course in enumerate(dataset.courses) if course.id == cycle[0])
        yield _cycle_issue(f"/courses/{position}/prerequisites", "prerequisites run in a circle", cycle)


def _circle(graph: Mapping[str, list[str]]) -> list[str]:
    """One circle, from an id to itself; empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def _cycle_issue(pointer: str, what: str, cycle: list[str]) -> Issue:
    shown = " -> ".join(cycle if len(cycle) <= 12 else [*cycle[:6], "...", *cycle[-5:]])
    return Issue(pointer=pointer, code="cycle", message=f"{what}: {shown}", value=cycle)


def _link_issues(dataset: Records) -> Iterator[Issue]:
    sessions_of = {course.id: course.sessions_per_week for course in dataset.courses}
    known_courses = set(sessions_of)
    apart = not any(link.type in PERMISSIONS and link.tier != "off" for link in dataset.links)
    for i, link in enumerate(dataset.links):
        here = f"/links/{i}"
        if link.type not in LINK_TYPES:
            yield Issue(
                pointer=f"{here}/type", code="unknown_link", message=f"unknown link type {link.type!r}", value=link.type
            )
        yield from _range(f"{here}/weight", link.weight, 0, MAX_NUMBER)
        yield from _range(f"{here}/value", link.value, 0, MAX_NUMBER)
        yield from _range(f"{here}/most", link.most, 0, MAX_NUMBER)
        if link.type == "min_gap" and link.value is None:
            yield Issue(
                pointer=f"{here}/value", code="missing", message="a min_gap link needs a value in slots", value=None
            )
        if link.type == "days_apart" and link.value is None and link.most is None:
            message = "a days_apart link needs a value or most, in days"
            yield Issue(pointer=f"{here}/value", code="missing", message=message, value=None)
        if not link.sessions or (len(link.sessions) == 1 and link.sessions[0][1] is not None):
            yield Issue(
                pointer=f"{here}/sessions",
                code="too_few",
                message="a link ties at least two sessions",
                value=[list(member) for member in link.sessions],
            )
        if link.pairing is not None and link.pairing not in PAIRINGS:
            message = f"unknown pairing {link.pairing!r}; there are {', '.join(PAIRINGS)}"
            yield Issue(pointer=f"{here}/pairing", code="unknown_pairing", message=message, value=link.pairing)
        unclear = False
        for k, (course_id, session) in enumerate(link.sessions):
            pointer = f"{here}/sessions/{k}"
            faults = [*_references(f"{pointer}/0", (course_id,), known_courses, "course", single=True)]
            if session is not None and course_id in sessions_of:
                faults += _range(f"{pointer}/1", session, 0, sessions_of[course_id] - 1)
            yield from faults
            # Of a course with an impossible number of sessions, which is told there, nothing follows for its links.
            unclear = unclear or bool(faults) or not 1 <= sessions_of[course_id] <= dataset.time_grid.num_slots
        if link.sessions and link.tier != "off" and not unclear and link.type in LINK_TYPES:
            yield from _impossible_link(here, link, sessions_of, dataset.rules, apart)


def _impossible_link(
    here: str, link: Link, sizes: Mapping[str, int], rules: Mapping[str, RuleSetting], apart: bool
) -> Iterator[Issue]:
    """
    What cannot be paired as it should be; and, where it is required, what nothing could keep. `apart` is whether no
    sessions have a permission to clash.
    """
    why = pairing_fault(link, sizes)
    if why is None and link.tier == "hard" and _stays_hard("link", rules):
        why = never_kept(link, sizes, apart=apart and _stays_hard("group_clash", rules))
    if why is not None:
        shown = [list(member) for member in link.sessions]
        yield Issue(
            pointer=f"{here}/sessions",
            code="cannot_hold",
            message=f"no timetable can keep this link: {why}",
            value=shown,
        )


def _stays_hard(rule_id: str, rules: Mapping[str, RuleSetting]) -> bool:
    """Whether a dataset leaves a rule hard that is so by default."""
    setting = rules.get(rule_id)
    return setting is None or setting.tier in (None, "hard")


def _travel_and_history_issues(dataset: Records) -> Iterator[Issue]:
    for building, row in dataset.travel_minutes.items():
        for other, minutes in row.items():
            yield from _range(f"/travel_minutes/{_escape(building)}/{_escape(other)}", minutes, 0, 24 * 60)
    teachers = {f.id for f in dataset.faculty}
    for i, rating in enumerate(dataset.history):
        yield from _references(f"/history/{i}/faculty_id", (rating.faculty_id,), teachers, "faculty", single=True)
        yield from _slots(f"/history/{i}/slot", (rating.slot,), dataset, single=True)
        yield from _range(f"/history/{i}/rating", rating.rating, 0, 1)


def _rule_issues(dataset: Records) -> Iterator[Issue]:
    """What is said of single people, of units and of windows; whether there is such a rule is not asked here."""
    people: dict[str, set[str]] = {}
    for id, setting in dataset.rules.items():
        here, rule = f"/rules/{_escape(id)}", PERSON_RULE.get(id)
        kind = None if rule is None else KINDS[rule.kind]
        if setting.values and (rule is None or kind is None or not kind.takes_value or id == "last_slot"):
            message = f"the rule {id!r} has no values of single people or groups"
            yield Issue(pointer=f"{here}/values", code="no_such_setting", message=message, value=dict(setting.values))
        elif setting.values and rule is not None:
            people = people or _people(dataset)
            known = set().union(*(people[who] for who in rule.who))
            for name, value in setting.values.items():
                yield from _references(f"{here}/values/{_escape(name)}", (name,), known, "person or group", single=True)
                yield from _range(f"{here}/values/{_escape(name)}", value, 0, MAX_NUMBER)
        units = ["sessions"] if id in IN_SESSIONS else []
        units += ["slots", "minutes"] if kind is not None and kind.in_minutes else []
        if setting.unit is not None and setting.unit not in units:
            may = f"counts {' or '.join(units)}" if units else "has no unit to choose"
            message = f"the rule {id!r} {may}, not {setting.unit!r}"
            yield Issue(pointer=f"{here}/unit", code="no_such_setting", message=message, value=setting.unit)
        if setting.window is not None:
            yield from _window_issues(here, id, setting.window, has_window=rule is not None and rule.kind == "lunch")


def _people(dataset: Records) -> dict[str, set[str]]:
    students = {id for course in dataset.courses for id in course.student_ids}
    students |= {id for course in dataset.courses for part in course.parts for id in part.student_ids or ()}
    students |= {id for group in dataset.groups for id in group.student_ids}
    return {
        "faculty": {teacher.id for teacher in dataset.faculty},
        "group": {group.id for group in dataset.groups},
        "student": students,
        "lone": students,
    }


def _window_issues(here: str, id: str, window: tuple[str, str], *, has_window: bool) -> Iterator[Issue]:
    start, end = map(minutes_of, window)
    if not has_window:
        message = f"the rule {id!r} has no window"
        yield Issue(pointer=f"{here}/window", code="no_such_setting", message=message, value=list(window))
    elif start is None or end is None or end <= start:
        message = f"a window goes from a clock time to a later one, got {window[0]!r} to {window[1]!r}"
        yield Issue(pointer=f"{here}/window", code="bad_time", message=message, value=list(window))


def _escape(key: str) -> str:
    """A key as one token of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _range(pointer: str, value: float | None, low: float, high: float, owner: str = "") -> Iterator[Issue]:
    if value is None or low <= value <= high:
        return
    name = pointer.rsplit("/", 1)[1]
    bound = f">= {low}" if value < low else f"<= {high}"
    prefix = f"{owner}: " if owner else ""
    yield Issue(
        pointer=pointer, code="out_of_range", message=f"{prefix}{name} must be {bound}, got {value}", value=value
    )


def _slots(pointer: str, slots: tuple[int, ...], dataset: Records, *, single: bool = False) -> Iterator[Issue]:
    grid = dataset.time_grid
    for k, slot in enumerate(slots):
        if not grid.exists(slot):
            yield Issue(
                pointer=pointer if single else f"{pointer}/{k}",
                code="bad_slot",
                message=no_slot(grid, slot),
                value=slot,
            )


def no_slot(grid: TimeGrid, slot: int) -> str:
    """Why there is no such slot."""
    if not 0 <= slot < grid.num_slots:
        return f"slot {slot} is not on the grid, which has slots 0 to {grid.num_slots - 1}"
    day, period = grid.day_of(slot), grid.period_of(slot)
    return (
        f"slot {slot} would be period {period + 1} of {grid.day_names[day]}, "
        f"which has {len(grid.periods_of(day))} periods"
    )


def _references(
    pointer: str, ids: tuple[str, ...], known: Iterable[str], kind: str, *, single: bool = False
) -> Iterator[Issue]:
    known = known if isinstance(known, set) else set(known)
    for k, reference in enumerate(ids):
        if reference not in known:
            yield Issue(
                pointer=pointer if single else f"{pointer}/{k}",
                code="dangling_id",
                message=f"there is no {kind} with id {reference!r}",
                value=reference,
            )
    if not single:
        yield from _unique(pointer, ids)


def _unique(pointer: str, values: tuple[object, ...], key: str = "") -> Iterator[Issue]:
    if len(set(values)) == len(values):
        return
    seen: set[object] = set()
    for k, value in enumerate(values):
        if value in seen:
            yield Issue(
                pointer=f"{pointer}/{k}{key}", code="duplicate", message=f"{value!r} stands here twice", value=value
            )
        seen.add(value)
