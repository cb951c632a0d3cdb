"""
Rows as they stand in the store, and the seal each of them carries.

A flipped byte inside a row is no error to SQLite: the page still parses. So every row of `jobs`, `attempts`,
`incumbents`, `outbox` and `cancels` has a seal, a digest over all its values, written by the statement that writes them
and compared whenever the row is read. Datasets and results carry the SHA-256 of their body instead, and the row of the
job, which is sealed, names both. What does not match is refused as `StoreDamaged`, never served.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

from app.domain.jobs import RUNG_ORDER, Job, Status
from app.domain.options import SolveOptions
from app.domain.outcomes import How
from app.store import AttemptRow, DeliveryRow, PortfolioRow, StoreDamaged, StoredIncumbent
from app.store.notifications import Channel
from solver.result import Quality, StoppedBy
from solver.rules import Score

T = TypeVar("T")

SEAL_BYTES = 16


class Work(Protocol):
    """One transaction. Statements are spelled with `?`."""

    def rows(self, statement: str, values: Collection[object] = ()) -> list[tuple[Any, ...]]:
        """Every row that a statement gives."""

    def change(self, statement: str, values: Collection[object] = ()) -> int:
        """The number of rows that a statement has changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedTable:
    """
    A table whose rows carry a seal. `key` are the columns that name a row; they never change.

    `reals` are the columns that SQLite gives back as floats whatever was written: the seal is taken of what comes back.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    reals: frozenset[str]

    @property
    def select(self) -> str:
        """The beginning of a query of all columns and the seal; a WHERE may follow."""
        return f"SELECT {', '.join(self.columns)}, seal FROM {self.name}"  # nosec B608 - names of ours, values bound

    @property
    def insert(self) -> str:
        """Takes `to_insert`."""
        marks = ", ".join("?" * (len(self.columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}, seal) VALUES ({marks})"  # nosec B608 - names of ours, values bound

    @property
    def update(self) -> str:
        """Takes `to_update`."""
        assignments = ", ".join(f"{column} = ?" for column in (*self._unnamed, "seal"))
        return f"UPDATE {self.name} SET {assignments} WHERE {self.where}"  # nosec B608 - names of ours, values bound

    @property
    def where(self) -> str:
        """The condition that the key has these values; one `?` per column of the key."""
        return " AND ".join(f"{column} = ?" for column in self.key)

    def to_insert(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """The values of `insert`: those of all columns, then their seal."""
        plain = self._plain(row)
        return (*plain.values(), self.seal(plain.values()))

    def to_update(self, row: Mapping[str, object]) -> tuple[object, ...]:
        """The values of `update`: those outside the key, the seal over all, then those of the key."""
        plain = self._plain(row)
        kept = (plain[column] for column in self._unnamed)
        return (*kept, self.seal(plain.values()), *(plain[column] for column in self.key))

    def opened(self, found: Sequence[Any]) -> dict[str, Any]:
        """A selected row by column; raises StoreDamaged when its seal is not that of its values."""
        *values, seal = found
        row = dict(zip(self.columns, values, strict=True))
        if seal != self.seal(values):
            named = ", ".join(f"{column} {row[column]!r}"[:80] for column in self.key)
            raise StoreDamaged(f"a row of {self.name} ({named}) is not what was written")
        return row

    def sound(
        self, rows: Iterable[Sequence[Any]], read: Callable[[dict[str, Any]], T], told: Callable[[StoreDamaged], None]
    ) -> Iterator[T]:
        """What `read` makes of selected rows, without those that are not what was written; `told` hears of each."""
        for row in rows:
            try:
                yield read(self.opened(row))
            except StoreDamaged as error:
                told(error)

    def seal(self, values: Iterable[object]) -> bytes:
        """The seal of plain values in the order of the columns."""
        text = json.dumps([_digest(value) if isinstance(value, bytes) else value for value in values])
        return hashlib.blake2b(text.encode(), digest_size=SEAL_BYTES, person=self.name.encode()).digest()

    @property
    def _unnamed(self) -> tuple[str, ...]:
        return tuple(column for column in self.columns if column not in self.key)

    def _plain(self, row: Mapping[str, object]) -> dict[str, Any]:
        return {column: _plain(row[column], real=column in self.reals) for column in self.columns}


def _plain(value: Any, *, real: bool) -> Any:
    """What a store gives back for a value. PostgreSQL has no NUL in a text; what a dying program said may have one."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float) and real:
        return float(value) + 0.0  # no negative zero: SQLite keeps whole numbers as integers
    return str(value).replace("\0", "\N{SYMBOL FOR NULL}") if isinstance(value, str) else value


