"""
Stores that are damaged on purpose, by seed. The fault campaign calls `trials` with as many seeds as it likes.

A trial copies a store as a kill leaves it, with its log, damages one file somewhere, opens the copy and asks it
everything. Each answer must be the one of the undamaged store, or a refusal.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from app.domain.jobs import Event, Job, Status, advance
from app.domain.outcomes import How, Outcome
from app.store import StoredIncumbent, StoreError
from app.store.folder import FILE_NAME, MARK_NAME
from app.store.sqlite import SqliteStore
from solver.result import Quality, StoppedBy
from solver.rules import Score

AT = 1_700_000_000.0
WAL_NAME = FILE_NAME + "-wal"
COPIED = (FILE_NAME, WAL_NAME, MARK_NAME)
KINDS = ("bit", "byte", "truncate", "zeros", "swap")


class Trial(NamedTuple):
    """What was done to which file, and what came of it: `refused`, `identical`, or `wrong`, which must never be."""

    seed: int
    file: str
    kind: str
    offset: int
    outcome: str
    detail: str


def build_stores(folder: Path, seed: int = 0, jobs: int = 24) -> list[Path]:
    """The same store twice: as a kill leaves it, most of it in the log, and as an orderly end leaves it."""
    chance = random.Random(seed)
    store = SqliteStore(folder / "live")
    fill(store, chance, range(jobs // 2))
    store.close()
    store = SqliteStore(folder / "live")
    fill(store, chance, range(jobs // 2, jobs))
    killed, closed = folder / "killed", folder / "closed"
    _copy(folder / "live", killed)
    store.close()
    _copy(folder / "live", closed)
    return [killed, closed]


def fill(store: SqliteStore, chance: random.Random, numbers: range) -> None:
    """Jobs in every state, with datasets, journals, timetables and results of many sizes."""
    for number in numbers:
        wanted = Job(id=f"job-{number}", body_hash=f"{number:064x}", created_at=AT + number, meta={"n": number})
        store.submit(wanted, chance.randbytes(chance.choice((40, 900, 5_000, 30_000))), 1000)
    for _ in range(len(numbers) * 3 // 4):
        job = store.claim(AT + 50)
        assert job is not None
        store.note_pid(job, 1000 + job.attempt)
        for cost in (9, 5):
            body = chance.randbytes(chance.choice((60, 3_000, 12_000)))
            found = StoredIncumbent(score=Score(0, 0, 0, cost), timetable=body, rung="full", found_at=AT + 60)
            store.save_incumbent(job, found)
        store.checkpoint(job, used_seconds=1.25, percent=12.5, stage="search")
        _end(store, store.job(job.id) or job, chance)


def _end(store: SqliteStore, job: Job, chance: random.Random) -> None:
    how = chance.choice((How.RESULT, How.RESULT, How.CRASH, How.ERROR, None))
    if how is None:
        return
    outcome = Outcome(how=how, at=AT + 90, seconds=2.0, bundle={"stacks": "f" * 500} if how is How.CRASH else None)
    if how is How.RESULT:
        body = chance.randbytes(chance.choice((200, 9_000)))
        after = replace(advance(job, Event.COMPLETE, AT + 90), **_held(job, body))
        store.move(job, after, outcome=outcome, result=body)
    else:
        event = Event.LOSE if how is How.CRASH else Event.FAIL
        store.move(job, advance(job, event, AT + 90, error="x"), outcome=outcome)


def _held(job: Job, body: bytes) -> dict[str, object]:
    return {
        "score": Score(0, 0, 0, 5),
        "placed": 3,
        "total": 3,
        "quality": Quality.FEASIBLE,
        "stopped_by": StoppedBy.DEADLINE,
        "result_attempt": job.attempt,
        "result_digest": hashlib.sha256(body).hexdigest(),
    }


def answers(folder: Path, ids: list[str]) -> Mapping[str, object]:
    """Everything a store can be asked; a refusal stands for an answer where there is none."""
    try:
        store = SqliteStore(folder)
    except StoreError as error:
        return {"open": error}
    try:
        told = {name: _asked(ask) for name, ask in _questions(store, ids)}
        return told if not store.set_aside else {name: _owned_up(answer) for name, answer in told.items()}
    finally:
        store.close()


class SetAside(StoreError):
    """Something is missing, and the store says that it has put rows aside."""


def _owned_up(answer: object) -> object:
    """What lacks something in a store that says so is a refusal; whatever it does tell must be true all the same."""
    return SetAside() if answer is None or isinstance(answer, list) else answer


def _questions(store: SqliteStore, ids: list[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "jobs", store.jobs
    yield "expired", lambda: store.expired(AT + 1000, 100)
    for status in Status:
        yield f"jobs {status}", lambda status=status: store.jobs(status=status)
    for id in ids:
        for method in ("job", "dataset", "incumbent", "result", "attempts"):
            yield f"{method} {id}", lambda method=method, id=id: getattr(store, method)(id)
        yield f"bundle {id}", lambda id=id: store.bundle(id, 1)


def _asked(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except StoreError as error:
        return error


def ids_of(folder: Path) -> list[str]:
    store = SqliteStore(folder)
    try:
        return [job.id for job in store.jobs()]
    finally:
        store.close()


def trials(seeds: Iterable[int], scratch: Path) -> Iterator[Trial]:
    """A trial per seed on stores that are built in `scratch` once."""
    originals = build_stores(scratch / "originals")
    for number, original in enumerate(originals):
        _copy(original, scratch / f"asked-{number}")
    ids = ids_of(scratch / "asked-0")
    truth, again = (answers(scratch / f"asked-{number}", ids) for number in range(len(originals)))
    assert truth == again
    assert not any(isinstance(answer, StoreError) for answer in truth.values())
    for seed in seeds:
        yield flip_trial(seed, originals, truth, ids, scratch)


def flip_trial(seed: int, originals: list[Path], truth: Mapping[str, object], ids: list[str], scratch: Path) -> Trial:
    """One damage, chosen by `seed`, to a copy of one of `originals`; `truth` are the answers of the undamaged store."""
    chance = random.Random(seed)
    copy = scratch / f"trial-{seed}"
    _copy(chance.choice(originals), copy)
    files = [name for name in (FILE_NAME, WAL_NAME) if (copy / name).exists() and (copy / name).stat().st_size]
    name, kind = chance.choice(files), chance.choice(KINDS)
    offset = damage(copy / name, kind, chance)
    found = answers(copy, ids)
    shutil.rmtree(copy)
    refusals = [answer for answer in found.values() if isinstance(answer, StoreError)]
    wrong = [key for key, answer in found.items() if not isinstance(answer, StoreError) and answer != truth[key]]
    outcome = "wrong" if wrong else "refused" if refusals else "identical"
    return Trial(seed, name, kind, offset, outcome, ", ".join(wrong) or str(next(iter(refusals), "")))


def damage(path: Path, kind: str, chance: random.Random) -> int:
    """Damages a file in place; returns where."""
    body = bytearray(path.read_bytes())
    offset = chance.randrange(len(body))
    if kind == "bit":
        body[offset] ^= 1 << chance.randrange(8)
    elif kind == "byte":
        body[offset] ^= chance.randrange(1, 256)
    elif kind == "truncate":
        del body[offset:]
    elif kind == "zeros":
        body[offset : offset + 512] = bytes(len(body[offset : offset + 512]))
    elif kind == "swap":  # a block that was written to the wrong place
        other = chance.randrange(len(body))
        size = min(512, len(body) - max(offset, other))
        body[offset : offset + size], body[other : other + size] = (
            body[other : other + size],
            body[offset : offset + size],
        )
    path.write_bytes(body)
    return offset


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in COPIED:
        if (source / name).exists():
            shutil.copyfile(source / name, target / name)
