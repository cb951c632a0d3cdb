"""
The commands `timetable check`, `backup` and `restore`.

Exit codes: 0 = sound, or done; 1 = damaged, or our fault; 2 = refused, and nothing was changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import httpx
import typer
from rich.console import Console
from rich.table import Table

from app.settings import Settings, SettingsError
from app.store import StoreError, StoreLocked, StoreTooNew, backups, manifests
from app.store.folder import holds_store
from app.store.manifests import NoTools, NotRestored
from app.store.opening import back_up_database, put_back
from app.store.signing import NoBackupKey, read_key
from app.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from app.operations.integrity import IntegrityReport

EXIT_OUR_FAULT, EXIT_REFUSED = 1, 2
KEY_VARIABLE = "TT_KEY"
OF_A_COPY = "a copy was checked that the running service made; it may still know what its file on the disk has lost"
ANSWER_SECONDS = 3600.0
"""A backup of a large store takes its time; whether the service lives is known from the connection."""
STYLES = {"ok": "green", "note": "yellow", "damaged": "bold red"}

commands = typer.Typer()
_out = Console()
_err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document instead of tables")]
Url = Annotated[str | None, typer.Option(help="where a running service listens; default from the settings")]
Key = Annotated[
    str | None, typer.Option(envvar=KEY_VARIABLE, help="API key with the right admin, if the running service wants one")
]


@commands.command("check")
def check_command(
    backup: Annotated[Path | None, typer.Argument(help="a backup to check; default is the store in use")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="do not verify every timetable again")] = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Check that the store, or a backup, is what was written, and verify every stored timetable again."""
    settings, again = _settings(), not quick
    with nullcontext() if as_json else _err.status("checking") as status:

        def beat(job_id: str) -> None:
            if status is not None:
                status.update(f"verifying job {job_id}")

        try:
            report = _report_of(settings, backup, again, beat)
        except StoreLocked:
            # A second connection beside that of the service is not safe with every SQLite: we look at a copy instead.
            made = _ask(settings, url, key, keep=False, as_json=as_json)
            report = _report_of_copy(settings, Path(made["path"]), again, beat)
        except StoreError as error:
            _fail(error, as_json=as_json)
    _print_report(report, as_json=as_json)
    raise typer.Exit(0 if report.sound else EXIT_OUR_FAULT)


def _report_of(settings: Settings, backup: Path | None, again: bool, beat: Callable[[str], None]) -> IntegrityReport:
    """
    Of a backup, else of the store in use; `again` and `beat` as for `app.operations.integrity`. Raises StoreError.
    """
    from app.operations.integrity import (  # half a second, which other commands do without
        check_database,
        check_file,
        check_folder,
    )

    key_file = settings.backup_key_file
    if backup is not None:
        signing = read_key(key_file)
        if signing is not None:
            manifests.check_copy(backup, signing)
        return check_file(backup, again=again, beat=beat)
    kept = manifests.folder_of(settings)
    if settings.database_url:
        return check_database(settings.database_url, kept, key_file=key_file, again=again, beat=beat)
    return check_folder(settings.data_dir, kept, key_file=key_file, again=again, beat=beat)


def _report_of_copy(settings: Settings, copy: Path, again: bool, beat: Callable[[str], None]) -> IntegrityReport:
    """Of a copy that the running service has made of its store, which is removed, and of the backups beside it."""
    from app.operations.integrity import Finding, check_backups, check_file  # as above

    report = check_file(copy, again=again, beat=beat)
    report.findings.append(Finding("copy", "note", OF_A_COPY, "stop the service to check the file itself"))
    report.findings.extend(check_backups(manifests.folder_of(settings), settings.backup_key_file, read_all=again))
    copy.unlink()
    manifests.manifest_path(copy).unlink()
    return report


