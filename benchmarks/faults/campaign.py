"""
Runs the bars one after the other and prints the table. Exit code 1 when a bar fails.

The same seed makes the same choices, also when a row is run alone. Times are those of the machine it runs on.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from benchmarks.faults.bars import BARS, BY_NAME, Bar, counts, shortfalls, wrongs
from benchmarks.faults.ledger import Ledger
from benchmarks.faults.run import Impossible, NotAvailable, Run
from benchmarks.faults.target import Target
from benchmarks.figures import percentile

PATIENCE = 2.0
GRACE_SECONDS = 60.0
"""A row begins nothing more when it has used `PATIENCE` times its share, and is cut off this much later."""
QUICK_SLACK = 2.0
WARM_UP_SECONDS = 600.0
MOST_SHOWN = 12
SHARES = {"p50": 0.5, "p99": 0.99, "worst": 1.0}
HEADINGS = ("bar", "what was done", "done", "lost or wrong", "measured (p50 / p99 / worst)", "verdict")


@dataclass(frozen=True, kw_only=True)
class Row:
    """
    One line of the table, and of the JSON file.

    `wrong` is what was lost or wrong, `short` why it does not pass besides: values over their limits, too little done.
    `left_out` says why this machine does not let us do it; then the row tells nothing, for or against.
    """

    name: str
    text: str
    wanted: int
    done: int
    wrong: list[str]
    short: list[str]
    figures: dict[str, dict[str, Any]]
    notes: list[str]
    seconds: float
    left_out: str = ""

    @property
    def faults(self) -> list[str]:
        return self.wrong + self.short

    @property
    def passed(self) -> bool:
        return not self.faults

    @property
    def verdict(self) -> str:
        if self.left_out:
            return f"left out: {self.left_out}"
        return "pass" if self.passed else "; ".join(["FAIL", *self.short])

    @property
    def line(self) -> str:
        measured = [
            f"{name}: {' / '.join(f'{figure[key]:.3g}' for key in SHARES)} {figure['unit']} (n={figure['n']})"
            for name, figure in self.figures.items()
        ]
        told = "; ".join([*measured, *self.notes])
        done = f"{self.done}" if self.done >= self.wanted else f"{self.done} of {self.wanted}"
        cells = (self.name, self.text, done, str(len(self.wrong)), told, self.verdict)
        return f"| {' | '.join(cells)} |"


def add_options(parser: argparse.ArgumentParser) -> None:
    full = expected_seconds(BARS, counts(BARS, None)) / 60
    parser.add_argument(
        "--minutes", type=float, default=None, help=f"scale the counts down to this time; all takes about {full:.0f}"
    )
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same choices; printed")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=BY_NAME, help=f"rows: {', '.join(BY_NAME)}")
    parser.add_argument("--quick", action="store_true", help="the part that runs in CI, four minutes at most")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the rows to this file as well")


def run(given: argparse.Namespace) -> int:
    """Runs what the options say; returns the exit code."""
    seed = random.SystemRandom().randrange(10_000) if given.seed is None else given.seed
    chosen = tuple(bar for bar in BARS if not given.only or bar.name in given.only)
    wanted = counts(chosen, given.minutes, quick=given.quick)
    expected = expected_seconds(chosen, wanted)
    print(f"seed {seed}; {len(wanted)} row(s), about {expected / 60:.0f} min; again: --seed {seed}", flush=True)
    logging.getLogger("timetable").addHandler(logging.NullHandler())  # what recipes open here need not be told of
    folder = Path(tempfile.mkdtemp(prefix="timetable-faults-"))
    slack = QUICK_SLACK if given.quick else 1.0
    if given.quick:
        print(
            f"a handful of values on a machine that does other work: limits of times count {slack:g} times", flush=True
        )
    rows = anyio.run(partial(run_bars, chosen, wanted, seed, folder, slack))
    print(f"\n| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}")
    for row in rows:
        print(row.line)
    if given.json is not None:
        document = {"seed": seed, "rows": [{**asdict(row), "faults": row.faults, "passed": row.passed} for row in rows]}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if rows and all(row.passed for row in rows):
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    print(f"\nlogs and stores of the services are kept in {folder}", file=sys.stderr)
    return 1


def expected_seconds(bars: Sequence[Bar], wanted: Mapping[str, int]) -> float:
    """What so many repetitions take; the background costs only what it takes longer than the rows beside it."""
    spent = {bar.name: bar.cost(wanted[bar.name]) for bar in bars if bar.name in wanted}
    behind = sum(spent.get(bar.name, 0.0) for bar in bars if bar.background)
    beside = sum(spent.get(bar.name, 0.0) for bar in bars if bar.beside)
    return sum(spent.values()) - min(behind, beside)


async def run_bars(
    bars: Sequence[Bar], wanted: Mapping[str, int], seed: int, folder: Path, slack: float = 1.0
) -> list[Row]:
    """First the rows that measure times, each alone; then the others, with the background going on behind them."""
    rows: dict[str, Row] = {}

    async def one_by_one(part: list[Bar]) -> None:
        for bar in part:
            rows[bar.name] = await run_bar(bar, wanted[bar.name], seed, folder / bar.name, slack)

    chosen = [bar for bar in bars if bar.name in wanted]
    await _warm_up(folder / "warm-up")
    await one_by_one([bar for bar in chosen if not bar.beside and not bar.background])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one_by_one, [bar for bar in chosen if bar.background])
        tasks.start_soon(one_by_one, [bar for bar in chosen if bar.beside])
    return [rows[bar.name] for bar in chosen]


async def _warm_up(folder: Path) -> None:
    """The first service on a machine compiles its kernels, for half a minute or more; that is not what we measure."""
    async with Target(folder, Ledger()) as target:
        await target.ended(await target.submit("trivial", 1.0), WARM_UP_SECONDS)


async def run_bar(bar: Bar, count: int, seed: int, folder: Path, slack: float = 1.0) -> Row:
    """One row; whatever a recipe raises is a fault of that row and of no other."""
    folder.mkdir(parents=True)
    seconds = PATIENCE * bar.cost(count)
    # Each row has a generator of its own, so that a row run alone makes the choices it made among the others.
    run = Run(rng=random.Random(f"{seed}/{bar.name}"), count=count, seconds=seconds, folder=folder)
    print(f"{bar.name}: {count} x {bar.text}", flush=True)
    try:
        with anyio.fail_after(seconds + GRACE_SECONDS):
            await bar.recipe(run)
    except Impossible as why:
        print(f"    left out: {why}", flush=True)
        return _row(bar, run, count, slack, str(why))
    except NotAvailable as missing:
        run.tally.undone.append(f"not available: {missing}")
    except TimeoutError:
        run.tally.undone.append(f"cut off after {seconds + GRACE_SECONDS:.0f} s")
    except Exception as error:  # noqa: BLE001 - a recipe that fails is a row that fails
        run.tally.breaches += _told(error)
        (folder / "traceback.txt").write_text(traceback.format_exc(), encoding="utf-8")
    return _row(bar, run, count, slack)


def _row(bar: Bar, run: Run, count: int, slack: float, left_out: str = "") -> Row:
    units = {limit.figure: limit.unit for limit in bar.limits}
    row = Row(
        name=bar.name,
        text=bar.text,
        wanted=count,
        done=run.tally.done,
        wrong=wrongs(run.tally),
        short=[] if left_out else shortfalls(bar, run.tally, count, slack),
        figures={
            name: {
                "n": len(values),
                **{key: percentile(values, share) for key, share in SHARES.items()},
                "unit": units.get(name, bar.unit),
            }
            for name, values in run.tally.figures.items()
        },
        notes=run.tally.notes,
        seconds=time.monotonic() - run.began,
        left_out=left_out,
    )
    print(f"    {'pass' if row.passed else 'FAIL'} after {row.seconds:.0f} s", flush=True)
    for sentence in row.faults[:MOST_SHOWN]:
        print(f"    - {sentence}", flush=True)
    if len(row.faults) > MOST_SHOWN:
        print(f"    - and {len(row.faults) - MOST_SHOWN} more", flush=True)
    return row


def _told(error: BaseException) -> list[str]:
    """The sentences of an error, of each one in a group."""
    if isinstance(error, BaseExceptionGroup):
        return [sentence for inner in error.exceptions for sentence in _told(inner)]
    return [f"{type(error).__name__}: {error}"]
