"""
The contract of a job store: jobs, their datasets, the journal of attempts, incumbents and results.

All methods are plain and blocking; the supervisor calls them off the event loop, one at a time. Whatever has been
returned from a method that writes is durable. Every write after a claim names the job *and* its attempt number and
changes exactly one row, or raises `StaleAttempt`: at-least-once attempts, exactly one visible completion.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

from app.domain.jobs import Job, Status
from app.domain.liveness import Life
from app.domain.outcomes import Outcome
from app.store.notifications import Channel
from solver.result import RungId
from solver.rules import Score

Role: TypeAlias = Literal["service", "worker"]
C = TypeVar("C", bound=Callable[..., Any])

DeliveryState: TypeAlias = Literal["pending", "delivered", "dead", "superseded"]


class StoreError(Exception):
    """The store cannot be opened, or what stands in it is not what was written."""


class StoreUnavailable(StoreError):
    """The store refuses at the moment, but what stands in it is sound: busy, unreachable. Trying again may help."""


class StoreFull(StoreUnavailable):
    """There is no room left on the disk of the store; nothing was written."""


class StoreDamaged(StoreError):
    """What stands in the store is not what was written; nothing of it may be served as if it were."""


class StoreLocked(StoreError):
    """Another service has this data folder open."""


class StoreTooNew(StoreError):
    """The store was written by a later version of this program."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredIncumbent:
    """The best timetable of a job so far. `timetable` is compressed native JSON, see `app.domain.messages.pack`."""

    score: Score
    timetable: bytes
    rung: RungId | None
    found_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRow:
    """One line of the journal. `how` is None while the attempt runs."""

    attempt: int
    started_at: float
    pid: int | None
    ended_at: float | None
    how: str | None
    exit_code: int | None
    stage: str | None
    rung: str | None
    seconds: float | None
    message: str | None
    verdict: str | None
    place: str | None
    peak_mb: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """
    One line of the outbox: that a job has ended is to be told on one channel.

    `event_id` is the same on all channels and in all tries; a receiver knows a repetition by it. `ended_at` names the
    run: when the job has run again since, an old event is `superseded`. After too many tries it is `dead`.
    """

    event_id: str
    channel: Channel
    job_id: str
    status: Status
    ended_at: float
    state: DeliveryState = "pending"
    tries: int = 0
    next_at: float = 0.0
    done_at: float | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioRow:
    """
    One of those that work on an attempt together, see `app.domain.portfolio`. Number 0 is the owner of the attempt.

    `worker` as in `Member.owner`; `score` is that of the best timetable it has found itself, which of an owner is noted
    when its attempt ends, and None while there is none better than what it began with; `published` marks the one whose
    timetable is the best of the published result, also that of a cancelled job.
    """

    attempt: int
    number: int
    worker: str
    seed: int
    began_at: float
    ended_at: float | None = None
    how: str | None = None
    score: Score | None = None
    rung: RungId | None = None
    found_at: float | None = None
    published: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyCancel:
    """
    That a job is not wanted which has not come yet. `asked_at` is a wall time.

    `organisations` are those whose jobs the caller may cancel; None means all.
    """

    job_id: str
    asked_at: float
    organisations: tuple[str, ...] | None = None


class Traffic(StrEnum):
    """What a call does to a store; whether it is answered tells how the store is, see `app.service.store_access`."""

    READ = "read"
    WRITE = "write"


def reading(method: C) -> C:
    """Declares, at the contract, that a method reads; calls of it are counted under its name."""
    return _declared(method, Traffic.READ)


def writing(method: C) -> C:
    """The same of one that writes."""
    return _declared(method, Traffic.WRITE)


def _declared(method: C, traffic: Traffic) -> C:
    method.traffic = traffic  # type: ignore[attr-defined]
    return method


def traffic_of(call: Callable[..., object]) -> Traffic | None:
    """What the contract says of a method of any store, also one that is wrapped; None for all other calls."""
    declared = getattr(SharedStore, getattr(call, "__name__", ""), None)
    return getattr(declared, "traffic", None)


