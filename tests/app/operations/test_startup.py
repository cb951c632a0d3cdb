"""Start-up checks: what is wrong is named with what helps; what must not be, refuses the start."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from app.commands.doctor import run
from app.domain.jobs import Job
from app.operations import startup
from app.operations.startup import CHECKS, Check, CheckResult, examine, file_system_of, kernel_cache
from app.settings import Settings
from app.store.sqlite import SqliteStore
from app.system import failpoints, machine
from tests.groups import version_2

MOUNTS = """\
25 30 0:23 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 25 0:40 / /srv rw shared:9 - nfs4 server:/export rw
41 40 0:41 / /srv/with\\040space rw - xfs /dev/vdb rw
42 25 0:42 / /mnt/over rw - tmpfs tmpfs rw
43 42 0:43 / /mnt/over rw - fuse.sshfs me@there:/ rw
"""


def settings(folder: Path, **given: Any) -> Settings:
    return Settings(**{"data_dir": folder / "data", "slots": 1, "port": 0, **given})


def found(check: str, settings: Settings) -> dict[str, CheckResult]:
    """The findings of one check, by their name."""
    (look,) = [row.look for row in CHECKS if row.name == check]
    return {finding.check: finding for finding in look(settings)}


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TIMETABLE_"):
            monkeypatch.delenv(name)


def test_a_sound_machine_has_no_errors_at_the_start(tmp_path: Path) -> None:
    findings = list(examine(settings(tmp_path), at_start=True))
    assert [finding for finding in findings if finding.verdict == "error"] == []
    assert {check.name for check in CHECKS if check.at_start} >= {"API keys", "data folder", "kernel cache"}


def test_whatever_is_not_well_says_what_to_do(tmp_path: Path) -> None:
    wrong = settings(tmp_path, slots=64, workers_per_job=8, alert_command="no-such-program", log_file="/dev/null/x")
    for finding in examine(wrong, at_start=True):
        assert finding.verdict == "ok" or finding.advice, finding


def test_the_limits_of_a_container_are_what_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = {"memory.max": 2**30, "memory.current": 2**28, "cpu.max": "150000 100000"}
    here = version_2(tmp_path / "container", {f"pod/{name}": value for name, value in group.items()})
    for module in (machine, startup):
        monkeypatch.setattr(module, "this_machine", lambda: here)
    memory = found("memory", settings(tmp_path, memory_limit_mb=2048))["memory"]
    assert memory.verdict == "warning" and "of the 1024 MB of the container" in memory.found
    assert "stopped at 852 MB, not at 2048" in memory.found
    assert found("memory", settings(tmp_path, memory_limit_mb=512))["memory"].verdict == "ok"
    assert found("memory", settings(tmp_path, slots=3, memory_limit_mb=512))["memory"].verdict == "warning"
    cores = found("processors", settings(tmp_path, slots=2))["processors"]
    assert cores.verdict == "warning" and "1 usable (the container has the time of 1.5)" in cores.found


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="utf-8")
    finding = found("data folder", settings(tmp_path))["data folder"]
    assert finding.verdict == "error" and "TIMETABLE_DATA_DIR" in finding.advice


def test_a_new_data_folder_is_for_its_owner_and_an_open_one_is_warned_of(tmp_path: Path) -> None:
    fresh = found("data folder", settings(tmp_path))
    assert fresh["permissions"].verdict == "ok" and (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    (tmp_path / "data").chmod(0o755)
    assert "names of people" in found("data folder", settings(tmp_path))["permissions"].found
    (tmp_path / "data").chmod(0o777)
    assert "replace the jobs" in found("data folder", settings(tmp_path))["permissions"].found


@pytest.mark.parametrize(
    ("folder", "kind", "verdict"),
    [
        ("/home/me", "ext4", "ok"),
        ("/srv/data", "nfs4", "error"),
        ("/srv/with space/data", "xfs", "ok"),
        ("/srvx", "ext4", "ok"),
        ("/mnt/over/x", "fuse.sshfs", "error"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(
    folder: str, kind: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert file_system_of(Path(folder), mounts) == kind
    monkeypatch.setattr(startup, "file_system_of", lambda _: kind)
    assert next(iter(startup._file_system(Path(folder)))).verdict == verdict


def test_a_file_system_that_nobody_knows_is_not_held_against_anybody(tmp_path: Path) -> None:
    assert file_system_of(tmp_path, tmp_path / "nothing") == ""


def test_a_lock_that_is_held_names_its_owner(tmp_path: Path) -> None:
    ours = settings(tmp_path)
    with closing(SqliteStore(ours.data_dir)):
        assert f"process {os.getpid()}" in found("lock", ours)["lock"].found
    assert found("lock", ours)["lock"].found == "no service uses the data folder"


def test_a_kernel_cache_that_others_may_write_refuses_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    assert kernel_cache() == tmp_path / "cache"
    assert "is made" in found("kernel cache", settings(tmp_path))["kernel cache"].found
    below = tmp_path / "cache" / "kernels-1"
    below.mkdir(parents=True)
    assert found("kernel cache", settings(tmp_path))["kernel cache"].verdict == "ok"
    below.chmod(0o777)
    finding = found("kernel cache", settings(tmp_path))["kernel cache"]
    assert finding.verdict == "error" and str(below) in finding.advice


def test_backups_without_a_signature_are_told_where_others_can_reach_the_service(tmp_path: Path) -> None:
    def verdict(**given: str) -> str:
        return found("backups", settings(tmp_path, **given))["backups"].verdict

    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    key.chmod(0o600)
    assert (verdict(), verdict(host="0.0.0.0")) == ("ok", "warning")
    assert verdict(host="0.0.0.0", backup_key_file=str(key)) == "ok"
    assert verdict(backup_key_file=str(tmp_path / "nowhere")) == "error"


def test_no_keys_and_an_address_for_everybody_refuses_the_start(tmp_path: Path) -> None:
    assert found("API keys", settings(tmp_path, host="0.0.0.0"))["API keys"].verdict == "error"
    assert found("API keys", settings(tmp_path))["API keys"].verdict == "ok"


@pytest.mark.parametrize(
    "given", [{"alert_webhook_url": "http://hooks.example.org/hush"}, {"alert_command": "no-such-program hush"}]
)
def test_an_alert_sink_that_cannot_work_refuses_the_start_without_telling_its_address(
    given: dict[str, str], tmp_path: Path
) -> None:
    findings = list(startup._alerts(settings(tmp_path, **given)))
    assert [finding.verdict for finding in findings] == ["error", "ok"]
    assert "hush" not in str(findings)


def test_switched_on_failpoints_and_unknown_variables_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(failpoints.VARIABLE, str(tmp_path))
    monkeypatch.setenv("TIMETABLE_SLOT", "3")
    assert found("failpoints", settings(tmp_path))["failpoints"].verdict == "warning"
    (unknown,) = startup._variables(settings(tmp_path))
    assert unknown.found == "TIMETABLE_SLOT is no setting" and unknown.advice == "did you mean TIMETABLE_SLOTS?"


def test_too_few_open_files_are_warned_of(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 300), hard))
    try:
        assert found("open files", settings(tmp_path))["open files"].verdict == "warning"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found("open files", settings(tmp_path, max_streams=1))["open files"].verdict == "ok"


@pytest.mark.parametrize(
    ("queue", "workers", "verdict"), [("embedded", 1, "ok"), ("embedded", 4, "warning"), ("celery", 4, "ok")]
)
def test_workers_for_one_job_are_warned_of_where_there_are_none(
    tmp_path: Path, queue: str, workers: int, verdict: str
) -> None:
    given = settings(
        tmp_path, queue=queue, portfolio_workers=workers, database_url="postgresql://x", broker_url="redis://x"
    )
    assert found("portfolio", given)["portfolio"].verdict == verdict


def test_a_clock_that_was_never_set_and_too_little_memory_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found("memory", settings(tmp_path, slots=256, memory_limit_mb=1_048_576))["memory"].verdict == "warning"
    monkeypatch.setattr(startup.time, "time", lambda: 0.0)
    assert "1970-01-01" in found("clock", settings(tmp_path))["clock"].found


def test_a_check_that_fails_is_a_finding_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(settings: Settings) -> Any:
        raise sqlite3.OperationalError("no such thing")
        yield

    monkeypatch.setattr(startup, "CHECKS", (Check("broken", broken, True), *CHECKS[:1]))
    assert next(iter(examine(settings(tmp_path)))) == CheckResult(
        "broken", "warning", "cannot be examined: no such thing"
    )


def test_doctor_fails_when_a_check_does_and_never_shows_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    monkeypatch.setattr(startup, "CHECKS", tuple(check for check in CHECKS if check.name != "kernels"))
    secret = settings(tmp_path, alert_webhook_url="https://hooks.example.org/hush")
    assert run(Console(), secret, "", as_json=False) == 0
    assert run(Console(), secret, "", as_json=True) == 0
    assert run(Console(), settings(tmp_path, alert_command="no-such-program"), "", as_json=True) == 1
    assert "hush" not in capsys.readouterr().out


def test_a_damaged_store_is_an_error_with_the_command_that_helps(tmp_path: Path) -> None:
    given = settings(tmp_path)
    with closing(SqliteStore(given.data_dir)) as store:
        path = store.path
    assert found("job store", given)["job store"].verdict == "ok"
    path.write_bytes(path.read_bytes()[:5000])
    finding = found("job store", given)["job store"]
    assert finding.verdict == "error" and "restore" in finding.advice


def test_a_single_damaged_row_is_a_warning_as_a_service_starts_all_the_same(tmp_path: Path) -> None:
    given = settings(tmp_path)
    with closing(SqliteStore(given.data_dir)) as store:
        store.submit(Job(id="j", body_hash="h", created_at=0.0), b"body", 10)
        store._write(lambda work: work.change("UPDATE jobs SET percent = 7"))
    finding = found("job store", given)["job store"]
    assert finding.verdict == "warning" and "quarantine" in finding.advice
