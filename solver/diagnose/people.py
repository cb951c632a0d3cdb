"""
Proofs about somebody who can do one thing at a time: a teacher, a group, a course, a student.

Three arguments. Slots: the sessions need more slots than they can reach, all together or a subset of them (Hall's
condition, decided by a matching of slots). Blocks: sessions of L slots and more find fewer stretches of L free slots.
Limits: more sessions than the limits of the week or of the days let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from solver.diagnose.facts import Bits, Facts, Options, covered, indices
from solver.names import counted, default_note, listed
from solver.result import Proof
from solver.terms import SessionKey

SHOWN_ENTITIES = 20


@dataclass(frozen=True, slots=True)
class Demand:
    """Sessions of one course with the same options; `cover` is every slot they could cover."""

    keys: tuple[SessionKey, ...]
    options: Options
    length: int
    cover: Bits

    @property
    def slots(self) -> int:
        """Slots that all the sessions take together."""
        return len(self.keys) * self.length


@dataclass(frozen=True, slots=True)
class Owner:
    """One who can be in one session at a time by `rule`, with a daily limit by `limit_rule` where there is one."""

    kind: str
    name: str
    ids: tuple[str, ...]
    rule: str
    demands: tuple[Demand, ...]
    limit: int | None = None
    limit_rule: str = ""
    exclusive: bool = True
    """Whether it is they who can be in one session at a time; a course in parts only has a limit."""

    @property
    def sessions(self) -> int:
        """Sessions of all the demands."""
        return sum(len(demand.keys) for demand in self.demands)


def demands_of(facts: Facts, part: int) -> Iterator[Demand]:
    """The sessions of one of `Dataset.parts` that can start somewhere; the others have a proof of their own."""
    length = facts.dataset.parts[part].session_slots
    alike: dict[int, tuple[Options, list[SessionKey]]] = {}
    for key in facts.dataset.sessions_of_part[part]:
        options = facts.options(key)
        alike.setdefault(id(options), (options, []))[1].append(key)
    for options, keys in alike.values():
        if options.starts:
            yield Demand(tuple(keys), options, length, covered(options.starts, length))


def people_proofs(facts: Facts) -> Iterator[Proof]:
    """At most one proof of each kind per person, group or course."""
    demands = [tuple(demands_of(facts, part)) for part in range(len(facts.dataset.parts))]
    for owner in _owners(facts, demands):
        if facts.hard(owner.rule) and owner.exclusive:
            yield from _slot_proofs(facts, _one_of_each_class(facts, owner))
        if owner.limit is not None and facts.hard(owner.limit_rule):
            yield from _daily_proofs(facts, owner)
    yield from _weekly_proofs(facts)
    yield from _spread_proofs(facts)


def _owners(facts: Facts, demands: Sequence[tuple[Demand, ...]]) -> Iterator[Owner]:
    taught: dict[str, list[int]] = {}
    attended: dict[str, list[int]] = {}
    of_course: dict[str, list[int]] = {}
    for n, part in enumerate(facts.dataset.parts):
        of_course.setdefault(part.id, []).append(n)
        for id in part.faculty_ids:
            taught.setdefault(id, []).append(n)
        for id in facts.dataset.cohorts_of(part):
            attended.setdefault(id, []).append(n)

    def all_of(parts: Iterable[int]) -> tuple[Demand, ...]:
        return tuple(demand for part in parts for demand in demands[part])

    for id, parts in taught.items():
        name, limit = f"teacher {facts.names.teacher(id)}", facts.dataset.teacher[id].max_sessions_per_day
        yield Owner("teacher", name, (id,), "faculty_clash", all_of(parts), limit, "faculty_daily_limit")
    for id, parts in attended.items():
        name, limit = f"group {facts.names.cohort(id)}", facts.dataset.cohort[id].max_sessions_per_day
        groups = facts.dataset.cohort[id].groups
        yield Owner("group", name, groups, "group_clash", all_of(parts), limit, "group_daily_limit")
    for course in facts.dataset.courses:
        name, limit = f"course {facts.names.course(course.id)}", course.max_sessions_per_day
        parts, rule = of_course[course.id], "course_daily_limit"
        yield Owner("course", name, (course.id,), "group_clash", all_of(parts), limit, rule, exclusive=not course.parts)
        if course.parts:  # parts for different groups may run at once, those without any may not
            alone = [n for n in parts if not facts.dataset.parts[n].group_ids]
            yield Owner("course", name, (course.id,), "group_clash", all_of(alone))
    if facts.hard("group_clash"):
        for joint, ids in _students_by_parts(facts).items():
            name = facts.names.student(ids[0]) + (
                f" (and {len(ids) - 1} more with the same courses)" if len(ids) > 1 else ""
            )
            yield Owner("student", name, tuple(ids[:SHOWN_ENTITIES]), "student_clash", all_of(joint))


def _one_of_each_class(facts: Facts, owner: Owner) -> Owner:
    """Of sessions that may clash with each other the first one only: the others may run at the same time."""
    classes = facts.dataset.together
    if not classes:
        return owner
    seen: set[int] = set()
    demands = []
    for demand in owner.demands:
        keys = []
        for key in demand.keys:
            number = classes.get(key)
            if number is None or number not in seen:
                keys.append(key)
            if number is not None:
                seen.add(number)
        if keys:
            demands.append(replace(demand, keys=tuple(keys)))
    return replace(owner, demands=tuple(demands))


def _students_by_parts(facts: Facts) -> Mapping[tuple[int, ...], list[str]]:
    """Students with the same courses are one case, and one proof."""
    parts_of: dict[str, list[int]] = {}
    for n, part in enumerate(facts.dataset.parts):
        for student in facts.dataset.students_of(part):
            parts_of.setdefault(student, []).append(n)
    students: dict[tuple[int, ...], list[str]] = {}
    for student, parts in parts_of.items():
        if len(parts) > 1:
            students.setdefault(tuple(parts), []).append(student)
    return students


# --- slots -----------------------------------------------------------------------------------------------------------


def _slot_proofs(facts: Facts, owner: Owner) -> Iterator[Proof]:
    proof = _too_few_slots(facts, owner) or _too_few_blocks(facts, owner)
    if proof is not None:
        yield proof


def _too_few_slots(facts: Facts, owner: Owner) -> Proof | None:
    needed = sum(demand.slots for demand in owner.demands)
    union = _union(demand.cover for demand in owner.demands)
    if needed > union.bit_count():
        has = f"{owner.name} has {counted(owner.sessions, 'session')} that take {counted(needed, 'slot')}"
        open_slots, verb = counted(union.bit_count(), "slot"), "is" if union.bit_count() == 1 else "are"
        sentence = f"{has}, but only {open_slots} of the week {verb} open to them"
        return _proof(owner, f"{owner.kind}_overload", sentence, owner.demands, needed, union.bit_count())
    narrow = _hall_violator(owner.demands)
    if narrow is None:
        return None
    few = [demand for demand in owner.demands if not demand.cover & ~narrow]
    needed, keys = sum(demand.slots for demand in few), [key for demand in few for key in demand.keys]
    have = f"{counted(len(keys), 'session')} of {owner.name} ({facts.names.sessions(keys)})"
    share = f"take {counted(needed, 'slot')} but can only use {narrow.bit_count()}: {facts.slots_in_words(narrow)}"
    return _proof(owner, f"{owner.kind}_pigeonhole", f"{have} {share}", few, needed, narrow.bit_count())


def _all_served(demands: Iterable[Demand]) -> bool:
    """Cheap and sufficient: whoever has few slots to choose from has as many as everybody with fewer needs together."""
    needed = 0
    for demand in demands:
        needed += demand.slots
        if needed > demand.cover.bit_count():
            return False
    return True


def _hall_violator(demands: tuple[Demand, ...]) -> Bits | None:
    """
    A set of slots that more units want exclusively than it has members, None when all can be served.

    Each slot of a session is a unit that needs a slot of its own out of the session's cover: a relaxation that forgets
    that the slots of a session are adjacent. Units are matched one by one along augmenting paths (H. W. Kuhn, The
    Hungarian method, 1955, doi:10.1002/nav.3800020109); the slots reached in vain are the answer (Hall's theorem).
    """
    demands = tuple(sorted(demands, key=lambda demand: demand.cover.bit_count()))
    if _all_served(demands):
        return None
    holder: dict[int, Bits] = {}
    for demand in demands:
        for _ in range(demand.slots):
            reached = _augment(demand.cover, holder)
            if reached is not None:
                return reached
    return None


def _augment(cover: Bits, holder: dict[int, Bits]) -> Bits | None:
    """Gives one more unit a slot, moving others along; returns the slots reached when there is no way."""
    came_from: dict[int, int | None] = {}
    reached = cover
    queue: list[tuple[int, int | None]] = [(slot, None) for slot in indices(cover)]
    for slot, previous in queue:
        came_from[slot] = previous
        if slot not in holder:
            _shift(slot, cover, came_from, holder)
            return None
        fresh = holder[slot] & ~reached
        reached |= fresh
        queue.extend((further, slot) for further in indices(fresh))
    return reached


def _shift(free: int, cover: Bits, came_from: Mapping[int, int | None], holder: dict[int, Bits]) -> None:
    slot: int | None = free
    while slot is not None:
        previous = came_from[slot]
        holder[slot] = cover if previous is None else holder[previous]
        slot = previous


def _too_few_blocks(facts: Facts, owner: Owner) -> Proof | None:
    for length in sorted({demand.length for demand in owner.demands if demand.length > 1}):
        long = [demand for demand in owner.demands if demand.length >= length]
        for narrow in dict.fromkeys([_union(demand.cover for demand in long), *(demand.cover for demand in long)]):
            few = [demand for demand in long if not demand.cover & ~narrow]
            needed, available = sum(len(demand.keys) for demand in few), facts.blocks(narrow, length)
            if needed > available:
                has = f"{owner.name} has {counted(needed, 'session')} of {length} or more slots"
                sentence = f"{has}, but the slots open to them hold only {counted(available, 'such block')}"
                return _proof(owner, f"{owner.kind}_blocks", sentence, few, needed, available)
    return None


def _union(masks: Iterable[Bits]) -> Bits:
    union = 0
    for mask in masks:
        union |= mask
    return union


def _proof(owner: Owner, code: str, sentence: str, demands: Iterable[Demand], needed: int, available: int) -> Proof:
    demands = tuple(demands)
    restricting = (rule for demand in demands for rule in demand.options.rules)
    courses = (key[0] for demand in demands for key in demand.keys)
    if code == f"{owner.kind}_daily_limit":
        first: tuple[str, ...] = (owner.limit_rule,)
    else:
        first = ("student_clash", "group_clash") if owner.kind == "student" else (owner.rule,)
    return Proof(
        code=code,
        sentence=sentence,
        entities=tuple(dict.fromkeys((*owner.ids, *courses)))[: SHOWN_ENTITIES + len(owner.ids)],
        rules=tuple(dict.fromkeys((*first, *restricting))),
        needed=needed,
        available=available,
    )


# --- limits ----------------------------------------------------------------------------------------------------------


def _daily_proofs(facts: Facts, owner: Owner) -> Iterator[Proof]:
    """Sessions that can only stand on some days, against the limit of those days."""
    limit, days_of = owner.limit or 0, {id(d): _days(facts, d.options.starts) for d in owner.demands}
    for days in dict.fromkeys([_union(days_of.values()), *days_of.values()]):
        few = [demand for demand in owner.demands if not days_of[id(demand)] & ~days]
        needed, available = sum(len(demand.keys) for demand in few), limit * days.bit_count()
        if needed > available:
            has = f"{owner.name} has {counted(needed, 'session')}"
            on = f"on the {counted(days.bit_count(), 'day')} open to them ({_days_in_words(facts, days)})"
            note = default_note(limit) if owner.kind == "course" else ""
            sentence = f"{has}, but a limit of {limit} per day{note} {on} allows only {available}"
            yield _proof(owner, f"{owner.kind}_daily_limit", sentence, few, needed, available)
            return


def _days(facts: Facts, starts: Bits) -> Bits:
    mask = 0
    for day, slots in enumerate(facts.day_slots):
        if starts & slots:
            mask |= 1 << day
    return mask


def _days_in_words(facts: Facts, days: Bits) -> str:
    return listed([facts.names.day(day) for day in indices(days)], 7)


def _weekly_proofs(facts: Facts) -> Iterator[Proof]:
    if not facts.hard("faculty_weekly_limit"):
        return
    total: dict[str, int] = {}
    for part in facts.dataset.parts:
        for id in part.faculty_ids:
            total[id] = total.get(id, 0) + part.sessions_per_week
    for teacher in facts.dataset.faculty:
        limit, needed = teacher.max_sessions_per_week, total.get(teacher.id, 0)
        if limit is not None and needed > limit:
            has = f"teacher {facts.names.teacher(teacher.id)} has {counted(needed, 'session')} in the week"
            yield Proof(
                code="teacher_weekly_limit",
                sentence=f"{has}, but a limit of {limit}",
                entities=(teacher.id,),
                rules=("faculty_weekly_limit",),
                needed=needed,
                available=limit,
            )


def _spread_proofs(facts: Facts) -> Iterator[Proof]:
    """Only where a dataset makes `min_days` hard."""
    if not facts.hard("min_days"):
        return
    days_of: dict[str, Bits] = {}
    for n, part in enumerate(facts.dataset.parts):
        days = _union(_days(facts, demand.options.starts) for demand in demands_of(facts, n))
        days_of[part.id] = days_of.get(part.id, 0) | days
    for course in facts.dataset.courses:
        days = days_of[course.id]
        available = min(course.sessions_per_week, days.bit_count())
        if days and available < course.min_days:
            yield Proof(
                code="course_min_days",
                sentence=f"course {facts.names.course(course.id)} should use {course.min_days} days but its "
                f"{counted(course.sessions_per_week, 'session')} can use {available} at most",
                entities=(course.id,),
                rules=("min_days",),
                needed=course.min_days,
                available=available,
            )
