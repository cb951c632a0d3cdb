"""Who hears what the supervisor tells: several observers behind one, and the journal that writes it into the log."""

from __future__ import annotations

import logging

from app.domain.diagnosis import Verdict
from app.domain.jobs import Status
from app.domain.telemetry import (
    Happening,
    Moved,
    Observer,
    Recovered,
    Slow,
    StageLeft,
    Stalled,
    Started,
    StoreTrouble,
)
from solver.control import STAGES

TIMELESS_STAGES = frozenset(STAGES) - {"search", "exact", "variants"}
"""The others use the time that a job was given; only these can be slow."""

_log = logging.getLogger("timetable.jobs")
_slow_log = logging.getLogger("timetable.slow")


class Observers:
    """
    Tells all `observers`; one that fails is logged once and does not keep the others from hearing.

    A stage that took longer than `slow_seconds` is told as `Slow` as well.
    """

    def __init__(self, *observers: Observer, slow_seconds: float) -> None:
        self._observers, self._slow_seconds = list(observers), slow_seconds
        self._failed: set[Observer] = set()

    def add(self, observer: Observer) -> None:
        """One more, who hears of what happens from now on."""
        self._observers.append(observer)

    def __call__(self, happening: Happening) -> None:
        self._tell(happening)
        if isinstance(happening, StageLeft) and self._is_slow(happening):
            self._tell(Slow(what=f"stage.{happening.stage}", seconds=happening.seconds, job_id=happening.job.id))

    def _is_slow(self, left: StageLeft) -> bool:
        return left.stage in TIMELESS_STAGES and left.seconds > self._slow_seconds

    def _tell(self, happening: Happening) -> None:
        for observer in self._observers:
            try:
                observer(happening)
            except Exception:  # noqa: BLE001 - whoever watches must not harm what is watched, nor each other
                if observer not in self._failed:
                    _log.exception("an observer failed on %s; this is logged once", type(happening).__name__)
                self._failed.add(observer)


def journal(happening: Happening) -> None:
    """Writes a happening into the log. Ends of attempts, and what the watchdog does, are logged where they are done."""
    match happening:
        case Moved(job=job, event=event):
            what = "submitted" if event is None else event.value
            level = logging.WARNING if job.status is Status.FAILED else logging.INFO
            _log.log(level, "job %s: %s, now %s (attempt %d)", job.id, what, job.status.value, job.attempt)
        case Started(job=job, waited_seconds=seconds):
            _log.info("job %s, attempt %d: runs after %.2f s", job.id, job.attempt, seconds)
        case StageLeft(job=job, stage=stage, seconds=seconds):
            _log.debug("job %s, attempt %d: left stage %s after %.1f s", job.id, job.attempt, stage, seconds)
        case Stalled(job=job, stalled=True, verdict=Verdict.OVERDUE, place=place):
            _log.warning("job %s, attempt %d: its time is up at %s", job.id, job.attempt, place)
        case Stalled(job=job, stalled=True, verdict=verdict, place=place):
            _log.warning("job %s, attempt %d: shows no sign of life: %s at %s", job.id, job.attempt, verdict, place)
        case Stalled(job=job):
            _log.info("job %s, attempt %d: shows signs of life again", job.id, job.attempt)
        case Slow(what=what, seconds=seconds, job_id=None):
            _slow_log.warning("%s took %.1f s", what, seconds)
        case Slow(what=what, seconds=seconds, job_id=job_id):
            _slow_log.warning("job %s: %s took %.1f s", job_id, what, seconds)
        case StoreTrouble(reason=None):
            _log.info("the store answers again")
        case StoreTrouble(reason=reason):
            _log.error("the store takes nothing: %s", reason)
        case Recovered(jobs=jobs, orphans=orphans, seconds=seconds):
            _log.info("recovered in %.2f s: %d job(s) queued again, %d process(es) killed", seconds, jobs, orphans)
