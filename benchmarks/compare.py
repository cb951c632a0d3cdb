"""
Two commits on the same machine: the same runs, one after the other in turn, so that a slow minute hits both.

Each commit is unpacked into a folder of its own under `results/commits`, which is kept because its kernels are compiled
for that place, and warmed up once, so that compiling is in no figure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.suites import instances, short_name

ROOT = Path(__file__).resolve().parents[1]
COMMITS = Path(__file__).parent / "results" / "commits"
WARM_UP_SECONDS = 1.0
EXTRA_SECONDS = 180.0
FIGURES = ("cost", "seconds_first_complete", "peak_mb")


def compare(before: str, after: str, suite: str, seconds: float, workers: int, seeds: int, only: set[str]) -> int:
    """
    Prints a line per instance with the medians of both commits; returns 1 when a run failed.

    Raises
    ------
    subprocess.CalledProcessError
        A name is no commit.
    """
    chosen = [name for name in instances(suite) if not only or short_name(name) in only]
    commits = [unpacked(before), unpacked(after)]
    for commit in commits:
        _measured(commit, "sample:tiny", WARM_UP_SECONDS, workers, 1)
    print(f"| instance | {' | '.join(f'{name} {before}..{after}' for name in FIGURES)} | better in |")
    print(f"|---{'|--:' * (len(FIGURES) + 1)}|")
    failed = 0
    for instance in chosen:
        pairs = []
        for seed in range(1, seeds + 1):
            sides = [0, 1] if seed % 2 else [1, 0]
            rows = {side: _measured(commits[side], instance, seconds, workers, seed) for side in sides}
            pairs.append((rows[0], rows[1]))
        failed += any(row is None for pair in pairs for row in pair)
        print(line(short_name(instance), pairs), flush=True)
    return 1 if failed else 0


def unpacked(commit: str, folder: Path = COMMITS) -> Path:
    """The files of a commit of this repository, without what is not committed, in a folder named by its full id."""
    named = subprocess.run(
        ["git", "rev-parse", "--verify", f"{commit}^{{commit}}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    place = folder / named.stdout.strip()
    if not place.exists():
        archive = subprocess.run(["git", "archive", place.name], cwd=ROOT, capture_output=True, check=True)
        part = place.with_suffix(".part")  # an unpacking that was cut short is no commit
        part.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-x", "-C", str(part)], input=archive.stdout, check=True)
        part.rename(place)
    return place


def _measured(commit: Path, instance: str, seconds: float, workers: int, seed: int) -> dict[str, Any] | None:
    """One run by the code of a commit; None when it failed, with its last words on stderr."""
    command = [sys.executable, "-m", "benchmarks", "one", "--instance", instance, "--seconds", str(seconds)]
    command += ["--workers", str(workers), "--seed", str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(commit)}
    try:
        done = subprocess.run(
            command,
            cwd=commit,
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds + EXTRA_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"{commit.name}: {instance} was killed {EXTRA_SECONDS:g} s after its limit", file=sys.stderr)
        return None
    if done.returncode != 0:
        print(f"{commit.name}: {instance}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def line(instance: str, pairs: list[tuple[dict[str, Any] | None, dict[str, Any] | None]]) -> str:
    """A line of the table; runs of which one side failed are left out of the medians."""
    done = [(a, b) for a, b in pairs if a is not None and b is not None]
    cells = []
    for name in FIGURES:
        sides = [[pair[side][name] for pair in done if pair[side][name] is not None] for side in (0, 1)]
        cells.append("..".join(f"{median(values):g}" if values else "-" for values in sides))
    levels = [tuple((row["rigid"], row["unplaced"], row["bent"], row["cost"]) for row in pair) for pair in done]
    better, worse = sum(b < a for a, b in levels), sum(b > a for a, b in levels)
    return f"| {instance} | {' | '.join(cells)} | {better} better, {worse} worse of {len(pairs)} |"
