"""
What must hold before the service starts, and what an operator should know: one table of checks, `CHECKS`.

`timetable serve` runs those that are cheap: an error refuses the start with its reason, a warning is logged.
`timetable doctor` runs all of them. A check only looks; it changes nothing but for making the data folder.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import resource
import shutil
import socket
import sqlite3
import ssl
import stat
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Literal, NamedTuple

from app import MEBIBYTE, MEGABYTE
from app.domain.portfolio import most_workers
from app.operations import exposure, notify
from app.operations.sinks import command_problem, sinks_of, url_problem
from app.settings import Settings, unknown_variables, variable
from app.store import StoreError, StoreLocked
from app.store.folder import take_lock
from app.store.manifests import NoTools
from app.store.signing import NoBackupKey, read_key
from app.store.sqlite import wal_reset_race
from app.system import extras, failpoints
from app.system.machine import OWN_MB, SHARED_MB, most_child_mb, this_machine
from solver.errors import in_words
from solver.names import counted

Verdict = Literal["ok", "warning", "error"]

PACKAGES = ("ortools", "numba", "numpy", "fastapi", "uvicorn", "pydantic")
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "davfs"}
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.davfs2", "fuse.gcsfuse", "fuse.ceph-fuse"}
)
DOUBTFUL_FILE_SYSTEMS = ("fuse", "9p", "virtiofs")
VOLATILE_FILE_SYSTEMS = frozenset({"tmpfs", "ramfs"})
DESCRIPTORS, DESCRIPTORS_PER_SLOT = 200, 12
"""Files and sockets that the service needs beside event streams."""
EARLIEST = 1_735_689_600.0
"""2025-01-01: a clock that says less was never set."""

_log = logging.getLogger("timetable.startup")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check: what was looked at, how it stands, and what to do when it does not stand well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


class Check(NamedTuple):
    """`look` yields findings; `at_start` ones are made at every start of the service."""

    name: str
    look: Callable[[Settings], Iterator[CheckResult]]
    at_start: bool


def examine(settings: Settings, *, at_start: bool = False) -> Iterator[CheckResult]:
    """The findings of all checks, or of those that are made at each start. A check that fails is a finding too."""
    for check in CHECKS:
        if check.at_start or not at_start:
            try:
                yield from check.look(settings)
            except Exception as error:  # noqa: BLE001 - what cannot be looked at must not keep us from starting
                told = in_words(error) if isinstance(error, OSError) else str(error)
                yield _warning(check.name, f"cannot be examined: {told}")


def refusal(findings: Iterable[CheckResult]) -> str | None:
    """Why nothing can start with these findings, None when it can."""
    errors = [f"{f.check}: {f.found}; {f.advice}".rstrip("; ") for f in findings if f.verdict == "error"]
    return " | ".join(errors) or None


def log_warnings(findings: Iterable[CheckResult]) -> None:
    """Puts those that are only warnings into the log, with what to do about each."""
    for finding in findings:
        if finding.verdict == "warning":
            _log.warning("%s: %s; %s", finding.check, finding.found, finding.advice)


def address_problem(host: str, port: int) -> str | None:
    """Why an address cannot be listened on, None when it can. Binds once and lets go."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        socket.create_server(address[:2], family=family).close()
    except OSError as error:
        return reason_of(error)
    except UnicodeError:  # too long, or with two dots in a row
        return "this is no name that a machine can have"
    return None


def reason_of(error: OSError) -> str:
    """Why an address cannot be listened on, without the address that Python adds to it."""
    return (error.strerror or str(error)).partition(" (while attempting")[0].lower()


def _ok(check: str, found: str, advice: str = "") -> CheckResult:
    return CheckResult(check, "ok", found, advice)


def _warning(check: str, found: str, advice: str = "") -> CheckResult:
    return CheckResult(check, "warning", found, advice)


