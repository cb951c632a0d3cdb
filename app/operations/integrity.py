"""
`timetable check`: is what the store holds what was written, and is it still true?

Two questions. The first is about bytes: pages, indexes, references, seals, digests, the mark of the last commit. The
second is about timetables: every stored result and every incumbent is recounted with the independent verifier against
the dataset it was made for, as if it had just come in.

A store is looked at while nobody uses it. While a service runs, a second connection would bring the WAL-reset race of
older SQLite versions with it, so the service is asked for a backup and that is looked at (`app.commands.store`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, Protocol

from app.domain.jobs import effective_dataset
from app.domain.messages import unpack
from app.processes.claims import NotVerified
from app.processes.last_recount import check, timetable_of
from app.store import StoreDamaged, StoredIncumbent, StoreError
from app.store.audit import Audit, StoredJob, audit
from app.store.backups import REPLACED_PREFIX, RESTORING_NAME
from app.store.folder import FILE_NAME, MARK_NAME, SPOOL_NAME, holds_store, read_mark, take_lock
from app.store.inventory import BackupEntry, State, inventory
from app.store.manifests import DUMP_SUFFIX, leftovers_in
from app.store.quarantine import FOLDER, files_in
from app.store.schema import SCHEMA_VERSION, SEALED_SINCE
from app.store.signing import NoBackupKey, read_key
from app.system import extras
from solver.context import build_context
from solver.formats.native import load_dataset, load_result
from solver.model import Dataset, Timetable
from solver.result import Report
from solver.rules import ON_TOP_OF, Score, profile_of, score
from solver.verify import earlier_accounts, verify

Verdict = Literal["ok", "note", "damaged"]
MAX_SHOWN = 100


class Holding(Protocol):
    """Something that holds jobs."""

    def held(self) -> Iterator[StoredJob]:
        """The jobs with what is stored of each, one at a time."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it stands, and what to do about it."""

    what: str
    verdict: Verdict
    found: str
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class IntegrityReport:
    """What a check has found. `verified` counts the results and incumbents that passed the verifier."""

    path: str
    findings: list[Finding]
    rows: Mapping[str, int] = field(default_factory=dict)
    jobs: Mapping[str, int] = field(default_factory=dict)
    verified: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether nothing was found damaged; what is merely strange is told and does not count."""
        return all(finding.verdict != "damaged" for finding in self.findings)

    def view(self) -> dict[str, Any]:
        """The report as JSON."""
        return {"sound": self.sound, **asdict(self)}


_RESTORE = "restore a backup: `timetable restore BACKUP --force` puts this store aside"
_RESTORE_DUMP = (
    "restart the jobs that are named, or stop all services and put a backup back: `timetable restore BACKUP --force`"
)
QUARANTINE = f"the next start puts it into {FOLDER} and serves the rest; or restore a backup"
_ONE_ROW = ("a row of jobs (", "a row of attempts (", "a row of outbox (", "row ")
_RESTART = "restart the job, or delete it"


def check_folder(
    data_dir: Path,
    kept: Path | None = None,
    *,
    key_file: str = "",
    again: bool = True,
    beat: Callable[[str], None] = lambda job_id: None,
) -> IntegrityReport:
    """
    Checks the store of a service that does not run, and looks at what lies beside it and at its backups in `kept`.

    `again` False leaves out the verifier, and reads manifests of backups only; `beat` is told each job before it is
    verified; `key_file` names the key that backups are signed with.

    Raises
    ------
    StoreLocked
        A service uses the folder.
    """
    if not holds_store(data_dir):
        finding = Finding("store", "note", f"{data_dir} holds no store", "nothing to do: the first start makes one")
        return IntegrityReport(path=str(data_dir), findings=[finding])
    lock = take_lock(data_dir)
    try:
        return check_file(
            data_dir / FILE_NAME,
            again=again,
            beat=beat,
            beside=lambda store: chain(_beside(store, data_dir), check_backups(kept, key_file, read_all=again)),
        )
    finally:
        os.close(lock)


def check_file(
    path: Path,
    *,
    again: bool = True,
    beat: Callable[[str], None] = lambda job_id: None,
    beside: Callable[[Audit], Iterator[Finding]] = lambda store: iter(()),
) -> IntegrityReport:
    """The same for one store file that nobody uses, a backup for instance. `beside` looks at what belongs to it."""
    if path.suffix == DUMP_SUFFIX:
        return check_dump(path)
    began = time.monotonic()
    findings: list[Finding] = []
    counts: dict[str, Mapping[str, int]] = {}
    try:
        with audit(path) as store:
            findings += _bytes(store)
            findings += beside(store)
            counts = {"rows": store.rows(), "jobs": store.jobs_by_status()}
            if again and store.version >= SEALED_SINCE:
                counts["verified"] = _verify_all(store, findings, beat)
    except StoreDamaged as error:
        findings.append(Finding("store", "damaged", str(error), _RESTORE))
    return IntegrityReport(path=str(path), findings=findings, seconds=time.monotonic() - began, **counts)


def check_dump(path: Path) -> IntegrityReport:
    """The same for a dump of a store on PostgreSQL, whose timetables are verified once it is put back. StoreError."""
    if problem := extras.problem(f"{path}, a dump of PostgreSQL,", "postgres"):
        raise StoreError(problem)
    from app.store.dumps import Dump  # loads the driver
    from app.store.postgres_backups import DumpReading

    began, read = time.monotonic(), DumpReading(Dump(path))
    try:
        problems = list(islice(read.problems(), MAX_SHOWN))
    except StoreDamaged as error:
        problems = [str(error)]
    findings = [Finding("backup", "damaged", problem, "use another backup") for problem in problems]
    if not problems:
        findings.append(Finding("backup", "ok", "seals, digests and what links them are as they were written"))
    advice = "put it into an empty database with `timetable restore`, and run `timetable check` there"
    findings.append(Finding("timetables", "note", "of a dump they are not counted again", advice))
    counts = {"rows": dict(read.rows), "jobs": dict(read.jobs)}
    return IntegrityReport(path=str(path), findings=findings, seconds=time.monotonic() - began, **counts)


def check_database(
    url: str,
    kept: Path | None = None,
    *,
    key_file: str = "",
    again: bool = True,
    beat: Callable[[str], None] = lambda job_id: None,
) -> IntegrityReport:
    """The same as `check_folder` for a store on PostgreSQL, which services may use meanwhile. Raises StoreError."""
    from app.store.postgres_audit import PostgresAudit  # loads the driver

    began, findings = time.monotonic(), list[Finding]()
    with closing(PostgresAudit(url)) as store:
        for problem in islice(store.problems(), MAX_SHOWN):
            findings.append(Finding("store", "damaged", problem, _RESTORE_DUMP))
        if not findings:
            findings.append(Finding("store", "ok", "seals and digests are as they were written"))
        findings.extend(check_backups(kept, key_file, read_all=again))
        counts: dict[str, Mapping[str, int]] = {"rows": store.rows(), "jobs": store.jobs_by_status()}
        if again:
            counts["verified"] = _verify_all(store, findings, beat)
        return IntegrityReport(path=store.where, findings=findings, seconds=time.monotonic() - began, **counts)


def _bytes(store: Audit) -> Iterator[Finding]:
    problems = store.problems()
    for problem in problems[:MAX_SHOWN]:
        yield Finding("store", "damaged", problem, _advice(problem))
    if len(problems) > MAX_SHOWN:
        yield Finding("store", "damaged", f"and {len(problems) - MAX_SHOWN} more problems", _RESTORE)
    if not problems:
        yield Finding("store", "ok", "pages, indexes, references, seals and digests are as they were written")
    if not problems and store.version < SCHEMA_VERSION:
        yield Finding("schema", "note", f"schema {store.version}", f"the next start brings it to {SCHEMA_VERSION}")


def _advice(problem: str) -> str:
    """One row that is damaged keeps nobody from starting."""
    one_row = problem.startswith(_ONE_ROW) and ("not what was written" in problem or "refers to a row" in problem)
    return QUARANTINE if one_row else _RESTORE


def _beside(store: Audit, data_dir: Path) -> Iterator[Finding]:
    if store.version >= SEALED_SINCE:
        yield _mark(store, data_dir)
    for path in files_in(data_dir):
        found = f"{FOLDER}/{path.name}: rows that were damaged and are out of the way"
        yield Finding(
            "quarantine", "note", found, "hand in the jobs again that it names; delete it when nobody misses it"
        )
    for path in sorted(data_dir.glob(f"{REPLACED_PREFIX}*")):
        yield Finding("folder", "note", f"{path.name}: put aside by a restore", "delete it when nobody misses it")
    if (data_dir / RESTORING_NAME).exists():
        yield Finding(
            "folder", "note", f"{RESTORING_NAME}: left by an interrupted restore", "delete it, or restore again"
        )
    waiting = [path.name for path in (data_dir / SPOOL_NAME).glob("*")] if (data_dir / SPOOL_NAME).is_dir() else []
    if waiting:
        yield Finding("folder", "note", f"{len(waiting)} result(s) wait for the store", "the next start stores them")


def check_backups(folder: Path | None, key_file: str = "", *, read_all: bool = True) -> Iterator[Finding]:
    """
    Every backup in a folder, and whether it would be put back; none where there is no folder.

    `read_all` False compares no digests, which takes reading each copy as a whole.
    """
    if folder is None:
        return
    try:
        key = read_key(key_file)
    except NoBackupKey as error:
        yield Finding("backups", "damaged", str(error), "no backup can be made, checked or put back until then")
        return
    entries = sorted(inventory(folder, key, read_all=read_all), key=lambda entry: entry.made_at)
    yield from islice(map(_told_of, entries), MAX_SHOWN)
    good = [entry for entry in entries if entry.state == "good"]
    if good:
        signed = "signed with the key" if key is not None else "no key is set to check signatures with"
        found = f"{len(good)} in {folder}, the newest of {_moment(good[-1].made_at)}; {signed}"
        yield Finding("backups", "ok", found)
    else:
        yield Finding("backups", "note", f"none in {folder} that could be put back", "make one: `timetable backup`")
    for path in leftovers_in(folder):
        yield Finding("backups", "note", f"{path.name}: left by an interrupted backup", "the next backup removes it")


def _told_of(entry: BackupEntry) -> Finding:
    verdict, advice = _VERDICTS[entry.state]
    held = "" if entry.manifest is None else f"{_moment(entry.made_at)}, {sum(entry.manifest.jobs.values())} jobs"
    found = "; ".join(filter(None, (held, entry.why)))
    return Finding(f"backup {entry.path.name}", verdict, found, advice)


_VERDICTS: Mapping[State, tuple[Verdict, str]] = {
    "good": ("ok", ""),
    "unsigned": ("note", "delete it, unless you know who made it"),
    "too new": ("note", "a newer program can put it back"),
    "damaged": ("damaged", "find out who has changed it; use another one"),
}


def _moment(at: float) -> str:
    """For people; a manifest may claim any number."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return "no known time"


