"""
The command `timetable`.

Exit codes: 0 = an answer, 1 = our fault, 2 = bad input, 3 = answered, with concessions or open sessions.
Ctrl-C once ends a solve with the best timetable so far; twice abandons it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from app import SERVICE, service_version
from app.commands import console as draw
from app.commands import demo as demonstration
from app.commands import export as asking
from app.commands.keys import commands as key_commands
from app.commands.store import commands as store_commands
from app.settings import Settings, SettingsError
from app.views.variants import result_view, rule_views
from solver import Control, Progress, SolveParams, Stop, advice_on, verify
from solver.errors import InputError, SolverError, in_words
from solver.formats import READABLE, WRITABLE, read_dataset, read_source, read_timetable, write_result, write_timetable
from solver.formats.native import dump_dataset
from solver.formats.platform_csv import Imported
from solver.model import Dataset
from solver.names import counted
from solver.result import Report, Result
from solver.rules import RULE_OF
from solver.samples import PRESETS, sample

if TYPE_CHECKING:
    from app.processes.children import ForkServer

EXIT_ANSWER, EXIT_OUR_FAULT, EXIT_BAD_INPUT, EXIT_CONCESSIONS = 0, 1, 2, 3

app = typer.Typer(
    name="timetable",
    help="University timetables: generated, verified, honest about what was given up.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(key_commands, name="keys")
app.add_typer(store_commands)
out = Console()
err = Console(stderr=True)

T = TypeVar("T")
File = Annotated[Path, typer.Argument(help=f"dataset: {', '.join(READABLE)}")]
Format = Annotated[str | None, typer.Option(help="format of the output; default by its suffix")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document instead of tables")]


def _tell_version(wanted: bool) -> None:
    if wanted:
        out.print(f"{SERVICE} {service_version()}", highlight=False)
        raise typer.Exit


@app.callback()
def every_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="print the version and end")
    ] = False,
) -> None:
    """University timetables: generated, verified, honest about what was given up."""


@app.command()
def demo(
    seconds: Annotated[float, typer.Option("--time-limit", help="time limit of the demonstration job, seconds")] = 20.0,
) -> None:
    """Serve on a free port, post the sample `college`, follow it and print what comes out."""
    raise typer.Exit(demonstration.run(out, seconds))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on; default from TIMETABLE_HOST")] = None,
    port: Annotated[
        int | None, typer.Option(help="port to listen on, 0 for a free one; default from TIMETABLE_PORT")
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            help="embedded: solve here; celery: workers do (`timetable worker`); default from TIMETABLE_QUEUE"
        ),
    ] = None,
) -> None:
    """Run the service until Ctrl-C or SIGTERM."""
    settings = _settings(host=host, port=port, queue=queue)
    forkserver = _forkserver(settings, launch=settings.queue == "embedded")
    from app.http.server import CannotServe
    from app.main import run_service

    try:
        run_service(settings, forkserver)
    except CannotServe as error:
        forkserver.abandon()
        _fail(str(error), EXIT_OUR_FAULT)
    os._exit(EXIT_ANSWER)  # everything is closed; a thread that waits for a disk which is gone is not waited for


@app.command()
def worker(
    slots: Annotated[int | None, typer.Option(help="jobs solved at a time; default from TIMETABLE_SLOTS")] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="folder of this worker alone, on this machine; default from TIMETABLE_DATA_DIR"),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="port for /metrics and /health/live, 0 for none; default from TIMETABLE_WORKER_PORT"),
    ] = None,
) -> None:
    """Solve jobs of services that were started with `--queue celery`, until Ctrl-C or SIGTERM."""
    settings = _settings(slots=slots, data_dir=data_dir, worker_port=metrics_port)
    from app.cluster import worker as working

    problem = working.refusal(settings)
    if problem is not None:
        _fail(problem, EXIT_BAD_INPUT)
    forkserver = _forkserver(settings, launch=True)
    from app.main import run_worker

    try:
        run_worker(settings, forkserver)
    except working.CannotWork as error:
        forkserver.abandon()
        _fail(str(error), EXIT_OUR_FAULT)
    os._exit(EXIT_ANSWER)


def _settings(**options: object) -> Settings:
    given = {name: value for name, value in options.items() if value is not None}
    return _or_bad_input(lambda: Settings.from_environment(**given))


def _forkserver(settings: Settings, *, launch: bool) -> ForkServer:
    """
    One that imports the solver while we import the rest, so that interrupted jobs run again that much sooner.

    A service that solves nothing itself has no use for it.
    """
    from app.processes.children import SOLVE, ForkServer, ForkServerLost, tag_of

    forkserver = ForkServer(SOLVE, tag_of(settings.data_dir))
    if launch:
        with suppress(ForkServerLost):  # the supervisor tries again, and says so
            forkserver.launch()
    return forkserver


@app.command("solve")
def solve_command(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help=f"write the result: {', '.join(WRITABLE)}")
    ] = None,
    time_limit: Annotated[float, typer.Option(help="seconds for everything")] = 60.0,
    workers: Annotated[int, typer.Option(help="solver threads")] = 1,
    seed: Annotated[int, typer.Option(help="same seed, same search")] = 0,
    variants: Annotated[int, typer.Option(help="timetables to choose from")] = 1,
    start_at: Annotated[
        str, typer.Option(help="first rung of the ladder: full, relaxed, greedy, reduced, manual")
    ] = "full",
    format: Format = None,
    group: asking.Group = None,
    teacher: asking.Teacher = None,
    room: asking.Room = None,
    student: asking.Student = None,
    term_start: asking.TermStart = None,
    term_end: asking.TermEnd = None,
    time_zone: asking.TimeZone = None,
    skip: asking.Skip = None,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask, whatever the import has changed")] = False,
    as_json: AsJson = False,
) -> None:
    """Solve a dataset here, without the service."""
    from solver.search import warm_up  # takes a second, which the other commands do not need

    source = _load(lambda: read_source(file), as_json=as_json)
    rung: Any = start_at
    params = _load(
        lambda: SolveParams(
            time_limit_seconds=time_limit, workers=workers, seed=seed, num_variants=variants, start_at=rung
        ),
        as_json=as_json,
    )
    asked = asking.asked_for(group, teacher, room, student, term_start, term_end, time_zone, skip)
    write = _load(lambda: write_result(output, format, source, asked), as_json=as_json) if output else None
    if not as_json and source.rows:
        out.print(draw.imported(source.account()))
    _advise(source.dataset, as_json=as_json)
    _confirm(source, go_on=yes or as_json)
    with err.status("making the search kernels ready (compiled once, about half a minute)"):
        warm_up()
    result = _solve_watched(source.dataset, params, quiet=as_json)
    if write is not None:
        _load(lambda: write(source.dataset, result), as_json=as_json)
    _show_result(source, result, output, as_json=as_json)
    raise typer.Exit(EXIT_ANSWER if result.best.score.complete else EXIT_CONCESSIONS)


def _confirm(source: Imported, *, go_on: bool) -> None:
    """Asks a person before a timetable is made that the data do not ask for; without a terminal nobody can be asked."""
    if not source.warnings or go_on:
        return
    if not (sys.stdin.isatty() and err.is_terminal):
        err.print("solved as imported, with the changes above (--yes accepts them)", style="yellow")
    elif not typer.confirm("Solve with these changes?", err=True):
        _fail("nothing was solved; change the data, or the teachers' workload, and try again", EXIT_BAD_INPUT)


def _show_result(source: Imported, result: Result, written_to: Path | None, *, as_json: bool) -> None:
    view = result_view(source.dataset, result, entries=as_json)
    if as_json:
        imported = {"import": source.account()} if source.rows else {}
        print(json.dumps({**view, **imported, "warnings": _warnings(source.dataset)}, ensure_ascii=False))
        return
    out.print(draw.verdict(view), draw.ledger(view))
    if len(result.variants) > 1:
        out.print(draw.variants(view))
    if written_to:
        out.print(f"written to {written_to}")


@app.command("verify")
def verify_command(
    file: File, solution: Annotated[Path, typer.Argument(help=".json, .sol or .sln")], as_json: AsJson = False
) -> None:
    """Recount every rule of a timetable, wherever it was made."""
    dataset = _load(lambda: read_dataset(file), as_json=as_json)
    timetable = _load(lambda: read_timetable(solution, dataset), as_json=as_json)
    _advise(dataset, as_json=as_json)
    report = _load(lambda: verify(dataset, timetable), as_json=as_json)
    if as_json:
        document = {
            "placed": report.placed,
            "total": report.total,
            "distance_to_feasibility": report.distance_to_feasibility,
            "score": report.score.levels,
            "rules": rule_views(report),
            "warnings": _warnings(dataset),
        }
        print(json.dumps(document, ensure_ascii=False))
    else:
        _show_report(report)
    raise typer.Exit(EXIT_ANSWER if report.score.complete else EXIT_CONCESSIONS)


def _show_report(report: Report) -> None:
    out.print(draw.rules(rule_views(report)))
    breaches, soft = sum(rule.count for rule in report.breaches), report.score.soft
    told = counted(breaches, "hard breach", "hard breaches")
    out.print(f"{report.placed} of {report.total} sessions placed, {told}, soft cost {soft}")
    if report.distance_to_feasibility:
        out.print(f"distance to feasibility {report.distance_to_feasibility}: the students of the open sessions")
    for rule in report.breaches:
        for offence in rule.offences:
            out.print(f"  {RULE_OF[rule.rule].name}: {offence.message}", markup=False)


@app.command("export")
def export_command(
    result: Annotated[Path, typer.Argument(help="a result of `timetable solve` (.json), or a .sol or .sln file")],
    output: Annotated[Path, typer.Option("-o", "--output", help="file to write: .xlsx, .ics, .html, .svg, .csv, ...")],
    file: Annotated[Path | None, typer.Option("--dataset", help=f"its dataset: {', '.join(READABLE)}")] = None,
    variant: Annotated[int, typer.Option(help="which variant of the result, from 1")] = 1,
    format: Format = None,
    group: asking.Group = None,
    teacher: asking.Teacher = None,
    room: asking.Room = None,
    student: asking.Student = None,
    term_start: asking.TermStart = None,
    term_end: asking.TermEnd = None,
    time_zone: asking.TimeZone = None,
    skip: asking.Skip = None,
    as_json: AsJson = False,
) -> None:
    """Write a stored timetable, or one week of it, as a file that people use."""
    asked = asking.asked_for(group, teacher, room, student, term_start, term_end, time_zone, skip)
    dataset = _load(lambda: asking.dataset_of(result, file), as_json=as_json)
    _advise(dataset, as_json=as_json)
    write = _load(lambda: write_timetable(output, format, dataset, asked), as_json=as_json)
    timetable = _load(lambda: asking.read_variant(result, variant, dataset), as_json=as_json)
    _load(lambda: write(dataset, timetable), as_json=as_json)
    if as_json:
        print(json.dumps({"written": str(output), "bytes": output.stat().st_size}))
    else:
        out.print(f"written to {output}", markup=False)


@app.command()
def generate(
    preset: Annotated[str, typer.Argument(help=f"one of: {', '.join(PRESETS)}")],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON file to write")],
    seed: Annotated[int, typer.Option(min=0, help="same seed, same bytes")] = 0,
) -> None:
    """Write a seeded sample dataset."""
    if preset not in PRESETS:
        _fail(f"there is no preset {preset!r}; the presets are {', '.join(PRESETS)}", EXIT_BAD_INPUT)
    dataset = sample(preset, seed)
    text = json.dumps(dump_dataset(dataset), ensure_ascii=False, separators=(",", ":"))
    _load(lambda: output.write_text(text + "\n", encoding="utf-8"), as_json=False)
    out.print(
        f"{output}: {len(dataset.courses)} courses, {len(dataset.sessions)} sessions, "
        f"{len(dataset.student_ids)} students"
    )


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine and print every setting with its source."""
    settings, lacking = _or_bad_input(Settings.with_what_is_here)
    from app.commands import doctor as checkup

    raise typer.Exit(checkup.run(out, settings, lacking, as_json=as_json))


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Somebody closed our output, as `head` does; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(EXIT_OUR_FAULT)


