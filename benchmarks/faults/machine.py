"""The Hypothesis state machine over supervisor and store: any order of events, the invariants after each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import anyio.to_thread

from benchmarks.faults.run import NotAvailable, Run

BATCH = 1000
MODULE = "tests.service.state_machine"


async def state_machine(run: Run) -> None:
    """`run.count` steps, in batches that each have a seed of their own, until there are enough or time is up."""
    try:
        machine: Any = import_module(MODULE)
    except ImportError as error:
        raise NotAvailable(f"{MODULE}: {error}") from error
    while run.tally.done < run.count and run.time_left > 0:
        steps, seed = min(BATCH, run.count - run.tally.done), run.rng.randrange(2**31)
        try:
            done = await anyio.to_thread.run_sync(machine.run, steps, seed)
        except Exception as error:  # noqa: BLE001 - whatever breaks an invariant is what we look for
            run.tally.breaches.append(f"with {steps} steps of seed {seed}: {type(error).__name__}: {error}")
            return
        run.tally.done += done if isinstance(done, int) else steps