def _mark(store: Audit, data_dir: Path) -> Finding:
    marked, last = read_mark(data_dir), store.last_commit
    if marked is None:
        return Finding("commits", "note", f"{last.number} commits; {MARK_NAME} is missing", "the next start makes it")
    if marked.store_id != last.store_id:
        return Finding("commits", "damaged", "this is another store than the one that was used here", _RESTORE)
    if marked.number > last.number:
        lost = marked.number - last.number
        return Finding("commits", "damaged", f"the last {lost} of {marked.number} commits are missing", _RESTORE)
    return Finding("commits", "ok", f"{last.number} commits, none is missing")


# --- is it still true? ---


def _verify_all(store: Holding, findings: list[Finding], beat: Callable[[str], None]) -> dict[str, int]:
    passed = {"results": 0, "incumbents": 0}
    for held in store.held():
        if held.dataset is None or (held.result is None and held.incumbent is None):
            continue
        beat(held.job.id)
        for kind, problem in _verified(held):
            if problem is None:
                passed[kind] += 1
            else:
                findings.append(Finding(f"job {held.job.id}", "damaged", f"{kind}: {problem}", _RESTART))
    found = f"{passed['results']} results and {passed['incumbents']} incumbents counted again"
    findings.append(Finding("timetables", "ok", found))
    return passed


