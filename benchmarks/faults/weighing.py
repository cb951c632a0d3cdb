"""More sessions than the week holds: the core is placed, however the courses are listed, and nobody is lost."""

from __future__ import annotations

import anyio.to_thread

from benchmarks.faults.run import Run, Tally
from benchmarks.faults.sources import dataset_of, overfull_source
from benchmarks.faults.target import Target
from solver import SolveParams, solve
from solver.ranks import rank_of
from solver.samples import sample

SECONDS = 4.0
LISTINGS = ("core first", "electives first")
REDUCED = (("college", 40, 8.0), ("bhu", 500, 60.0))
"""Samples with the courses that their core may have and seconds; of both all courses find a place."""
MOST_COURSES = 6
"""The limit of the service: smaller than the core of any of these colleges."""


async def core_first(run: Run) -> None:
    """
    Each college in both listings, through a service whose core is limited; then the samples under reduced limits.

    A repetition is one college; every second one is short-handed, so that its core needs bent rules. Of one repetition
    alone, as in CI, only the smaller sample is solved.
    """
    seeds = [run.rng.randrange(100_000) for _ in range(run.count)]
    async with run.target(max_courses=MOST_COURSES) as target:
        for n in run.rounds():
            sources = [overfull_source(seeds[n], listing, short_handed=n % 2 == 1) for listing in LISTINGS]
            jobs = [await _posted(target, source) for source in sources]
            kinds = [await _kinds_left_open(run.tally, target, *job) for job in jobs]
            run.tally.check(kinds[0] == kinds[1], f"college {seeds[n]}: the listing decides who is left open: {kinds}")
            run.tally.done += 1
    for name, most, seconds in REDUCED[: 1 if run.count == 1 else None]:
        await anyio.to_thread.run_sync(_nobody_lost, run.tally, name, most, seconds)


async def _posted(target: Target, source: str) -> tuple[str, str]:
    return await target.submit(source, SECONDS, num_variants=1), source


async def _kinds_left_open(tally: Tally, target: Target, job: str, source: str) -> set[str]:
    """What kinds of courses the result leaves open; the core of such a college fits, all of it."""
    await target.ended(job)
    (variant,) = (await target.ask("GET", f"/variants/{job}")).raise_for_status().json()["variants"]
    dataset, unplaced = dataset_of(source), variant["unplaced"]
    placed = {(row["course_id"], row["session_number"]) for row in variant["timetable_entries"]}
    everybody = placed | {(row["course_id"], row["session"]) for row in unplaced}
    tally.check(everybody == set(dataset.sessions), f"job {job}: of {len(dataset.sessions)} sessions some are lost")
    ranks = [rank_of(dataset.course[row["course_id"]]) for row in unplaced]
    tally.check(ranks == sorted(ranks, reverse=True), f"job {job}: its work list does not begin with what matters most")
    kinds = {dataset.course[row["course_id"]].subject_type for row in unplaced}
    told = f"rung {variant['rung']}, levels {variant['levels']}"
    tally.check("core" not in kinds, f"job {job}: a core session is left open for the sake of electives: {told}")
    return kinds


def _nobody_lost(tally: Tally, name: str, most: int, seconds: float) -> None:
    """A sample whose core is placed first: every course is accounted for, and every session placed or listed."""
    dataset = sample(name)
    params = SolveParams(time_limit_seconds=seconds, num_variants=1, start_at="reduced", max_courses=most)
    result = solve(dataset, params)
    report, coverage = result.best.report, result.coverage
    listed = {(open_session.course_id, open_session.session) for open_session in result.best.open_sessions}
    whole = {*result.best.timetable.by_session, *listed} == set(dataset.sessions)
    tally.check(whole, f"{name} with a core of {most} courses: sessions are lost")
    if coverage is None:
        why = "; ".join(f"{visit.rung}: {visit.why}" for visit in result.journal)
        tally.undone.append(f"{name}: no core was placed of its own: {why}")
        return
    courses = coverage.core_courses + coverage.reinserted_courses + coverage.open_courses
    tally.check(courses == coverage.total_courses, f"{name}: {courses} of {coverage.total_courses} courses are told of")
    core = sum(rank_of(dataset.course[course_id]).core for course_id, _ in report.unplaced)
    tally.notes.append(f"{name}: {report.placed} of {report.total} placed, {core} core sessions open")
