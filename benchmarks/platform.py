"""
How long it takes, and how much memory, to fetch a sample from the platform's tables and to map it to a dataset.

The tables are made in a database of their own on the test PostgreSQL. Memory is the peak of a fresh process,
its imports included.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from app.domain.source import Query
from app.platform.source import PlatformSource
from app.settings import Settings
from solver.samples import sample
from tests.platform.tables import ORGANISATION, load, platform_database

MOST_SECONDS, MOST_MB = 5.0, 300.0


def run_platform(name: str) -> int:
    """Loads the sample, fetches it in a fresh process, prints the figures; 1 when the bar is missed."""
    with platform_database() as url:
        load(url, sample(name))
        work = [sys.executable, "-m", "benchmarks.platform"]
        found = json.loads(subprocess.run(work, input=url, capture_output=True, text=True, check=True).stdout)
    print(json.dumps(found, indent=2))
    return 0 if found["seconds"] <= MOST_SECONDS and found["peak_mb"] <= MOST_MB else 1


def _measure(url: str) -> dict[str, object]:
    before = _peak_mb()
    source = PlatformSource(Settings(data_dir=Path("unused"), platform_database_url=url))
    began = time.monotonic()
    imported, _ = source.read(Query(organization_id=ORGANISATION))
    mapped = time.monotonic()
    mapped_mb = _peak_mb()
    fetched = source.fetch(Query(organization_id=ORGANISATION))
    whole = time.monotonic() - mapped
    source.close()
    return {
        "enrolments": imported.rows["course_enrollments"],
        **fetched.size,
        "seconds": round(mapped - began, 2),
        "seconds_with_packing": round(whole, 2),
        "peak_mb": round(mapped_mb, 1),
        "peak_mb_before": round(before, 1),
        "peak_mb_with_packing": round(_peak_mb(), 1),
        "packed_mb": round(len(fetched.packed) / 1e6, 2),
    }


def _peak_mb() -> float:
    """Of this program alone: `ru_maxrss` would also count what its parent held when it was started."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    print(json.dumps(_measure(sys.stdin.read())))
