"""
The work list: for a session without a place, what stands in its way, and up to three changes that would place it.

A repair is found on the `Board`, which tests the hard rules by what a session touches, and is offered only after the
verifier's own counters have recounted every hard rule on the sessions around the change: no count may rise.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, takewhile
from typing import TYPE_CHECKING, TypeVar

from solver.diagnose.board import Board, Hindrance, Pin
from solver.diagnose.courses import kind_in_words
from solver.diagnose.facts import Bits, Facts, indices
from solver.errors import InputError, Issue
from solver.model import Dataset, Placement, Timetable
from solver.names import counted, listed
from solver.result import Repair
from solver.rules import Profile, profile_of
from solver.terms import SessionKey
from solver.verify import COUNTERS
from solver.verify.view import View

if TYPE_CHECKING:
    from solver.context import Context

T = TypeVar("T")

MAX_TRIED_MOVES = 60
"""So many moves of another session are tried per open session."""
MAX_TRIED_ROOMS = 3
"""So many free rooms are tried for the open session in each such move: the other session rarely needs that very one."""
WIDE_RULES = ("slot_peak",)
"""Rules that look at everybody at once: where one of them is hard, a recount takes the whole timetable."""


def blockers(
    dataset: Dataset, timetable: Timetable, session: SessionKey, *, profile: Profile | None = None
) -> tuple[str, ...]:
    """Why `session` has no place in `timetable`, see `Openings.blockers`."""
    return Openings(dataset, timetable, profile=profile).blockers(session)


def repairs(
    dataset: Dataset, timetable: Timetable, session: SessionKey, limit: int = 3, *, profile: Profile | None = None
) -> tuple[Repair, ...]:
    """Up to `limit` checked ways to place `session`, see `Openings.repairs`."""
    return Openings(dataset, timetable, profile=profile).repairs(session, limit)


class Openings:
    """
    Blockers and repairs for the open sessions of one timetable; build it once for all of them.

    `timetable` may break rules: a repair then breaks none of them further. `context` is only needed when the profile
    makes the rule `context` hard.
    """

    def __init__(
        self, dataset: Dataset, timetable: Timetable, *, profile: Profile | None = None, context: Context | None = None
    ) -> None:
        self._facts = Facts(dataset=dataset, profile=profile or profile_of(dataset))
        self._board = Board(facts=self._facts, timetable=timetable)
        self._context = context

    def blockers(self, session: SessionKey) -> tuple[str, ...]:
        """
        Every start on the grid, counted under the first reason why it is not free; a reason that only stands behind
        others is told with the one that hides it. What is never bent comes first, then the commonest.

        For instance "12 starts: teacher A. Rao (F1) is busy or away". Starts that are free after all come last.
        """
        self._lift(session)
        facts = self._facts
        course = facts.dataset.part_of(session)
        on_grid = facts.on_grid[course.session_slots]
        if not on_grid:
            return (f"no part of the day has {course.session_slots} slots in a row",)
        hindrances = self._board.hindrances(session)
        if not facts.options(session).rooms:
            firm, soft = _lines(hindrances, on_grid)
            return (*firm, f"no room suits: the course needs {kind_in_words(facts, course)}", *soft)
        taken, suitable = self._rooms_taken(session), self._board.suitable_rooms(session).bit_count()
        taken = taken._replace(why=f"{taken.why} ({suitable} would suit)")
        firm, soft = _lines([*hindrances, taken], on_grid)
        free = self._free_places(session, self._board.free_starts(session))
        where = listed([self._at(pin) for pin in free])
        return (*firm, *soft, *([f"{counted(len(free), 'start')}: free, {where}"] if free else []))

    def reasons(self, session: SessionKey) -> tuple[str | None, ...]:
        """
        For each slot of the grid what keeps `session` from starting there, given all others; None where it would fit.

        A session that is placed is taken off first, so its own start counts like any other.
        """
        self._lift(session)
        facts = self._facts
        on_grid = facts.on_grid[facts.dataset.part_of(session).session_slots]
        lines: list[str | None] = [
            "the day ends, or a break begins, before the session would end"
        ] * facts.dataset.time_grid.num_slots
        hindrances = [*self._board.hindrances(session), self._rooms_taken(session)]
        for start in indices(on_grid):
            found = [each for each in hindrances if each.starts >> start & 1]
            lines[start] = _in_words(found) if found else None
        return tuple(lines)

    def _rooms_taken(self, session: SessionKey) -> Hindrance:
        """Starts at which no room that suits is open and empty to the end of the session."""
        board = self._board
        open_somewhere = 0
        for starts in board.free_rooms(session).values():
            open_somewhere |= starts
        taken = self._facts.on_grid[board.length(session)] & ~open_somewhere
        return Hindrance(taken, "no suitable room is free", self._facts.rigid("room_clash"))

    def repairs(self, session: SessionKey, limit: int = 3) -> tuple[Repair, ...]:
        """
        Ways to place a session: into a free place, or else by moving exactly one other session to a free place.

        No hard rule gets worse by any of them. Free places come first; they may differ in room and time only.
        """
        self._lift(session)
        return tuple(islice((r for r in self._candidates(session) if self._confirmed(session, r)), limit))

    def relocations(
        self, session: SessionKey, rule: str, limit: int = 3, *, until: float = math.inf
    ) -> tuple[Repair, ...]:
        """
        Ways to move a placed session, after which the hard rule `rule` counts less than now and no hard rule more.

        Like `repairs`, but the session stays on the board, and what it breaks now counts. No further place is tried
        after `until`, a time of `time.monotonic()`.
        """
        now = self._board.pins[session]
        self._lift(session)
        try:
            tried = _before(until, self._candidates(session, until))
            better = (r for r in tried if self._improves(session, now, r, rule))
            return tuple(islice(better, limit))
        finally:
            self._board.put(session, now)

    def _lift(self, session: SessionKey) -> None:
        course = self._facts.dataset.course.get(session[0])
        if course is None or not 0 <= session[1] < course.sessions_per_week:
            message = f"course {session[0]!r} has no session {session[1] + 1}"
            raise InputError([Issue(pointer="", code="dangling_id", message=message, value=list(session))])
        if session in self._board.pins:
            self._board.take(session)

    def _at(self, pin: Pin) -> str:
        return f"{self._facts.names.slot(pin.start)} in {self._facts.names.rooms(pin.rooms).removeprefix('room ')}"

    def _candidates(self, session: SessionKey, until: float = math.inf) -> Iterator[Repair]:
        yield from self._direct(session)
        yield from self._by_moving(session, until)

    # --- finding -----------------------------------------------------------------------------------------------------

    def _free_places(self, session: SessionKey, starts: Bits) -> list[Pin]:
        """One place per start that has a free room, the smallest one; in order of time."""
        rooms = self._board.free_rooms(session)
        places = []
        for start in indices(starts):
            place = next((ids for ids, free in rooms.items() if free >> start & 1), None)
            if place is not None:
                places.append(Pin(start, place))
        return places

    def _direct(self, session: SessionKey) -> Iterator[Repair]:
        for pin in self._free_places(session, self._board.free_starts(session)):
            yield _repair(pin, (), f"place it on {self._at(pin)}, which is free")

    def _by_moving(self, session: SessionKey, until: float) -> Iterator[Repair]:
        board = self._board
        for start, other in _before(until, islice(self._single_blockers(session), MAX_TRIED_MOVES)):
            old = board.take(other)
            chosen = next(self._exchanges(session, start, other, old), None)
            board.put(other, old)
            if chosen is not None:
                pin, moved = chosen
                name = self._facts.names.session(other)
                told = f"place it on {self._at(pin)} and move {name} from {self._at(old)} to {self._at(moved)}"
                yield _repair(pin, ((other, moved.start, next(iter(moved.rooms), None)),), told)

    def _single_blockers(self, session: SessionKey) -> Iterator[tuple[int, SessionKey]]:
        """Starts where one other session alone is in the way, by its people or by its room."""
        board, length = self._board, self._board.length(session)
        owners = list(board.exclusive_owners(session))
        places = [self._facts.dataset.places[q].ids for q in indices(board.suitable_rooms(session))]
        for start in indices(self._facts.options(session).starts):
            wanted = ((1 << length) - 1) << start
            people = {key for key in self._overlapping(owners, wanted) if not self._may_clash(session, key)}
            if len(people) == 1:
                yield start, people.pop()
            elif not people:
                for ids in places:
                    inside = self._overlapping([("room", id) for id in ids], wanted)
                    if len(inside) == 1 and not any(self._facts.closed[id] & wanted for id in ids):
                        yield start, inside.pop()

    def _may_clash(self, a: SessionKey, b: SessionKey) -> bool:
        return self._facts.dataset.may_clash(a, b)

    def _overlapping(self, owners: list[tuple[str, str]], wanted: Bits) -> set[SessionKey]:
        standing = self._board.standing
        return {key for owner in owners for key, slots in standing.get(owner, {}).items() if slots & wanted}

    def _exchanges(self, session: SessionKey, start: int, other: SessionKey, old: Pin) -> Iterator[tuple[Pin, Pin]]:
        """With `other` off the board: places of `session` at `start` for which `other` finds a new place, and that."""
        board = self._board
        # A move is told with one room at most.
        if not board.free_starts(session) >> start & 1 or self._facts.dataset.part_of(other).rooms_needed > 1:
            return
        free = (ids for ids, starts in board.free_rooms(session).items() if starts >> start & 1)
        for ids in islice(free, MAX_TRIED_ROOMS):
            pin = Pin(start, ids)
            board.put(session, pin)
            moved = next((p for p in self._free_places(other, board.free_starts(other)) if p != old), None)
            board.take(session)
            if moved is not None:
                yield pin, moved

    # --- confirming --------------------------------------------------------------------------------------------------

    def _confirmed(self, session: SessionKey, repair: Repair) -> bool:
        """Whether no hard rule counts more after the repair than before, by the verifier's counters."""
        earlier, later = self._counts(session, repair, {})
        return all(later[rule] <= earlier[rule] for rule in later)

    def _improves(self, session: SessionKey, now: Pin, repair: Repair, rule: str) -> bool:
        earlier, later = self._counts(session, repair, {session: now})
        return later[rule] < earlier[rule] and all(later[other] <= earlier[other] for other in later)

    def _counts(
        self, session: SessionKey, repair: Repair, now: dict[SessionKey, Pin]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """What each hard rule counts around a repair, before it and after; `now` is what is not on the board."""
        pins = self._board.pins | now
        changed = {session: Pin(repair.slot, repair.room_ids)}
        changed |= {key: Pin(slot, () if room is None else (room,)) for key, slot, room in repair.moves}
        around = self._around(changed) | self._around(now)
        before = {key: pins[key] for key in around if key in pins}
        return self._hard_counts(before), self._hard_counts(before | changed)

    def _around(self, changed: dict[SessionKey, Pin]) -> set[SessionKey]:
        """Every session that shares a person, a course, a student, a room or a link with a changed one."""
        board = self._board
        if self._facts.hard(*WIDE_RULES):
            return set(board.pins) | set(changed)
        around = set(changed)
        for key, pin in changed.items():
            course = self._facts.dataset.part_of(key)
            rooms = {*pin.rooms, *(board.pins[key].rooms if key in board.pins else ())}
            owners = [("room", room) for room in rooms]
            owners += [("teacher", id) for id in course.faculty_ids]
            owners += [("group", id) for id in self._facts.dataset.cohorts_of(course)]
            owners += [("course", course.id), *(("part", str(rival)) for rival in board.rivals(key))]
            around |= {other for owner in owners for other in board.standing.get(owner, ())}
            around |= board.linked_with(key)
        return around

    def _hard_counts(self, pins: dict[SessionKey, Pin]) -> dict[str, int]:
        placements = tuple(Placement.at(key, pin.start, pin.rooms) for key, pin in pins.items())
        view = View(
            dataset=self._facts.dataset,
            timetable=Timetable(placements=placements),
            profile=self._facts.profile,
            given_context=self._context,
        )
        return {
            id: sum(amount for amount, _ in counter.count(view))
            for id, counter in COUNTERS.items()
            if self._facts.hard(id)
        }


def _repair(pin: Pin, moves: tuple[tuple[SessionKey, int, str | None], ...], sentence: str) -> Repair:
    room_id = next(iter(pin.rooms), None)
    return Repair(slot=pin.start, room_id=room_id, more_rooms=pin.rooms[1:], moves=moves, sentence=sentence)


def _lines(hindrances: Sequence[Hindrance], starts: Bits) -> tuple[list[str], list[str]]:
    """
    Each start counted under its first hindrance, commonest first; those for a rule that is never bent stand apart.

    A hindrance that is first nowhere is told on the line that hides most of it.
    """
    counted_under: dict[int, Bits] = {}
    for n, hindrance in enumerate(hindrances):
        if hindrance.starts & starts:
            counted_under[n] = hindrance.starts & starts
            starts &= ~hindrance.starts
    told: dict[int, list[Hindrance]] = {n: [hindrances[n]] for n in counted_under}
    for n, hindrance in enumerate(hindrances):
        if n not in told and hindrance.starts:
            hides = max(counted_under, key=lambda first: (counted_under[first] & hindrance.starts).bit_count())
            told[hides].append(hindrance)
    order = sorted(counted_under, key=lambda n: -counted_under[n].bit_count())
    lines = [
        (_rigid(told[n]), f"{counted(counted_under[n].bit_count(), 'start')}: {_in_words(told[n])}") for n in order
    ]
    return [line for rigid, line in lines if rigid], [line for rigid, line in lines if not rigid]


def _rigid(hindrances: Iterable[Hindrance]) -> bool:
    return any(hindrance.rigid for hindrance in hindrances)


def _in_words(hindrances: Iterable[Hindrance]) -> str:
    """All of them, those for a rule that is never bent first."""
    words = [hindrance.why for hindrance in sorted(hindrances, key=lambda each: not each.rigid)]
    return listed(words, len(words))


def _before(until: float, items: Iterable[T]) -> Iterator[T]:
    """The items that come before a time of `time.monotonic()`."""
    return takewhile(lambda _: time.monotonic() < until, items)