class Store(Protocol):
    """The jobs of one service with their datasets, attempts and results, and what is still to be told of them."""

    set_aside: int
    """Damaged rows that are out of the way of all others, see `app.store.quarantine`."""

    @writing
    def submit(self, job: Job, dataset: bytes, queue_limit: int) -> tuple[Job, bool]:
        """
        Adds a job unless its id is there; returns the job and whether it is new. Raises JobConflict, QueueFull.

        A new one that was called off before it came is cancelled in the same transaction, and told of like any end.
        """

    @writing
    def remember_cancel(self, cancel: EarlyCancel) -> Job | None:
        """Keeps an early cancel for a while; returns the job of that id instead, if there is one by now."""

    @writing
    def claim(self, at: float, skip: Collection[str] = (), only: str | None = None) -> Job | None:
        """
        Takes the oldest queued job that is not in `skip` and opens its next attempt; `only` names the one to take.

        Of several services, and of several threads, no two ever get the same attempt.
        """

    @reading
    def abandoned(self, at_work: Collection[str], *, expired: bool = True) -> list[Job]:
        """
        Running jobs that nobody works on, oldest first; the caller works on those in `at_work`.

        In a store of several services also those whose service has not renewed its lease in time, unless `expired` is
        False.
        """

    @writing
    def note_pid(self, job: Job, pid: int) -> None:
        """Writes the child's process id into the journal."""

    @writing
    def request(self, job: Job, *, cancel: bool = False, finish: bool = False) -> Job:
        """Sets a flag of a job; raises StaleAttempt when it has left the state and attempt of `job`."""

    @writing
    def move(self, before: Job, after: Job, *, outcome: Outcome | None = None, result: bytes | None = None) -> None:
        """
        Replaces `before` by `after`, closes the attempt with `outcome` and stores `result`, all in one transaction.

        A move that ends the job puts one row per channel of this store into the outbox, in the same transaction. Raises
        StaleAttempt, and writes nothing, when the stored job has another status or attempt than `before`, or was asked
        to end by somebody since.
        """

    @writing
    def keep_dataset(self, job: Job, dataset: bytes) -> None:
        """
        Replaces what a running attempt was given to fetch by what it fetched, and the metadata by that of `job`.

        Raises StaleAttempt when the job has left the state or the attempt of `job`.
        """

    @writing
    def save_incumbent(self, job: Job, incumbent: StoredIncumbent) -> None:
        """Keeps the best timetable of a running attempt."""

    @reading
    def job(self, job_id: str) -> Job | None:
        """The job as it is stored, None when there is none. Raises StoreDamaged when its row was altered."""

    @reading
    def jobs(self, *, status: Status | None = None, limit: int | None = None, offset: int = 0) -> list[Job]:
        """Newest first; a job whose row is damaged is passed over."""

    @reading
    def dataset(self, job_id: str) -> bytes | None:
        """The packed dataset of a job, None for an unknown id. Raises StoreDamaged when its bytes were altered."""

    @reading
    def incumbent(self, job_id: str) -> StoredIncumbent | None:
        """The best timetable of a job; raises StoreDamaged when it is not what was written."""

    @reading
    def result(self, job_id: str) -> bytes | None:
        """The published result; raises StoreError when its bytes are no longer those that were stored."""

    @reading
    def attempts(self, job_id: str) -> list[AttemptRow]:
        """The journal of a job, oldest attempt first."""

    @reading
    def portfolio(self, job_id: str) -> list[PortfolioRow]:
        """Who has worked on attempts that several did, oldest first; nobody, in a store of one service."""

    @reading
    def bundle(self, job_id: str, attempt: int) -> Mapping[str, Any] | None:
        """The evidence of an attempt that had to be ended, None when there is none."""

    @writing
    def checkpoint(
        self, job: Job, *, used_seconds: float, percent: float, stage: str | None, life: Life | None = None
    ) -> None:
        """
        How far a running attempt is, so that a service that is killed knows it again. Raises StaleAttempt.

        A shared store shows its `life` to the others.
        """

    @reading
    def expired(self, before: float, limit: int) -> list[str]:
        """Ids of jobs that ended before the wall time `before`, oldest first."""

    @writing
    def delete(self, job: Job) -> None:
        """
        Removes an ended job with its attempts, incumbent and results, and its dataset when no other job has it.

        Raises StaleAttempt when the job has left the state of `job`.
        """

    @reading
    def undelivered(self) -> list[DeliveryRow]:
        """The rows of the outbox that are pending or dead, oldest first; damaged ones are passed over."""

    @reading
    def deliveries(self, job_id: str) -> list[DeliveryRow]:
        """All rows of the outbox about one job, oldest first."""

    @writing
    def tell_again(self, job: Job, next_at: float, only: Channel | None = None) -> int:
        """
        Has the end of an ended job told once more, from the wall time `next_at` on, under the id of the first time.

        On every channel that hears of such an end, or on one; returns on how many. What is still to be told is left as
        it is. Raises StaleAttempt when the job has left the state of `job`.
        """

    @writing
    def note_delivery(self, row: DeliveryRow) -> None:
        """Writes what has become of a delivery; raises StaleAttempt when its job is deleted."""

    def close(self) -> None:
        """Gives back what is held: files, locks and connections. No call works afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """
    What has been written to a shared store since the last look, by anybody.

    `incumbents` are the new ones of jobs that run elsewhere; `silent_seconds` says for each of these how long ago its
    service has renewed its lease, `lives` how its child is, and how many seconds ago that was told; `total` counts all
    jobs; `upto` is where the next look begins.
    """

    jobs: list[Job]
    incumbents: Mapping[str, StoredIncumbent]
    silent_seconds: Mapping[str, float]
    lives: Mapping[str, tuple[Life, float]]
    total: int
    upto: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What a service says of itself. `slots` are the jobs that it solves at once, 0 for one that solves none."""

    role: Role
    slots: int
    host: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Introduction):
    """
    One of those that share a store. `silent_seconds` by the clock of the store.

    `jobs` are those it owns, `assisting` those it helps others with, once per slot.
    """

    owner: str
    started_at: float
    silent_seconds: float
    jobs: tuple[str, ...]
    assisting: tuple[str, ...] = ()


