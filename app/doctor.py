"""`timetable doctor`: what this machine offers, what is wrong with it, and every setting with its source."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import psutil
from rich.console import Console
from rich.table import Table

from app.settings import Settings, describe, unknown_variables, usable_cores
from app.store.sqlite import wal_reset_race
from solver.ladder import versions
from solver.names import counted
from solver.search import warm_up

Verdict = Literal["ok", "warning", "error"]
STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}

MIN_FREE_MB = 200


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what was looked at, how it stands, and what to do when it does not stand well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def run(console: Console, settings: Settings, *, as_json: bool) -> int:
    """Prints all findings and settings; 1 when some check is an error."""
    findings = list(examine(settings))
    rows = describe(settings)
    if as_json:
        document = {
            "findings": [
                {"check": f.check, "verdict": f.verdict, "found": f.found, "advice": f.advice} for f in findings
            ],
            "settings": [
                {
                    "name": row.name,
                    "value": str(row.value),
                    "default": str(row.default),
                    "unit": row.unit,
                    "source": row.source,
                }
                for row in rows
            ],
        }
        console.out(json.dumps(document, ensure_ascii=False), highlight=False)
    else:
        table = Table(title="checks", title_justify="left")
        for column in ("check", "", "found", "what to do"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            table.add_row(finding.check, finding.verdict, finding.found, finding.advice, style=STYLES[finding.verdict])
        console.print(table)
        listing = Table(title="settings", title_justify="left")
        for column in ("variable", "value", "unit", "source", "meaning"):
            listing.add_column(column, overflow="fold")
        for row in rows:
            listing.add_row(row.variables[0], str(row.value), row.unit, row.source, row.help)
        console.print(listing)
    return 1 if any(finding.verdict == "error" for finding in findings) else 0


def examine(settings: Settings) -> Iterator[Finding]:
    """All checks, cheap ones first."""
    for check in _CHECKS:
        yield from check(settings)


def _versions(settings: Settings) -> Iterator[Finding]:
    yield Finding("versions", "ok", ", ".join(f"{name} {value}" for name, value in versions().items()))


def _cores(settings: Settings) -> Iterator[Finding]:
    cores, wanted = usable_cores(), settings.slots * settings.workers_per_job
    found = f"{cores} usable, {counted(settings.slots, 'job')} of {counted(settings.workers_per_job, 'thread')}"
    if wanted > cores:
        yield Finding("processors", "warning", found, "lower TIMETABLE_SLOTS or TIMETABLE_WORKERS_PER_JOB")
    else:
        yield Finding("processors", "ok", found)


def _memory(settings: Settings) -> Iterator[Finding]:
    free_mb = psutil.virtual_memory().available // 2**20
    wanted_mb = settings.slots * settings.memory_limit_mb
    found = f"{free_mb} MB free, jobs may use {wanted_mb} MB"
    if wanted_mb > free_mb:
        yield Finding("memory", "warning", found, "lower TIMETABLE_SLOTS or TIMETABLE_MEMORY_LIMIT_MB")
    else:
        yield Finding("memory", "ok", found)


def _data_dir(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        free_mb = shutil.disk_usage(folder).free // 2**20
    except OSError as error:
        yield Finding("data folder", "error", f"{folder}: {error}", "set TIMETABLE_DATA_DIR to a folder you may write")
        return
    verdict: Verdict = "ok" if free_mb >= MIN_FREE_MB else "warning"
    yield Finding(
        "data folder", verdict, f"{folder}, {free_mb} MB free", "" if verdict == "ok" else "make room on this disk"
    )


def _sqlite(settings: Settings) -> Iterator[Finding]:
    found = f"SQLite {sqlite3.sqlite_version}"
    if wal_reset_race(sqlite3.sqlite_version_info):
        note = "safe here: one process owns the store through one connection; never open it from a second one"
        yield Finding("store", "warning", f"{found} has the WAL-reset race", note)
    else:
        yield Finding("store", "ok", found)


def _pyarrow(settings: Settings) -> Iterator[Finding]:
    if importlib.util.find_spec("pyarrow"):
        advice = "uninstall pyarrow here: beside OR-Tools it can hang a solve that uses two threads"
        yield Finding("packages", "warning", "pyarrow is importable", advice)
    else:
        yield Finding("packages", "ok", "pyarrow is absent; beside OR-Tools it can hang a solve")


def _kernels(settings: Settings) -> Iterator[Finding]:
    began = time.monotonic()
    warm_up()
    yield Finding("kernels", "ok", f"ready after {time.monotonic() - began:.1f} s")


def _variables(settings: Settings) -> Iterator[Finding]:
    for name, meant in unknown_variables().items():
        advice = f"did you mean {meant}?" if meant else "remove it; no setting has this name"
        yield Finding("environment", "warning", f"{name} is no setting", advice)


_CHECKS: tuple[Callable[[Settings], Iterator[Finding]], ...] = (
    _versions,
    _cores,
    _memory,
    _data_dir,
    _sqlite,
    _pyarrow,
    _variables,
    _kernels,
)