def _digest(body: bytes) -> list[str]:
    return [hashlib.blake2b(body, digest_size=SEAL_BYTES).hexdigest()]


def _reals_of(kind: type) -> frozenset[str]:
    return frozenset(row.name for row in fields(kind) if "float" in str(row.type))


_OPTIONS = tuple(row.name for row in fields(SolveOptions))
_JOB_FIELDS = (
    *("id", "body_hash", "status", "attempt", "failed_attempts", "created_at", "started_at", "finished_at", "meta"),
    *("rules", "num_variants", "time_limit_seconds", "seed", "start_at", "simplified_context", "used_seconds"),
    *("publish", "workers", "cancel_requested", "finish_requested", "percent", "stage", "rung", "score", "bound"),
    *("placed", "total", "quality", "stopped_by", "error", "dead_letter", "result_attempt", "result_digest"),
)
"""A job and its options in the order of the columns, which seals go by: what is new comes last."""
_ATTEMPT_FIELDS = tuple(row.name for row in fields(AttemptRow))

JOBS = SealedTable(
    name="jobs", key=("id",), columns=("dataset", *_JOB_FIELDS), reals=_reals_of(Job) | _reals_of(SolveOptions)
)
ATTEMPTS = SealedTable(
    name="attempts",
    key=("job_id", "attempt"),
    columns=("job_id", *_ATTEMPT_FIELDS, "bundle"),
    reals=_reals_of(AttemptRow),
)
INCUMBENTS = SealedTable(
    name="incumbents",
    key=("job_id",),
    columns=("job_id", "attempt", "score", "timetable", "rung", "found_at"),
    reals=frozenset({"found_at"}),
)
OUTBOX = SealedTable(
    name="outbox",
    key=("event_id", "channel"),
    columns=tuple(row.name for row in fields(DeliveryRow)),
    reals=_reals_of(DeliveryRow),
)
PORTFOLIO = SealedTable(
    name="portfolio",
    key=("job_id", "attempt", "number"),
    columns=("job_id", *(row.name for row in fields(PortfolioRow)), "timetable"),
    reals=_reals_of(PortfolioRow),
)
CANCELS = SealedTable(
    name="cancels",
    key=("job_id", "organisations"),
    columns=("job_id", "organisations", "asked_at"),
    reals=frozenset({"asked_at"}),
)
SEALED = (JOBS, ATTEMPTS, INCUMBENTS, OUTBOX, CANCELS)
"""The tables of every kind of store."""

_JSON = frozenset({"meta", "rules", "score"})
_FLAGS = frozenset({"simplified_context", "cancel_requested", "finish_requested", "dead_letter"})
_ENUMS: Mapping[str, Any] = {"status": Status, "publish": StoppedBy, "stopped_by": StoppedBy, "quality": Quality}


def row_of_job(job: Job, dataset: str) -> dict[str, object]:
    """`dataset` is the digest of the dataset's body."""
    values = {name: getattr(job.options if name in _OPTIONS else job, name) for name in _JOB_FIELDS}
    if job.score is not None:
        values["score"] = job.score.numbers
    packed = {name: json.dumps(values[name]) for name in _JSON if values[name] is not None}
    return {"dataset": dataset, **values, **packed}


