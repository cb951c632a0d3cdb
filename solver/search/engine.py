"""
One annealing run from start to end: cooling against the clock, reheating where the hard part froze, strict mode.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from solver.compiled import Compiled, Ints
from solver.control import Control
from solver.model import Dataset
from solver.ranks import left_open
from solver.rules import Score, profile_of, score
from solver.search.annealing import anneal_level, remember_now
from solver.search.building import build_problem
from solver.search.greedy import place_sessions, put_all
from solver.search.params import Arrays, SearchParams, SearchResult, TracePoint
from solver.search.person_days import looked_at
from solver.search.problem import Problem
from solver.search.recount import count_rules
from solver.search.repair import mend, wander
from solver.search.state import BEST_COST, BEST_HARD, COST, HARD_PART, IMPROVEMENTS, State, new_state
from solver.search.strict import check_counts
from solver.search.warm_start import loadable, placing_order
from solver.search.weights import HARD, Weights, soft_unit, weights_of

OnImprovement = Callable[[Ints, Ints, Score], None]

CHUNK_SECONDS = 0.04
"""One call of the kernel lasts about this long: so soon is a stop heard and a deadline seen."""
FIRST_PROPOSALS = 2000
REPORT_SECONDS = 0.25
COUNT_SHARE = 0.05
"""Counting for reports may take this share of the time."""
FROZEN_SHARE = 0.12
"""Below this share of the hard weight a temperature no longer mends broken hard rules."""
CLOSED_SHARE = 0.06
"""Below this share of the hard weight moves that clash more are not evaluated any more."""
FROZEN_LEVELS = 60
"""So many levels without a better hard part before we reheat."""
REHEAT_SHARE = 0.7
ESCALATION = 1.25
"""Each reheat but the first raises the weight of hard rules by this factor."""
MAX_REHEATS = 8
FULL_HEAT_PROPOSALS = 20_000
"""Moves per session from which on the start temperature is used in full."""
LEAST_HEAT = 0.05
REHEAT_PROPOSALS = 10_000
"""Moves per session that must be left for a reheat."""


def anneal(
    dataset: Dataset,
    compiled: Compiled,
    start: Arrays,
    *,
    control: Control,
    seconds: float,
    seed: int,
    params: SearchParams | None = None,
    on_improvement: OnImprovement | None = None,
) -> SearchResult:
    """
    Improves a timetable by simulated annealing over all rules that are on.

    Parameters
    ----------
    start
        May be partial or broken; sessions that have a possible start are placed first, wherever they cost least.
    seconds
        Budget; the deadline of `control` holds as well.
    on_improvement
        Called from this thread, a few times per second at most, with copies of a new best timetable and its score.

    Returns
    -------
    SearchResult
        The timetable with the least hard part, of those the one with the least cost.
    """
    run = Run(dataset, compiled, control.until(seconds), params or SearchParams(), seed, on_improvement)
    return run.go(start)


@dataclass
class Run:
    """State of one run outside the kernels. `level` counts cooling steps; it jumps back when we reheat."""

    dataset: Dataset
    compiled: Compiled
    control: Control
    params: SearchParams
    seed: int
    on_improvement: OnImprovement | None
    level: int = 0
    escalation: float = 1.0
    reheats: int = 0
    proposals: int = 0
    accepted: int = 0
    speed: float = 0.0
    unmeasured: tuple[int, float] = (0, 0.0)
    """Proposals, and the seconds they took, that `speed` has not heard of yet."""
    start_temperature: float = field(init=False)
    quiet_levels: int = 0
    reported: int = 0
    next_report: float = 0.0
    trace: list[TracePoint] = field(default_factory=list)
    problem: Problem = field(init=False)
    weights: Weights = field(init=False)
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.started = time.monotonic()
        self._weigh()
        rooms = np.cumsum([self.params.same_room, self.params.sibling_room, self._any_room()])
        stay = self.params.stay_share if self.problem.stability_weight != 0 else 0.0
        shares = [*rooms, *self._chain_shares(), stay]
        self.shares = (np.array(shares) * 1024).astype(np.int64)

    def go(self, start: Arrays) -> SearchResult:
        self.load(*start)
        missing = placing_order(self.problem)
        place_sessions(self.problem, self.state, missing, False, self.control.words)
        self._recount(forget=True)
        if self.problem.num_mobile > 0:
            if self.params.hard_only:
                self._mend()
            self._choose_start()
            while self.level < self.params.levels and not self._over():
                self._run_level()
                self._after_level()
        st = self.state
        counts = count_rules(self.compiled, st.best_slot, st.best_room)
        return SearchResult(
            slots=st.best_slot.copy(),
            rooms=st.best_room.copy(),
            counts=counts,
            trace=tuple(self.trace),
            proposals=self.proposals,
            accepted=self.accepted,
            seconds=time.monotonic() - self.started,
            reheats=self.reheats,
        )

    def load(self, slots: Ints, rooms: Ints) -> None:
        """A fresh state with all sessions that may stand where the arrays put them."""
        self.state = new_state(self.problem, self.seed + 7919 * self.reheats)
        put_all(self.problem, self.state, *loadable(self.problem, slots, rooms))

    # --- cooling -----------------------------------------------------------------------------------------------------

    @property
    def temperature(self) -> float:
        p = self.params
        span = p.end_temperature / self.start_temperature
        return self.start_temperature * self.unit * float(span ** (self.level / max(1, p.levels - 1)))

    def _choose_start(self) -> None:
        """
        Starts cooler when there is little time for many sessions: what a hot phase destroys could not be formed again.

        One short chunk at the end temperature measures the speed.
        """
        p = self.params
        self.start_temperature = p.end_temperature
        if p.max_proposals is None:
            self._run_chunk(FIRST_PROPOSALS, FIRST_PROPOSALS)
        share = min(1.0, self._moves_per_session() / FULL_HEAT_PROPOSALS)
        self.start_temperature = max(p.end_temperature, p.start_temperature * max(LEAST_HEAT, share * share))

    def _moves_per_session(self) -> float:
        """Moves per session that can still be drawn."""
        if self.params.max_proposals is not None:
            return (self.params.max_proposals - self.proposals) / self.problem.num_mobile
        return self.speed * self.control.remaining / self.problem.num_mobile

    def _spent(self) -> bool:
        return self.params.max_proposals is not None and self.proposals >= self.params.max_proposals

    def _over(self) -> bool:
        return self.control.should_stop or self._spent() or self._gives_up() or self._is_enough()

    def _is_enough(self) -> bool:
        enough, best = self.params.enough, self.state.totals
        return enough is not None and bool(best[BEST_HARD] == 0 and best[BEST_COST] <= enough)

    def _gives_up(self) -> bool:
        """Whether the time is better spent on something else, because the hard part is still not mended."""
        if self.params.give_up_share >= 1 or self.state.totals[BEST_HARD] == 0:
            return False
        if self.params.max_proposals is not None:
            return self.proposals >= self.params.give_up_share * self.params.max_proposals
        gone = time.monotonic() - self.started
        return gone >= self.params.give_up_share * (gone + self.control.remaining)

    def _level_length(self) -> int:
        levels_left = self.params.levels - self.level
        if self.params.max_proposals is not None:
            return max(1, (self.params.max_proposals - self.proposals) // levels_left)
        if self.speed == 0.0:
            return FIRST_PROPOSALS
        return max(1, int(self.speed * self.control.remaining / levels_left))

    def _run_level(self) -> None:
        length = self._level_length()
        left, most = length, max(1, int(length * self.params.accept_share))
        while left > 0 and most > 0 and not self._over():
            chunk = left if self.speed == 0.0 else min(left, max(1, int(self.speed * CHUNK_SECONDS)))
            tried, accepted = self._run_chunk(chunk, most)
            left, most = left - tried, most - accepted
            self._report()

    def _run_chunk(self, proposals: int, most: int) -> tuple[int, int]:
        began = time.perf_counter()
        most = 1 if self.params.strict else most
        tried, accepted = anneal_level(
            self.problem,
            self.state,
            self.control.words,
            self.shares,
            self.temperature,
            self._closed,
            proposals,
            most,
        )
        self._measure(tried, time.perf_counter() - began)
        self.proposals += tried
        self.accepted += accepted
        if self.params.strict and accepted:
            self.check()
        return tried, accepted

    @property
    def _closed(self) -> bool:
        """
        Whether it is too cold for clashes: hardly one would be accepted, and most proposals clash.

        While something hard is broken all stays open, or the walk could not return to the best hard part it has seen.
        """
        cold = self.temperature < CLOSED_SHARE * self.hard_cost
        return cold and self.state.totals[HARD_PART] == 0

    def _measure(self, proposals: int, seconds: float) -> None:
        """
        Short calls add up to one measurement: a machine that stood still for a moment makes the calls short, and if
        those were not measured they would stay short for good.
        """
        proposals, seconds = self.unmeasured[0] + proposals, self.unmeasured[1] + seconds
        self.unmeasured = (proposals, seconds)
        if proposals >= FIRST_PROPOSALS and seconds > 0:
            speed = proposals / seconds
            self.speed = speed if self.speed == 0.0 else 0.8 * self.speed + 0.2 * speed
            self.unmeasured = (0, 0.0)

    def _after_level(self) -> None:
        st = self.state
        self.control.beat()
        hard, best_hard = int(st.totals[HARD_PART]), int(st.totals[BEST_HARD])
        self.trace.append(
            TracePoint(
                seconds=time.monotonic() - self.started,
                temperature=self.temperature,
                cost=int(st.totals[COST]),
                hard=hard,
            )
        )
        self.level += 1
        frozen = self.temperature < FROZEN_SHARE * self.hard_cost and hard > 0
        self.quiet_levels = self.quiet_levels + 1 if frozen else 0
        if self.quiet_levels < FROZEN_LEVELS:
            return
        self.quiet_levels = 0
        if hard > best_hard:
            self._reload(*self.best)
        self._mend()
        if self.state.totals[HARD_PART] > 0 and self.reheats < MAX_REHEATS and self._reheat_pays():
            self._reheat()

    def _mend(self) -> None:
        """
        Mends what is broken; by a walk, too, where any complete timetable will do, or where a reheat would not pay.

        A walk that ends in vain leaves the timetable where it has come to; the next mending begins at the best again.
        """
        mend(self.problem, self.state, self.control)
        remember_now(self.state)
        if self.params.hard_only or not self._reheat_pays():
            wander(self.problem, self.state, self.control, self.seed + self.level)

    # --- weights -----------------------------------------------------------------------------------------------------

    def _weigh(self) -> None:
        self.unit = soft_unit(self.compiled)
        self.weights = weights_of(self.compiled, self.params, self.escalation)
        self.problem = build_problem(self.compiled, self.weights, self.params)
        self.hard_cost = self.params.hard_weight * self.unit * self.escalation

    def _chain_shares(self) -> tuple[float, float]:
        """
        Shares of chains while nothing hard is broken, and while something is.

        Where the days of single students count, almost every session is in the way of another, and chains are what
        gets a dense timetable together in the first place.
        """
        if self.compiled.counts_days_of_students:
            return self.params.student_chain_share, self.params.student_chain_share
        return self.params.chain_share, 0.0

    def _any_room(self) -> float:
        """Any room at all is a useful target only while too small or unsuitable rooms are not forbidden."""
        strict = max(self.weights.of("room_capacity"), self.weights.of("room_unsuitable")) >= HARD
        return self.params.any_room / 10 if strict else self.params.any_room

    @property
    def best(self) -> Arrays:
        return self.state.best_slot.copy(), self.state.best_room.copy()

    def _reload(self, slots: Ints, rooms: Ints) -> None:
        """Goes on from another timetable; the best one stays known."""
        best = self.best
        self.load(slots, rooms)
        self.state.best_slot[:], self.state.best_room[:] = best
        self._recount(forget=False)

    def _reheat_pays(self) -> bool:
        """Whether enough work is left to form the soft part once more; large datasets never get there."""
        return self._moves_per_session() >= REHEAT_PROPOSALS

    def _reheat(self) -> None:
        """
        Back to a temperature that mends hard rules. The weight alone would not: a frozen state is frozen at any
        weight.
        """
        self.reheats += 1
        if self.reheats > 1:
            self.escalation *= ESCALATION
        self._weigh()
        self._reload(self.state.slot.copy(), self.state.room.copy())
        p = self.params
        self.start_temperature = max(self.start_temperature, REHEAT_SHARE * self.hard_cost / self.unit)
        wanted = REHEAT_SHARE * self.hard_cost / (self.start_temperature * self.unit)
        share = np.log(wanted) / np.log(p.end_temperature / self.start_temperature)
        self.level = min(self.level, int(share * (p.levels - 1)))

    # --- counting ----------------------------------------------------------------------------------------------------

    def totals(self, slots: Ints, rooms: Ints) -> tuple[int, int]:
        """(cost, hard part) of a timetable as the kernels count them, from scratch."""
        cost, hard = self.weights.total(count_rules(self.compiled, slots, rooms))
        p = self.problem
        same = ((p.anchor_slot == slots) & (p.anchor_room == rooms) & (slots >= 0)).sum(axis=1)
        short = int(np.maximum(0, same - p.anchor_allowed).sum())
        return cost + short * (p.anchor_weight % HARD), hard + short * (p.anchor_weight // HARD)

    def _recount(self, *, forget: bool) -> None:
        """Sets the totals from scratch; with `forget` the timetable of now becomes the best one."""
        st = self.state
        st.totals[COST], st.totals[HARD_PART] = self.totals(st.slot, st.room)
        if forget:
            st.best_slot[:], st.best_room[:] = st.slot, st.room
            st.totals[IMPROVEMENTS] += 1
        st.totals[BEST_COST], st.totals[BEST_HARD] = self.totals(st.best_slot, st.best_room)

    def check(self) -> None:
        """Raises AssertionError when the totals or the counts of the kernels are not those of a recount."""
        st = self.state
        c = self.compiled
        check_counts(c, st, looked_at(c, self.weights)[c.num_faculty + c.num_groups :])
        claimed = (int(st.totals[COST]), int(st.totals[HARD_PART]))
        counted = self.totals(st.slot, st.room)
        if claimed != counted:
            raise AssertionError(f"the kernel claims (cost, hard) {claimed}, a recount finds {counted}")

    def _report(self) -> None:
        """Tells about a new best timetable, so seldom that counting takes a small share of the time."""
        st = self.state
        now = time.monotonic()
        if self.on_improvement is None or int(st.totals[IMPROVEMENTS]) == self.reported or now < self.next_report:
            return
        self.reported = int(st.totals[IMPROVEMENTS])
        slots, rooms = self.best
        counts = count_rules(self.compiled, slots, rooms)
        self.on_improvement(slots, rooms, claim_of(self.dataset, counts, slots))
        took = time.monotonic() - now
        self.next_report = now + max(REPORT_SECONDS, took / COUNT_SHARE)


def claim_of(dataset: Dataset, counts: Mapping[str, int], slots: Ints) -> Score:
    """The score of counts under the rules of the dataset."""
    unplaced = [dataset.sessions[s] for s in np.flatnonzero(slots < 0)]
    return score(counts, profile_of(dataset), len(unplaced), left_open(dataset, unplaced))
