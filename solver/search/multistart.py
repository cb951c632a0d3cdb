"""
Several annealing runs at once, each with its own seed, each in its own thread; the kernels hold no lock.

They do not look at each other while they cool, only the next round starts from the best of all. Two workers that went
on from the better one's timetable at five points of the colder half found worse ones: on comp03, comp10 and comp12 of
ITC-2007, with three seeds each and 40 million proposals a worker, 1285 in all alone and 1320 with it, better in none of
the nine.
"""

from __future__ import annotations

import queue
from concurrent.futures import Future, ThreadPoolExecutor, wait

from solver.compiled import Compiled, Ints
from solver.control import Control
from solver.model import Dataset
from solver.rules import Score
from solver.search.engine import OnImprovement, anneal, claim_of
from solver.search.params import Arrays, SearchParams, SearchResult

SEED_STEP = 104_729
"""Seeds of the workers of one call lie this far apart, so that they do not meet the seeds of a next call."""
POLL_SECONDS = 0.1

Improvement = tuple[Ints, Ints, Score]


def search(
    dataset: Dataset,
    compiled: Compiled,
    start: Arrays,
    *,
    control: Control,
    seconds: float,
    workers: int = 1,
    seed: int = 0,
    params: SearchParams | None = None,
    on_improvement: OnImprovement | None = None,
) -> SearchResult:
    """
    Anneals with `workers` seeds at once and returns the best result; see `anneal`.

    `on_improvement` is always called from the calling thread, and with several workers only for what is better than
    everything it was called for before.
    """
    if workers <= 1:
        return anneal(
            dataset,
            compiled,
            start,
            control=control,
            seconds=seconds,
            seed=seed,
            params=params,
            on_improvement=on_improvement,
        )
    found: queue.SimpleQueue[Improvement] = queue.SimpleQueue()
    with ThreadPoolExecutor(workers, thread_name_prefix="search") as pool:
        runs = [
            pool.submit(
                anneal,
                dataset,
                compiled,
                start,
                control=control,
                seconds=seconds,
                seed=seed + SEED_STEP * worker,
                params=params,
                on_improvement=None if on_improvement is None else lambda *improvement: found.put(improvement),
            )
            for worker in range(workers)
        ]
        if on_improvement is not None:
            _pass_on(found, runs, on_improvement)
        results = [run.result() for run in runs]
    return min(results, key=lambda result: claim_of(dataset, result.counts, result.slots))


def _pass_on(
    found: queue.SimpleQueue[Improvement], runs: list[Future[SearchResult]], on_improvement: OnImprovement
) -> None:
    """Calls back for improvements until all runs have ended."""
    best: Score | None = None
    while True:
        running = wait(runs, timeout=0).not_done
        try:
            slots, rooms, claim = found.get(timeout=POLL_SECONDS if running else 0)
        except queue.Empty:
            if not running:
                return
            continue
        if best is None or claim < best:
            best = claim
            on_improvement(slots, rooms, claim)