@commands.command("backup")
def backup_command(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="folder to put it in; default from the settings")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make a verified backup. A running service is asked to; otherwise it is made here."""
    settings = _settings()
    try:
        made = _make(settings, output, url, key, as_json=as_json)
    except StoreError as error:
        _fail(error, as_json=as_json)
    if as_json:
        typer.echo(json.dumps(made, ensure_ascii=False))
    else:
        jobs = sum(made["jobs"].values())
        _out.print(f"{made['path']}: {jobs} jobs, {made['bytes']:,} bytes, verified", markup=False, soft_wrap=True)


@commands.command("restore")
def restore_command(
    backup: Annotated[Path, typer.Argument(help="the .sqlite3 or .pgdump file of a backup, its manifest beside it")],
    force: Annotated[bool, typer.Option("--force", help="put a store that is there aside")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in place of the store of a stopped service; jobs that were running run again at the next start."""
    settings = _settings()
    try:
        signing = read_key(settings.backup_key_file)
        manifest = put_back(settings, backup, force=force, key=signing)
    except StoreError as error:
        _fail(error, as_json=as_json)
    if as_json:
        into = {"database": True} if settings.database_url else {"data_dir": str(settings.data_dir)}
        done = {"restored": True, **into, **manifests.view(manifest, backup.parent)}
        typer.echo(json.dumps(done, ensure_ascii=False))
    else:
        jobs = ", ".join(f"{count} {status}" for status, count in manifest.jobs.items()) or "no jobs"
        where = "the database" if settings.database_url else settings.data_dir
        _out.print(f"{where} now holds {backup.name}: {jobs}", markup=False, soft_wrap=True)


def _make(
    settings: Settings, output: Path | None, url: str | None, key: str | None, *, as_json: bool
) -> dict[str, Any]:
    folder, signing = output or manifests.folder_of(settings), read_key(settings.backup_key_file)
    if settings.database_url:
        manifest = back_up_database(settings.database_url, folder, settings.backup_keep, signing)
        return manifests.view(manifest, folder)
    if not holds_store(settings.data_dir):
        _say(f"{settings.data_dir} holds no store, so there is nothing to back up", as_json=as_json)
    try:
        store = SqliteStore(settings.data_dir)
    except StoreLocked:
        made = _ask(settings, url, key, keep=True, as_json=as_json)
        if output is None:
            return made
        copied = manifests.copy_to(Path(made["path"]), output, signing)
        return manifests.view(manifests.read_manifest(copied), output)
    try:
        return manifests.view(backups.take(store, folder, settings.backup_keep, signing), folder)
    finally:
        store.close()


def _ask(settings: Settings, url: str | None, key: str | None, *, keep: bool, as_json: bool) -> dict[str, Any]:
    """Has the running service make a backup, or a copy that is not kept; its manifest."""
    address = url or f"http://{_reachable(settings.host)}:{settings.port}"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(
            f"{address}/admin/backup",
            params={"keep": keep},
            headers=headers,
            timeout=httpx.Timeout(10.0, read=ANSWER_SECONDS),
        )
    except httpx.HTTPError as error:
        _say(
            f"a service uses {settings.data_dir}, and does not answer at {address}: {error}; "
            "name its address by --url, or stop it",
            as_json=as_json,
        )
    if answer.status_code != 201:
        _say(f"the service at {address} made no backup ({answer.status_code}): {_detail(answer)}", as_json=as_json)
    made: dict[str, Any] = answer.json()
    if Path(made["data_dir"]) != settings.data_dir.resolve():
        _say(
            f"the service at {address} works on {made['data_dir']}, not on {settings.data_dir}; "
            "name the address of the one that does by --url",
            as_json=as_json,
        )
    if not Path(made["path"]).is_file():
        _say(f"the service at {address} put it where we cannot see it: {made['path']}", as_json=as_json)
    return made


def _reachable(host: str) -> str:
    """An address to connect to for one that is listened on."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nosec B104 - nothing is bound here
    return f"[{host}]" if ":" in host else host


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _print_report(report: IntegrityReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.view(), ensure_ascii=False))
        return
    table = Table(title=report.path, title_justify="left")
    for column in ("what", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in report.findings:
        table.add_row(finding.what, finding.verdict, finding.found, finding.advice, style=STYLES[finding.verdict])
    _out.print(table)
    verdict = "sound" if report.sound else "damaged: nothing was changed; see what to do"
    _out.print(f"{verdict} ({sum(report.jobs.values())} jobs, looked at in {report.seconds:.1f} s)")


def _settings() -> Settings:
    try:
        return Settings.from_environment()
    except SettingsError as error:
        _say(str(error), as_json=False)


def _fail(error: StoreError, *, as_json: bool) -> NoReturn:
    refused = isinstance(error, NotRestored | NoTools | StoreTooNew | StoreLocked | NoBackupKey)
    _say(str(error), as_json=as_json, code=EXIT_REFUSED if refused else EXIT_OUR_FAULT)


def _say(message: str, *, as_json: bool, code: int = EXIT_REFUSED) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": message}, ensure_ascii=False))
    else:
        _err.print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)
