"""
Runs instances, each in a process of its own, so that peak memory and start-up belong to that run alone.

A row is written as soon as its run ends; a run that fails is a row too, with its error, and makes the exit code 1.
Beside the rows lie the curves (`<results>.curves.jsonl`): every improvement of every run. With `side_by_side` runs at a
time, each is pinned to a core of its own, so that they do not take each other's time.
"""

from __future__ import annotations

import csv
import json
import os
import platform
import queue
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.suites import instances, load, short_name
from solver import Control, Score, SolveParams, Timetable, solve, verify

COLUMNS = (
    "instance", "seed", "seconds_limit", "workers", "cost", "rigid", "unplaced", "bent", "bound", "rung", "quality",
    "stopped_by", "seconds_first_complete", "seconds", "peak_mb", "sessions", "versions", "machine", "at", "error",
)  # fmt: skip
EXTRA_SECONDS = 120.0
"""A run is killed when it has used this much more than its limit; loading and compiling may take that long once."""


def measure(instance: str, seconds: float, workers: int, seed: int) -> dict[str, object]:
    """Solves one instance in this process; the cost is the verifier's count of the final timetable."""
    dataset = load(instance)
    first_complete: list[float] = []
    began = time.monotonic()

    def on_incumbent(timetable: Timetable, score: Score) -> None:
        if score.complete and not first_complete:
            first_complete.append(time.monotonic() - began)

    result = solve(
        dataset,
        SolveParams(time_limit_seconds=seconds, workers=workers, seed=seed, num_variants=1),
        Control(on_incumbent=on_incumbent),
    )
    elapsed = time.monotonic() - began
    score = verify(dataset, result.best.timetable).score
    return {
        "instance": short_name(instance),
        "seed": seed,
        "seconds_limit": seconds,
        "workers": workers,
        "cost": score.soft,
        "rigid": score.rigid,
        "unplaced": score.unplaced,
        "bent": score.bent,
        "bound": result.lower_bound,
        "rung": result.best.rung,
        "quality": str(result.best.quality),
        "stopped_by": str(result.stopped_by),
        "seconds_first_complete": round(first_complete[0], 2) if first_complete else None,
        "seconds": round(elapsed, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "sessions": len(dataset.sessions),
        "versions": " ".join(f"{name}={value}" for name, value in result.versions.items()),
        "machine": f"{platform.machine()} {platform.system()}",
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "error": "; ".join(result.notes),
        "curve": [[round(point.seconds, 3), *point.score] for point in result.curve],
    }


def run_suite(
    suite: str,
    seconds: float,
    workers: int,
    seeds: int,
    only: set[str],
    results: Path,
    *,
    side_by_side: int = 1,
) -> int:
    """
    Runs every instance with seeds 1 to `seeds`; returns 1 when any run failed.

    Raises
    ------
    ValueError
        More runs at a time than there are cores to pin them to.
    """
    chosen = [name for name in instances(suite) if not only or short_name(name) in only]
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= side_by_side * workers <= max(len(cores), workers):
        raise ValueError(f"{side_by_side} runs of {workers} threads do not fit on {len(cores)} cores")
    free: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for k in range(side_by_side):
        free.put(cores[k * workers : (k + 1) * workers])

    def one(instance: str, seed: int) -> dict[str, object]:
        mine = free.get()
        try:
            return _run_in_child(instance, seconds, workers, seed, mine)
        finally:
            free.put(mine)

    failed = 0
    with ThreadPoolExecutor(side_by_side) as pool:
        runs = [pool.submit(one, instance, seed) for instance in chosen for seed in range(1, seeds + 1)]
        for run in as_completed(runs):
            row = run.result()
            _append(results, row)
            failed += bool(row.get("rung") is None)
            print(_line(row), flush=True)
    return 1 if failed else 0


def _line(row: dict[str, object]) -> str:
    return (
        f"{row['instance']:<16} seed {row['seed']}  cost {row.get('cost')}  open {row.get('unplaced')}  "
        f"bent {row.get('bent')}  bound {row.get('bound')}  rung {row.get('rung')}  "
        f"first {row.get('seconds_first_complete')} s  {row.get('seconds')} s  {row.get('peak_mb')} MB"
        + (f"  {row['error']}" if row.get("error") else "")
    )


def _run_in_child(instance: str, seconds: float, workers: int, seed: int, cores: list[int]) -> dict[str, object]:
    command = [sys.executable, "-m", "benchmarks", "one", "--instance", instance, "--seconds", str(seconds)]
    command += ["--workers", str(workers), "--seed", str(seed), "--cores", ",".join(map(str, cores))]
    failure = {"instance": short_name(instance), "seed": seed, "seconds_limit": seconds, "workers": workers}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + EXTRA_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {**failure, "error": f"killed {EXTRA_SECONDS:g} s after its time limit"}
    if done.returncode != 0:
        return {**failure, "error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    row: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def curves_of(results: Path) -> Path:
    """The file of improvements that belongs to a file of rows: one JSON object per run."""
    return results.with_suffix(".curves.jsonl")


def _append(results: Path, row: dict[str, object]) -> None:
    results.parent.mkdir(parents=True, exist_ok=True)
    new = not results.exists()
    with results.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        if new:
            writer.writeheader()
        writer.writerow(row)
    if "curve" in row:
        with curves_of(results).open("a", encoding="utf-8") as file:
            names = ("instance", "seed", "seconds_limit", "workers", "at", "curve")
            file.write(json.dumps({name: row[name] for name in names}) + "\n")