def _solve_watched(dataset: Dataset, params: SolveParams, *, quiet: bool) -> Result:
    """Solves in a side thread, so that this one can draw the bar and hear Ctrl-C while native code runs."""
    from solver.ladder.walk import solve

    control = Control()
    live, last = err.is_terminal, {"stage": ""}
    done = threading.Event()
    outcome: list[Result | BaseException] = []
    bar = draw.progress_bar(err)
    task = bar.add_task("solve", total=100.0, **draw.bar_fields(stage="load"))

    def on_progress(progress: Progress) -> None:
        share = 100.0 * min(1.0, control.elapsed / params.time_limit_seconds)
        fields = draw.bar_fields(
            stage=progress.stage,
            rung=progress.rung,
            placed=progress.placed,
            total=progress.total,
            cost=progress.score.soft if progress.score else None,
            bound=progress.bound,
        )
        bar.update(task, completed=share, **fields)
        if not live and not quiet and fields["stage"] != last["stage"]:
            err.print(f"{progress.stage}: {progress.message}", markup=False)
        last.update(fields)

    def work() -> None:
        try:
            outcome.append(solve(dataset, params, control))
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            outcome.append(error)
        finally:
            done.set()

    control.on_progress = on_progress
    with _ctrl_c_finishes(control):
        threading.Thread(target=work, daemon=True).start()
        if quiet or not live:
            done.wait()
        else:
            with bar:
                done.wait()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