def _verified(held: StoredJob) -> Iterator[tuple[str, str | None]]:
    """What was verified, and what is wrong with it; whatever a document holds, it ends as a sentence."""
    try:
        document = effective_dataset(unpack(held.dataset or b""), held.job.options.rules)
        dataset = load_dataset(document)
    except Exception as error:  # noqa: BLE001 - bytes that are whole and no dataset; the reason is all there is to say
        yield "results", f"its dataset cannot be read: {error}"
        return
    if held.result is not None:
        yield "results", _either_way(held, lambda simplified: _recount(held.result or b"", dataset, simplified))
    if held.incumbent is not None:
        incumbent = held.incumbent
        yield "incumbents", _either_way(held, lambda simplified: _recount_incumbent(incumbent, dataset, simplified))


def _either_way(held: StoredJob, look: Callable[[bool], None]) -> str | None:
    """A restart may have changed how the job builds its context since the result was made, so one of two must fit."""
    problem = None
    for simplified in (held.job.options.simplified_context, not held.job.options.simplified_context):
        try:
            look(simplified)
        except NotVerified as error:
            problem = problem or str(error)
        except Exception as error:  # noqa: BLE001 - as above
            return f"it cannot be read: {error}"
        else:
            return None
    return problem


def _recount(body: bytes, dataset: Dataset, simplified: bool) -> None:
    check(load_result(unpack(body)), dataset, simplified=simplified)


def _recount_incumbent(incumbent: StoredIncumbent, dataset: Dataset, simplified: bool) -> None:
    context = build_context(dataset, simplified=simplified)
    profile = profile_of(dataset)
    timetable = timetable_of(incumbent.timetable)
    report = verify(dataset, timetable, context=context, profile=profile)
    if incumbent.score != report.score and incumbent.score not in _earlier_scores(dataset, timetable, report):
        raise NotVerified(f"{incumbent.score} claimed, {report.score} counted")


def _earlier_scores(dataset: Dataset, timetable: Timetable, report: Report) -> Iterator[Score]:
    """
    What earlier versions charged.

    One of before there was a rule on top of another one did so without it, and one of before there were ranks was not
    asked who is left open.
    """
    profile = profile_of(dataset)
    for changed in ({}, *earlier_accounts(dataset, timetable)):
        counts = {**report.counts, **changed}
        plain = {rule: count for rule, count in counts.items() if rule not in ON_TOP_OF}
        for known in (counts, plain):
            for left_open in (report.score.left_open, ()):
                yield score(known, profile, len(report.unplaced), left_open)
