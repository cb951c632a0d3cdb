"""
Command line of the benchmarks; `python -m benchmarks --help` lists what there is.

A command imports what it needs when it runs, so that a measured process holds nothing but the solver.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.suites import FOLDERS, SUITES

DEFAULT_RESULTS = Path(__file__).parent / "results" / "runs.csv"


class Command(NamedTuple):
    """One word of the command line: its options and what it does; that returns the exit code."""

    about: str
    options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], int]


def main() -> int:
    parser = ArgumentParser(prog="python -m benchmarks", description=(__doc__ or "").splitlines()[1])
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.options(words.add_parser(name, help=command.about, description=command.about))
    given = parser.parse_args()
    return COMMANDS[given.command].run(given)


def _suite_options(parser: ArgumentParser, seconds: float) -> None:
    names = ", ".join([*SUITES, *FOLDERS])
    parser.add_argument("--suite", required=True, help=f"a folder or file of instances, a sample, or one of: {names}")
    parser.add_argument(
        "--only", type=_names, default=frozenset(), help="comma-separated instance names; all when empty"
    )
    parser.add_argument("--seconds", type=float, default=seconds, help="time limit of one run")


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if name)


def _run_options(parser: ArgumentParser) -> None:
    _suite_options(parser, 60.0)
    parser.add_argument("--workers", type=int, default=1, help="solver threads of one run")
    parser.add_argument("--seeds", type=int, default=1, help="runs per instance, with seeds 1 to K")


def _solve_options(parser: ArgumentParser) -> None:
    _run_options(parser)
    parser.add_argument("--side-by-side", type=int, default=1, help="runs at a time, each pinned to its own cores")
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS, help="CSV file the rows are added to")


def _solve(given: Namespace) -> int:
    from benchmarks.runner import run_suite

    return run_suite(
        given.suite,
        given.seconds,
        given.workers,
        given.seeds,
        given.only,
        given.results,
        side_by_side=given.side_by_side,
    )


def _one_options(parser: ArgumentParser) -> None:
    parser.add_argument("--instance", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--cores", default="", help="comma-separated numbers of the cores to be pinned to")


def _one(given: Namespace) -> int:
    if given.cores:
        os.sched_setaffinity(0, {int(core) for core in given.cores.split(",")})
    from benchmarks.runner import measure

    print(json.dumps(measure(given.instance, given.seconds, given.workers, given.seed)))
    return 0


def _report_options(parser: ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS)
    parser.add_argument("--seconds", type=float, default=None, help="only rows with this time limit")


def _report(given: Namespace) -> int:
    from benchmarks.report import print_report

    return print_report(given.results, given.seconds)


def _plot_options(parser: ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=DEFAULT_RESULTS)
    parser.add_argument("--folder", type=Path, default=DEFAULT_RESULTS.parent, help="where the SVG files go")


def _plot(given: Namespace) -> int:
    from benchmarks.plots import draw

    for path in draw(given.results, given.folder):
        print(path)
    return 0


def _micro(given: Namespace) -> int:
    from benchmarks.micro import measure_parts

    return measure_parts(given.suite, given.seconds, given.only)


def _profile_options(parser: ArgumentParser) -> None:
    _suite_options(parser, 30.0)
    parser.add_argument("--workers", type=int, default=1, help="solver threads")
    parser.add_argument("--variants", type=int, default=3, help="timetables asked for")


def _profile(given: Namespace) -> int:
    from benchmarks.profile import print_profile

    return print_profile(given.suite, given.seconds, given.workers, given.variants, given.only)


def _bounds(given: Namespace) -> int:
    from benchmarks.bounds import measure_bounds

    return measure_bounds(given.suite, given.seconds, given.only)


def _compare_options(parser: ArgumentParser) -> None:
    parser.add_argument("before", help="a commit")
    parser.add_argument("after", help="another one")
    _run_options(parser)


def _compare(given: Namespace) -> int:
    from benchmarks.compare import compare

    return compare(given.before, given.after, given.suite, given.seconds, given.workers, given.seeds, given.only)


def _first_options(parser: ArgumentParser) -> None:
    parser.add_argument("--sample", default="college")
    parser.add_argument("--times", type=int, default=10)


def _first(given: Namespace) -> int:
    from benchmarks.first import measure_first

    return measure_first(given.sample, given.times)


def _faults_options(parser: ArgumentParser) -> None:
    from benchmarks.faults import campaign

    campaign.add_options(parser)


def _faults(given: Namespace) -> int:
    from benchmarks.faults import campaign

    return campaign.run(given)


def _cluster_options(parser: ArgumentParser) -> None:
    from benchmarks.cluster import parts

    parts.add_options(parser)


def _cluster(given: Namespace) -> int:
    from benchmarks.cluster import parts

    return parts.run(given)


def _smoke_options(parser: ArgumentParser) -> None:
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)


def _smoke(given: Namespace) -> int:
    from benchmarks import smoke

    return smoke.run(given.users, given.seconds)


def _platform_options(parser: ArgumentParser) -> None:
    parser.add_argument("--sample", default="bhu")
    parser.add_argument("--job", action="store_true", help="a whole job, from the POST to the delivered variants")
    parser.add_argument("--seconds", type=int, default=60, help="time limit of that job")
    parser.add_argument("--workers", type=int, default=2, help="threads of that job")


def _platform(given: Namespace) -> int:
    if given.job:
        from benchmarks.platform_job import run_job

        return run_job(given.sample, given.seconds, given.workers)
    from benchmarks.platform import run_platform

    return run_platform(given.sample)


def _page_options(parser: ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=DEFAULT_RESULTS.parent / "page", help="where the pictures go")
    parser.add_argument("--only", type=_names, default=frozenset(), help="comma-separated names of pictures")
    parser.add_argument("--no-figures", action="store_true", help="pictures only")


def _page(given: Namespace) -> int:
    from benchmarks import page

    return page.run(given.folder, given.only, not given.no_figures)


COMMANDS: dict[str, Command] = {
    "run": Command("solve every instance of a suite and write one row per run", _solve_options, _solve),
    "report": Command("table of the rows against best_known.json", _report_options, _report),
    "plot": Command("pictures of the rows: cost over time, gap to the best known, growth", _plot_options, _plot),
    "micro": Command(
        "speed of the parts, and of the search with one set of rules after another",
        lambda parser: _suite_options(parser, 3.0),
        _micro,
    ),
    "profile": Command("where the time of a solve goes", _profile_options, _profile),
    "bounds": Command(
        "lower bounds alone, beside what others proved", lambda parser: _suite_options(parser, 300.0), _bounds
    ),
    "compare": Command("two commits in turn on this machine", _compare_options, _compare),
    "first": Command("how soon after the POST a warm service has a first timetable", _first_options, _first),
    "faults": Command("do harm to a real service and count what is lost", _faults_options, _faults),
    "cluster": Command(
        "services and workers on one PostgreSQL and one broker: pace, fairness, and harm", _cluster_options, _cluster
    ),
    "smoke": Command("a little load by locust on a real service; fails on errors and slowness", _smoke_options, _smoke),
    "platform": Command("fetch a sample from the platform's tables: seconds and memory", _platform_options, _platform),
    "page": Command("pictures of the page at two sizes in both themes, and how fast it opens", _page_options, _page),
    "one": Command("one run in this process; prints its row as JSON (used by run and compare)", _one_options, _one),
}


if __name__ == "__main__":
    sys.exit(main())