@contextmanager
def _ctrl_c_finishes(control: Control) -> Iterator[None]:
    def on_interrupt(signum: int, frame: object) -> None:
        if control.stop is not Stop.NO:
            raise KeyboardInterrupt
        control.request_stop(Stop.FINISH)
        err.print("ending with the best timetable so far; Ctrl-C again to abandon it")

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _load(read: Callable[[], T], *, as_json: bool) -> T:
    """Bad input becomes a table of problems, or one JSON document with them, and exit code 2."""
    try:
        return read()
    except (OSError, SolverError) as error:
        from app.domain.issues import wire_issue

        told = in_words(error) if isinstance(error, OSError) else str(error)
        found = error.issues if isinstance(error, InputError) else ()
        issues = [wire_issue(issue) for issue in found]
        if as_json:
            print(json.dumps({"code": "invalid_input", "detail": told, "errors": issues}))
        elif issues:
            err.print(draw.issues(issues))
        else:
            _fail(told, EXIT_BAD_INPUT)
        raise typer.Exit(EXIT_BAD_INPUT) from error


def _advise(dataset: Dataset, *, as_json: bool) -> None:
    """What is odd about a dataset that can be used; with `--json` it stands in the document instead."""
    found = () if as_json else advice_on(dataset)
    if found:
        err.print(draw.advice(found))


def _warnings(dataset: Dataset) -> list[dict[str, object]]:
    from app.domain.issues import wire_issue

    return [wire_issue(issue) for issue in advice_on(dataset)]


def _or_bad_input(read: Callable[[], T]) -> T:
    try:
        return read()
    except SettingsError as error:
        _fail(str(error), EXIT_BAD_INPUT)


def _fail(message: str, code: int) -> NoReturn:
    err.print(message, style="red", markup=False)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