def _error(check: str, found: str, advice: str = "") -> CheckResult:
    return CheckResult(check, "error", found, advice)


def _checked(check: str, found: str, advice: str | None = None) -> CheckResult:
    """A warning with this advice; all is well where there is none to give."""
    return _warning(check, found, advice) if advice else _ok(check, found)


# --- this machine ---


def _versions(settings: Settings) -> Iterator[CheckResult]:
    found = [f"python {python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            yield _error("versions", f"{package} is not installed", "install the package again")
    yield _ok("versions", ", ".join(found))


def _cores(settings: Settings) -> Iterator[CheckResult]:
    cores, wanted = this_machine().cores(), settings.slots * settings.workers_per_job
    quota = this_machine().quota()
    usable = f"{cores} usable" if quota is None else f"{cores} usable (the container has the time of {quota:.3g})"
    found = f"{usable}, {counted(settings.slots, 'job')} of {counted(settings.workers_per_job, 'thread')}"
    advice = "lower TIMETABLE_SLOTS or TIMETABLE_WORKERS_PER_JOB"
    yield _checked("processors", found, advice if wanted > cores else None)


def _memory(settings: Settings) -> Iterator[CheckResult]:
    memory = this_machine().memory()
    free_mb, child_mb = memory.available // MEBIBYTE, most_child_mb(settings.memory_limit_mb)
    wanted_mb = OWN_MB + settings.slots * (child_mb - SHARED_MB)
    free = f"{free_mb} MB free" + (
        f" of the {memory.total // MEBIBYTE} MB of the container" if memory.in_container else ""
    )
    found = f"{free}, service and jobs may use {wanted_mb} MB"
    if child_mb < settings.memory_limit_mb:
        told = f"{found}; a job is stopped at {child_mb} MB, not at {settings.memory_limit_mb}"
        yield _warning("memory", told, "give the container more memory, or lower TIMETABLE_MEMORY_LIMIT_MB")
    else:
        advice = "lower TIMETABLE_SLOTS or TIMETABLE_MEMORY_LIMIT_MB"
        yield _checked("memory", found, advice if wanted_mb > free_mb else None)


def _descriptors(settings: Settings) -> Iterator[CheckResult]:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS + DESCRIPTORS_PER_SLOT * settings.slots + settings.max_streams
    found = f"{limit} may be open, {wanted} may be needed"
    few = limit != resource.RLIM_INFINITY and limit < wanted
    yield _checked("open files", found, "raise it (ulimit -n), or lower TIMETABLE_MAX_STREAMS" if few else None)


def _clock(settings: Settings) -> Iterator[CheckResult]:
    now = time.time()
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    if now < EARLIEST:
        yield _warning("clock", f"it says {found}", "set it: times shown would be wrong, durations are not")
    else:
        yield _ok("clock", found)


# --- the data folder ---


def _data_dir(settings: Settings) -> Iterator[CheckResult]:
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
        free_mb = shutil.disk_usage(folder).free // MEGABYTE
    except OSError as error:
        advice = f"set {variable('data_dir')} to a folder you may write"
        yield _error("data folder", f"{folder}: {error.strerror or error}", advice)
        return
    found = f"{folder}, {free_mb} MB free"
    full = free_mb < settings.min_free_mb + settings.reserve_mb
    yield _checked("data folder", found, "make room on this disk; no jobs are taken meanwhile" if full else None)
    yield from _permissions(folder)
    yield from _file_system(folder)


def _permissions(folder: Path) -> Iterator[CheckResult]:
    mode = folder.stat().st_mode
    found = f"{folder} is {stat.filemode(mode)}"
    if mode & stat.S_IWOTH:
        yield _warning("permissions", f"{found}: everybody may replace the jobs", f"chmod 700 {folder}")
    elif mode & (stat.S_IROTH | stat.S_IXOTH):
        yield _warning("permissions", f"{found}: everybody may read names of people", f"chmod 700 {folder}")
    else:
        yield _ok("permissions", found)


def _file_system(folder: Path) -> Iterator[CheckResult]:
    kind = file_system_of(folder)
    advice = f"set {variable('data_dir')} to a folder on a disk of this machine"
    if kind in NETWORK_FILE_SYSTEMS:
        yield _error("file system", f"{kind} is a network file system, which loses stores", advice)
    elif kind.startswith(DOUBTFUL_FILE_SYSTEMS):
        yield _warning("file system", f"{kind} may lie on another machine, and lose the store", advice)
    elif kind in VOLATILE_FILE_SYSTEMS:
        yield _warning("file system", f"{kind} is memory: jobs are gone with the power", advice)
    else:
        yield _ok("file system", kind or "unknown")


def file_system_of(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of file system a folder lies on, as the kernel calls it; "" when it does not tell."""
    path, found, depth = folder.resolve(), "", -1
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in lines:
        place, _, kinds = line.partition(" - ")
        point = Path(place.split()[4].replace("\\040", " "))
        # The last of several mounts at one place is the one that shows.
        if path.is_relative_to(point) and len(point.parts) >= depth:
            found, depth = kinds.split()[0], len(point.parts)
    return found


def _lock(settings: Settings) -> Iterator[CheckResult]:
    try:
        os.close(take_lock(settings.data_dir))
    except StoreLocked as error:
        yield _ok("lock", f"{error}")
    except (StoreError, OSError) as error:
        told = in_words(error) if isinstance(error, OSError) else str(error)
        yield _error("lock", told, "see who may write the data folder")
    else:
        yield _ok("lock", "no service uses the data folder")


def _sqlite(settings: Settings) -> Iterator[CheckResult]:
    found = f"SQLite {sqlite3.sqlite_version}"
    if wal_reset_race(sqlite3.sqlite_version_info):
        note = "safe here: one process owns the store through one connection; never open it from a second one"
        yield _warning("store", f"{found} has the WAL-reset race", note)
    else:
        yield _ok("store", found)


def _database(settings: Settings) -> Iterator[CheckResult]:
    from app.store.connections import Connections  # loads the driver

    try:
        with closing(Connections(settings.database_url, "timetable doctor")) as database:
            version = database.run(lambda work: work.rows("SHOW server_version"))[0][0]
    except StoreError as error:
        yield _error("job store", f"{error}", "see TIMETABLE_DATABASE_URL, and whether the server lets us in")
        return
    yield _ok("job store", f"{database.where}, version {version}; `timetable check` reads it all")
    yield _dumps(settings, int(version.partition(".")[0]))


def _dumps(settings: Settings, server: int) -> CheckResult:
    """Whether backups of a PostgreSQL of this version can be made here, and put back."""
    from app.store.dumps import tool  # loads the driver

    try:
        found = [f"{name} {tool(name, least).version}" for name, least in (("pg_dump", server), ("pg_restore", 0))]
    except NoTools as error:
        wanted = bool(settings.backup_every_hours)
        advice = "until then back the database up where these programs are"
        return CheckResult("backups", "error" if wanted else "warning", str(error), advice)
    every = f"every {settings.backup_every_hours:g} h" if settings.backup_every_hours else "only when somebody asks"
    return _ok("backups", f"are made {every}, by {' and '.join(found)}; `timetable check` lists those there are")


def _store(settings: Settings) -> Iterator[CheckResult]:
    """Whether the store of a stopped service is what was written; that of a running one has been examined by it."""
    if settings.database_url:
        yield from _database(settings)
        return
    from app.operations.integrity import (  # takes half a second, which a start of the service leaves out
        QUARANTINE,
        check_folder,
    )

    try:
        report = check_folder(settings.data_dir, again=False)
    except StoreLocked:
        yield _ok("job store", "in use; its service examined it at its start")
        return
    wrong = [finding for finding in report.findings if finding.verdict == "damaged"]
    if report.sound:
        yield _ok("job store", f"{sum(report.jobs.values())} jobs, sound")
    for finding in wrong:
        verdict: Verdict = "warning" if finding.advice == QUARANTINE else "error"  # what keeps nobody from starting
        yield CheckResult("job store", verdict, f"{finding.what}: {finding.found}", finding.advice)


# --- what is installed and set ---


def _portfolio(settings: Settings) -> Iterator[CheckResult]:
    wanted, most = settings.portfolio_workers, most_workers(settings)
    if wanted > most:
        found = f"{variable('portfolio_workers')} is {wanted}, but this service solves alone: a job has one worker"
        advice = f"set {variable('queue')} to celery and run workers, or use {variable('workers_per_job')}"
        yield _warning("portfolio", found, advice)
    else:
        yield _ok("portfolio", f"{counted(most, 'worker')} at most solve one job")


def _extras(settings: Settings) -> Iterator[CheckResult]:
    """A setting that needs one which is not installed was refused before."""
    here = [extra for extra in extras.EXTRAS if extras.is_here(extra)]
    found = f"{', '.join(here) or 'none'} installed"
    lacking = [extra for extra in extras.EXTRAS if extra not in here]
    if lacking:
        found += f"; {', '.join(lacking)} not, which no setting asks for"
    yield _ok("extras", found, f"to have what is not: {extras.line(','.join(lacking))}" if lacking else "")


def _pyarrow(settings: Settings) -> Iterator[CheckResult]:
    if importlib.util.find_spec("pyarrow"):
        advice = "uninstall pyarrow here: beside OR-Tools it can hang a solve that uses two threads"
        yield _warning("packages", "pyarrow is importable", advice)
    else:
        yield _ok("packages", "pyarrow is absent; beside OR-Tools it can hang a solve")


def kernel_cache() -> Path:
    """The folder below which compiled kernels are kept; `solver.search.jit` makes it when it is missing."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "timetable"


def _cache(settings: Settings) -> Iterator[CheckResult]:
    """Numba's cache is pickle: who can write it can run code here."""
    folder = kernel_cache()
    if not folder.exists():
        yield _ok("kernel cache", f"{folder} is made when kernels are compiled, at the first start")
        return
    for path in (folder, *(below for below in folder.iterdir() if below.is_dir())):
        state = path.stat()
        if state.st_mode & stat.S_IWOTH:
            yield _error("kernel cache", f"everybody may write {path}, and so run code", f"chmod o-w {path}")
            return
        if state.st_uid not in (0, os.geteuid()):
            found = f"{path} belongs to user {state.st_uid}, who may run code here by it"
            yield _error("kernel cache", found, "delete it, or set NUMBA_CACHE_DIR to a folder of your own")
            return
    yield _ok("kernel cache", str(folder))


def _kernels(settings: Settings) -> Iterator[CheckResult]:
    from solver.search import warm_up  # takes a second; a start of the service leaves it to the forkserver

    began = time.monotonic()
    warm_up()
    yield _ok("kernels", f"ready after {time.monotonic() - began:.1f} s")


def _variables(settings: Settings) -> Iterator[CheckResult]:
    for name, meant in unknown_variables().items():
        if name != failpoints.VARIABLE:
            advice = f"did you mean {meant}?" if meant else "remove it; no setting has this name"
            yield _warning("environment", f"{name} is no setting", advice)


def _failpoints(settings: Settings) -> Iterator[CheckResult]:
    if os.environ.get(failpoints.VARIABLE):
        found = f"{failpoints.VARIABLE} is set: whoever can write that folder can end the service"
        yield _warning("failpoints", found, "unset it; it is for tests")
    else:
        yield _ok("failpoints", "off")


def _port(settings: Settings) -> Iterator[CheckResult]:
    problem = address_problem(settings.host, settings.port)
    found = f"{settings.host}:{settings.port}"
    advice = "fine when the service runs already; else stop what listens there, or set TIMETABLE_PORT"
    yield _checked("address", f"{found}: {problem}", advice) if problem else _checked("address", f"{found} is free")


def _keys(settings: Settings) -> Iterator[CheckResult]:
    problem = exposure.refusal(settings)
    if problem is not None:
        yield _error("API keys", problem)
    else:
        where = "on this machine only" if exposure.is_private(settings) else "with a key or token"
        yield _ok("API keys", f"{settings.host} can be used {where}")


def _backups(settings: Settings) -> Iterator[CheckResult]:
    try:
        signed = read_key(settings.backup_key_file) is not None
    except NoBackupKey as error:
        yield _error("backups", str(error), "no backup can be made or put back until then")
        return
    if signed:
        yield _ok("backups", "those that are made are signed, and no other is put back")
    elif exposure.is_loopback(settings.host):
        yield _ok("backups", "those that are made are not signed")
    else:
        yield _warning(
            "backups",
            "are not signed: whoever can write their folder can put another store in place of this one",
            f"set {variable('backup_key_file')} to a file of 32 or more random bytes that only its owner can read",
        )


def _alerts(settings: Settings) -> Iterator[CheckResult]:
    """The address itself may hold a secret and is not shown."""
    if settings.alert_webhook_url and (problem := url_problem(settings.alert_webhook_url)):
        yield _error("alerts", f"{variable('alert_webhook_url')}: {problem}", "correct it, or unset it")
    if settings.alert_command and (problem := command_problem(settings.alert_command)):
        yield _error("alerts", f"{variable('alert_command')}: {problem}", "correct it, or unset it")
    for url in settings.alert_addresses:
        if problem := notify.problem(url):
            yield _error("alerts", f"{variable('alert_urls')}: {problem}", "correct it, or unset it")
    yield _ok("alerts", f"go to {', '.join(['the log', *(sink.name for sink in sinks_of(settings))])}")


def _certificates(settings: Settings) -> Iterator[CheckResult]:
    """Read once: a file that holds none would be noticed at the first connection, long after the start."""
    for name in ("platform_tls_ca", "broker_tls_ca"):
        path = getattr(settings, name)
        if not path:
            continue
        try:
            ssl.create_default_context(cafile=path)
            yield _ok("certificates", f"{variable(name)}: {path}")
        except OSError as error:  # one that holds no certificates is an SSLError
            said = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror
            yield _error("certificates", f"{path}: {said}", f"set {variable(name)} to a PEM file, or unset it")


def _log_file(settings: Settings) -> Iterator[CheckResult]:
    if not settings.log_file:
        return
    path = Path(settings.log_file)
    try:
        with path.open("ab"):
            yield _ok("log file", f"{path}, at most {settings.log_files + 1} x {settings.log_file_mb:g} MB")
    except OSError as error:
        advice = f"set {variable('log_file')} to a file you may write"
        yield _error("log file", f"{path}: {error.strerror}", advice)


CHECKS: tuple[Check, ...] = (
    Check("versions", _versions, False),
    Check("extras", _extras, False),
    Check("API keys", _keys, True),
    Check("backups", _backups, True),
    Check("alerts", _alerts, True),
    Check("certificates", _certificates, True),
    Check("log file", _log_file, True),
    Check("environment", _variables, True),
    Check("failpoints", _failpoints, True),
    Check("portfolio", _portfolio, True),
    Check("clock", _clock, True),
    Check("processors", _cores, True),
    Check("memory", _memory, True),
    Check("open files", _descriptors, True),
    Check("packages", _pyarrow, True),
    Check("kernel cache", _cache, True),
    Check("data folder", _data_dir, True),
    Check("lock", _lock, False),
    Check("store", _sqlite, False),
    Check("job store", _store, False),
    Check("address", _port, False),
    Check("kernels", _kernels, False),
)
