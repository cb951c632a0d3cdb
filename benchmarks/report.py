"""The table of measured runs beside the best known values and what others published."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

HEADINGS = (
    "instance", "limit s", "workers", "runs", "complete", "median cost", "worst", "bound", "best known", "over best",
    "winner 2007", "lowest average", "first complete s", "peak MB",
)  # fmt: skip
BEST_KNOWN = Path(__file__).parent / "best_known.json"


def known_values() -> dict[str, dict[str, Any]]:
    """Instance name -> published values; every suite of best_known.json in one mapping."""
    suites = json.loads(BEST_KNOWN.read_text(encoding="utf-8"))
    return {name: values for suite in suites.values() for name, values in suite["instances"].items()}


def print_report(results: Path, seconds: float | None) -> int:
    """Prints one line per instance, time limit and worker count; returns 1 when there is nothing to report."""
    if not results.exists():
        print(f"no results at {results}; run `python -m benchmarks run` first")
        return 1
    groups: dict[tuple[str, float, int], list[dict[str, str]]] = defaultdict(list)
    with results.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if seconds is None or float(row["seconds_limit"]) == seconds:
                groups[row["instance"], float(row["seconds_limit"]), int(row["workers"])].append(row)
    known = known_values()
    print(f"| {' | '.join(HEADINGS)} |")
    print("|---" + "|--:" * (len(HEADINGS) - 1) + "|")
    total = best = average = 0.0
    for (instance, limit, workers), rows in sorted(groups.items()):
        line, cost = _line(instance, limit, workers, rows, known.get(instance, {}))
        print(line)
        if cost is not None and instance in known:
            total, best = total + cost, best + known[instance]["best_known"]
            average += known[instance]["lowest_avg"]
    if average:
        print(f"\nsum of medians where others published: {total:g}; best known {best:g}, lowest averages {average:g}")
    return 0


def _line(
    instance: str, limit: float, workers: int, rows: list[dict[str, str]], known: dict[str, Any]
) -> tuple[str, float | None]:
    complete = [row for row in rows if row["rung"] == "full"]
    costs = [int(row["cost"]) for row in complete]
    bounds = [int(row["bound"]) for row in complete if row["bound"]]
    first = [float(row["seconds_first_complete"]) for row in complete if row["seconds_first_complete"]]
    peaks = [int(row["peak_mb"]) for row in rows if row["peak_mb"]]
    cost = median(costs) if costs else None
    over = f"{100 * (cost / known['best_known'] - 1):+.0f} %" if cost is not None and known.get("best_known") else ""
    cells = (
        *(instance, f"{limit:g}", workers, len(rows), len(complete)),
        *("" if cost is None else f"{cost:g}", max(costs, default=""), max(bounds, default="")),
        *(known.get("best_known", ""), over, known.get("mueller_avg", ""), known.get("lowest_avg", "")),
        *(f"{median(first):.1f}" if first else "", max(peaks, default="")),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |", cost
