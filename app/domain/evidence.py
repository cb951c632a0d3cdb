"""
What remains of an attempt that ended badly: how the child was, where it was, and under which limits. Pure.

A bundle is JSON-safe and names no person and no setting of the machine; the stacks name files and functions.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from app import MEBIBYTE
from app.domain.diagnosis import Assessment, Diagnosis, ThreadLook, records
from app.domain.jobs import Job

PACKAGES = ("timetable", "ortools", "numba", "numpy")


def bundle(
    job: Job,
    record: Diagnosis,
    finding: Assessment,
    now: float,
    *,
    threads: Sequence[ThreadLook],
    stacks: str,
    limits: Mapping[str, float],
    known: Mapping[str, Any],
) -> dict[str, Any]:
    """
    The evidence at the monotonic instant `now`. `known` is what the supervision knows besides: stage, exit code, seed.
    """
    age = record.beat_age(now)
    return {
        **known,
        "verdict": finding.verdict.value,
        "sentence": finding.sentence,
        "beat_age_seconds": None if age is None else round(age, 2),
        "peak_mb": record.peak_bytes // MEBIBYTE,
        "samples": list(records(record.samples, now)),
        "threads": [thread._asdict() for thread in threads],
        "stacks": stacks,
        "attempt": job.attempt,
        "start_at": job.options.start_at,
        "simplified_context": job.options.simplified_context,
        "limits": dict(limits),
        "versions": versions(),
    }


@cache
def versions() -> Mapping[str, str]:
    """Everything that may change what a child does with the same data and seed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # a checkout that was never installed
            found[name] = "unknown"
    return found
