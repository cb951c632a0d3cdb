"""The ladder as a library user meets it: real stages, small datasets, short limits."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from solver.compiled import encode
from solver.context import build_context
from solver.control import Control, Progress, Stop
from solver.errors import InputError
from solver.ladder import walk as ladder
from solver.ladder.incumbent import Incumbents
from solver.ladder.ledger import better_at, concessions_of
from solver.ladder.parts import core_apart, offer_with_rest
from solver.ladder.solve_run import PLACING, SolveRun
from solver.ladder.walk import RUNGS, Rung, Verdict, solve
from solver.model import Dataset, RuleSetting, Timetable
from solver.params import SolveParams
from solver.ranks import rank_of
from solver.result import Quality, StoppedBy, missed_quality
from solver.rules import Score
from solver.samples import sample
from solver.samples.overfull import Listing, overfull
from solver.verify import verify
from tests.builders import course, crowded_students, dataset, grid, group, link, room, teacher, timetable
from tests.effort import FOR_EVER

QUICK = SolveParams(time_limit_seconds=2.0, num_variants=1)
OPEN_FLOOR = SolveParams(time_limit_seconds=60.0, num_variants=1, seed=1)
"""Greedy placing with this seed leaves a session of the sample `college` open."""


def feasible() -> Dataset:
    return dataset(
        *(course(f"c{n}", faculty=f"f{n % 3}", groups=f"g{n % 2}", sessions=2, size=20) for n in range(6)),
        room("r1", 30),
        room("r2", 30),
    )


def overloaded_teacher() -> Dataset:
    """One teacher, four sessions, three slots in which she is there: bending her availability places everything."""
    away = [slot for slot in range(20) if slot not in (0, 1, 2)]
    return dataset(
        course("a", faculty="f1", sessions=2), course("b", faculty="f1", sessions=2), teacher("f1", unavailable=away)
    )


def impossible_course() -> Dataset:
    """Two sessions pinned to one room and slot: no bendable rule helps."""
    return dataset(
        course("pinned", fixed=[(0, 3, "r1")]),
        course("rival", fixed=[(0, 3, "r1")]),
        course("easy", sessions=3),
        room("r1"),
        room("r2"),
    )


def test_a_feasible_dataset_is_kept_on_the_first_rung_and_recounted() -> None:
    data = feasible()
    result = solve(data, QUICK)
    assert [(visit.rung, visit.outcome) for visit in result.journal] == [("full", "kept")]
    assert result.best.rung == "full"
    assert result.best.score == verify(data, result.best.timetable).score
    assert result.best.score.complete
    assert not result.best.concessions and not result.best.open_sessions
    assert result.notes == ()


def test_what_the_floor_leaves_open_is_placed_at_any_cost_before_anything_is_improved() -> None:
    run = ladder._prepare(sample("college"), OPEN_FLOOR, Control().until(60.0), None)
    assert run.floor.score.unplaced > 0
    run.place_all(20.0)
    assert run.complete
    tries, placed = run.tries, run.best
    run.place_all(20.0)
    assert (run.tries, run.best) == (tries, placed), "and only when there is need"


def test_where_nothing_can_be_moved_one_try_at_placing_it_is_enough_and_the_clock_is_not_blamed() -> None:
    data = dataset(course("pinned", fixed=[(0, 3, "r1")]), course("rival", fixed=[(0, 3, "r1")]), room("r1"))
    run = ladder._prepare(data, OPEN_FLOOR, Control().until(60.0), None)
    run.place_all(60.0)
    assert (run.complete, run.tries) == (False, 1)
    assert solve(data, OPEN_FLOOR).stopped_by is StoppedBy.STALLED


def test_a_search_goes_on_from_the_floor_where_placing_the_rest_has_cost_more_than_it_is_worth() -> None:
    data = sample("college")
    run = ladder._prepare(data, OPEN_FLOOR, Control().until(60.0), None)
    run.search(5.0, PLACING, message="placing every session, from nothing", start=encode(Timetable(), data))
    assert run.complete and run.best is not None
    assert run.best.soft > run.floor.score.soft + 100, "nobody looked at soft rules"
    for mine, floors in zip(run.cheaper_start(), encode(run.floor.timetable, data), strict=True):
        assert (mine == floors).all()
    run.quick_search()
    assert run.best.soft < run.floor.score.soft, "a short descent is enough for a small dataset"
    for mine, best in zip(run.cheaper_start(), run.incumbents.start_arrays(), strict=True):
        assert (mine == best).all()


def test_a_cost_that_meets_its_bound_is_called_optimal_and_proved() -> None:
    result = solve(dataset(course("a"), course("b")), QUICK)
    assert result.best.quality is Quality.OPTIMAL
    assert result.stopped_by is StoppedBy.PROVED
    assert result.lower_bound is not None and result.best.score.soft <= result.lower_bound
    assert result.gap == 0


def test_a_solve_ends_as_soon_as_what_rooms_cost_proves_its_timetable_the_best() -> None:
    """Three courses of two sessions fill two rooms of three slots: one of them has to move from room to room."""
    off = dict.fromkeys(("context", "room_waste", "single_session_day", "group_gap"), RuleSetting(tier="off"))
    rules = {**off, "room_stability": RuleSetting(tier="soft", weight=3)}
    courses = [course(name, sessions=2, min_days=1) for name in "abc"]
    data = dataset(*courses, room("r1"), room("r2"), grid=grid(1, 3), rules=rules)
    result = solve(data, SolveParams(time_limit_seconds=FOR_EVER, num_variants=1))
    assert (result.best.score.soft, result.lower_bound, result.stopped_by) == (3, 3, StoppedBy.PROVED)
    assert result.best.quality is Quality.OPTIMAL


def test_where_students_have_to_clash_it_is_in_an_elective_and_listed_once() -> None:
    result = solve(crowded_students(), SolveParams(time_limit_seconds=4.0, num_variants=1))
    assert [(c.rule, c.count, c.cost) for c in result.best.concessions] == [("student_clash", 5, 5 * 24)]


def test_two_core_courses_at_once_are_one_concession_that_says_what_they_cost() -> None:
    data = dataset(
        *(course(id, students="s t") for id in "ab"),
        course("c", students="s", subject_type="elective"),
        *(room(f"r{i}") for i in range(3)),
        grid=grid(1, 2),
    )
    given_up = concessions_of(verify(data, timetable(a=0, b=(0, "r1"), c=(0, "r2"))))
    student = next(concession for concession in given_up if "student" in concession.unit)
    assert (student.rule, student.count, student.cost) == ("student_clash", 4, 4 * 24 + 2 * 12)
    assert student.sentence.endswith("2 of these 4 cost more: 2 student clashes between core courses.")
    assert all(concession.rule != "core_clash" for concession in given_up)


def test_what_one_timetable_is_better_at_is_told_with_the_figures_of_the_others() -> None:
    data = dataset(course("a", sessions=3), room("r1"), room("r2"), room("r3"))
    steady, moving, restless = (
        verify(data, timetable(a=[0, (4, second), (8, third)]))
        for second, third in (("r1", "r1"), ("r1", "r2"), ("r2", "r3"))
    )
    assert better_at(steady, [moving]) == ("One room per course: 0 extra rooms instead of 1",)
    assert better_at(steady, [restless, moving]) == ("One room per course: 0 extra rooms instead of 1 or more",)
    assert better_at(moving, [steady]) == ()


def test_an_overload_is_proved_then_bent_and_listed() -> None:
    data = overloaded_teacher()
    result = solve(data, SolveParams(time_limit_seconds=4.0, num_variants=1))
    full, relaxed = result.journal
    assert (full.outcome, relaxed.outcome) == ("left", "kept")
    assert full.why.startswith("proved infeasible: ") and "f1" in full.why
    assert result.best.quality is Quality.RELAXED
    assert result.diagnosis.evidence == "certificate"
    assert [(c.rule, c.count) for c in result.best.concessions] == [("faculty_unavailable", 1)]
    assert result.best.concessions[0].offences
    assert verify(data, result.best.timetable).score.rigid == 0


def test_what_no_bending_can_place_ends_on_the_work_list_and_everything_else_is_placed() -> None:
    data = impossible_course()
    result = solve(data, SolveParams(time_limit_seconds=12.0, num_variants=1))
    assert [(v.rung, v.outcome) for v in result.journal[:3]] == [
        ("full", "left"),
        ("relaxed", "left"),
        ("greedy", "left"),
    ]
    assert result.journal[-1].outcome == "kept"
    assert result.best.rung == result.journal[-1].rung in ("reduced", "manual")
    assert result.best.quality is Quality.PARTIAL
    assert result.best.report.placed == 4
    (open_session,) = result.best.open_sessions
    assert open_session.course_id in ("pinned", "rival") and open_session.blockers
    coverage = result.coverage
    assert coverage is not None and coverage.open_courses == 1
    assert coverage.core_courses + coverage.reinserted_courses + coverage.open_courses == coverage.total_courses == 3


@pytest.mark.parametrize("listing", ["core first", "electives first"])
def test_of_too_many_sessions_electives_are_left_open_however_the_courses_are_listed(listing: Listing) -> None:
    data, core = overfull(2, listing)
    assert verify(data, core).score.hard[::2] == (0, 0), "the core subjects fit, all of them"
    result = solve(data, SolveParams(time_limit_seconds=3.0, num_variants=2))
    for variant in result.variants:
        assert {data.course[id].subject_type for id, _ in variant.report.unplaced} == {"elective"}
    assert result.best.rung == "greedy"
    worth = [rank_of(data.course[session.course_id]) for session in result.best.open_sessions]
    assert worth == sorted(worth, reverse=True), "the work list begins with what matters most"


@pytest.mark.parametrize("listing", ["core first", "electives first"])
def test_rules_bend_for_core_sessions_before_an_elective_has_their_place(listing: Listing) -> None:
    data, core = overfull(10, listing, short_handed=True)
    assert verify(data, core).score.bent > 0, "the core subjects fit, all of them, when daily limits are bent"
    run = ladder._prepare(data, SolveParams(time_limit_seconds=60.0, num_variants=1), Control(), None)
    core_apart(run, 0.5, bend=False)
    assert run.best is not None and any(row.core for row in run.best.left_open)
    core_apart(run, 2.0, bend=True)
    assert run.best.bent > 0 and run.best.rigid == 0
    assert not any(row.core for row in run.best.left_open) and run.best.unplaced > 0


def test_bending_leaves_the_lower_rungs_their_turn_where_not_all_find_a_place() -> None:
    data, _ = overfull(10, "electives first", short_handed=True)
    result = solve(data, SolveParams(time_limit_seconds=4.0, num_variants=1))
    assert {data.course[id].subject_type for id, _ in result.best.report.unplaced} == {"elective"}
    why = {visit.rung: visit.why for visit in result.journal}
    assert "no time was left" not in why["reduced"]
    assert result.coverage is not None


def test_the_core_of_reduced_limits_is_placed_before_electives_and_nobody_is_lost() -> None:
    data, _ = overfull(2, "electives first")
    params = SolveParams(time_limit_seconds=3.0, num_variants=1, start_at="reduced", max_courses=3)
    result = solve(data, params)
    report, coverage = result.best.report, result.coverage
    assert {data.course[id].subject_type for id, _ in report.unplaced} == {"elective"}
    assert report.placed + len(report.unplaced) == report.total == len(data.sessions)
    assert coverage is not None and coverage.core_courses == 3
    assert coverage.core_courses + coverage.reinserted_courses + coverage.open_courses == coverage.total_courses


def test_what_was_begun_with_the_core_alone_is_offered_with_all_others_though_the_time_is_over() -> None:
    data, core = overfull(2)
    control = Control(deadline=0.0)
    run = ladder._prepare(data, SolveParams(time_limit_seconds=1.0, num_variants=1), control, None)
    part = Timetable(placements=core.placements)
    found = offer_with_rest(run, part, "core first")
    assert found is not None
    assert set(found.timetable.by_session.items()) >= set(part.by_session.items())
    electives = [id for id, _ in found.timetable.by_session if data.course[id].subject_type == "elective"]
    assert electives, "who finds a place around the core has it"
    control.request_stop(Stop.CANCEL)
    assert offer_with_rest(run, part, "core first") is None


def test_every_incumbent_is_better_than_the_one_before_and_none_breaks_a_rigid_rule() -> None:
    seen: list[Score] = []
    solve(feasible(), QUICK, Control(on_incumbent=lambda timetable, score: seen.append(score)))
    assert seen
    assert all(later < earlier for earlier, later in pairwise(seen))
    assert all(score.rigid == 0 for score in seen)


def test_a_finish_before_the_start_still_hands_over_the_floor() -> None:
    control = Control()
    control.request_stop(Stop.FINISH)
    result = solve(feasible(), QUICK, control)
    assert result.stopped_by is StoppedBy.FINISHED_EARLY
    assert result.best.report.placed == result.best.report.total


def test_a_cancel_before_the_start_returns_at_once_with_nothing_placed() -> None:
    control = Control()
    control.request_stop(Stop.CANCEL)
    result = solve(feasible(), QUICK, control)
    assert result.stopped_by is StoppedBy.CANCELLED
    assert (len(result.variants), result.best.report.placed, result.best.rung) == (1, 0, "manual")


def test_a_time_limit_shorter_than_the_floor_still_hands_over_the_floor() -> None:
    result = solve(feasible(), SolveParams(time_limit_seconds=0.1, num_variants=1), Control(deadline=0.0))
    assert result.best.report.placed == result.best.report.total


def test_once_the_time_is_over_no_rung_begins_to_place_anything_anew() -> None:
    result = solve(impossible_course(), SolveParams(time_limit_seconds=0.1, num_variants=1), Control(deadline=0.0))
    why = {visit.rung: visit.why for visit in result.journal}
    assert why["reduced"] == "no time was left to place the most important courses first"
    assert (result.best.report.placed, result.best.rung, result.coverage) == (4, "manual", None)


def test_a_simplified_context_is_said_and_its_costs_are_recounted_on_itself() -> None:
    data = sample("tiny")
    result = solve(data, SolveParams(time_limit_seconds=2.0, num_variants=1, simplified_context=True))
    assert any("context was simplified" in note for note in result.notes)
    assert verify(data, result.best.timetable, context=build_context(data, simplified=True)).score == result.best.score


def test_finish_now_publishes_the_best_so_far() -> None:
    control = Control(on_incumbent=lambda timetable, score: control.request_stop(Stop.FINISH))
    result = solve(feasible(), SolveParams(time_limit_seconds=FOR_EVER, num_variants=3), control)
    assert result.stopped_by is StoppedBy.FINISHED_EARLY
    assert result.best.report.placed > 0


def test_an_earlier_timetable_is_never_made_worse() -> None:
    data = feasible()
    earlier = solve(data, SolveParams(time_limit_seconds=3.0, num_variants=1)).best
    again = solve(data, SolveParams(time_limit_seconds=0.5, num_variants=1), start=earlier.timetable)
    assert again.best.score <= earlier.score


def test_a_start_from_other_data_is_used_as_far_as_it_goes() -> None:
    stale = timetable(gone=0, c0=[(0, "r1"), (1, "closed for good")])
    result = solve(feasible(), QUICK, start=stale)
    assert result.best.score.complete


def test_an_attempt_that_starts_lower_skips_the_rungs_above() -> None:
    result = solve(feasible(), SolveParams(time_limit_seconds=2.0, num_variants=1, start_at="greedy"))
    assert [(v.rung, v.outcome) for v in result.journal] == [
        ("full", "skipped"),
        ("relaxed", "skipped"),
        ("greedy", "kept"),
    ]


def test_a_rung_that_breaks_costs_the_rung_and_not_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: SolveRun) -> Verdict:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(ladder, "RUNGS", (Rung("full", "", broken), *RUNGS[1:]))
    result = solve(feasible(), QUICK)
    assert result.journal[0].outcome == "left" and "a bug of ours" in result.journal[0].why
    assert result.best.score.complete
    assert any("a bug of ours" in note for note in result.notes)


def test_progress_names_the_stages_in_their_order() -> None:
    seen: list[Progress] = []
    solve(feasible(), SolveParams(time_limit_seconds=3.0, num_variants=3), Control(on_progress=seen.append))
    stages = list(dict.fromkeys(progress.stage for progress in seen))
    assert stages[:3] == ["context", "construct", "search"] and stages[-1] == "verify"
    assert all(0 <= progress.share <= 1 for progress in seen)
    for stage in ("search", "variants"):
        told = [progress.share for progress in seen if progress.stage == stage]
        assert told == sorted(told), "a later round of the search, or variant, must not start the bar again"
    assert told[-1] < 1.0, "after the first variant there is more to come"


def test_a_hard_rule_that_the_dataset_makes_soft_no_longer_decides_about_full() -> None:
    data = dataset(course("a", size=50), room("small", 20), rules={"room_capacity": "soft"})
    result = solve(data, QUICK)
    assert result.best.rung == "full"
    assert result.best.score.soft >= 30


def test_a_soft_rule_that_the_dataset_makes_hard_is_kept() -> None:
    data = dataset(*(course(f"c{n}", groups="g") for n in range(4)), group("g", 10), rules={"group_gap": "hard"})
    result = solve(data, QUICK)
    assert result.best.report.rules["group_gap"].count == 0
    assert result.best.rung == "full"


def test_hard_links_hold_in_the_result() -> None:
    data = dataset(course("a"), course("b"), course("c"), link("precedence", "a", "b", "c"), link("same_day", "a", "b"))
    best = solve(data, QUICK).best
    placed = {p.course_id: p.slot for p in best.timetable.placements}
    assert placed["a"] < placed["b"] < placed["c"]
    assert data.time_grid.day_of(placed["a"]) == data.time_grid.day_of(placed["b"])


def test_parameters_out_of_range_are_all_named_at_once() -> None:
    with pytest.raises(InputError) as raised:
        SolveParams(workers=0, num_variants=99, start_at="heaven")  # type: ignore[arg-type]
    assert [issue.pointer for issue in raised.value.issues] == ["/workers", "/num_variants", "/start_at"]


def test_an_empty_start_is_no_harm() -> None:
    assert solve(feasible(), QUICK, start=Timetable()).best.score.complete


def test_a_complete_start_on_a_lower_rung_is_improved_and_still_called_full() -> None:
    data = feasible()
    start = solve(data, QUICK).best.timetable
    result = solve(data, SolveParams(time_limit_seconds=1.0, num_variants=1, start_at="relaxed"), start=start)
    assert result.best.rung == "full"
    assert [(v.rung, v.outcome) for v in result.journal] == [("full", "skipped"), ("relaxed", "kept")]


def offering(*offers: Timetable) -> Control:
    """A control whose solver is offered these, one after the other."""
    left = list(offers)
    return Control(offered=lambda: left.pop(0) if left else None)


def test_what_somebody_else_has_found_counts_once_it_was_recounted() -> None:
    data = feasible()
    best = solve(data, QUICK).best.timetable
    control = offering(best)
    control.request_stop(Stop.FINISH)  # no time for a search of its own
    result = solve(data, QUICK, control)
    assert result.best.timetable == best
    assert result.best.score == verify(data, best).score
    assert result.curve[-1].source == "portfolio"
    assert result.best.rung == "full"


def test_what_is_no_better_than_the_own_best_or_of_other_data_changes_nothing() -> None:
    data = feasible()
    clashing = timetable({f"c{n}": [0, 0] for n in range(6)})
    stranger = timetable(unknown=0, c0=99, c1=(0, "nowhere"))
    result = solve(data, QUICK, offering(Timetable(), clashing, stranger))
    assert result.best.score.complete
    assert result.best.score == verify(data, result.best.timetable).score
    assert "portfolio" not in {point.source for point in result.curve}


def test_variants_are_made_of_the_best_that_anybody_has_found() -> None:
    data = sample("tiny", 1)
    better = solve(data, SolveParams(time_limit_seconds=4.0, num_variants=1)).best
    control = offering(better.timetable)
    result = solve(data, SolveParams(time_limit_seconds=3.0, num_variants=2, seed=5), control)
    assert result.variants[0].score <= better.score
    assert all(variant.score[:3] <= result.variants[0].score[:3] for variant in result.variants)


@pytest.mark.parametrize("welcomed_before", [False, True])
def test_what_a_search_has_found_is_kept_at_once_also_where_somebody_has_offered_something_worse(
    monkeypatch: pytest.MonkeyPatch, welcomed_before: bool
) -> None:
    monkeypatch.setattr("solver.ladder.incumbent.VERIFY_SHARE", 1e-9)  # a recount keeps streamed ones away for long
    run = ladder._prepare(feasible(), QUICK, offering(Timetable(), Timetable()).until(60.0), None)
    assert run.floor.score.complete
    own = encode(run.floor.timetable, run.instance.dataset)
    run.incumbents = Incumbents(instance=run.instance, control=run.control)
    if welcomed_before:
        run.welcome()
        assert run.best is not None and not run.complete
    run._stream(*own, run.floor.score)
    assert run.incumbents.best is not None and run.incumbents.best.source == "search"
    assert run.complete


def test_a_solve_that_is_cancelled_before_anything_is_placed_tells_of_no_incumbent() -> None:
    told: list[Timetable] = []
    control = Control(on_incumbent=lambda found, score: told.append(found))
    control.request_stop(Stop.CANCEL)
    assert solve(feasible(), QUICK, control).best.report.placed == 0
    assert told == []


def test_a_quality_below_the_one_that_is_wanted_is_said() -> None:
    result = solve(feasible(), replace(QUICK, quality_threshold=1.0))
    index = result.best.report.quality_index
    told = [note for note in result.notes if "less than the 100 % that are wanted" in note]
    assert len(told) == (index < 1.0)
    assert missed_quality(0.79999, 0.8) == "the soft rules are kept to 79.9 %, less than the 80 % that are wanted"
    assert missed_quality(0.8, 0.8) is None
