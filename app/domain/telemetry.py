"""
What the supervisor tells whoever wants to know: happenings as they occur, and signs when asked.

Data flows one way. The supervisor calls its observers from the event loop and never looks at what they do; metrics,
logs and alerts are observers. An observer must be quick and must not raise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from app.domain.jobs import Event, Job
from app.domain.outcomes import Outcome

Health: TypeAlias = Literal["ok", "slow", "stalled"]
"""How a child is, in the word that clients see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A job has changed its state and the change is stored. `event` is None for a submit."""

    job: Job
    event: Event | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Another service has moved a job, or taken it in; `Moved` was told there."""

    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A child was started for a job; `waited_seconds` from the claim until the child ran."""

    job: Job
    waited_seconds: float
    after_loss: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLeft:
    """A child has left a stage after `seconds`."""

    job: Job
    stage: str
    rung: str | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stalled:
    """A child shows no sign of life, or shows one again (`stalled` False). Said before anything is killed."""

    job: Job
    stalled: bool
    verdict: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptEnded:
    """An attempt has ended; `job` is the row before, `after` the row that follows from it."""

    job: Job
    after: Job
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Assisted:
    """Help with a job of another owner has ended; `how` is one of `app.domain.portfolio.ENDS`."""

    job: Job
    number: int
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A result to which assistants might have contributed; `found_by` is the number of whoever found its best."""

    job: Job
    found_by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Slow:
    """An operation took longer than it should: `what` from a closed set (`store.<method>`, `dispatch`, ...)."""

    what: str
    seconds: float
    job_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreCalled:
    """A call of the store has returned or failed: `what` as for `Slow`, `seconds` without waiting for its turn."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTrouble:
    """The store began to refuse (`reason`), or answers again (None)."""

    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """Start-up found work of an earlier service: jobs queued again, processes killed, seconds taken."""

    jobs: int
    orphans: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStuck:
    """Jobs wait although slots are free, for longer than the watchdog allows; the dispatcher was started anew."""

    waiting: int
    seconds: float


Remedy: TypeAlias = Literal["continued", "replaced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HelperStopped:
    """
    A process that works for the service did not go on: it was stopped by a signal, or does not answer any more.

    `helper` is one of `HELPERS`, `remedy` what was done: it was told to go on, or another one has taken its place.
    """

    helper: Literal["forkserver", "reader"]
    pid: int
    remedy: Remedy


HELPERS = ("forkserver", "reader")


Happening: TypeAlias = (
    Moved
    | Seen
    | Started
    | StageLeft
    | Stalled
    | AttemptEnded
    | Assisted
    | Shared
    | Slow
    | StoreCalled
    | StoreTrouble
    | Recovered
    | QueueStuck
    | HelperStopped
)
Observer: TypeAlias = Callable[[Happening], None]


def nobody(happening: Happening) -> None:
    """The observer of a supervisor that nobody watches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSigns:
    """One running child at this moment. `beat_age_seconds` None before the first beat; `cost` of its incumbent."""

    job_id: str
    attempt: int
    pid: int
    stage: str
    place: str
    health: str
    beat_age_seconds: float | None
    resident_bytes: int
    cost: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """The state of the supervisor at this moment, from memory; `lost_workers` of those that share its store."""

    ready: bool
    not_ready_because: str | None
    slots: int
    quarantined_slots: int
    queued: int
    oldest_queued_seconds: float
    supervisor_beat_age_seconds: float
    store_available: bool
    children: tuple[ChildSigns, ...]
    rows_set_aside: int = 0
    lost_workers: int = 0
