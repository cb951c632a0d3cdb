"""Command line of the benchmarks; `python -m benchmarks --help` lists what there is."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import smoke
from benchmarks.faults import campaign
from benchmarks.report import print_report
from benchmarks.runner import measure, run_suite
from benchmarks.suites import SUITES

DEFAULT_RESULTS = Path(__file__).parent / "results" / "runs.csv"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="solve every instance of a suite and write one row per run")
    run.add_argument("--suite", required=True, help=f"a folder or file of instances, or one of: {', '.join(SUITES)}")
    run.add_argument("--seconds", type=float, default=60.0, help="time limit of one run")
    run.add_argument("--workers", type=int, default=1, help="solver threads of one run")
    run.add_argument("--seeds", type=int, default=1, help="runs per instance, with seeds 1 to K")
    run.add_argument("--only", default="", help="comma-separated instance names; all when empty")
    run.add_argument("--results", type=Path, default=DEFAULT_RESULTS, help="CSV file the rows are added to")
    report = commands.add_parser("report", help="table of the rows against best_known.json")
    report.add_argument("--results", type=Path, default=DEFAULT_RESULTS)
    report.add_argument("--seconds", type=float, default=None, help="only rows with this time limit")
    one = commands.add_parser("one", help="one run in this process; prints its row as JSON (used by run)")
    one.add_argument("--instance", required=True)
    one.add_argument("--seconds", type=float, required=True)
    one.add_argument("--workers", type=int, required=True)
    one.add_argument("--seed", type=int, required=True)
    campaign.add_options(commands.add_parser("faults", help="do harm to a real service and count what is lost"))
    smoked = commands.add_parser(
        "smoke", help="a little load by locust on a real service; fails on errors and slowness"
    )
    smoked.add_argument("--users", type=int, default=10)
    smoked.add_argument("--seconds", type=float, default=30.0)
    given = parser.parse_args()
    if given.command == "smoke":
        return smoke.run(given.users, given.seconds)
    if given.command == "faults":
        return campaign.run(given)
    if given.command == "one":
        print(json.dumps(measure(given.instance, given.seconds, given.workers, given.seed)))
        return 0
    if given.command == "report":
        return print_report(given.results, given.seconds)
    only = {name for name in given.only.split(",") if name}
    return run_suite(given.suite, given.seconds, given.workers, given.seeds, only, given.results)


if __name__ == "__main__":
    sys.exit(main())
