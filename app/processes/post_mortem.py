"""
How an attempt ended, told from what is known when its child is gone: in which way, why, and what remains of it.

Of an attempt that ended badly that is a bundle of evidence: how the child was in its last seconds, its threads and
their stacks, where it was and under which limits. It names no person and no setting of the machine.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app import MEBIBYTE
from app.domain.diagnosis import Assessment, ThreadLook, Verdict, died
from app.domain.evidence import bundle
from app.domain.jobs import Job
from app.domain.messages import ErrorFrame
from app.domain.outcomes import NOT_COUNTED, How
from app.processes.handover import Unpublished
from app.processes.start import seed_of, workers_of
from app.processes.watch import Decision, Watch
from app.settings import Settings
from solver.control import Place
from solver.result import RungId

_WELL = (frozenset({How.RESULT, How.INPUT, How.CANCEL, How.FINISH}) | NOT_COUNTED) - {How.HANDOVER}
"""
Ends of which nobody wants a bundle, unless a hang was found: a child that was stopped, and is let run again for its
stacks, may hand in its result after all.
"""
_OF_ERRORS: Mapping[str, How] = {"input": How.INPUT, "memory": How.MEMORY}


@dataclass(frozen=True, slots=True, kw_only=True)
class PostMortem:
    """
    What is known of an attempt whose child is gone.

    `code` is its exit code, minus the signal that has killed it, None when nobody knows. `stopping_as` is what it was
    asked to end for, `killed` why we have killed it, `certain` what was found to be the matter when we did, `place`
    where it was then, or when it died. `refused` says why what it has handed in is not published; `error` is its last
    word where it has failed. `memory_ran_out` says that the kernel has killed somebody for want of memory meanwhile.
    """

    job: Job
    settings: Settings
    watch: Watch
    rung: RungId | None
    code: int | None
    stopping_as: How | None
    killed: Decision | None
    certain: Assessment | None
    place: Place
    has_result: bool
    refused: Unpublished | None
    error: ErrorFrame | None
    memory_ran_out: bool
    threads: tuple[ThreadLook, ...]
    stacks: str

    def how(self) -> tuple[How, str | None]:
        """In which way it ended, and the sentence that stands in the journal."""
        where = f"in stage {self.watch.stage}" + (f" on rung {self.rung}" if self.rung else "")
        if self.stopping_as in (How.SHUTDOWN, How.FENCED, How.CANCEL):
            return self.stopping_as, None
        if self.refused is not None:
            return self.refused
        if self.has_result:
            return How.RESULT, None
        if self.error is not None:
            return _OF_ERRORS.get(self.error.error, How.ERROR), self.error.message
        if self.killed is not None:
            hung_handing_over = self.killed.how is How.HANG and self.place is Place.STORE
            return How.HANDOVER if hung_handing_over else self.killed.how, self.killed.message
        if self.code is None:
            return How.FORKSERVER_LOST, f"the forkserver ended, and its child with it, {where}"
        if self.code == -signal.SIGKILL and self.memory_ran_out:
            return How.MEMORY, f"the kernel ended it because memory ran out, at {self._peak_mb} MB of its own, {where}"
        return How.CRASH, f"the child {_cause_of(self.code)} {where}"

    def facts(self, how: How, message: str | None, now: float) -> dict[str, Any]:
        """The fields of its `Outcome`, as of the monotonic instant `now`, that a child leaves which has run."""
        finding, memory = self._finding(how, message), how is How.MEMORY
        return {
            "seconds": self.watch.solving_seconds(now),
            "stage": self.watch.stage,
            "exit_code": self.code,
            "verdict": finding.verdict.value,
            "place": self.place.label,
            "peak_mb": self._peak_mb or None,
            "by_kernel": memory and self.code == -signal.SIGKILL and self.killed is None,
            "leaking": memory and self.certain is not None and self.watch.health == "stalled",
            "overshoot_seconds": round(self.watch.overshoot_seconds(now), 3),
            "bundle": None if how in _WELL and self.certain is None else self._bundle(how, finding, now),
        }

    def _finding(self, how: How, message: str | None) -> Assessment:
        if self.certain is not None:
            return self.certain
        if how is How.MEMORY:
            return Assessment(Verdict.MEMORY_LEAK, message or "", certain=True)
        if how is How.RESULT:  # it was in time, however close
            return self.watch.diagnosis.finding
        return died(message or "") if how is How.CRASH else self.watch.finding

    def _bundle(self, how: How, finding: Assessment, now: float) -> Mapping[str, Any]:
        return bundle(
            self.job,
            self.watch.diagnosis,
            finding,
            now,
            threads=self.threads,
            stacks=self.stacks,
            limits={
                "time_limit_seconds": self.job.remaining_seconds,
                "memory_limit_mb": self.settings.memory_limit_mb,
                "workers": workers_of(self.job, self.settings),
            },
            known={
                "how": how.value,
                "place": self.place.label,
                "stage": self.watch.stage,
                "rung": self.rung,
                "exit_code": self.code,
                "seed": seed_of(self.job),
            },
        )

    @property
    def _peak_mb(self) -> int:
        return self.watch.diagnosis.peak_bytes // MEBIBYTE


def _cause_of(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code} and without a result"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "unknown"
    return f"was killed by signal {-code} ({name})"
