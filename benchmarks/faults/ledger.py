"""
The ledger: what a service has acknowledged, kept outside of it, and what must hold of it at the end.

- every acknowledged job is there, in exactly one state, and ends as one of those it may end as;
- a state that was final stays, except by a restart;
- attempt numbers rise one by one, every attempt has ended, and a run has at most one that brought a result;
- the service has no job that nobody asked for.

Whether a published timetable is what it claims to be is recounted in `sources.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

TERMINAL = frozenset({"completed", "failed", "cancelled"})
COMPLETED = frozenset({"completed"})


@dataclass
class Entry:
    """One job. `asked` without `acknowledged`: the answer was lost, and the job may exist or not."""

    job_id: str
    source: str
    may_end: frozenset[str]
    acknowledged: bool = False
    runs: int = 1
    ended_as: str | None = None
    attempt: int = 0
    deleted: bool = False


@dataclass
class Ledger:
    """All jobs of one service, and every breach of a promise, in sentences."""

    entries: dict[str, Entry] = field(default_factory=dict)
    breaches: list[str] = field(default_factory=list)

    def asked(self, job_id: str, source: str, may_end: frozenset[str] = COMPLETED) -> Entry:
        return self.entries.setdefault(job_id, Entry(job_id, source, may_end))

    def acknowledged(self, job_id: str) -> None:
        self.entries[job_id].acknowledged = True

    def restarted(self, job_id: str) -> None:
        """A restart was asked for: the job may leave its final state."""
        entry = self.entries[job_id]
        entry.runs, entry.ended_as = entry.runs + 1, None

    def deleted(self, job_id: str) -> None:
        self.entries[job_id].deleted = True

    def saw(self, job_id: str, status: str, attempt: int) -> None:
        """The service has answered: the job is in this state, at this attempt."""
        entry = self.entries[job_id]
        if entry.ended_as is not None and status != entry.ended_as:
            self.breach(f"job {job_id} was {entry.ended_as} and is now {status}")
        if attempt < entry.attempt:
            self.breach(f"job {job_id} went back from attempt {entry.attempt} to {attempt}")
        entry.attempt = max(entry.attempt, attempt)
        if status in TERMINAL:
            entry.ended_as = status

    def missing(self, job_id: str) -> None:
        """The service does not know the job."""
        entry = self.entries[job_id]
        if entry.acknowledged and not entry.deleted:
            self.breach(f"job {job_id} was acknowledged and is lost")

    def compare(self, job_id: str, status: str, attempts: Sequence[Mapping[str, Any]]) -> None:
        """The last look at a job: its state, and its journal of attempts, oldest first."""
        entry = self.entries[job_id]
        last = int(attempts[-1]["attempt"]) if attempts else 0
        self.saw(job_id, status, last)
        if status not in entry.may_end:
            self.breach(f"job {job_id} is {status}, expected {' or '.join(sorted(entry.may_end))}")
        numbers = [int(row["attempt"]) for row in attempts]
        if numbers != list(range(1, len(numbers) + 1)):
            self.breach(f"job {job_id} has attempts {numbers}")
        unended = [row["attempt"] for row in attempts if row["how"] is None]
        if status in TERMINAL and unended:
            self.breach(f"job {job_id} is {status} and its attempts {unended} have not ended")
        results = sum(row["how"] == "result" for row in attempts)
        if results > entry.runs:
            self.breach(f"job {job_id} was completed {results} times in {entry.runs} run(s)")
        if status == "completed" and results == 0:
            self.breach(f"job {job_id} is completed and no attempt brought a result")

    def compare_list(self, found: Iterable[str]) -> None:
        """The ids of all jobs that the service has."""
        ids = list(found)
        if len(ids) != len(set(ids)):
            self.breach("the service lists a job twice")
        strangers = set(ids) - {id for id, entry in self.entries.items() if not entry.deleted}
        if strangers:
            self.breach(f"the service has jobs that nobody asked for, or that were deleted: {sorted(strangers)[:5]}")
        for job_id in self.entries.keys() - set(ids):
            self.missing(job_id)

    def breach(self, sentence: str) -> None:
        if sentence not in self.breaches:
            self.breaches.append(sentence)
