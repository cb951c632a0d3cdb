"""
The progress document: what a `Track` shows of its job, ready for JSON.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from app.domain.diagnosis import HANGS, SILENCE_SECONDS, Verdict
from app.domain.jobs import Status
from app.domain.progress import QUALITY_MISSED, SERVICE_SILENT, Track
from app.domain.source import ACCOUNT, IMPORT, counts_of

PREPARING = "the solver is being made ready"
_ENDED = HANGS | {Verdict.MEMORY_LEAK}
"""What a silent child is stopped for."""
COMPILING = f"{PREPARING} (its kernels are compiled once, which takes about half a minute)"


def document(track: Track, queue_position: int | None, eta_seconds: int, preparing: str = "") -> dict[str, Any]:
    """
    The snapshot, ready for JSON. `queue_position` counts from 1; None when the job does not wait.

    `preparing` says what keeps every job from starting: `PREPARING`, `COMPILING`, or nothing.
    """
    job, percent = track.job, round(track.shown_percent, 2)
    # What has ended tells of its end, the same before and after a restart.
    now = job.finished_at if job.status.terminal and job.finished_at is not None else time.time()
    return {
        "job_id": job.id,
        "status": job.status.value,
        "stage": track.platform_stage,
        "stage_progress": 100.0 if job.status is Status.COMPLETED else round(100 * track.stage_share, 2),
        "overall_progress": percent,
        "progress": int(percent),
        "percentage": percent,
        "message": _message(track, queue_position, preparing, now),
        "error": job.error if job.status is Status.FAILED else None,
        **_holding(track),
        "eta_seconds": eta_seconds,
        "time_remaining_seconds": eta_seconds,
        "eta": _iso(now + eta_seconds),
        "started_at": job.started_at or job.created_at,
        "last_updated": round(track.updated_at if job.status is Status.QUEUED else now, 3),
        "timestamp": _iso(now),
        "last_improvement_at": track.improved_at,
        "last_beat_at": None if track.beat_at is None else round(track.beat_at, 3),
        "health": track.health,
        "verdict": track.verdict,
        "stage_deadline_at": None if track.stage_deadline_at is None else round(track.stage_deadline_at, 3),
        "attempt": job.attempt,
        "queue_position": queue_position,
        "metadata": _metadata(track),
        **({f"{job.status.value}_at": job.finished_at} if job.status.terminal else {}),
    }


def _holding(track: Track) -> dict[str, Any]:
    score, bound = track.score, track.bound
    gap = None
    if score is not None and bound is not None and score.complete and bound > score.soft:
        bound = None  # proved by an earlier version, by which a rule cost more
    if score is not None and bound is not None and score.complete:
        gap = round((score.soft - bound) / max(score.soft, 1), 4)
    return {
        "rung": track.rung,
        "cost": score.soft if score is not None else None,
        "levels": score.levels if score is not None else None,
        "bound": bound,
        "gap": gap,
        "placed": track.placed,
        "total": track.total,
    }


def _message(track: Track, queue_position: int | None, preparing: str, now: float) -> str:
    job = track.job
    if job.status is Status.FAILED:
        return job.error or "failed"
    if job.status is Status.CANCELLED:
        return "cancelled" + ("; the best timetable so far is kept" if track.score is not None else "")
    if job.status is Status.COMPLETED:
        placed = f"completed: {track.placed} of {track.total} sessions placed"
        return "; ".join(filter(None, (placed, job.open_note, str(job.meta.get(QUALITY_MISSED, "")))))
    if job.status is Status.QUEUED:
        again = f", after attempt {job.attempt} ended: {job.error}" if job.attempt and job.error else ""
        loading = f"; {preparing}" if preparing else ""
        return f"waiting at position {queue_position or 1}{again}{loading}"
    if job.cancel_requested:
        return "cancelling"
    return _stalled(track, now) if track.health == "stalled" else track.message


def _stalled(track: Track, now: float) -> str:
    """Where it is silent, since when, and what will happen when it stays so."""
    beat = now if track.beat_at is None else track.beat_at
    if track.verdict == SERVICE_SILENT:
        return (
            f"the service that runs it was last heard of {now - beat:.0f} s ago; another one takes over if it is gone"
        )
    place = f" ({track.place.replace('_', ' ')})" if track.place else ""
    if track.verdict == Verdict.OVERDUE:
        return f"stage {track.stage}{place} has used up its time; unless it ends by itself it will be stopped"
    told = f"no sign of life for {now - beat:.0f} s in stage {track.stage}{place}"
    if track.verdict not in _ENDED:
        return f"{told}; it is left alone for as long as it computes"
    told += "" if track.verdict in HANGS else ", and its memory grows all the time"
    at = datetime.fromtimestamp(max(now, beat + SILENCE_SECONDS), UTC)
    return f"{told}; unless it wakes it will be stopped and tried again at {at:%H:%M:%S} UTC"


def _metadata(track: Track) -> dict[str, Any]:
    job = track.job
    return {
        "semester": None,
        "academic_year": None,
        **{name: counts_of(value) if name in (ACCOUNT, IMPORT) else value for name, value in job.meta.items()},
        "stage": track.stage or job.stage,
        "phase": track.message,
        "rung": track.rung,
        "quality": job.quality and job.quality.value,
        "stopped_by": job.stopped_by and job.stopped_by.value,
        "error": job.error,
        "total_items": track.total,
        "completed_items": track.placed,
        "warning": job.open_note or None,
        "failed_attempts": job.failed_attempts,
        "attempt_started_at": track.attempt_began_at,
        "verdict": track.verdict,
        "place": track.place,
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