class Assistance(NamedTuple):
    """Help with the attempt that `job` is at, as number `number` of those that work on it, for `seconds` at most."""

    job: Job
    number: int
    seconds: float


class AssistanceKey(NamedTuple):
    """What one assistance is known by: its attempt, and its number among those that work on it."""

    job_id: str
    attempt: int
    number: int


class AssistanceState(NamedTuple):
    """Of a worker's assistances those that are still wanted, and of all those whose slots are needed for other jobs."""

    wanted: frozenset[AssistanceKey]
    crowded: frozenset[AssistanceKey]


class Message(NamedTuple):
    """That attempt `attempt` of a job is to be begun, or to be helped with, is to be told to the workers."""

    job_id: str
    attempt: int


@runtime_checkable
class SharedStore(Store, Protocol):
    """
    A store that several services use at once. `owner` is the name of this one; it outlives a restart.

    These methods may be called beside the others, from a thread of their own.
    """

    owner: str

    def introduce(self, me: Introduction) -> None:
        """Says who this service is; every renewal says it again. One that is a worker tells nobody of ends."""

    def members(self) -> list[Member]:
        """All that share the store, those that were not heard of for long as well."""

    def due(self) -> list[Message]:
        """
        The messages to be sent now, fair among tenants; they count as sent when this returns, and are due again later.

        There are never many more on their way than workers have slots: what is sent later can still be chosen fairly.
        """

    def not_sent(self, messages: Collection[Message]) -> None:
        """These could not be sent after all, and are due at once."""

    def send_again(self) -> None:
        """The broker may have lost everything: all messages are due."""

    def renew(self) -> Mapping[str, int]:
        """Renews the leases of this service, by the clock of the store; the jobs they are for, with their attempts."""

    @reading
    def changes(self, since: int | None, mine: Collection[str]) -> Changes:
        """
        What is new since `upto` of an earlier look; None is this moment, at which nothing is. `mine` run here.
        """

    @reading
    def ids(self) -> list[str]:
        """Of all jobs, in order of submission."""

    # Several workers on one job. What the owner writes is refused with StaleAttempt when the attempt is over; so is
    # what an assistant writes, and also when its own lease has run out and somebody else has its place.

    def invite(self, job: Job, places: int, seconds: float) -> None:
        """The owner of the attempt wants so many assistants; what they find within `seconds` is of use."""

    def join(self, job_id: str) -> Assistance | None:
        """Takes a free place at a running job, under a lease; None when there is none, or a waiting job comes first."""

    def assisting(self, mine: Collection[AssistanceKey]) -> AssistanceState:
        """Renews the leases of this worker's assistances, as far as they are still wanted."""

    def save_found(self, job: Job, number: int, incumbent: StoredIncumbent) -> None:
        """Keeps the best timetable that an assistant has found."""

    def found(self, job: Job, below: Score | None) -> tuple[int, StoredIncumbent] | None:
        """The best that assistants of this attempt have found, and which of them, if it is better than `below`."""

    def leave(self, job: Job, number: int, how: str) -> None:
        """An assistant has ended; does nothing when that is known."""

    def note_end(self, job: Job, winner: int | None, own: StoredIncumbent | None) -> None:
        """Whose timetable the owner is about to publish, if it is, and the best that it has found itself."""
