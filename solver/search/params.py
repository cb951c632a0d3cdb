"""What a caller may choose about the search, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from solver.compiled import Ints

Arrays = tuple[Ints, Ints]
"""(slot per session, room per session), -1 for unplaced."""

MAX_COST = 2**31 - 1
"""No cost is higher; as `SearchParams.enough` any timetable without a hard part will do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchParams:
    """
    Temperatures and the weight of a rigid unit are multiples of the typical soft weight of the dataset.

    Attributes
    ----------
    bend
        True: bendable hard rules cost their price; False: they weigh as much as rigid ones.
    hard_only
        Soft rules cost nothing, so the walk is free to cross all timetables that break nothing. It places what greedy
        placing left open within a second or two; the more it has to walk for that, the more soft cost it ruins.
    hard_weight
        Cost of one rigid unit. About the start temperature: much less and clashes are cheaper than good places, much
        more and the hard part freezes before the soft part has formed.
    start_temperature, end_temperature
        Where cooling begins when there is time enough for the number of sessions, and where it ends.
    levels
        Steps of the geometric cooling; a level ends early when `accept_share` of its proposals were accepted.
    same_room, sibling_room, any_room
        Shares of the target rooms; the rest are rooms that fit.
    chain_share, student_chain_share
        Share of proposals that exchange a whole Kempe chain between two starts, while nothing hard is broken; where the
        days of single students count it is the second one, at any time (20 million proposals on comp-2007-2-12: 975
        without, 310 with it; other shares and seeds differ by as much as they gain). Sum of comp03, 05, 06, 10, 12 and
        17 of ITC-2007 after 10 s: with 0.3 means of 842, 855 and 855 in three series of two or three seeds, 874 with
        0.1, 851 with 0.6; comp05 and comp12, where many courses are in the way of each, gain most. With 0.05 for the
        other ten no better timetables of them were found in 60 s, although it leaves more time to plain moves.
    stay_share
        Share of proposals that only look for another room, while the rule `room_stability` is on. Sum of comp06,
        comp10 and comp17 after 10 s, mean of four seeds: 143 without, 140 with 0.15, which is within noise; the moves
        are cheap and one in fifteen is accepted and changes the cost. Not worth it, each on comp03, 05, 06, 10, 12 and
        17: short coolings from the best after the first one (at 10 and at 60 s), drawing a start anew when it clashes,
        a start temperature of 6, an end temperature of 0.15, half the accepted moves per level.
    anchors
        Timetables to keep away from: of all sessions, at least the share `min_distance` must stand elsewhere
        (in slot or room) than in each of them; every session short of that costs `distance_weight`.
    enough
        A cost that need not be undercut, such as a proved bound: a run ends there when nothing hard is broken.
    give_up_share
        Share of the time after which a run ends that has not found a timetable without a hard part yet; 1 never ends
        one early.
    max_proposals
        Fixed amount of work instead of the clock: same seed, same result. None: use the whole time.
    strict
        Recount everything after every applied move and raise `AssertionError` where the claimed change was wrong, or
        what is kept about somebody's day.
    """

    bend: bool = False
    hard_only: bool = False
    start_temperature: float = 20.0
    end_temperature: float = 0.2
    hard_weight: float = 20.0
    levels: int = 600
    accept_share: float = 0.05
    same_room: float = 0.3
    sibling_room: float = 0.1
    any_room: float = 0.2
    chain_share: float = 0.3
    stay_share: float = 0.15
    student_chain_share: float = 0.3
    anchors: tuple[Arrays, ...] = ()
    min_distance: float = 0.1
    distance_weight: float = 20.0
    enough: int | None = None
    give_up_share: float = 1.0
    max_proposals: int | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TracePoint:
    """Where the search stood: seconds since its start, temperature, cost inside the search, hard part of that cost."""

    seconds: float
    temperature: float
    cost: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SearchResult:
    """The best timetable found, counts by rule, and how the search went. `proposals` counts all moves drawn."""

    slots: Ints
    rooms: Ints
    counts: Mapping[str, int] = field(default_factory=dict)
    trace: tuple[TracePoint, ...] = ()
    proposals: int = 0
    accepted: int = 0
    seconds: float = 0.0
    reheats: int = 0
