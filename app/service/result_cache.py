"""
Results for clients, as bytes: made by a parse worker from the bytes in the store, and remembered.

The service opens no result itself, see `app.views.result`. What a job adds to its result (status, times, metadata)
changes while the result does not, so it is joined to the bytes and not made part of them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import anyio

from app.domain.exceptions import Refused, ResultTooHeavy, TooHeavy
from app.domain.jobs import Job, Status
from app.processes.parse_pool import ParsePool
from app.processes.questions import Question, Reply, Work, content_of, salvaged_of, salvaging_of
from app.processes.salvage import Salvageable, Salvaged
from app.service.supervisor import Supervisor

REMEMBERED_BYTES = 24 << 20
"""Of answers that were made lately: a page that polls a result costs its making once."""

LOOKING: frozenset[Work] = frozenset({"resolution", "resolutions"})
"""
Works that search, and may take as long as `app.views.conflicts` lets them; nobody else's answer waits for one of them.
"""
ADVICE: Mapping[Work, str] = {
    "variants": " Maybe ask for one variant, without entries, or as a file.",
    "variant": " Maybe ask for the week of one group, teacher or room, or for a file.",
}
"""What asks for less of a result than this work does."""


class CacheSize(NamedTuple):
    """How many answers, and their bytes."""

    entries: int
    bytes: int


class Remembered:
    """The answers that were asked for last, up to a number of bytes. The first part of a key is the id of a job."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._answers: OrderedDict[tuple[object, ...], bytes] = OrderedDict()

    def get(self, key: tuple[object, ...]) -> bytes | None:
        """The answer under the key, which counts as used now; None when it is not kept."""
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key]

    def keep(self, key: tuple[object, ...], answer: bytes) -> None:
        """Keeps an answer; those unused for longest make way for it. One larger than all room is not kept."""
        if key in self._answers or len(answer) > self._most:
            return
        self._answers[key] = answer
        self._size += len(answer)
        while self._size > self._most:
            _, oldest = self._answers.popitem(last=False)
            self._size -= len(oldest)

    def about(self, is_meant: Callable[[str], bool]) -> list[tuple[object, ...]]:
        """The keys of answers about jobs whose ids are meant."""
        return [key for key in self._answers if is_meant(str(key[0]))]

    def measured(self, keys: Iterable[tuple[object, ...]]) -> CacheSize:
        """Number and bytes of the answers under these keys."""
        sizes = [len(self._answers[key]) for key in keys]
        return CacheSize(len(sizes), sum(sizes))

    def drop(self, keys: Iterable[tuple[object, ...]]) -> None:
        """Forgets the answers under these keys."""
        for key in keys:
            self._size -= len(self._answers.pop(key))


class ResultCache:
    """The results of the jobs of one supervisor."""

    def __init__(self, supervisor: Supervisor, pool: ParsePool) -> None:
        self._supervisor, self._pool = supervisor, pool
        self._remembered = Remembered(REMEMBERED_BYTES)
        self._making, self._looking = anyio.Lock(), anyio.Lock()

    async def body(self, job: Job, work: Work, **asked: str | int | bool) -> bytes | None:
        """
        The answer of `work` (see `app.processes.questions`) for the result of a job, None when it has none.

        One is made at a time, and one searched for (`LOOKING`): a crowd at the end of a job has it made once, and
        leaves workers to submits.

        Raises
        ------
        ResultTooHeavy, ParsePoolBusy, Refused, StoreUnavailable
            It cannot be made, cannot be made now, or does not exist (a variant that there is not).
        """
        about = (job.id, job.body_hash, work, *sorted(asked.items()))
        known = self._remembered.get((*about, job.result_digest)) if _is_settled(job) else None
        if known is not None:
            return known
        async with self._looking if work in LOOKING else self._making:
            stored = await self._supervisor.result(job.id, self._salvaged)
            if stored is None:
                return None
            # The digest of what was read, not of what the job has by now: it may have been run again meanwhile.
            key = (*about, hashlib.sha256(stored.packed_result).hexdigest())
            if (known := self._remembered.get(key)) is not None:
                return known
            options = {**asked, "rules": stored.rules, "dataset_bytes": len(stored.packed_dataset)}
            question = Question(work, stored.packed_dataset + stored.packed_result, options)
            made = content_of(await self._asked(question, job))
            self._remembered.keep(key, made)
            return made

    def kept(self, is_meant: Callable[[Job | None], bool] = lambda job: True) -> CacheSize:
        """The answers that are remembered about such jobs; a job that is deleted is None."""
        return self._remembered.measured(self._about(is_meant))

    def forget(self, is_meant: Callable[[Job | None], bool]) -> CacheSize:
        """Drops the answers about such jobs, and says what that was."""
        keys = self._about(is_meant)
        kept = self._remembered.measured(keys)
        self._remembered.drop(keys)
        return kept

    def _about(self, is_meant: Callable[[Job | None], bool]) -> list[tuple[object, ...]]:
        return self._remembered.about(lambda job_id: is_meant(self._supervisor.known(job_id)))

    async def _salvaged(self, job: Job, held: Salvageable) -> Salvaged | None:
        return salvaged_of(await self._asked(salvaging_of(held), job))

    async def _asked(self, question: Question, job: Job) -> Reply:
        """What a worker says is too heavy is no fault of this request, which is a few bytes long."""
        try:
            reply = await self._pool.ask(question)
            content_of(reply)
            return reply
        except TooHeavy as heavy:
            raise _too_heavy(job, question.work) from heavy
        except Refused as refused:
            if refused.was(TooHeavy):
                raise _too_heavy(job, question.work) from refused
            raise


def _too_heavy(job: Job, work: Work) -> ResultTooHeavy:
    return ResultTooHeavy(
        f"Making this answer from the result of job {job.id!r} takes more time or memory than is allowed. The "
        f"result is stored and sound.{ADVICE.get(work, '')}"
    )


def _is_settled(job: Job) -> bool:
    """Whether its stored result is the one to show; for a cancelled job that may be found out only when it is read."""
    return job.result_digest is not None and (job.status is not Status.CANCELLED or job.result_attempt == job.attempt)
