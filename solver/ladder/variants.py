"""
Several timetables to choose from: each verified, each named by its emphasis, any two a guaranteed share apart.

The first variant is the best timetable of the ladder. Each further one starts from it under weights that stress other
rules and is kept away from all earlier ones; where the data leave no room for the wanted distance (many pins, one
possible timetable), fewer variants are returned and a note says so. Weights steer, they never judge: every variant is
reported and compared on the dataset's own rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from solver.compiled import Compiled, Ints, decode, encode
from solver.control import Place
from solver.ladder.incumbent import Incumbent
from solver.ladder.ledger import better_at, concessions_of, open_sessions, quality_of
from solver.ladder.solve_run import SolveRun, working_at
from solver.model import Dataset, Timetable
from solver.result import RungId, Variant
from solver.rules import RULE_IDS
from solver.search import SearchParams, search, strip

WARM_TEMPERATURE = 4.0
"""Start temperature of a variant's search: high enough to move whole days, low enough not to melt the rest."""
FINAL_SECONDS, FINAL_RECOUNTS = 0.3, 2
"""Kept free at the end: so much, and the time of a recount for each variant and so many more."""
TRIES = ((1.5, 0.6), (3.0, 0.4))
"""
Each try: how many times the wanted distance the search is asked for, and its share of the time.

The search tells sessions of a course apart by their numbers, `distance` does not, so the search has to go further.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Emphasis:
    """`factors` multiply the weights of soft rules that are on while this variant is searched."""

    name: str
    label: str
    factors: Mapping[str, int] = field(default_factory=dict)


EMPHASES: tuple[Emphasis, ...] = (
    Emphasis(name="balanced", label="Balanced"),
    Emphasis(
        name="student_compact",
        label="Student-Compact",
        factors={
            "group_gap": 6,
            "student_gap": 6,
            "isolated_session": 6,
            "single_session_day": 6,
            "consecutive_limit": 3,
        },
    ),
    Emphasis(
        name="faculty_preference",
        label="Faculty-Friendly",
        factors={"faculty_preference": 6, "load_balance": 6},
    ),
    Emphasis(
        name="room_economy",
        label="Room-Efficient",
        factors={"room_waste": 6, "room_stability": 6, "travel": 3},
    ),
    Emphasis(name="even_spread", label="Student-Spread", factors={"slot_peak": 8, "last_slot": 4, "min_days": 4}),
)


def distance(dataset: Dataset, timetable: Timetable, other: Timetable) -> float:
    """
    Share of the sessions that stand elsewhere, in time or room, in the two timetables; open in both is the same.

    What people see is where a course meets, not which of its meetings bears which number. So sessions of one course, or
    of one part of it, are compared as a whole, except those that the data name one by one: fixed sessions and single
    members of links.
    """
    same = _places(dataset, timetable) & _places(dataset, other)
    return 1.0 - same.total() / max(len(dataset.sessions), 1)


def _places(dataset: Dataset, timetable: Timetable) -> Counter[tuple[object, ...]]:
    """How many sessions stand where; a session that is named has a row of its own."""
    named = {(course.id, fixed.session) for course in dataset.courses for fixed in course.fixed}
    tied = (member for link in dataset.links if link.tier != "off" for member in link.sessions)
    named |= {(course_id, number) for course_id, number in tied if number is not None}
    found: Counter[tuple[object, ...]] = Counter()
    for course_id, number in dataset.sessions:
        place = timetable.by_session.get((course_id, number))
        found[
            dataset.part_number[course_id, number],
            number if (course_id, number) in named else None,
            place and (place.slot, dataset.in_order(place.room_ids)),
        ] += 1
    return found


def make_variants(run: SolveRun, rung: RungId) -> tuple[Variant, ...]:
    """
    The account of the best timetable, and the further variants that time and distance allow; the best comes first.

    A variant is kept only when the verifier finds it no worse on the hard levels (rigid, unplaced, bent) than the best.
    """
    best = run.incumbents.best
    if best is None:
        best = run.incumbents.offer(Timetable(), "nothing placed")
    found: list[tuple[Emphasis, Incumbent]] = [(EMPHASES[0], best)]
    wanted = run.params.num_variants
    for number in range(1, wanted):
        if run.control.should_stop or best.report.placed == 0:
            break
        left = run.control.remaining - _final_seconds(run)
        another = _variant(run, _emphasis(number), [variant for _, variant in found], left / (wanted - number))
        if another is not None:
            found.append((_emphasis(number), another))
    if len(found) < wanted:
        run.incumbents.notes.append(_why_fewer(run, len(found), wanted))
    with run.control.at(Place.VERIFY):
        run.report("verify", 0.0, "writing the account of each variant")
        return tuple(_account(run, rung, emphasis, incumbent, found) for emphasis, incumbent in found)


def _final_seconds(run: SolveRun) -> float:
    """For what follows the search of the last variant: its own recount, the accounts, and a last look by the caller."""
    return final_seconds(run.params.num_variants, run.incumbents.verify_seconds)


def final_seconds(num_variants: int, verify_seconds: float) -> float:
    """Seconds to keep free at the end, where one recount takes `verify_seconds`."""
    return FINAL_SECONDS + (num_variants + FINAL_RECOUNTS) * verify_seconds


def _emphasis(number: int) -> Emphasis:
    """Numbers beyond the table start it again under names of their own."""
    emphasis = EMPHASES[number % len(EMPHASES)]
    again = number // len(EMPHASES)
    if not again:
        return emphasis
    return Emphasis(
        name=f"{emphasis.name}_{again + 1}", label=f"{emphasis.label} {again + 1}", factors=emphasis.factors
    )


def stressed(compiled: Compiled, emphasis: Emphasis) -> Compiled:
    """The same problem under the weights of an emphasis."""
    weights = compiled.rule_weight.copy()
    for rule_id, factor in emphasis.factors.items():
        weights[RULE_IDS.index(rule_id)] *= factor
    weights.setflags(write=False)
    return compiled._replace(rule_weight=weights)


def _variant(run: SolveRun, emphasis: Emphasis, others: Sequence[Incumbent], seconds: float) -> Incumbent | None:
    """One more timetable, far enough from all `others`; None when time or the data do not allow it."""
    dataset = run.instance.dataset
    anchors = tuple(encode(other.timetable, dataset) for other in others)
    seconds = min(seconds, run.round_seconds)
    for attempt, (_, share) in enumerate(TRIES):
        budget = seconds * share
        if budget <= 0.05 or run.control.should_stop:
            return None
        slots, rooms = _search_away(run, emphasis, anchors, budget, attempt)
        found = run.incumbents.recount(decode(slots, rooms, dataset), f"variant {emphasis.name}")
        far = all(distance(dataset, found.timetable, o.timetable) >= run.params.min_distance for o in others)
        if far and found.score.hard <= others[0].score.hard:
            return found
    return None


@working_at(Place.LOCAL_SEARCH)
def _search_away(
    run: SolveRun, emphasis: Emphasis, anchors: tuple[tuple[Ints, Ints], ...], seconds: float, attempt: int
) -> tuple[Ints, Ints]:
    bend = run.best is not None and run.best.bent > 0
    start = anchors[0] if attempt == 0 else _all_open(anchors[0])
    found = search(
        run.instance.dataset,
        stressed(run.instance.compiled, emphasis),
        start,
        control=run.timed("variants", seconds, f"making the variant {emphasis.label}", of=run.control),
        seconds=seconds,
        workers=run.params.workers,
        seed=run.params.seed + 7919 * (len(anchors) + 10 * attempt),
        params=SearchParams(
            bend=bend,
            anchors=anchors,
            min_distance=min(1.0, run.params.min_distance * TRIES[attempt][0]),
            start_temperature=WARM_TEMPERATURE if attempt == 0 else SearchParams().start_temperature,
        ),
    )
    return strip(run.instance.compiled, found.slots, found.rooms, keep_bent=bend)


def _all_open(arrays: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    return np.full_like(arrays[0], -1), np.full_like(arrays[1], -1)


def _why_fewer(run: SolveRun, found: int, wanted: int) -> str:
    share = f"{100 * run.params.min_distance:.0f}%"
    if run.control.should_stop:
        return f"{found} of {wanted} variants were made: the search ended before the others were ready"
    why = f"no other one as good was found that differs in {share} of the sessions"
    return f"{found} of {wanted} variants were made: {why}"


@working_at(Place.DIAGNOSE)
def _account(
    run: SolveRun,
    rung: RungId,
    emphasis: Emphasis,
    incumbent: Incumbent,
    found: Sequence[tuple[Emphasis, Incumbent]],
) -> Variant:
    dataset = run.instance.dataset
    others = [(other_emphasis, other) for other_emphasis, other in found if other is not incumbent]
    in_time = not run.control.should_stop
    return Variant(
        name=emphasis.name,
        label=emphasis.label,
        timetable=incumbent.timetable,
        report=incumbent.report,
        rung=rung,
        quality=quality_of(incumbent.report, run.bound),
        concessions=concessions_of(incumbent.report),
        open_sessions=open_sessions(run.instance, incumbent, with_repairs=in_time),
        better_at=better_at(incumbent.report, [other.report for _, other in others]),
        distances={
            other_emphasis.name: distance(dataset, incumbent.timetable, o.timetable) for other_emphasis, o in others
        },
    )
