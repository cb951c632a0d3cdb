"""
Pictures of measured runs as SVG: cost over time, gap to the best known values, growth with size.

They are drawn from the files that `run` has written, nothing is measured here.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.figures import slope
from benchmarks.report import known_values
from benchmarks.runner import curves_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = Sequence[Sequence[float]]
SIZE = (9.0, 5.0)
MANY_INSTANCES = 10
"""As many colours as the cycle has; more lines than that would not be told apart."""


def draw(results: Path, folder: Path) -> list[Path]:
    """
    Draws what the results have data for.

    Returns
    -------
    list of the SVG files written

    Raises
    ------
    FileNotFoundError
        There are no results.
    """
    import matplotlib  # takes two seconds, which whoever only computes does not need

    matplotlib.use("svg")
    from matplotlib import pyplot

    with results.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    curves = [json.loads(line) for line in curves_of(results).read_text(encoding="utf-8").splitlines()]
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    for name, draw_on, data in (
        ("cost-over-time", _cost_over_time, curves),
        ("gap", _gaps, _gaps_of(rows)),
        ("growth", _growth, _sizes_of(rows)),
    ):
        if not data:
            continue
        figure, axes = pyplot.subplots(figsize=SIZE, layout="constrained")
        draw_on(axes, data)
        drawn.append(folder / f"{name}.svg")
        figure.savefig(drawn[-1], metadata={"Date": None})
        pyplot.close(figure)
    return drawn


def steps(curve: Curve, until: float) -> tuple[list[float], list[float]]:
    """(seconds, cost) of the complete timetables of one run, from the first one on; the last holds to the end."""
    complete = [(point[0], point[4]) for point in curve if point[1] == point[2] == point[3] == 0]
    seconds, costs = [second for second, _ in complete], [cost for _, cost in complete]
    return ([*seconds, max(until, seconds[-1])], [*costs, costs[-1]]) if complete else ([], [])


def growth_exponent(sizes: Sequence[float], times: Sequence[float]) -> float:
    """Slope of log time over log size by least squares: 1 for linear growth."""
    return slope([(math.log(size), math.log(time)) for size, time in zip(sizes, times, strict=True)])


def _cost_over_time(axes: Axes, curves: list[dict[str, Any]]) -> None:
    """One line per run; the best known value is no line, so cost is drawn as a multiple of the run's last one."""
    names = sorted({curve["instance"] for curve in curves})[:MANY_INSTANCES]
    for curve in curves:
        seconds, costs = steps(curve["curve"], curve["seconds_limit"])
        if curve["instance"] in names and costs and costs[-1] > 0:
            number = names.index(curve["instance"])
            axes.step(seconds, [c / costs[-1] for c in costs], where="post", color=f"C{number}", linewidth=1)
    for number, name in enumerate(names):
        axes.plot([], [], color=f"C{number}", label=name)
    axes.set(xscale="log", xlabel="seconds", ylabel="cost / last cost of the run", ylim=(0.95, 5))
    axes.legend(fontsize="small", ncols=2)


def _gaps_of(rows: list[dict[str, str]]) -> dict[str, list[float]]:
    gaps: dict[str, list[float]] = defaultdict(list)
    known = known_values()
    for row in rows:
        best = known.get(row["instance"], {}).get("best_known")
        if best is not None and row["rung"] == "full":
            gaps[f"{row['instance']}\n{float(row['seconds_limit']):g} s"].append(float(row["cost"]) - best)
    return dict(sorted(gaps.items()))


def _gaps(axes: Axes, gaps: dict[str, list[float]]) -> None:
    axes.bar(list(gaps), [median(found) for found in gaps.values()], color="C0")
    for place, found in enumerate(gaps.values()):
        axes.plot([place] * len(found), found, "k_", markersize=8)
    axes.tick_params(axis="x", labelsize="small")
    axes.set(ylabel="cost above the best known (bar: median, marks: runs)")


def _sizes_of(rows: list[dict[str, str]]) -> dict[str, list[tuple[int, float]]]:
    """preset -> (sessions, seconds to the first complete timetable) of samples that were run in several sizes."""
    sizes: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        if row["seconds_first_complete"]:
            sizes[row["instance"].partition("*")[0]].append(
                (int(row["sessions"]), float(row["seconds_first_complete"]))
            )
    return {preset: sorted(found) for preset, found in sizes.items() if len({size for size, _ in found}) > 1}


def _growth(axes: Axes, sizes: dict[str, list[tuple[int, float]]]) -> None:
    for preset, found in sizes.items():
        sessions, seconds = [size for size, _ in found], [second for _, second in found]
        exponent = growth_exponent(sessions, seconds)
        axes.loglog(sessions, seconds, "o-", label=f"{preset}: exponent {exponent:.2f}")
    axes.set(xlabel="sessions", ylabel="seconds to the first complete timetable")
    axes.legend()