def job_of_row(row: Mapping[str, Any]) -> Job:
    """The job in an opened row of `jobs`."""
    values = {name: row[name] for name in _JOB_FIELDS}
    for name, value in values.items():
        if value is None:
            continue
        if name in _JSON:
            values[name] = json.loads(value)
        elif name in _FLAGS:
            values[name] = bool(value)
        elif name in _ENUMS:
            values[name] = _ENUMS[name](value)
    if values["score"] is not None:
        values["score"] = Score.of(values["score"])
    options = SolveOptions(**{name: values.pop(name) for name in _OPTIONS})
    return Job(**values, options=options)


def attempt_of_row(row: Mapping[str, Any]) -> AttemptRow:
    """The line of the journal in an opened row of `attempts`; what an old version did not know is None."""
    values = {name: row[name] for name in _ATTEMPT_FIELDS}
    if values["how"] == How.SERVICE_LOST and not values["seconds"]:
        values["seconds"] = None  # an earlier version wrote 0 where nobody knew
    return AttemptRow(**values)


def new_attempt(job: Job, at: float) -> dict[str, object]:
    """The row of an attempt that begins at the wall time `at`; nothing else is known of it yet."""
    return {**dict.fromkeys(ATTEMPTS.columns), "job_id": job.id, "attempt": job.attempt, "started_at": at}


def row_of_incumbent(job: Job, incumbent: StoredIncumbent) -> dict[str, object]:
    """The row that keeps the best timetable of an attempt."""
    return {
        "job_id": job.id,
        "attempt": job.attempt,
        "score": json.dumps(incumbent.score.numbers),
        "timetable": incumbent.timetable,
        "rung": incumbent.rung,
        "found_at": incumbent.found_at,
    }


def incumbent_of_row(row: Mapping[str, Any]) -> StoredIncumbent:
    """Raises StoreDamaged when another version wrote it, whose seal fits and whose words we do not know."""
    try:
        score = Score.of(json.loads(row["score"]))
    except (TypeError, ValueError, OverflowError) as error:
        raise StoreDamaged(f"the score of a timetable cannot be read: {row['score']!r}"[:200]) from error
    if row["rung"] is not None and row["rung"] not in RUNG_ORDER:
        raise StoreDamaged(f"a timetable was found on a rung that is not known: {row['rung']!r}"[:200])
    return StoredIncumbent(score=score, timetable=row["timetable"], rung=row["rung"], found_at=row["found_at"])


def row_of_portfolio(job_id: str, member: PortfolioRow, timetable: bytes | None = None) -> dict[str, object]:
    """The row of one that works on an attempt, with the packed timetable it has found."""
    score = None if member.score is None else json.dumps(member.score.numbers)
    return {**asdict(member), "job_id": job_id, "score": score, "timetable": timetable}


def portfolio_of_row(row: Mapping[str, Any]) -> PortfolioRow:
    """The same back; its timetable is left out."""
    values = {field.name: row[field.name] for field in fields(PortfolioRow)}
    score = None if row["score"] is None else Score.of(json.loads(row["score"]))
    return PortfolioRow(**{**values, "score": score, "published": bool(row["published"])})


def deliveries_of(job: Job, channels: Iterable[Channel]) -> list[DeliveryRow]:
    """What is to be told of a job that has just ended: one event, which every channel tells under the same id."""
    event_id, ended_at = str(uuid.uuid4()), job.finished_at or 0.0
    return [
        DeliveryRow(event_id=event_id, channel=channel, job_id=job.id, status=job.status, ended_at=ended_at)
        for channel in channels
    ]


def row_of_delivery(delivery: DeliveryRow) -> dict[str, object]:
    """The row of the outbox for a delivery; its columns have the names of the fields."""
    return asdict(delivery)


def delivery_of_row(row: Mapping[str, Any]) -> DeliveryRow:
    """The same back."""
    return DeliveryRow(**{**row, "status": Status(row["status"])})


def undamaged(body: bytes, digest: str, what: str) -> bytes:
    """`body`, which must have this SHA-256; raises StoreDamaged."""
    if hashlib.sha256(body).hexdigest() != digest:
        raise StoreDamaged(f"{what} is damaged: its bytes are not those that were stored")
    return bytes(body)
